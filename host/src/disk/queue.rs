//! What waits to be written: bounded in bytes, in order.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::tree::Tree;
use crate::state::Checkpoint;

#[derive(Debug)]
pub(super) enum Job {
    Write(Arc<Tree>, Checkpoint),
    /// Nobody uses it any more: what is in memory goes to a file.
    Close(Arc<Tree>),
    /// What it holds is not wanted any more.
    Remove(Arc<Tree>),
}

#[derive(Debug)]
pub(super) struct Queue {
    bound: usize,
    waiting: Mutex<Waiting>,
    came: Condvar,
    went: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<(Job, usize)>,
    /// Those of the job at work included.
    bytes: usize,
    closed: bool,
}

pub(super) enum Taken {
    Job(Job, usize),
    /// Nothing came for a while.
    Nothing,
    Closed,
}

impl Queue {
    pub fn new(bound: usize) -> Self {
        Self { bound, waiting: Mutex::default(), came: Condvar::new(), went: Condvar::new() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nothing panics while it has this")
    }

    /// Waits for room; an empty queue has room for anything.
    pub fn push(&self, job: Job, bytes: usize) {
        let full = |waiting: &mut Waiting| waiting.bytes > 0 && waiting.bytes + bytes > self.bound;
        let waiting = self.went.wait_while(self.waiting(), full);
        let mut waiting = waiting.expect("nothing panics while it has this");
        waiting.bytes += bytes;
        waiting.jobs.push_back((job, bytes));
        self.came.notify_one();
    }

    /// For the one that takes: the next job, within a while. To be [`Queue::done`].
    pub fn take(&self, within: Duration) -> Taken {
        let nothing = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.closed;
        let waited = self.came.wait_timeout_while(self.waiting(), within, nothing);
        let (mut waiting, _) = waited.expect("nothing panics while it has this");
        match waiting.jobs.pop_front() {
            Some((job, bytes)) => Taken::Job(job, bytes),
            None if waiting.closed => Taken::Closed,
            None => Taken::Nothing,
        }
    }

    pub fn done(&self, bytes: usize) {
        self.waiting().bytes -= bytes;
        self.went.notify_all();
    }

    /// Nothing comes any more; what is here will be taken still.
    pub fn close(&self) {
        self.waiting().closed = true;
        self.came.notify_all();
    }
}
