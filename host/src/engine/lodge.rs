//! Where tasks wait on their way from one thread to another, with their state.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::task::{Task, TaskId};
use crate::record::PartitionId;

/// Shared by the threads of a pipeline.
#[derive(Debug, Default)]
pub struct Lodge {
    waiting: Mutex<HashMap<TaskId, Task>>,
}

impl Lodge {
    /// Leaves a task here, before the group gives its partitions to somebody else.
    pub fn leave(&self, id: TaskId, task: Task) {
        self.waiting().insert(id, task);
    }

    /// Takes a task over from where the group stands. What is here may be old: another process may have
    /// gone on from it meanwhile. Then the offsets differ, and it is dropped.
    pub fn take(&self, id: TaskId, committed: &[(PartitionId, Option<i64>)]) -> Option<Task> {
        let task = self.waiting().remove(&id)?;
        let stands = |(id, offset): &(PartitionId, Option<i64>)| {
            task.inputs.iter().any(|input| input.id == *id && task.resume(input) == *offset)
        };
        (task.inputs.len() == committed.len() && committed.iter().all(stands)).then_some(task)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<TaskId, Task>> {
        // A task is put in or taken out whole, also by a thread that panics.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
