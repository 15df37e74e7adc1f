//! Counts of what passed, for all threads of a pipeline.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::lap::Spent;
use super::sum::Sum;
use crate::error::Code;
use crate::pipeline::Stage;

/// Raised once a batch.
#[derive(Debug, Default)]
pub struct Meter {
    pub batches: AtomicU64,
    /// Of sources.
    pub records: AtomicU64,
    /// Records without a value that were passed over.
    pub tombstones: AtomicU64,
    /// Rows that the preprocessor dropped without a word, or the rules sent nowhere.
    pub dropped: AtomicU64,
    pub decisions: AtomicU64,
    /// What threads did all the time.
    pub spent: Spent,
    /// Partitions that wait since a plugin or the model fails too often.
    pub paused: Sum,
    /// By stage and code. Rare, hence the lock.
    dead_letters: Mutex<BTreeMap<(&'static str, Code), u64>>,
    /// By source: rows that came too late.
    late: Mutex<BTreeMap<String, u64>>,
}

impl Meter {
    pub(super) fn add(counter: &AtomicU64, by: usize) {
        counter.fetch_add(by as u64, Relaxed);
    }

    pub(super) fn dead_letter(&self, stage: Stage, code: Code) {
        let mut counts = self.dead_letters.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((stage.name(), code)).or_default() += 1;
    }

    pub fn dead_letters(&self) -> BTreeMap<(&'static str, Code), u64> {
        self.dead_letters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn late(&self, source: &str) {
        let mut counts = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(source) {
            Some(count) => *count += 1,
            None => drop(counts.insert(source.to_owned(), 1)),
        }
    }

    pub fn late_by_source(&self) -> BTreeMap<String, u64> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
