//! Where partitions wait on their way from one thread to another, with their state.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::record::PartitionId;
use crate::state::Store;

/// A partition of one thread: its state, and the offset up to which that holds.
#[derive(Debug, Default)]
pub struct Partition {
    pub store: Store,
    /// The next offset to be read; `None`: none was read yet.
    pub next: Option<i64>,
}

/// Shared by the threads of a pipeline.
#[derive(Debug, Default)]
pub struct Lodge {
    waiting: Mutex<HashMap<PartitionId, Partition>>,
}

impl Lodge {
    /// Leaves a partition here, before the group gives it to somebody else.
    pub fn leave(&self, id: PartitionId, partition: Partition) {
        self.waiting().insert(id, partition);
    }

    /// Takes a partition over from where the group stands. What is here may be old: another process
    /// may have gone on from it meanwhile. Then the offsets differ, and it is dropped.
    pub fn take(&self, id: PartitionId, committed: Option<i64>) -> Partition {
        let waiting = self.waiting().remove(&id);
        waiting.filter(|partition| partition.next == committed).unwrap_or_default()
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<PartitionId, Partition>> {
        // A partition is put in or taken out whole, also by a thread that panics.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
