//! What of a store changed: since the last commit, to be taken back if it fails; and since the last checkpoint,
//! to be written by the next one.
//!
//! A checkpoint is of one moment, right after a commit, but its keys are frozen one by one while the work goes
//! on: a key that is about to change is frozen before.

use std::collections::HashMap;

use super::base::Image;
use super::plans::Plans;
use super::slot::Slot;
use super::slots::Slots;

/// A forgotten key, and when it was due according to the base.
pub(super) type Gone = HashMap<Box<[u8]>, Option<i64>>;

#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Slots that changed since the last commit. One that is gone may stand here still; so below.
    pub touched: Vec<u32>,
    /// Keys forgotten since the last commit.
    pub forgotten: Vec<Box<[u8]>>,
    /// Slots that changed since the last checkpoint was begun.
    pub dirty: Vec<u32>,
    /// Keys forgotten since then.
    pub gone: Gone,
    /// Keys that the checkpoint under way forgets.
    pub leaving: Gone,
    /// Slots that the checkpoint under way has yet to take.
    pub pending: Vec<u32>,
    /// What it took.
    pub images: Vec<Image>,
    /// Bytes of that.
    pub bytes: usize,
}

impl Changes {
    /// The slot is about to change.
    pub fn before(&mut self, plans: &Plans, store: u8, id: u32, slot: &mut Slot) {
        if slot.standing.pending {
            self.take(plans, store, slot);
        }
        if !slot.standing.touched {
            slot.standing.touched = true;
            self.touched.push(id);
        }
        if !slot.standing.dirty {
            slot.standing.dirty = true;
            self.dirty.push(id);
        }
    }

    /// The slot is about to be removed; it was about to change before.
    pub fn remove(&mut self, slot: &Slot) {
        self.forgotten.push(slot.key.clone());
        self.gone.insert(slot.key.clone(), slot.standing.due_before);
    }

    /// A key is not in the store. Whether it is not in the base either, whatever that says.
    pub fn is_gone(&self, key: &[u8]) -> bool {
        self.gone.contains_key(key) || self.leaving.contains_key(key)
    }

    /// A key is there again. When it is due according to the base.
    pub fn comes_back(&mut self, key: &[u8]) -> Option<i64> {
        self.gone.remove(key).flatten()
    }

    /// Slots have new numbers.
    pub fn renumber(&mut self, moved: &[Option<u32>]) {
        for list in [&mut self.touched, &mut self.dirty, &mut self.pending] {
            *list = list.iter().filter_map(|id| moved.get(*id as usize).copied().flatten()).collect();
        }
    }

    /// All that changed so far is committed.
    pub fn commit(&mut self, slots: &mut Slots<Slot>) {
        for id in self.touched.drain(..) {
            if let Some(slot) = slots.find_mut(id) {
                slot.standing.touched = false;
            }
        }
        self.forgotten.clear();
    }

    /// Begins a checkpoint of what is there now. The one before is written.
    pub fn begin(&mut self, plans: &Plans, store: u8, slots: &mut Slots<Slot>) {
        self.pending = std::mem::take(&mut self.dirty);
        self.pending.retain(|id| {
            let Some(slot) = slots.find_mut(*id).filter(|slot| slot.standing.dirty) else { return false };
            slot.standing.dirty = false;
            slot.standing.pending = true;
            true
        });
        self.leaving = std::mem::take(&mut self.gone);
        let forgotten = self.leaving.iter().map(|(key, due_before)| Image {
            store,
            key: key.clone(),
            bytes: None,
            due: None,
            due_before: *due_before,
        });
        self.images = forgotten.chain([plans.image(store)]).collect();
        self.bytes = self.leaving.keys().map(|key| key.len()).sum();
    }

    /// Freezes slots of the checkpoint under way, up to about so many bytes. Whether all are.
    pub fn go_on(&mut self, plans: &Plans, store: u8, slots: &mut Slots<Slot>, most: usize) -> bool {
        let until = self.bytes + most;
        while self.bytes < until {
            let Some(id) = self.pending.pop() else { return true };
            if let Some(slot) = slots.find_mut(id).filter(|slot| slot.standing.pending) {
                self.take(plans, store, slot);
            }
        }
        self.pending.is_empty()
    }

    fn take(&mut self, plans: &Plans, store: u8, slot: &mut Slot) {
        let (bytes, due, due_before) = (slot.freeze(plans), slot.timer, slot.standing.due_before);
        slot.standing.pending = false;
        slot.standing.due_before = due;
        self.bytes += slot.key.len() + bytes.len();
        self.images.push(Image { store, key: slot.key.clone(), bytes: Some(bytes), due, due_before });
    }
}
