//! What was fed, for those who look at what comes out.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use fraud_generator::{Dirt, Emitted};

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    fed: AtomicU64,
    /// Records that must be answered by a decision or a dead letter.
    expected: AtomicU64,
    /// Milliseconds.
    event_time: AtomicI64,
    /// By transaction id, from 1 on.
    frauds: Mutex<Vec<bool>>,
}

impl Ledger {
    /// To be called before the record is sent, so that its answer finds it.
    pub(crate) fn note(&self, emitted: &Emitted) {
        self.frauds.lock().unwrap_or_else(PoisonError::into_inner).push(emitted.fraud.is_some());
        self.expected.fetch_add(u64::from(emitted.dirt.is_none_or(Dirt::is_refused)), Relaxed);
        self.event_time.store(emitted.at.millis(), Relaxed);
        self.fed.fetch_add(1, Relaxed);
    }

    pub(crate) fn fed(&self) -> u64 {
        self.fed.load(Relaxed)
    }

    pub(crate) fn expected(&self) -> u64 {
        self.expected.load(Relaxed)
    }

    pub(crate) fn event_time(&self) -> i64 {
        self.event_time.load(Relaxed)
    }

    /// `None`: nobody fed this transaction.
    pub(crate) fn is_fraud(&self, transaction_id: i64) -> Option<bool> {
        let index = usize::try_from(transaction_id.checked_sub(1)?).ok()?;
        self.frauds.lock().unwrap_or_else(PoisonError::into_inner).get(index).copied()
    }
}
