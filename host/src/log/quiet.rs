//! So many lines of one kind in an interval, and how many were left out. It has no clock of its own.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tracing::Level;

/// From a kind's first line on.
pub const INTERVAL: Duration = Duration::from_secs(10);
/// Errors and warnings of one kind in an interval.
const TROUBLES: u64 = 10;
/// Other lines: of these there may be one for each partition.
const OTHERS: u64 = 1_000;
/// Kinds that are known at a time. When there are more, each is said.
const KINDS: usize = 4_096;

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Said,
    /// The first one of its kind that is left out: it stands for those that follow.
    Sample,
    LeftOut,
}

#[derive(Debug)]
struct Seen<T> {
    since: Duration,
    said: u64,
    left_out: u64,
    sample: Option<T>,
}

/// Kinds `K` of lines, each with a sample `T` of those that were left out.
#[derive(Debug)]
pub struct Quiet<K, T>(HashMap<K, Seen<T>>);

impl<K, T> Default for Quiet<K, T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, T> Quiet<K, T> {
    /// Another line of a kind.
    pub fn see(&mut self, kind: K, level: Level, now: Duration) -> Verdict {
        let most = match level {
            Level::ERROR | Level::WARN => TROUBLES,
            Level::INFO => OTHERS,
            _ => return Verdict::Said,
        };
        if self.0.len() >= KINDS && !self.0.contains_key(&kind) {
            self.0.retain(|_, seen| seen.left_out > 0 || now.saturating_sub(seen.since) < INTERVAL);
            if self.0.len() >= KINDS {
                return Verdict::Said;
            }
        }
        let new = || Seen { since: now, said: 0, left_out: 0, sample: None };
        let seen = self.0.entry(kind).or_insert_with(new);
        // One with lines to be told of waits for that.
        if seen.left_out == 0 && now.saturating_sub(seen.since) >= INTERVAL {
            *seen = new();
        }
        if seen.said < most {
            seen.said += 1;
            return Verdict::Said;
        }
        seen.left_out += 1;
        if seen.left_out == 1 { Verdict::Sample } else { Verdict::LeftOut }
    }

    /// Keeps the sample of a kind.
    pub fn keep(&mut self, kind: &K, sample: T) {
        if let Some(seen) = self.0.get_mut(kind) {
            seen.sample = Some(sample);
        }
    }

    /// Samples of what was left out in intervals that are over, or in all, and how many lines each stands for. They are
    /// forgotten: the kind may be said again.
    pub fn over(&mut self, now: Duration, all: bool) -> Vec<(T, u64)> {
        let over = |seen: &Seen<T>| {
            seen.left_out > 0 && seen.sample.is_some() && (all || now.saturating_sub(seen.since) >= INTERVAL)
        };
        let over = self.0.extract_if(|_, seen| over(seen));
        over.filter_map(|(_, seen)| Some((seen.sample?, seen.left_out))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_storm_is_told_once() {
        let mut quiet = Quiet::default();
        let see = |quiet: &mut Quiet<_, _>, kind, now| {
            let verdict = quiet.see(kind, Level::WARN, now);
            if verdict == Verdict::Sample {
                quiet.keep(&kind, format!("{kind} at {now:?}"));
            }
            verdict
        };
        let storm: Vec<_> = (0..500).map(|_| see(&mut quiet, "away", SECOND)).collect();
        let said = storm.iter().filter(|verdict| **verdict == Verdict::Said).count();
        assert_eq!((said as u64, storm[10], storm[11]), (TROUBLES, Verdict::Sample, Verdict::LeftOut));
        assert_eq!(see(&mut quiet, "other", SECOND), Verdict::Said, "kinds are apart");
        assert_eq!(quiet.over(INTERVAL, false), [], "the interval lasts");
        assert_eq!(see(&mut quiet, "away", SECOND + INTERVAL), Verdict::LeftOut, "told first");
        assert_eq!(quiet.over(SECOND + INTERVAL, false), [("away at 1s".to_owned(), 491)]);
        assert_eq!(quiet.over(SECOND + INTERVAL, true), [], "once");
        assert_eq!(see(&mut quiet, "away", SECOND + INTERVAL), Verdict::Said, "a new interval");
    }

    #[test]
    fn what_comes_slowly_is_all_said() {
        let mut quiet: Quiet<_, ()> = Quiet::default();
        for line in 0..100 {
            assert_eq!(quiet.see("away", Level::ERROR, SECOND * line), Verdict::Said, "{line}");
        }
        assert_eq!(quiet.over(SECOND * 1_000, true), []);
    }

    #[test]
    fn details_are_said_in_full_and_information_mostly() {
        let mut quiet: Quiet<_, ()> = Quiet::default();
        let mut said = |level, kind| {
            (0..5_000).filter(|_| quiet.see(kind, level, SECOND) == Verdict::Said).count() as u64
        };
        assert_eq!(said(Level::DEBUG, "debug"), 5_000);
        assert_eq!(said(Level::INFO, "info"), OTHERS);
    }

    #[test]
    fn kinds_are_bounded() {
        let mut quiet: Quiet<_, ()> = Quiet::default();
        for kind in 0..2 * KINDS {
            assert_eq!(quiet.see(kind, Level::WARN, SECOND), Verdict::Said);
        }
        assert_eq!(quiet.0.len(), KINDS);
        assert_eq!(quiet.see(2 * KINDS, Level::WARN, SECOND + INTERVAL), Verdict::Said);
        assert_eq!(quiet.0.len(), 1, "those of before are forgotten");
    }
}
