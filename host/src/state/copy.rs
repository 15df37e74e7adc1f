//! Copies of keys, laid into stores of their own: another release is tried on what is really kept.

use std::cmp::Reverse;

use super::base::lock;
use super::plans::Plans;
use super::slot::Slot;
use super::{Retention, Store};
use crate::error::Result;

/// A key as it is remembered.
#[derive(Clone, Debug)]
pub struct KeyCopy {
    key: Box<[u8]>,
    bytes: Box<[u8]>,
    /// By one of which it is kept.
    plans: Plans,
}

impl KeyCopy {
    /// Bytes of its windows.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

impl Store {
    /// A copy of a key, if it is remembered and takes no more than about `most` bytes in memory. Nothing changes here,
    /// and nothing comes into memory. `deep`: it is looked for in the base too. The batch at hand is settled.
    pub fn copy_of(&self, key: &[u8], most: usize, deep: bool) -> Option<KeyCopy> {
        let bytes = match (self.slots.number_of(key, |slot| &slot.key), &self.behind) {
            (Some(id), _) => {
                let slot = Some(self.slots.get(id)).filter(|slot| slot.size() <= most)?;
                // None: nothing has come to it yet but rows that were refused.
                self.plans.of(slot.kept_by)?;
                slot.freeze(&self.plans)
            }
            // Whoever meets the key finds out what is wrong with the base.
            (None, Some(backed)) if deep && !backed.changes.is_gone(key) => {
                lock(&backed.base).get(self.index, key).ok().flatten()?
            }
            _ => return None,
        };
        (bytes.len() <= most).then(|| KeyCopy { key: key.into(), bytes, plans: self.plans.clone() })
    }

    /// Remembers a key as a copy has it, kept by the plan that holds here. An error: its windows can't be.
    pub fn lay(&mut self, retention: Retention<'_>, copy: &KeyCopy) -> Result<()> {
        let KeyCopy { key, bytes, plans } = copy;
        let Some(mut slot) = Slot::thaw(plans, key, bytes) else { return Ok(()) };
        let Some(plan) = plans.of(slot.kept_by) else { return Ok(()) };
        self.plans.begin(retention.plan)?;
        let held = self.plans.current_mark();
        self.plans.put(plan)?;
        slot.kept_by = self.plans.current_mark();
        self.plans.hold(held);
        let timer = slot.timer;
        let id = self.slots.find_or_insert(key, |slot| &slot.key, || slot);
        self.timers.extend(timer.map(|due| Reverse((due, id))));
        self.convert(retention, id)
    }
}
