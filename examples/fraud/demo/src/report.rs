//! How a run ended.

use std::time::Duration;

use serde::Serialize;

use crate::ledger::Ledger;
use crate::tally::Tally;

/// All that is known at the end.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Transactions fed.
    pub records: u64,
    /// Labels fed.
    pub labels: u64,
    /// Read back: allowed, reviewed and blocked.
    pub predictions: u64,
    pub dead_letters: u64,
    /// Records that came too late; the stream has none.
    pub late: u64,
    /// From when a record was due to when its prediction was read back.
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub seconds: f64,
    pub records_per_second: f64,
    pub alerts: u64,
    /// Of the frauds, percent.
    pub frauds_alerted: f64,
    /// Of the honest ones, percent.
    pub honest_alerted: f64,
    /// Neither predicted, refused nor late when the run ended.
    pub unanswered: u64,
}

impl Report {
    pub(crate) fn new(ledger: &Ledger, tally: &Tally, took: Duration) -> Self {
        let (predictions, dead_letters) = (tally.predictions(), tally.dead());
        let seconds = took.as_secs_f64();
        Self {
            records: ledger.fed(),
            labels: ledger.labels(),
            predictions,
            dead_letters,
            late: tally.late,
            p50_ms: tally.quantile(0.5),
            p99_ms: tally.quantile(0.99),
            seconds: (seconds * 1000.0).round() / 1000.0,
            records_per_second: (ledger.fed() as f64 / seconds.max(0.001)).round(),
            alerts: tally.fraud.alerts + tally.honest.alerts,
            frauds_alerted: (tally.fraud.share() * 100.0).round() / 100.0,
            honest_alerted: (tally.honest.share() * 100.0).round() / 100.0,
            unanswered: ledger.expected().saturating_sub(tally.answered()),
        }
    }

    /// For a person.
    pub fn text(&self) -> String {
        let Self { records, labels, predictions, dead_letters, p50_ms, p99_ms, seconds, .. } = self;
        let mut text = format!(
            "{records} transactions and {labels} labels in {seconds:.1} s: {predictions} predictions read back, \
             {dead_letters} dead letters\n\
             latency p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms, from when a record was due to read back\n\
             alerts: {}, on {:.1} % of the frauds and {:.2} % of the honest transactions",
            self.alerts, self.frauds_alerted, self.honest_alerted
        );
        if self.late > 0 {
            text += &format!("\n{} records came too late", self.late);
        }
        if self.unanswered > 0 {
            text += &format!("\n{} records were still under way at the end", self.unanswered);
        }
        text
    }
}
