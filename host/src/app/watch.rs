//! When threads are to end.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{Stop, Until};

/// Shared by the threads of all pipelines. A bounded run is over when all threads are done at the same time:
/// work that moves to another thread makes that one busy again.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    until: Until,
    stop: Stop,
    done: Arc<[AtomicBool]>,
    run: u64,
}

impl Watch {
    pub fn new(until: Until, stop: &Stop, threads: usize) -> Self {
        let done = (0..threads).map(|_| AtomicBool::new(false)).collect();
        // Random.
        let run = RandomState::new().hash_one(());
        Self { until, stop: stop.clone(), done, run }
    }

    /// No other run has this number.
    pub fn run(&self) -> u64 {
        self.run
    }

    pub fn until_end(&self) -> bool {
        self.until == Until::End
    }

    /// A thread says whether it has anything left to do.
    pub fn tell(&self, thread: usize, done: bool) {
        self.done[thread].store(done, Relaxed);
    }

    pub fn asked(&self) -> bool {
        self.stop.asked()
    }

    pub fn is_over(&self) -> bool {
        self.asked() || self.until_end() && self.done.iter().all(|done| done.load(Relaxed))
    }
}
