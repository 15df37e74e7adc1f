//! How releases come to a stream thread while it runs, and go again.
//!
//! ```text
//! control side                                 stream thread, between two batches
//!   give(Current) ──────────────────────────>  commits, and goes on as this release
//!   asked ─> give(Asked), give(Unknown) ────>  rows of a release that it lacked go on
//!   retired, dropped there <─────────────────  nothing in flight is of this release any more
//! ```
//!
//! Nothing here waits: a thread looks once a batch whether there is news.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Release};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::breaker::Failing;
use super::flow::Flow;
use super::sample::Sample;

/// What comes to a stream thread.
#[derive(Debug)]
pub enum Arrival {
    /// The release to go on with. One of a lower number than the thread's own is dropped.
    Current(Box<Flow>),
    /// A release that the thread asked for, to finish rows in flight.
    Asked(Box<Flow>),
    /// Nobody has the release of this stamp any more: the thread's own finishes those rows.
    Unknown(String),
}

/// Between the control side and one stream thread.
#[derive(Debug, Default)]
pub struct Relay {
    is_news: AtomicBool,
    is_sample_wanted: AtomicBool,
    at: AtomicU64,
    settled: AtomicU64,
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    arrivals: VecDeque<Arrival>,
    asked: Vec<String>,
    retired: Vec<Flow>,
    failing: Vec<Failing>,
    sample: Option<Sample>,
}

impl Relay {
    /// Hands something over, to be taken before the thread's next batch.
    pub fn give(&self, arrival: Arrival) {
        self.shelf().arrivals.push_back(arrival);
        self.is_news.store(true, Release);
    }

    /// Stamps of releases that the thread lacks, each once: it waits for an answer.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.shelf().asked)
    }

    /// Number of the release that the thread goes by; 0: it has not begun.
    pub fn at(&self) -> u64 {
        self.at.load(Acquire)
    }

    /// From this release on nobody goes back any more to one before: their windows are let go of.
    pub fn settle(&self, number: u64) {
        self.settled.fetch_max(number, AcqRel);
    }

    /// Releases that are of no use any more, to be dropped: that takes a while.
    pub fn retired(&self) -> Vec<Flow> {
        std::mem::take(&mut self.shelf().retired)
    }

    /// Stages that failed beyond their error budgets.
    pub fn failing(&self) -> Vec<Failing> {
        std::mem::take(&mut self.shelf().failing)
    }

    /// Asks for records that come next, and what is kept of their keys.
    pub fn want_sample(&self) {
        self.shelf().sample = None;
        self.is_sample_wanted.store(true, Release);
    }

    /// What came since they were asked for, once enough did, or all so far.
    pub fn sample(&self) -> Option<Sample> {
        self.shelf().sample.take()
    }

    /// Whether there is news; told once.
    pub(super) fn is_news(&self) -> bool {
        self.is_news.load(Acquire) && self.is_news.swap(false, AcqRel)
    }

    pub(super) fn take(&self) -> Option<Arrival> {
        self.shelf().arrivals.pop_front()
    }

    pub(super) fn ask(&self, stamp: &str) {
        self.shelf().asked.push(stamp.to_owned());
    }

    pub(super) fn set_at(&self, number: u64) {
        self.at.store(number, Release);
    }

    pub(super) fn settled(&self) -> u64 {
        self.settled.load(Acquire)
    }

    pub(super) fn retire(&self, flows: impl IntoIterator<Item = Flow>) {
        self.shelf().retired.extend(flows);
    }

    pub(super) fn tell_failing(&self, failing: &[Failing]) {
        self.shelf().failing.extend_from_slice(failing);
    }

    /// Whether records are wanted; told once.
    pub(super) fn is_sample_wanted(&self) -> bool {
        self.is_sample_wanted.load(Acquire) && self.is_sample_wanted.swap(false, AcqRel)
    }

    pub(super) fn put_sample(&self, sample: Sample) {
        self.shelf().sample = Some(sample);
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Each change is one push or one take.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
