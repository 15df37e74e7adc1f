//! What the host remembers: for each task and features stage a store, in it for each key its windows.
//!
//! A store is in memory, and moves with its task from thread to thread. Behind it there may be a [`Base`]: keys
//! as of the last checkpoint, which come into memory when they are met. Then the store knows what has changed
//! since the last commit, and since the last checkpoint: see [`Journal`] for what is written down between two.
//!
//! A key is forgotten once nothing that it has seen can be seen again; with it goes its memory.

mod backed;
mod base;
mod changes;
mod copy;
mod journal;
mod key;
mod plans;
mod room;
mod slot;
mod slots;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub use backed::Replay;
#[cfg(test)]
pub use base::contract;
pub use base::{Base, Behind, Checkpoint, Commit, Disk, Due, Frozen, Image, MemoryDisk, lock};
pub use copy::KeyCopy;
pub use journal::{Journal, Op, Ops};
pub use key::{KeyColumns, KeyReader, MissingKey, parse_key};
pub use room::Coming;
pub use slot::{Slot, Windows, due_of};
pub use slots::Slots;

use crate::error::{Code, Error, Result};
use crate::window::{Cells, Closed, Plan, Scratch, Scripts};
use backed::Backed;
use plans::Plans;

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

/// A row that meets the windows of its key.
#[derive(Debug)]
pub struct Meeting<'a> {
    pub input: usize,
    /// As [`crate::window::Layout`] has it.
    pub words: &'a mut [u64],
    /// Hash of the record's key, where it is checked and was not known; or 0.
    pub record_key: u64,
    /// Of the task, as of before the row.
    pub watermark: i64,
}

impl Meeting<'_> {
    fn time(&self) -> i64 {
        self.words[0].cast_signed()
    }
}

/// What windows of rows work with and write to.
pub struct Desk<'a, 'b> {
    pub scratch: &'a mut Scratch,
    pub cells: &'a mut Cells<'b>,
    pub scripts: &'a mut Scripts,
}

/// The keys of one task and stage. Nothing depends on the order of the hash.
#[derive(Debug, Default)]
pub struct Store {
    index: u8,
    plans: Plans,
    slots: Slots<Slot>,
    timers: BinaryHeap<Reverse<(i64, u32)>>,
    behind: Option<Backed>,
}

impl Store {
    /// The store of this index in its task, over a base.
    pub fn over(index: u8, base: Behind) -> Self {
        Self { index, behind: Some(Backed::new(base)), ..Self::default() }
    }

    /// Where the key of a row at this time is; it is made if it was not seen before, and begins anew if it was
    /// silent for too long. Valid until [`Store::forget`].
    pub fn find(&mut self, retention: Retention<'_>, key: &[u8], time: i64) -> Result<u32> {
        let id = match self.slots.number_of(key, |slot| &slot.key) {
            Some(id) => id,
            None => self.enter(retention, key)?,
        };
        self.convert(retention, id)?;
        let slot = self.slots.get_mut(id);
        // Not only when it is looked at: what a row sees must not depend on when that is.
        if slot.is_silent(retention, time) {
            if let Some(Backed { changes, .. }) = &mut self.behind {
                changes.before(&self.plans, self.index, id, slot);
            }
            slot.windows = Windows::new(retention.plan);
            slot.generation += 1;
        }
        Ok(id)
    }

    /// Windows are kept by another plan from now on; without that, by the one of the first [`Retention`]. All that
    /// comes in a retention from now on has views of it.
    pub fn keep_by(&mut self, plan: &Plan, mut journal: Option<&mut Journal>) -> Result<()> {
        if let Some(journal) = &mut journal
            && !self.plans.is_current(plan)
        {
            // They are read back by the plan that they are of.
            self.journal_registers(journal);
        }
        if self.plans.put(plan)?
            && let (Some(journal), Some(plan)) = (journal, self.plans.current())
        {
            journal.keep_by(self.index, plan);
        }
        Ok(())
    }

    /// By which plan windows are kept.
    pub fn plan(&self) -> Option<&Plan> {
        self.plans.current().map(|plan| &**plan)
    }

    /// Sees to it that a key is kept by the plan that holds.
    fn convert(&mut self, retention: Retention<'_>, id: u32) -> Result<()> {
        let slot = self.slots.get_mut(id);
        if slot.kept_by == self.plans.current_mark() {
            return Ok(());
        }
        if let Some(Backed { changes, .. }) = &mut self.behind {
            changes.before(&self.plans, self.index, id, slot);
        }
        slot.convert(&self.plans)?;
        let newest = slot.newest;
        self.touch(retention, id, newest);
        Ok(())
    }

    pub fn slot(&mut self, id: u32) -> &mut Slot {
        self.slots.get_mut(id)
    }

