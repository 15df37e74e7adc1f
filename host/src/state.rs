//! What the host remembers: for each task and features stage a store, in it for each key its windows.
//! In memory; it moves with its task from thread to thread.
//!
//! A key is forgotten once nothing that it has seen can be seen again; with it goes its memory.

mod base;
mod key;
mod slots;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

#[cfg(test)]
pub use base::contract;
pub use base::{Base, Checkpoint, Commit, Disk, Frozen, Image, MemoryDisk};
pub use key::{KeyColumns, KeyReader, MissingKey};
pub use slots::Slots;

use smallvec::SmallVec;

use crate::window::{Closing, History, Plan};

/// What is remembered of one key.
#[derive(Debug)]
pub enum Windows {
    /// Of a stage that gives a vector for each row.
    Row(History),
    /// Of a stage that gives one for each window that closes.
    Close(Box<Closing>),
}

impl Windows {
    fn new(plan: &Plan) -> Self {
        match plan.closing {
            None => Self::Row(History::new(plan)),
            Some(_) => Self::Close(Box::new(Closing::new(plan))),
        }
    }
}

/// How long keys are remembered.
#[derive(Clone, Copy, Debug)]
pub struct Retention<'a> {
    pub plan: &'a Plan,
    /// Milliseconds by which a row may be late.
    pub lateness: i64,
    /// Milliseconds after which a silent key is forgotten with all it has seen for ever. Windows that close end
    /// by themselves.
    pub expire_after: Option<i64>,
}

/// A key and its windows.
#[derive(Debug)]
pub struct Slot {
    pub key: Box<[u8]>,
    pub windows: Windows,
    /// By input: the hash of the record's key that came with its first row; 0: not known.
    record_keys: SmallVec<[u64; 1]>,
    /// How often it began anew.
    pub generation: u32,
    /// The newest time that came.
    newest: i64,
    /// The watermark at which it is to be looked at; there is one such entry among the timers.
    timer: Option<i64>,
}

/// The keys of one task and stage. Nothing depends on the order of the hash.
#[derive(Debug, Default)]
pub struct Store {
    slots: Slots<Slot>,
    timers: BinaryHeap<Reverse<(i64, u32)>>,
}

impl Store {
    /// Where the key of a row at this time is; it is made if it was not seen before, and begins anew if it was
    /// silent for too long. Valid until [`Store::forget`].
    pub fn find(&mut self, retention: Retention<'_>, key: &[u8], time: i64) -> u32 {
        let make = || Slot {
            key: key.into(),
            windows: Windows::new(retention.plan),
            record_keys: SmallVec::new(),
            generation: 0,
            newest: i64::MIN,
            timer: None,
        };
        let id = self.slots.find_or_insert(key, |slot| &slot.key, make);
        let slot = self.slots.get_mut(id);
        // Not only when it is looked at: what a row sees must not depend on when that is.
        if slot.is_silent(retention, time) {
            slot.windows = Windows::new(retention.plan);
            slot.generation += 1;
        }
        id
    }

    pub fn slot(&mut self, id: u32) -> &mut Slot {
        self.slots.get_mut(id)
    }

    /// A row of this time came to the key: sees to it that the key is looked at when it is due.
    pub fn touch(&mut self, retention: Retention<'_>, id: u32, time: i64) {
        let slot = self.slots.get_mut(id);
        slot.newest = slot.newest.max(time);
        if let Some(due) = slot.due(retention)
            && slot.timer.is_none_or(|timer| due < timer)
        {
            slot.timer = Some(due);
            self.timers.push(Reverse((due, id)));
        }
    }

    /// The keys that are due first, if that is at `until` or before: the moment, and the keys in the order of
    /// their bytes. They have no timer any more: [`Store::touch`] sets it anew.
    pub fn due(&mut self, until: i64, into: &mut Vec<u32>) -> Option<i64> {
        into.clear();
        let mut moment = None;
        while let Some(Reverse((due, id))) = self.timers.peek().copied() {
            if due > moment.unwrap_or(until) {
                break;
            }
            self.timers.pop();
            // Else an earlier timer took its place; the key may even be gone since.
            if let Some(slot) = self.slots.find_mut(id)
                && slot.timer == Some(due)
            {
                slot.timer = None;
                moment = Some(due);
                into.push(id);
            }
        }
        let slots = &self.slots;
        into.sort_by(|one, other| slots.get(*one).key.cmp(&slots.get(*other).key));
        moment
    }

