//! What was fed, for those who look at what comes out.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use fraud_generator::{Dirt, Emitted};

/// Transactions that are remembered: what comes out later than a million others is too late anyway.
const KEPT: usize = 1 << 20;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    fed: AtomicU64,
    labels: AtomicU64,
    /// Records that must be answered by a decision or a dead letter.
    expected: AtomicU64,
    /// Milliseconds.
    event_time: AtomicI64,
    frauds: Mutex<Frauds>,
}

/// Whether a transaction is fraud; the latest ones.
#[derive(Debug, Default)]
struct Frauds {
    latest: VecDeque<bool>,
    /// How many there were before.
    forgotten: usize,
}

impl Frauds {
    fn push(&mut self, is_fraud: bool) {
        if self.latest.len() == KEPT {
            self.latest.pop_front();
            self.forgotten += 1;
        }
        self.latest.push_back(is_fraud);
    }

    /// `id`: they are counted from 1 on.
    fn get(&self, id: i64) -> Option<bool> {
        let index = usize::try_from(id).ok()?.checked_sub(self.forgotten + 1)?;
        self.latest.get(index).copied()
    }
}

impl Ledger {
    /// To be called before the record is sent, so that its answer finds it.
    pub(crate) fn note(&self, emitted: &Emitted) {
        self.frauds.lock().unwrap_or_else(PoisonError::into_inner).push(emitted.fraud.is_some());
        self.expected.fetch_add(u64::from(emitted.dirt.is_none_or(Dirt::is_refused)), Relaxed);
        self.event_time.store(emitted.at.millis(), Relaxed);
        self.fed.fetch_add(1, Relaxed);
    }

    pub(crate) fn note_label(&self) {
        self.labels.fetch_add(1, Relaxed);
    }

    /// Transactions.
    pub(crate) fn fed(&self) -> u64 {
        self.fed.load(Relaxed)
    }

    pub(crate) fn labels(&self) -> u64 {
        self.labels.load(Relaxed)
    }

    pub(crate) fn expected(&self) -> u64 {
        self.expected.load(Relaxed)
    }

    pub(crate) fn event_time(&self) -> i64 {
        self.event_time.load(Relaxed)
    }

    /// `None`: nobody fed this transaction, or long ago.
    pub(crate) fn is_fraud(&self, transaction_id: i64) -> Option<bool> {
        self.frauds.lock().unwrap_or_else(PoisonError::into_inner).get(transaction_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_by_their_number() {
        let mut frauds = Frauds::default();
        (1..=KEPT as i64 + 2).for_each(|id| frauds.push(id % 3 == 0));
        let known = |id: i64| frauds.get(id);
        assert_eq!((known(i64::MIN), known(0), known(1), known(2)), (None, None, None, None));
        assert_eq!((known(3), known(4)), (Some(true), Some(false)));
        assert_eq!(known(KEPT as i64 + 2), Some((KEPT as i64 + 2) % 3 == 0));
        assert_eq!((known(KEPT as i64 + 3), frauds.latest.len()), (None, KEPT));
    }
}
