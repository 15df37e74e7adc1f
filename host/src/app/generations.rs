//! The generations of a pipeline that this process runs: mostly one; two, while a newer one that was begun from history
//! takes the floor from an older one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Run;
use crate::engine::PartitionCounts;

/// One of them, and how many partitions its topics have.
#[derive(Clone, Debug)]
pub(super) struct Generation {
    pub run: Arc<Run>,
    pub counts: PartitionCounts,
}

impl Generation {
    /// Number of the release that began it; 0: the first.
    pub fn number(&self) -> u64 {
        self.run.config.generation()
    }
}

/// Never none.
#[derive(Debug)]
pub(super) struct Generations(Mutex<Vec<Generation>>);

impl Generations {
    pub fn new(first: Generation) -> Self {
        Self(Mutex::new(vec![first]))
    }

    /// The older one: what others are told of the pipeline is of this one.
    pub fn first(&self) -> Generation {
        self.all()[0].clone()
    }

    /// The newer one.
    pub fn second(&self) -> Option<Generation> {
        self.all().get(1).cloned()
    }

    pub fn numbers(&self) -> Vec<u64> {
        self.all().iter().map(Generation::number).collect()
    }

    /// What is seen of it is told where that of the others is.
    pub fn add(&self, generation: Generation) {
        let mut all = self.all();
        if let Some(traces) = all[0].run.meter.traces.get() {
            // It is new, and has none.
            let _ = generation.run.meter.traces.set(Arc::clone(traces));
        }
        all.push(generation);
    }

    /// Gives the one that is gone; the last one stays.
    pub fn remove(&self, number: u64) -> Option<Generation> {
        let mut all = self.all();
        let place = all.iter().position(|one| one.number() == number)?;
        (all.len() > 1).then(|| all.remove(place))
    }

    fn all(&self) -> MutexGuard<'_, Vec<Generation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of threads, for whoever starts and ends them.
#[derive(Debug)]
pub(super) enum Order {
    Open(Generation),
    Close(Generation),
}
