//! What came out, counted.

use std::collections::{BTreeMap, VecDeque};

use hdrhistogram::Histogram;
use serde::Deserialize;

/// Alerts that are remembered.
const LATEST: usize = 4;
/// Latencies above a minute count as one.
const LONGEST_US: u64 = 60_000_000;

/// A message of the rules, as far as it is looked at.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Decided {
    pub transaction_id: i64,
    pub card_id: i64,
    pub amount_eur: f64,
    pub country: String,
    pub category: String,
    pub score: f64,
    pub decision: String,
    pub rule: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Tally {
    /// Microseconds.
    pub latency: Histogram<u64>,
    /// By decision.
    pub decisions: BTreeMap<String, u64>,
    /// By cause.
    pub dead_letters: BTreeMap<String, u64>,
    /// Records that came too late.
    pub late: u64,
    pub fraud: Alarmed,
    pub honest: Alarmed,
    /// The newest first.
    pub alerts: VecDeque<Decided>,
}

/// How many of a kind, and how many of them raised an alert.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Alarmed {
    pub of: u64,
    pub alerts: u64,
}

impl Alarmed {
    fn count(&mut self, is_alert: bool) {
        self.of += 1;
        self.alerts += u64::from(is_alert);
    }

    /// In percent.
    pub(crate) fn share(self) -> f64 {
        100.0 * self.alerts as f64 / self.of.max(1) as f64
    }
}

impl Default for Tally {
    fn default() -> Self {
        let latency =
            Histogram::new_with_max(LONGEST_US, 3).expect("three digits up to a minute are allowed");
        Self {
            latency,
            decisions: BTreeMap::new(),
            dead_letters: BTreeMap::new(),
            late: 0,
            fraud: Alarmed::default(),
            honest: Alarmed::default(),
            alerts: VecDeque::new(),
        }
    }
}

impl Tally {
    /// `latency`: microseconds, negative where clocks were set back.
    pub(crate) fn decision(&mut self, decided: Decided, is_fraud: Option<bool>, latency: i64) {
        self.latency.saturating_record(u64::try_from(latency).unwrap_or(0).clamp(1, LONGEST_US));
        let is_alert = decided.decision != "allow";
        match is_fraud {
            Some(true) => self.fraud.count(is_alert),
            Some(false) => self.honest.count(is_alert),
            None => {}
        }
        match self.decisions.get_mut(&decided.decision) {
            Some(count) => *count += 1,
            None => drop(self.decisions.insert(decided.decision.clone(), 1)),
        }
        if is_alert {
            self.alerts.truncate(LATEST - 1);
            self.alerts.push_front(decided);
        }
    }

    pub(crate) fn dead_letter(&mut self, cause: &str) {
        *self.dead_letters.entry(cause.to_owned()).or_default() += 1;
    }

    pub(crate) fn predictions(&self) -> u64 {
        self.decisions.values().sum()
    }

    pub(crate) fn dead(&self) -> u64 {
        self.dead_letters.values().sum()
    }

    /// Records that something came of.
    pub(crate) fn answered(&self) -> u64 {
        self.predictions() + self.dead() + self.late
    }

    /// In milliseconds; 0 while there is none.
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(decision: &str, transaction_id: i64) -> Decided {
        Decided {
            transaction_id,
            card_id: 1,
            amount_eur: 1.0,
            country: "DE".into(),
            category: "fuel".into(),
            score: 0.5,
            decision: decision.into(),
            rule: "score".into(),
        }
    }

    #[test]
    fn alerts_count_as_right_or_wrong_and_the_newest_stay() {
        let mut tally = Tally::default();
        for id in 0..10 {
            tally.decision(decided("block", id), Some(id < 4), 1_000);
        }
        tally.decision(decided("allow", 10), Some(true), -5);
        tally.decision(decided("review", 11), None, 120_000_000);
        assert_eq!((tally.fraud.alerts, tally.fraud.of, tally.honest.alerts), (4, 5, 6));
        assert_eq!(tally.predictions(), 12);
        let kept: Vec<_> = tally.alerts.iter().map(|alert| alert.transaction_id).collect();
        assert_eq!(kept, [11, 9, 8, 7]);
        assert!((59_990.0..60_100.0).contains(&tally.quantile(1.0)), "{}", tally.quantile(1.0));
    }
}
