//! How far threads are in the partitions that are theirs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::record::PartitionId;

/// Why a partition is not read for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waits {
    /// So many rows are held that only partitions are read that are behind.
    Watermark,
    /// A stage failed beyond its error budget.
    Failing,
    /// Its windows are not here yet.
    Task,
    /// A release that began rows of it is not here yet.
    Release,
}

impl Waits {
    pub const ALL: [Self; 4] = [Self::Watermark, Self::Failing, Self::Task, Self::Release];

    pub fn name(self) -> &'static str {
        match self {
            Self::Watermark => "watermark",
            Self::Failing => "failing",
            Self::Task => "task",
            Self::Release => "release",
        }
    }
}

/// Where one is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The next offset to be read, if any was.
    pub next: Option<i64>,
    /// The offset behind its last record, as far as is known.
    pub end: Option<i64>,
    /// In milliseconds since the epoch; none: it has none, or none yet.
    pub watermark: Option<i64>,
    pub waits: Option<Waits>,
}

impl Place {
    /// Records that are still to be read.
    pub fn lag(&self) -> Option<u64> {
        Some(self.end?.saturating_sub(self.next?).max(0) as u64)
    }
}

/// Of all threads.
pub type Places = Arc<Mutex<BTreeMap<PartitionId, Place>>>;

/// One thread's; they are gone when it is dropped.
#[derive(Debug)]
pub(in crate::engine) struct OwnPlaces {
    all: Places,
    own: Vec<PartitionId>,
}

impl OwnPlaces {
    pub fn new(all: Places) -> Self {
        Self { all, own: Vec::new() }
    }

    /// It has these, and no others any more.
    pub fn set(&mut self, places: impl Iterator<Item = (PartitionId, Place)>) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        for id in self.own.drain(..) {
            all.remove(&id);
        }
        for (id, place) in places {
            all.insert(id, place);
            self.own.push(id);
        }
    }
}

impl Drop for OwnPlaces {
    fn drop(&mut self) {
        self.set(std::iter::empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_had_is_gone_with_it() {
        let all = Places::default();
        let id = |partition| PartitionId { source: 0, partition };
        let (mut one, mut other) = (OwnPlaces::new(all.clone()), OwnPlaces::new(all.clone()));
        let place = Place { next: Some(3), end: Some(10), ..Place::default() };
        one.set([(id(0), place), (id(1), place)].into_iter());
        other.set([(id(2), place)].into_iter());
        one.set([(id(1), Place { next: Some(12), ..place })].into_iter());
        let seen: Vec<_> = all
            .lock()
            .expect("nobody panicked")
            .iter()
            .map(|(id, place)| (id.partition, place.lag()))
            .collect();
        assert_eq!(seen, [(1, Some(0)), (2, Some(7))]);
        drop(one);
        assert_eq!(all.lock().expect("nobody panicked").len(), 1);
    }
}
