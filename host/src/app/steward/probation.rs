//! Whether a release is worse than the one before. Pure: the clock and the counts come from outside.
//!
//! Compared is the time that threads work for a record, in a minute at most before the swap and from some seconds after
//! it on. Not counted is what waits: for records, for brokers, for the end of a transaction. With too few records on
//! either side nothing is held against a release.

use std::collections::VecDeque;
use std::time::Duration;

/// The work before a swap is that of so long.
const BEFORE: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A release warms up for so long.
const WARM_UP: Duration = Duration::from_secs(2);
/// On either side: fewer say nothing.
const RECORDS: u64 = 500;
/// Nor does less work.
const WORK: Duration = Duration::from_millis(100);

/// What was done up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::app) struct Done {
    pub at: Duration,
    pub records: u64,
    pub work: Duration,
}

/// Nanoseconds for a record between two moments, if there were enough.
fn pace(from: Done, to: Done) -> Option<f64> {
    let (records, work) = (to.records.checked_sub(from.records)?, to.work.checked_sub(from.work)?);
    (records >= RECORDS && work >= WORK).then(|| work.as_nanos() as f64 / records as f64)
}

/// Looks at the work all the time.
#[derive(Debug, Default)]
pub(in crate::app) struct Pace(VecDeque<Done>);

impl Pace {
    pub fn look(&mut self, now: Done) {
        if self.0.back().is_some_and(|last| now.at.saturating_sub(last.at) < LOOK) {
            return;
        }
        self.0.push_back(now);
        while self.0.len() > 2 && now.at.saturating_sub(self.0[1].at) >= BEFORE {
            self.0.pop_front();
        }
    }

    /// The pace of the last minute; what comes is another release's.
    fn end(&mut self, now: Done) -> Option<f64> {
        let first = std::mem::take(&mut self.0).pop_front()?;
        pace(first, now)
    }
}

/// A release that is watched.
#[derive(Debug)]
pub(in crate::app) struct Probation {
    until: Duration,
    slowdown: f64,
    before: Option<f64>,
    swapped: Duration,
    /// When it was warm.
    warm: Option<Done>,
}

impl Probation {
    /// From now on, where all threads have gone over.
    pub fn begin(pace: &mut Pace, now: Done, length: Duration, slowdown: f64) -> Self {
        let before = pace.end(now);
        Self { until: now.at + length, slowdown, before, swapped: now.at, warm: None }
    }

    pub fn is_over(&self, now: Duration) -> bool {
        now >= self.until
    }

    /// Why it is worse, if it is.
    pub fn verdict(&mut self, now: Done) -> Option<String> {
        if now.at < self.swapped + WARM_UP {
            return None;
        }
        let warm = *self.warm.get_or_insert(now);
        let (before, after) = (self.before?, pace(warm, now)?);
        (after > before * self.slowdown).then(|| {
            let (before, after, most) = (before / 1e3, after / 1e3, self.slowdown);
            format!("a record takes {after:.1} µs, where it took {before:.1} µs; releases.slowdown is {most}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many records a second, each so many microseconds of work; `from` goes on.
    fn work(from: &mut Done, seconds: u64, records: u64, micros: u64, mut see: impl FnMut(Done)) {
        for _ in 0..seconds {
            from.at += Duration::from_secs(1);
            from.records += records;
            from.work += Duration::from_micros(records * micros);
            see(*from);
        }
    }

    /// What becomes of a release whose records take so long, after one with 100 a record.
    fn after(seconds: u64, records: u64, micros: u64) -> (Probation, Option<String>) {
        let (mut pace, mut done) = (Pace::default(), Done::default());
        work(&mut done, 200, records, 100, |done| pace.look(done));
        let mut probation = Probation::begin(&mut pace, done, Duration::from_secs(30), 5.0);
        let mut verdict = None;
        work(&mut done, seconds, records, micros, |done| {
            verdict = verdict.take().or(probation.verdict(done))
        });
        (probation, verdict)
    }

    #[test]
    fn one_that_is_too_slow_is_found_and_others_are_not() {
        let (_, verdict) = after(10, 1000, 501);
        let words = "a record takes 501.0 µs, where it took 100.0 µs; releases.slowdown is 5";
        assert_eq!(verdict.as_deref(), Some(words));
        assert_eq!(after(20, 1000, 499).1, None);
        assert_eq!(after(2, 1000, 5000).1, None, "it warms up");
        assert_eq!(after(5, 100, 5000).1, None, "too few records");
        assert!(after(10, 100, 5000).1.is_some());
    }

    #[test]
    fn without_a_pace_before_nothing_is_held_against_it() {
        let (mut pace, mut done) = (Pace::default(), Done::default());
        let mut probation = Probation::begin(&mut pace, done, Duration::from_secs(30), 5.0);
        work(&mut done, 20, 1000, 500, |done| assert_eq!(probation.verdict(done), None));
        assert!(!probation.is_over(Duration::from_secs(29)) && probation.is_over(Duration::from_secs(30)));
    }

    #[test]
    fn what_was_long_ago_does_not_count() {
        let (mut pace, mut done) = (Pace::default(), Done::default());
        work(&mut done, 500, 1000, 1, |done| pace.look(done));
        work(&mut done, 70, 1000, 100, |done| pace.look(done));
        assert_eq!(pace.end(done), Some(100_000.0));
        assert!(pace.0.is_empty());
    }
}
