//! Counts of what passed, for all threads of a pipeline.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::lap::Spent;
use super::sum::Sum;
use crate::error::Code;
use crate::pipeline::Stage;

/// Raised when rows are done: exactly once, with their transaction.
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

/// The same of one thread, of rows of which is not decided yet whether they are done.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub batches: usize,
    pub records: usize,
    pub tombstones: usize,
    pub dropped: usize,
    pub decisions: usize,
    dead_letters: BTreeMap<(&'static str, Code), u64>,
    late: BTreeMap<String, u64>,
}

impl Counts {
    pub fn dead_letter(&mut self, stage: Stage, code: Code) {
        *self.dead_letters.entry((stage.name(), code)).or_default() += 1;
    }

    /// All dead letters.
    pub fn refused(&self) -> u64 {
        self.dead_letters.values().sum()
    }

    pub fn late(&mut self, source: &str) {
        match self.late.get_mut(source) {
            Some(count) => *count += 1,
            None => drop(self.late.insert(source.to_owned(), 1)),
        }
    }
}

impl Meter {
    /// Those rows are done.
    pub(super) fn add(&self, counts: Counts) {
        let Counts { batches, records, tombstones, dropped, decisions, dead_letters, late } = counts;
        let add = |counter: &AtomicU64, by: usize| counter.fetch_add(by as u64, Relaxed);
        add(&self.batches, batches);
        add(&self.records, records);
        add(&self.tombstones, tombstones);
        add(&self.dropped, dropped);
        add(&self.decisions, decisions);
        merge(&self.dead_letters, dead_letters);
        merge(&self.late, late);
    }

    pub(super) fn dead_letter(&self, stage: Stage, code: Code) {
        let mut counts = self.dead_letters.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((stage.name(), code)).or_default() += 1;
    }

    pub fn dead_letters(&self) -> BTreeMap<(&'static str, Code), u64> {
        self.dead_letters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn late_by_source(&self) -> BTreeMap<String, u64> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Rarely anything.
fn merge<K: Ord>(all: &Mutex<BTreeMap<K, u64>>, own: BTreeMap<K, u64>) {
    if own.is_empty() {
        return;
    }
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    for (key, count) in own {
        *all.entry(key).or_default() += count;
    }
}
