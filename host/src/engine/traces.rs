//! Spans of decisions, for who follows a record through several programs.
//!
//! - A record whose `traceparent` says that it is sampled has one for each decision that is made of it; of records
//!   without one so many have as the user wants. What a record says that is no `traceparent`, or not sampled, is passed
//!   on as it came. Closed windows are of no single record, and have none.
//! - It begins with the batch in which a decision was made, and ends when that is handed to the brokers' queue. A
//!   transaction that is taken back leaves its spans, and those of the next try come too.
//! - They wait in a bounded queue for whoever exports them. What finds it full is counted, and gone.
//! - Where nobody wants them, they cost a look a batch.

mod context;

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::lap::Activity;
use crate::pipeline::Pipeline;
use crate::record::Origin;
pub use context::{Context, TRACEPARENT};

/// Spans that wait at a time.
const WAITING: usize = 8_192;

/// One decision.
#[derive(Clone, Debug)]
pub struct Span {
    pub trace: u128,
    pub id: u64,
    /// Whoever sent the record, if it said so.
    pub parent: Option<u64>,
    pub pipeline: Arc<Pipeline>,
    pub origin: Origin,
    /// Milliseconds, if rows have one.
    pub event_time: Option<i64>,
    /// Where the decision went.
    pub route: usize,
    pub start: SystemTime,
    pub end: SystemTime,
    pub spent: Laps,
}

/// Nanoseconds of a batch so far, by what they went to.
pub type Laps = Arc<[(Activity, u64)]>;

/// Spans of a pipeline.
#[derive(Debug)]
pub struct Traces {
    /// Hashes of origins up to this one are sampled.
    up_to: u64,
    ids: RandomState,
    next: AtomicU64,
    waiting: Mutex<Vec<Span>>,
    dropped: AtomicU64,
    exported: AtomicU64,
}

impl Traces {
    /// `ratio`: so many of the records are sampled that have no `traceparent`.
    pub fn new(ratio: f64) -> Self {
        // What is too large becomes the largest.
        let up_to = (ratio * u64::MAX as f64) as u64;
        let (ids, next) = (RandomState::new(), AtomicU64::new(0));
        Self { up_to, ids, next, waiting: Mutex::default(), dropped: 0.into(), exported: 0.into() }
    }

    /// Of a record without one. All rows of it are in one trace, and all processes choose the same records.
    pub(super) fn sample(&self, topic: &str, origin: Origin) -> Option<Context> {
        if self.up_to == 0 {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        (topic, origin.from.partition, origin.offset).hash(&mut hasher);
        let hash = hasher.finish();
        let own = |part: u8| u128::from(self.ids.hash_one((part, origin.from, origin.offset)));
        (hash <= self.up_to).then(|| Context::new(own(0) << 64 | own(1) | 1))
    }

    /// An id that no other span has.
    pub(super) fn id(&self) -> u64 {
        self.ids.hash_one(self.next.fetch_add(1, Relaxed)) | 1
    }

    pub(super) fn put(&self, span: Span) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING {
            waiting.push(span);
        } else {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Those that wait, but no more than so many.
    pub fn take(&self, most: usize) -> Vec<Span> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(most);
        waiting.drain(..count).collect()
    }

    /// So many were taken, and are where they belong, or are gone.
    pub fn ended(&self, count: usize, exported: bool) {
        let counter = if exported { &self.exported } else { &self.dropped };
        counter.fetch_add(count as u64, Relaxed);
    }

    /// Exported so far, and gone.
    pub fn counts(&self) -> (u64, u64) {
        (self.exported.load(Relaxed), self.dropped.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::PartitionId;

    fn origin(offset: i64) -> Origin {
        Origin { from: PartitionId { source: 0, partition: 3 }, offset, index: 0 }
    }

    #[test]
    fn a_ratio_is_kept_and_chooses_the_same_records_everywhere() {
        let sampled = |traces: &Traces| -> Vec<i64> {
            (0..10_000).filter(|offset| traces.sample("t", origin(*offset)).is_some()).collect()
        };
        let (one, other) = (Traces::new(0.1), Traces::new(0.1));
        let chosen = sampled(&one);
        assert!((800..1_200).contains(&chosen.len()), "{}", chosen.len());
        assert_eq!(chosen, sampled(&other));
        assert_eq!((sampled(&Traces::new(0.0)).len(), sampled(&Traces::new(1.0)).len()), (0, 10_000));
    }

    #[test]
    fn rows_of_a_record_are_in_one_trace() {
        let traces = Traces::new(1.0);
        let second = Origin { index: 1, ..origin(7) };
        assert_eq!(traces.sample("t", origin(7)), traces.sample("t", second));
        assert_ne!(traces.sample("t", origin(7)), traces.sample("t", origin(8)));
        assert_ne!(traces.id(), traces.id());
    }

    #[test]
    fn the_queue_is_bounded_and_says_what_is_gone() {
        let traces = Traces::new(0.0);
        let now = SystemTime::now();
        let span = Span {
            trace: 1,
            id: 1,
            parent: None,
            pipeline: Arc::new(crate::engine::tests::parts::pipeline()),
            origin: origin(0),
            event_time: None,
            route: 0,
            start: now,
            end: now,
            spent: [].into(),
        };
        (0..WAITING + 5).for_each(|_| traces.put(span.clone()));
        assert_eq!(traces.take(100).len(), 100);
        traces.ended(100, true);
        assert_eq!((traces.counts(), traces.take(usize::MAX).len()), ((100, 5), WAITING - 100));
    }
}
