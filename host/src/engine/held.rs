//! Rows of a task that wait until the watermark has passed them, in the order in which windows meet them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::parcel::{self, Head};
use crate::record::Origin;

/// By time; of one time updates first, then by origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Order {
    time: i64,
    is_row: bool,
    origin: Origin,
}

/// A row that is held, and where it came from: an input of the task, and the offset there.
#[derive(Debug)]
pub(super) struct Parcel {
    pub bytes: Box<[u8]>,
    pub input: usize,
    pub offset: i64,
}

/// A row whose turn it is.
#[derive(Debug)]
pub(super) struct Released<'a> {
    /// Index of its task.
    pub task: usize,
    pub bytes: Cow<'a, [u8]>,
    /// All rows before this time are through.
    pub watermark: i64,
}

#[derive(Debug, Default)]
pub(super) struct Held {
    parcels: BTreeMap<Order, Parcel>,
    bytes: usize,
    /// How many this generation speaks for.
    spoken: usize,
}

/// What a parcel takes beside its bytes, about.
const OVERHEAD: usize = 128;

impl Held {
    /// Gives back a parcel of the same origin and time, which this one replaces: it came twice.
    pub fn hold(&mut self, head: &Head<'_>, parcel: Parcel) -> Option<Parcel> {
        let order = Order { time: head.time, is_row: !head.is_update, origin: head.origin };
        self.bytes += parcel.bytes.len() + OVERHEAD;
        self.spoken += usize::from(!head.is_muted);
        let twice = self.parcels.insert(order, parcel);
        if let Some(twice) = &twice {
            self.goes(twice);
        }
        twice
    }

    /// Whether any is before the watermark.
    pub fn is_next(&self, watermark: i64) -> bool {
        self.parcels.first_key_value().is_some_and(|(order, _)| order.time < watermark)
    }

    /// The first one, if it is before the watermark, with its time.
    pub fn release(&mut self, watermark: i64) -> Option<(i64, Parcel)> {
        let first = self.parcels.first_entry().filter(|first| first.key().time < watermark)?;
        let (order, parcel) = first.remove_entry();
        self.goes(&parcel);
        Some((order.time, parcel))
    }

    fn goes(&mut self, parcel: &Parcel) {
        self.bytes -= parcel.bytes.len() + OVERHEAD;
        self.spoken -= usize::from(!parcel::is_muted(&parcel.bytes));
    }

    /// Whether there are any for which this generation speaks.
    pub fn speaks(&self) -> bool {
        self.spoken > 0
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Parcel> {
        self.parcels.values()
    }

    /// Which releases began them.
    pub fn releases(&self) -> impl Iterator<Item = &str> {
        self.parcels.values().filter_map(|parcel| parcel::release(&parcel.bytes))
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
