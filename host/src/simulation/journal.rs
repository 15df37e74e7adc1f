//! The time, and what happened in it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::ports::Clock;

/// Microseconds since the world began.
pub type Time = u64;

/// How many events are remembered.
const REMEMBERED: usize = 200;

/// The time of the world. A clone shows the same.
#[derive(Clone, Debug, Default)]
pub struct SimClock(Arc<AtomicU64>);

impl SimClock {
    pub fn now(&self) -> Time {
        self.0.load(Relaxed)
    }

    /// Never backwards.
    pub(super) fn set(&self, time: Time) {
        self.0.fetch_max(time, Relaxed);
    }
}

impl Clock for SimClock {
    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.now())
    }
}

/// The last events, the laws that were broken, and how often a port was called. A clone is the same.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    pub clock: SimClock,
    pages: Arc<Mutex<Pages>>,
}

#[derive(Debug, Default)]
struct Pages {
    events: VecDeque<(Time, String)>,
    broken: Vec<String>,
    calls: u64,
    tallies: BTreeMap<&'static str, u64>,
}

impl Journal {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn note(&self, event: std::fmt::Arguments<'_>) {
        let mut pages = self.pages();
        // The text of the oldest one is written over.
        let full = pages.events.len() == REMEMBERED;
        let mut text =
            if full { pages.events.pop_front().map(|one| one.1) } else { None }.unwrap_or_default();
        text.clear();
        text.write_fmt(event).expect("a string takes all");
        pages.events.push_back((self.clock.now(), text));
    }

    /// A port was called as it must not be, or the model broke its own law.
    pub fn broke(&self, law: impl Into<String>) {
        let law = law.into();
        self.note(format_args!("BROKEN: {law}"));
        self.pages().broken.push(law);
    }

    pub fn is_sound(&self) -> bool {
        self.pages().broken.is_empty()
    }

    pub fn broken(&self) -> Vec<String> {
        self.pages().broken.clone()
    }

    pub(super) fn count(&self) {
        self.pages().calls += 1;
    }

    /// Something happened that a good run has seen.
    pub fn tally(&self, what: &'static str) {
        *self.pages().tallies.entry(what).or_default() += 1;
    }

    /// How often what happened.
    pub fn tallies(&self) -> BTreeMap<&'static str, u64> {
        self.pages().tallies.clone()
    }

    /// How often a port was called.
    pub fn calls(&self) -> u64 {
        self.pages().calls
    }

    /// The last events, one a line.
    pub fn tail(&self) -> String {
        let line = |(time, event): &(Time, String)| format!("{:>12.3} ms  {event}\n", *time as f64 / 1000.0);
        self.pages().events.iter().map(line).collect()
    }
}
