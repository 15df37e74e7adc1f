//! Where tasks wait on their way from one thread to another, with their state.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ports::Committed;
use super::task::{Task, TaskId};
use super::vault::{Standing, last_commit};
use crate::record::PartitionId;

/// Shared by the threads of a pipeline.
#[derive(Debug, Default)]
pub struct Lodge {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// With when they came, in sweeps.
    tasks: HashMap<TaskId, (u64, Task)>,
    sweeps: u64,
}

impl Lodge {
    /// Leaves a task here, before the group gives its partitions to somebody else.
    pub fn leave(&self, id: TaskId, task: Task) {
        let mut waiting = self.waiting();
        let since = waiting.sweeps;
        waiting.tasks.insert(id, (since, task));
    }

    /// Takes a task over from where the group stands. What is here may be old: another process may have
    /// gone on from it meanwhile. Then the offsets differ, and it is dropped.
    pub fn take(&self, id: TaskId, standing: &Standing) -> Option<Task> {
        let (_, task) = self.waiting().tasks.remove(&id)?;
        let stands = |(id, committed): &(PartitionId, Option<Committed>)| {
            let next = committed.map(|one| one.next);
            task.inputs.iter().any(|input| input.id == *id && task.resume(input) == next)
        };
        let is_last = task.durable.as_ref().is_none_or(|durable| durable.commit == last_commit(standing));
        let is_whole = task.inputs.len() == standing.len() && standing.iter().all(stands);
        (is_last && is_whole).then_some(task)
    }

    /// Drops the tasks that have been here since the last sweep: their partitions went to another process.
    pub fn sweep(&self) {
        let mut waiting = self.waiting();
        let since = waiting.sweeps;
        waiting.sweeps += 1;
        let gone: Vec<_> = waiting.tasks.extract_if(|_, (came, _)| *came < since).collect();
        // Trees are closed, which takes a while.
        drop(waiting);
        drop(gone);
    }

    /// Drops all: nobody comes for them any more.
    pub fn empty(&self) {
        let gone = std::mem::take(&mut self.waiting().tasks);
        drop(gone);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // A task is put in or taken out whole, also by a thread that panics.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
