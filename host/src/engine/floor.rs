//! Which of two generations of a pipeline speaks: a newer one, begun from history, takes the floor from an older one
//! partition by partition, and may have to give it back.
//!
//! Both read the same partitions, each in a group of its own, with state of its own. Whatever a record becomes, one of
//! them sends it out:
//!
//! ```text
//! offsets  ─────────────── O ─────────────── R ──────────────>
//! older        speaks      │      silent     │     speaks
//! newer        silent      │      speaks     │     silent
//! ```
//!
//! O is written by the older one beside its offsets, in one of its own transactions; R, for the newer one, when nobody
//! runs that any more. A record is not read before it is known who speaks for it: so a silent generation is never ahead
//! of what the other has committed, and neither fence can come to lie where it has been already.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::AcqRel, Ordering::Acquire};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::record::PartitionId;

/// From an offset on another generation speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    pub to: u64,
    pub at: i64,
}

/// Where the other generation is in a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Other {
    /// The next offset that it reads, as committed.
    pub next: Option<i64>,
    pub fence: Option<Fence>,
}

/// What this generation is beside another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beside {
    #[default]
    Nobody,
    /// The older one. `passes`: it gives the floor away with its next commits.
    Newer { generation: u64, passes: bool },
    /// The newer one.
    Older { generation: u64 },
}

/// All that is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    pub beside: Beside,
    /// Fences to this generation, and to those before, are void: it never spoke, or has given the floor back.
    pub over: u64,
    /// By partition of a source.
    pub others: BTreeMap<PartitionId, Other>,
}

/// What a generation does with the records of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// The other one speaks for these offsets.
    pub silent: Range<i64>,
    /// From there on it is not known yet.
    pub end: i64,
}

impl Turn {
    pub const SPEAKS: Self = Self { silent: 0..0, end: i64::MAX };
}

impl View {
    /// A fence of this generation's, if it means anything.
    pub(super) fn fence(&self, own: Option<Fence>) -> Option<Fence> {
        own.filter(|fence| fence.to > self.over)
    }

    pub(super) fn turn(&self, id: PartitionId, own: Option<Fence>) -> Turn {
        let (own, other) = (self.fence(own), self.others.get(&id).copied().unwrap_or_default());
        let next = other.next.unwrap_or(0);
        match (self.beside, own) {
            (Beside::Nobody | Beside::Newer { .. }, None) => Turn::SPEAKS,
            (Beside::Newer { generation, .. }, Some(Fence { to, at })) if to == generation => {
                match other.fence {
                    Some(back) => Turn { silent: at..back.at.max(at), end: i64::MAX },
                    None => Turn { silent: at..i64::MAX, end: next.max(at) },
                }
            }
            // Of that one nothing has been heard yet.
            (Beside::Nobody | Beside::Newer { .. }, Some(Fence { at, .. })) => {
                Turn { silent: at..i64::MAX, end: at }
            }
            (Beside::Older { .. }, own) => {
                let until = own.map_or(i64::MAX, |fence| fence.at);
                match other.fence {
                    Some(begins) => Turn { silent: 0..begins.at, end: until },
                    None => Turn { silent: 0..i64::MAX, end: next.min(until) },
                }
            }
        }
    }

    /// The generation that gets the floor, if this one is to give it away.
    pub(super) fn passes_to(&self) -> Option<u64> {
        match self.beside {
            Beside::Newer { generation, passes: true } => Some(generation),
            _ => None,
        }
    }
}

/// Shared by the threads of a generation, and whoever looks after it.
#[derive(Debug, Default)]
pub struct Floor {
    version: AtomicU64,
    view: Mutex<Arc<View>>,
}

impl Floor {
    pub fn new(view: View) -> Self {
        Self { version: AtomicU64::new(1), view: Mutex::new(Arc::new(view)) }
    }

    /// Threads go by this, from their next batch on.
    pub fn set(&self, view: View) {
        let mut own = self.view();
        if **own != view {
            *own = Arc::new(view);
            self.version.fetch_add(1, AcqRel);
        }
    }

    pub fn look(&self) -> Arc<View> {
        Arc::clone(&self.view())
    }

    /// Rises with each change.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Acquire)
    }

    fn view(&self) -> MutexGuard<'_, Arc<View>> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
