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
//! Each fence is written by the generation that gives the floor away, beside its offsets, in one of its own transactions.
//! A record is not read before it is known who speaks for it: so a silent generation is never ahead of what the other has
//! committed, and no fence can come to lie where the other has been already.
//!
//! Rows before a fence may be on their way still, in repartition topics and where they wait for a watermark. A task is
//! quiet when nothing comes of it any more for which its generation speaks: what it reads is fenced, or written by tasks
//! that told it that they are quiet, and no such row waits in it. A generation all of whose tasks are quiet may end.

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

/// What a generation says to the other of a partition, beside its offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Words {
    pub fence: Option<Fence>,
    /// Nothing is on its way any more for which it speaks: its task has given the floor to this generation.
    pub quiet: Option<u64>,
    /// The task's watermark, where there is one.
    pub at: Option<i64>,
}

/// Where the other generation is in a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Other {
    /// The next offset that it reads, as committed.
    pub next: Option<i64>,
    pub words: Words,
}

/// What this generation is beside another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beside {
    #[default]
    Nobody,
    /// The older one. `passes`: it gives the floor away with its next commits.
    Newer { generation: u64, passes: bool },
    /// The newer one; `passes`: it gives the floor back.
    Older { generation: u64, passes: bool },
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
    /// It speaks for these offsets.
    speaks: [Range<i64>; 2],
    /// From there on it is not known yet who does.
    pub end: i64,
}

/// All offsets from one on.
const fn from(at: i64) -> Range<i64> {
    at..i64::MAX
}

const NONE: Range<i64> = 0..0;

impl Turn {
    pub const SPEAKS: Self = Self { speaks: [from(0), NONE], end: i64::MAX };

    pub fn speaks(&self, offset: i64) -> bool {
        self.speaks.iter().any(|range| range.contains(&offset))
    }
}

impl View {
    /// A fence of this generation's, if it means anything.
    pub(super) fn fence(&self, own: Option<Fence>) -> Option<Fence> {
        let is_back = |to: u64| matches!(self.beside, Beside::Older { generation, .. } if generation == to);
        own.filter(|fence| fence.to > self.over || is_back(fence.to))
    }

    /// Whether this generation is to be called off.
    pub(super) fn gives_back(&self) -> bool {
        matches!(self.beside, Beside::Older { passes: true, .. })
    }

    pub(super) fn turn(&self, id: PartitionId, own: Option<Fence>) -> Turn {
        let (own, other) = (self.fence(own), self.others.get(&id).copied().unwrap_or_default());
        let next = other.next.unwrap_or(0);
        match (self.beside, own) {
            (Beside::Nobody | Beside::Newer { .. }, None) => Turn::SPEAKS,
            (Beside::Newer { generation, .. }, Some(Fence { to, at })) if to == generation => {
                match other.words.fence {
                    Some(back) => Turn { speaks: [0..at, from(back.at.max(at))], end: i64::MAX },
                    None => Turn { speaks: [0..at, NONE], end: next.max(at) },
                }
            }
            // Of that one nothing has been heard yet.
            (Beside::Nobody | Beside::Newer { .. }, Some(Fence { at, .. })) => {
                Turn { speaks: [0..at, NONE], end: at }
            }
            (Beside::Older { .. }, back) => match (other.words.fence, back) {
                (Some(begins), None) => Turn { speaks: [from(begins.at), NONE], end: i64::MAX },
                (Some(begins), Some(back)) => {
                    Turn { speaks: [begins.at..back.at, NONE], end: next.max(back.at) }
                }
                (None, _) => Turn { speaks: [NONE, NONE], end: next },
            },
        }
    }

    /// The generation that gets the floor, if this one is to give it away.
    pub(super) fn passes_to(&self) -> Option<u64> {
        match self.beside {
            Beside::Newer { generation, passes: true } | Beside::Older { generation, passes: true } => {
                Some(generation)
            }
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