    /// Forgets keys whose windows no row can see any more.
    pub fn forget(&mut self, retention: Retention<'_>, watermark: i64) {
        let mut due = Vec::new();
        while self.due(watermark, &mut due).is_some() {
            due.iter().for_each(|id| self.settle(retention, *id, watermark));
        }
        self.shrink();
    }

    /// Lets go of what a key no longer needs, and of the key if that is all.
    pub fn settle(&mut self, retention: Retention<'_>, id: u32, watermark: i64) {
        let Retention { plan, lateness, .. } = retention;
        let horizon = watermark.saturating_sub(lateness);
        let slot = self.slots.get_mut(id);
        let is_before = |time: i64| time < horizon;
        let silent = slot.is_silent(retention, horizon);
        let gone = match &mut slot.windows {
            Windows::Row(history) => {
                history.forget(plan, horizon);
                history.expiry(plan).is_some_and(is_before)
            }
            Windows::Close(closing) => {
                closing.forget(plan, horizon);
                closing.is_empty()
            }
        };
        if gone || silent {
            self.slots.remove(id, |slot| &slot.key);
        } else {
            let newest = slot.newest;
            self.touch(retention, id, newest);
        }
    }

    /// Gives memory back after many keys went.
    fn shrink(&mut self) {
        if let Some(moved) = self.slots.compact(|slot| &slot.key) {
            let timers = std::mem::take(&mut self.timers);
            let timers = timers.into_iter().filter_map(|Reverse((due, id))| {
                let id = moved.get(id as usize).copied().flatten()?;
                Some(Reverse((due, id)))
            });
            self.timers = timers.collect();
            self.timers.shrink_to_fit();
        }
    }

    /// Keys, kept entries or panes, and bytes held, tables included. Walks all keys.
    pub fn usage(&self, plan: &Plan) -> Usage {
        let tables = self.slots.size() + self.timers.capacity() * size_of::<(i64, u32)>();
        self.slots.iter().fold(Usage { keys: 0, entries: 0, bytes: tables }, |usage, slot| {
            let (entries, bytes) = match &slot.windows {
                Windows::Row(history) => (history.entries(plan), history.size() - size_of::<History>()),
                Windows::Close(closing) => (closing.panes(), closing.size()),
            };
            Usage {
                keys: usage.keys + 1,
                entries: usage.entries + entries,
                bytes: usage.bytes + slot.key.len() + bytes,
            }
        })
    }
}

impl Slot {
    /// Whether rows of an input come with this record's key, given its hash; the first one decides.
    pub fn is_known(&mut self, input: usize, key: u64) -> bool {
        if self.record_keys.len() <= input {
            self.record_keys.resize(input + 1, 0);
        }
        let known = &mut self.record_keys[input];
        if *known == 0 {
            *known = key;
        }
        *known == key
    }

    /// Whether nothing came for so long before this time that the key is to be forgotten.
    fn is_silent(&self, retention: Retention<'_>, time: i64) -> bool {
        let ends = |after: i64| self.newest.saturating_add(after) < time;
        let began = self.newest != i64::MIN && matches!(self.windows, Windows::Row(_));
        began && retention.expire_after.is_some_and(ends)
    }

    /// The watermark at which this key must be looked at: a window closes, or nothing is left.
    fn due(&self, retention: Retention<'_>) -> Option<i64> {
        let Retention { plan, lateness, expire_after } = retention;
        let after = |horizon: i64| horizon.saturating_add(lateness).saturating_add(1);
        match &self.windows {
            Windows::Row(history) => {
                let silent = expire_after.map(|silence| self.newest.saturating_add(silence));
                history.expiry(plan).into_iter().chain(silent).min().map(after)
            }
            Windows::Close(closing) => closing.due(plan).or_else(|| closing.expiry(plan).map(after)),
        }
    }
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub keys: usize,
    pub entries: usize,
    pub bytes: usize,
}

impl std::ops::Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            keys: self.keys + other.keys,
            entries: self.entries + other.entries,
            bytes: self.bytes + other.bytes,
        }
    }
}

#[cfg(test)]
mod tests;