    /// A row of the stage's own input, or of another, meets windows that give a vector for each row.
    pub fn meet(
        &mut self,
        retention: Retention<'_>,
        id: u32,
        meeting: Meeting<'_>,
        desk: Desk<'_, '_>,
        journal: Option<&mut Journal>,
    ) -> Result<()> {
        self.before(id, &meeting, journal);
        let (Retention { plan, lateness, .. }, time) = (retention, meeting.time());
        let Windows::Row(history) = &mut self.slots.get_mut(id).windows else { return Err(other_trigger()) };
        let Desk { scratch, cells, scripts } = desk;
        match meeting.input {
            0 => history.admit(plan, scratch, meeting.words, cells, scripts),
            input => history.update(plan, input, meeting.words, scripts),
        }
        history.forget(plan, meeting.watermark.saturating_sub(lateness));
        self.touch(retention, id, time);
        Ok(())
    }

    /// A row meets windows that give a vector when they close.
    pub fn meet_closing(
        &mut self,
        retention: Retention<'_>,
        id: u32,
        meeting: Meeting<'_>,
        closed: &mut Closed,
        journal: Option<&mut Journal>,
    ) -> Result<()> {
        self.before(id, &meeting, journal);
        let time = meeting.time();
        let Windows::Close(closing) = &mut self.slots.get_mut(id).windows else {
            return Err(other_trigger());
        };
        closing.admit(retention.plan, meeting.input, meeting.words, meeting.watermark, closed);
        self.touch(retention, id, time);
        Ok(())
    }

    /// Lets windows close that this watermark has passed, those of one moment in order of their keys. `came_out`
    /// is told the key after each.
    pub fn pass(
        &mut self,
        retention: Retention<'_>,
        watermark: i64,
        closed: &mut Closed,
        mut came_out: impl FnMut(&Closed, &[u8]),
        mut journal: Option<&mut Journal>,
    ) -> Result<()> {
        let mut due = Vec::new();
        // Closing one window may bring the next one's moment.
        while let Some(moment) = self.due(retention, watermark, &mut due)? {
            if let Some(journal) = journal.take() {
                journal.pass(self.index, watermark);
            }
            for id in &due {
                let slot = self.slots.get_mut(*id);
                let Windows::Close(closing) = &mut slot.windows else { return Err(other_trigger()) };
                closing.close(retention.plan, moment, closed);
                came_out(closed, &slot.key);
                self.settle(retention, *id, watermark);
            }
        }
        Ok(())
    }

    /// Forgets keys whose windows no row can see any more.
    pub fn forget(
        &mut self,
        retention: Retention<'_>,
        watermark: i64,
        mut journal: Option<&mut Journal>,
    ) -> Result<()> {
        let mut due = Vec::new();
        while self.due(retention, watermark, &mut due)?.is_some() {
            if let Some(journal) = journal.take() {
                journal.forget(self.index, watermark);
            }
            due.iter().for_each(|id| self.settle(retention, *id, watermark));
        }
        self.shrink();
        Ok(())
    }

    /// A row came that is not met by [`Store::meet`]: what is to be written down of it is.
    fn before(&mut self, id: u32, meeting: &Meeting<'_>, journal: Option<&mut Journal>) {
        if let Some(Backed { changes, .. }) = &mut self.behind {
            let slot = self.slots.get_mut(id);
            slot.standing.used = true;
            changes.before(&self.plans, self.index, id, slot);
            if let Some(journal) = journal {
                journal.row(self.index, &slot.key, meeting);
            }
        }
    }

    /// A row of this time came to the key: sees to it that the key is looked at when it is due.
    fn touch(&mut self, retention: Retention<'_>, id: u32, time: i64) {
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
    /// their bytes. They have no timer any more: they have to be settled, or touched.
    fn due(&mut self, retention: Retention<'_>, until: i64, into: &mut Vec<u32>) -> Result<Option<i64>> {
        self.fetch_due(retention, until)?;
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
                if let Some(Backed { changes, .. }) = &mut self.behind {
                    changes.before(&self.plans, self.index, id, slot);
                }
                if slot.kept_by != self.plans.current_mark() {
                    slot.convert(&self.plans)?;
                }
                slot.timer = None;
                moment = Some(due);
                into.push(id);
            }
        }
        let slots = &self.slots;
        into.sort_by(|one, other| slots.get(*one).key.cmp(&slots.get(*other).key));
        Ok(moment)
    }

    /// Lets go of what a key no longer needs, and of the key if that is all.
    fn settle(&mut self, retention: Retention<'_>, id: u32, watermark: i64) {
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
            if let Some(Backed { changes, .. }) = &mut self.behind {
                changes.remove(slot);
            }
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
            if let Some(Backed { changes, .. }) = &mut self.behind {
                changes.renumber(&moved);
            }
        }
    }

    /// Keys in memory, kept entries or panes, and bytes held, tables included. Walks all keys.
    pub fn usage(&self) -> Usage {
        let tables = self.slots.size() + self.timers.capacity() * size_of::<(i64, u32)>();
        self.slots.iter().fold(Usage { keys: 0, entries: 0, bytes: tables }, |usage, slot| {
            let (entries, bytes) = match &slot.windows {
                Windows::Row(history) => {
                    let entries = self.plans.of(slot.kept_by).map_or(0, |plan| history.entries(plan));
                    (entries, history.size() - size_of::<crate::window::History>())
                }
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

fn other_trigger() -> Error {
    Error::new(Code::Internal, "windows of another trigger")
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
