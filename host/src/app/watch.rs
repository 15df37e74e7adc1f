//! When threads are to end.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Stop, Until};
use crate::engine::ports::Asked;

type Done = Arc<AtomicBool>;

/// Shared by the threads of all pipelines. A bounded run is over when all stream threads are done at the same time:
/// work that moves to another thread makes that one busy again.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    until: Until,
    stop: Stop,
    /// Ends the threads of one generation before the others.
    own: Stop,
    all: Arc<Mutex<Vec<Done>>>,
    run: u64,
}

impl Watch {
    pub fn new(until: Until, stop: &Stop) -> Self {
        // Random.
        let run = RandomState::new().hash_one(());
        Self { until, stop: stop.clone(), own: Stop::default(), all: Arc::default(), run }
    }

    /// For the threads of a generation, which `own` ends before the others.
    pub fn of_crew(&self, own: &Stop) -> Self {
        Self { own: own.clone(), ..self.clone() }
    }

    /// For a stream thread, which `own` ends before the others.
    pub fn of_thread(&self, own: &Stop) -> Post {
        let done = Done::default();
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&done));
        Post { watch: self.clone(), own: own.clone(), done }
    }

    pub fn until_end(&self) -> bool {
        self.until == Until::End
    }

    pub fn asked(&self) -> bool {
        self.stop.asked() || self.own.asked()
    }

    /// For those that wait.
    pub fn when_asked(&self) -> Asked {
        let (own, stop) = (self.own.clone(), self.stop.clone());
        Asked::when(move || own.asked() || stop.asked())
    }

    pub fn is_over(&self) -> bool {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        self.asked() || self.until_end() && all.iter().all(|done| done.load(Relaxed))
    }
}

/// What one stream thread sees of it.
#[derive(Clone, Debug)]
pub(super) struct Post {
    pub watch: Watch,
    own: Stop,
    done: Done,
}

impl Post {
    /// No other run has this number.
    pub fn run(&self) -> u64 {
        self.watch.run
    }

    /// Says whether the thread has anything left to do.
    pub fn tell(&self, done: bool) {
        self.done.store(done, Relaxed);
    }

    /// For those that wait.
    pub fn when_asked(&self) -> Asked {
        let (own, crew) = (self.own.clone(), self.watch.when_asked());
        Asked::when(move || own.asked() || crew.now())
    }

    /// Whether the thread is to end; all of them may be.
    pub fn asked(&self) -> bool {
        self.watch.asked() || self.own.asked()
    }
}
