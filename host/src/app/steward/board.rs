//! What the topic of releases says, for others of this process to look at while the steward reads it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::release::ledger::Ledger;

#[derive(Debug, Default)]
pub(in crate::app) struct Board {
    /// None: there is no steward.
    ledger: Mutex<Option<Arc<Ledger>>>,
    news: Condvar,
}

impl Board {
    /// The topic says this now.
    pub fn post(&self, ledger: &Ledger) {
        let ledger = Arc::new(ledger.clone());
        *self.ledger.lock().unwrap_or_else(PoisonError::into_inner) = Some(ledger);
        self.news.notify_all();
    }

    pub fn look(&self) -> Option<Arc<Ledger>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another than this one, if there is within a while.
    pub fn wait(&self, seen: &Arc<Ledger>, patience: Duration) -> Option<Arc<Ledger>> {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let is_seen = |now: &mut Option<Arc<Ledger>>| now.as_ref().is_some_and(|now| Arc::ptr_eq(now, seen));
        let waited = self.news.wait_timeout_while(ledger, patience, is_seen);
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_waited_for() {
        let board = Board::default();
        assert!(board.look().is_none());
        board.post(&Ledger::default());
        let first = board.look().expect("it was posted");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| board.wait(&first, Duration::from_secs(60)));
            board.post(&Ledger::default());
            let second = waiting.join().expect("no panic").expect("it was posted");
            assert!(!Arc::ptr_eq(&first, &second));
        });
        let last = board.look().expect("it is there");
        assert!(Arc::ptr_eq(&last, &board.wait(&last, Duration::ZERO).expect("the same")));
    }
}
