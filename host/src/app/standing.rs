//! What stream threads let others see of them, without waiting for anybody.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::admin::{Place, Thread};

/// Of one thread.
#[derive(Debug)]
pub(super) struct Standing {
    began: Instant,
    /// When it came round last, in milliseconds since it began.
    heard: AtomicU64,
    place: AtomicU8,
    partitions: AtomicUsize,
}

impl Standing {
    fn new() -> Self {
        let (heard, place, partitions) = Default::default();
        Self { began: Instant::now(), heard, place, partitions }
    }

    /// The thread comes round. Gives how long there is one.
    pub fn comes_round(&self) -> Duration {
        let now = self.began.elapsed();
        self.heard.store(now.as_millis() as u64, Relaxed);
        now
    }

    /// It has come so far, with so many partitions.
    pub fn is_at(&self, place: Place, partitions: usize) {
        let index = Place::ALL.iter().position(|one| *one == place).unwrap_or_default();
        self.place.store(index as u8, Relaxed);
        self.partitions.store(partitions, Relaxed);
        self.comes_round();
    }

    fn look(&self) -> Thread {
        let heard = Duration::from_millis(self.heard.load(Relaxed));
        Thread {
            place: Place::ALL[usize::from(self.place.load(Relaxed))],
            partitions: self.partitions.load(Relaxed),
            silent: self.began.elapsed().saturating_sub(heard),
        }
    }
}

/// Of a pipeline's threads: those that are to be, and those that there are.
#[derive(Debug, Default)]
pub(super) struct Standings {
    wanted: AtomicUsize,
    threads: Mutex<Vec<Weak<Standing>>>,
}

impl Standings {
    /// So many threads there are to be.
    pub fn want(&self, threads: usize) {
        self.wanted.store(threads, Relaxed);
    }

    /// For a new thread, which is gone when it drops it.
    pub fn join(&self) -> Arc<Standing> {
        let standing = Arc::new(Standing::new());
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&standing));
        standing
    }

    /// How many there are to be, and those that there are.
    pub fn look(&self) -> (usize, Vec<Thread>) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| thread.strong_count() > 0);
        let threads = threads.iter().filter_map(Weak::upgrade).map(|standing| standing.look());
        (self.wanted.load(Relaxed), threads.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_seen_as_long_as_they_are_there() {
        let standings = Standings::default();
        standings.want(2);
        let (one, other) = (standings.join(), standings.join());
        one.is_at(Place::Running, 3);
        let (wanted, threads) = standings.look();
        let seen: Vec<_> = threads.iter().map(|thread| (thread.place, thread.partitions)).collect();
        assert_eq!((wanted, seen), (2, vec![(Place::Running, 3), (Place::Starting, 0)]));
        drop(other);
        assert_eq!(standings.look().1.len(), 1);
    }
}
