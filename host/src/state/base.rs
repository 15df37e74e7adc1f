//! What is behind a store: its keys as of a commit, on disk or wherever else.

#[cfg(test)]
pub mod contract;
mod memory;

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use memory::MemoryDisk;

use crate::error::Result;

/// Number of a task's commits so far: each that changed something counts one up.
pub type Commit = u64;

/// A key's windows, frozen, as a checkpoint writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Index of the store in its task.
    pub store: u8,
    pub key: Box<[u8]>,
    /// None: the key is forgotten.
    pub bytes: Option<Box<[u8]>>,
    /// The watermark at which the key is to be looked at.
    pub due: Option<i64>,
    /// The same as of the checkpoint that wrote this key last.
    pub due_before: Option<i64>,
}

/// All that changed from one checkpoint to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// What it is as of. Rises.
    pub commit: Commit,
    /// What the task itself keeps.
    pub head: Vec<u8>,
    /// No key of a store twice.
    pub images: Vec<Image>,
}

/// A moment, and a key that is due then.
pub type Due = (i64, Box<[u8]>);

/// A frozen key: its store, its bytes, its windows.
pub type Frozen = (u8, Box<[u8]>, Box<[u8]>);

/// The keys of one task as of its last checkpoint. Owned by whoever owns the task; moves with it.
///
/// An error of [`Code::StateDamaged`](crate::error::Code::StateDamaged) means that what is here can't be used,
/// and has to be [cleared](Self::clear) and made anew.
///
/// What was written outlives the base, but not always the process: after a crash a base may be as of an earlier
/// checkpoint, or empty; never as of part of one. What was taken but not written when a base is dropped may be
/// written or not.
pub trait Base: Debug + Send {
    /// The last checkpoint that was written: as of which commit, and its head. None: nothing is here.
    fn position(&self) -> Option<(Commit, &[u8])>;

    /// The windows of a key, if it has any. Of a key that a checkpoint under way writes: before or after.
    fn get(&self, store: u8, key: &[u8]) -> Result<Option<Box<[u8]>>>;

    /// Keys of a store that are due behind a place in their order (none: all), and at `until` or before: moment and key,
    /// rising; so many at most.
    fn due(&self, store: u8, behind: Option<&Due>, until: i64, most: usize) -> Result<Vec<Due>>;

    /// Takes a checkpoint, which is written whole or not at all; returns before it is.
    fn write(&mut self, checkpoint: Checkpoint) -> Result<()>;

    /// Whether all is written that was taken. `wait`: until then. From then on `position` is of it. An error:
    /// it never will be.
    fn written(&mut self, wait: bool) -> Result<bool>;

    /// All keys as of the last checkpoint that was written, whatever is written from now on; by store and key.
    /// To be dropped before the task is opened again.
    fn frozen(&self) -> Result<Box<dyn Iterator<Item = Result<Frozen>> + Send>>;

    /// Forgets everything, what is on its way too. Frozen keys may give errors from now on.
    fn clear(&mut self) -> Result<()>;
}

/// Where bases are.
pub trait Disk: Debug + Send + Sync {
    /// The base of a task, by a name that stands for it alone. Not while it is open already.
    fn open(&self, task: &str) -> Result<Box<dyn Base>>;
}

/// A base, shared by the stores of its task.
pub type Behind = Arc<Mutex<Box<dyn Base>>>;

/// Whoever panicked left it between two calls.
pub fn lock(behind: &Behind) -> MutexGuard<'_, Box<dyn Base>> {
    behind.lock().unwrap_or_else(PoisonError::into_inner)
}
