//! Compares what came out with what must: each once, with these values.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::message::{BorrowedMessage, Message};

use super::campaign::Campaign;
use super::oracle::{Cells, Expected, Id};
use super::read;

/// Faults that are spelled out.
const SHOWN: usize = 8;
/// How often it is looked whether all is there.
const LOOK: Duration = Duration::from_secs(2);
/// Values come as floats of 32 bits.
const NEAR: f64 = 1e-6;

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    pub rows_in: u64,
    pub rows_out: u64,
    pub late: u64,
    pub lost: u64,
    pub doubled: u64,
    pub wrong: u64,
    /// Outputs of rows that should give none.
    pub unexpected: u64,
    pub dead_letters: u64,
    /// The first faults.
    pub faults: Vec<String>,
}

impl Findings {
    /// Of nothing nothing is said.
    pub fn is_clean(&self) -> bool {
        self.rows_in > 0 && self.lost + self.doubled + self.wrong + self.unexpected + self.dead_letters == 0
    }

    fn fault(&mut self, text: impl FnOnce() -> String) {
        if self.faults.len() < SHOWN {
            self.faults.push(text());
        }
    }
}

/// Waits until all that must come out is there, as reading it back tells; gives up when nothing more came for so long.
pub fn wait(brokers: &str, prefix: &str, expected: &Expected, patience: Duration) {
    let wanted = [("out", expected.out.len()), ("late", expected.late.len())];
    let (mut before, mut last) = ([0; 2], Instant::now());
    loop {
        let there = wanted.map(|(topic, _)| read::count(brokers, &format!("{prefix}-{topic}")));
        if wanted.iter().zip(there).all(|((_, wanted), there)| there >= *wanted) {
            return;
        }
        if there != before {
            (before, last) = (there, Instant::now());
        }
        if last.elapsed() >= patience {
            return;
        }
        std::thread::sleep(LOOK);
    }
}

/// Reads all outputs of a pipeline whose hosts have ended: from the beginning of each partition to its end.
pub fn check(campaign: &Campaign, brokers: &str, prefix: &str, expected: Expected) -> Findings {
    ["out", "late", "dead"].iter().for_each(|topic| read::settle(brokers, &format!("{prefix}-{topic}")));
    let Expected { out, late, rows_in } = expected;
    let mut findings = Findings { rows_in, ..Findings::default() };
    let mut tally = Tally { expected: out, seen: HashMap::new(), what: "output", columns: campaign.columns };
    read::each(brokers, &format!("{prefix}-out"), |message| {
        findings.rows_out += 1;
        let value = read::json(message);
        let cells = campaign.columns.iter().map(|column| value[*column].as_f64()).collect();
        tally.take(campaign, prefix, message, cells, &mut findings);
    });
    tally.finish(&mut findings);
    let mut tally = Tally { expected: late, seen: HashMap::new(), what: "late row", columns: &["lateness"] };
    read::each(brokers, &format!("{prefix}-late"), |message| {
        findings.late += 1;
        let by = read::header(message, "tailwater-lateness").and_then(|by| by.parse().ok());
        tally.take(campaign, prefix, message, Box::new([by]), &mut findings);
    });
    tally.finish(&mut findings);
    read::each(brokers, &format!("{prefix}-dead"), |message| {
        findings.dead_letters += 1;
        let why = || read::header(message, "tailwater-message").unwrap_or_default();
        findings.fault(|| format!("dead letter: {}", why()));
    });
    findings
}

/// Of one topic.
struct Tally {
    expected: HashMap<Id, Cells>,
    /// How often, and where first.
    seen: HashMap<Id, (u32, i32, i64)>,
    what: &'static str,
    columns: &'static [&'static str],
}

impl Tally {
    fn take(
        &mut self,
        campaign: &Campaign,
        prefix: &str,
        message: &BorrowedMessage<'_>,
        got: Cells,
        findings: &mut Findings,
    ) {
        let (what, place) = (self.what, (message.partition(), message.offset()));
        let Some(id) = identity(campaign, prefix, message) else {
            findings.unexpected += 1;
            return findings.fault(|| format!("{what} at {place:?} has no identity that is known"));
        };
        let Some(expected) = self.expected.get(&id) else {
            findings.unexpected += 1;
            let values = listed(self.columns, &got);
            return findings.fault(|| format!("unexpected {what} {id} at {place:?}: {values}"));
        };
        let got = campaign.filled(self.columns, expected, got);
        if !same(expected, &got) {
            findings.wrong += 1;
            let differing = differing(self.columns, expected, &got);
            findings.fault(|| format!("wrong {what} {id} at {place:?}: {differing}"));
        }
        let (times, partition, offset) = self.seen.entry(id.clone()).or_insert((0, place.0, place.1));
        *times += 1;
        if *times > 1 {
            findings.doubled += 1;
            findings.fault(|| format!("doubled {what} {id}: at {partition}/{offset} and {place:?}"));
        }
    }

    fn finish(self, findings: &mut Findings) {
        let mut lost: Vec<&Id> = self.expected.keys().filter(|id| !self.seen.contains_key(id)).collect();
        lost.sort_unstable();
        findings.lost += lost.len() as u64;
        for id in lost {
            let values = || listed(self.columns, &self.expected[id]);
            findings.fault(|| format!("lost {} {id}: want {}", self.what, values()));
        }
    }
}

fn same(expected: &Cells, got: &Cells) -> bool {
    expected.len() == got.len() && expected.iter().zip(got).all(near)
}

fn near(pair: (&Option<f64>, &Option<f64>)) -> bool {
    match pair {
        (Some(one), Some(other)) => (one - other).abs() <= NEAR * one.abs().max(1.0),
        (one, other) => one == other,
    }
}

/// A value for people.
fn number(value: &Option<f64>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}

fn listed(columns: &[&str], cells: &Cells) -> String {
    let one = |(column, value): (&&str, _)| format!("{column} {}", number(value));
    columns.iter().zip(cells).map(one).collect::<Vec<_>>().join(", ")
}

fn differing(columns: &[&str], expected: &Cells, got: &Cells) -> String {
    let both = columns.iter().zip(expected.iter().zip(got)).filter(|(_, pair)| !near(*pair));
    let one =
        |(column, (want, got)): (&&str, _)| format!("{column} want {}, got {}", number(want), number(got));
    both.map(one).collect::<Vec<_>>().join("; ")
}

fn identity(campaign: &Campaign, prefix: &str, message: &BorrowedMessage<'_>) -> Option<Id> {
    if let Some(window) = read::header(message, "tailwater-window") {
        let key = String::from_utf8(message.key()?.to_vec()).ok()?;
        let mut numbers = window.split('/');
        let (start, revision) = (numbers.next()?.parse().ok()?, numbers.nth(1)?.parse().ok()?);
        return Some(Id::Window { key, start, revision });
    }
    origin(campaign, prefix, &read::header(message, "tailwater-origin")?)
}

/// Of `TOPIC/PARTITION/OFFSET/INDEX`; no record is split, so the index is 0.
fn origin(campaign: &Campaign, prefix: &str, origin: &str) -> Option<Id> {
    let (topic, place) = origin.strip_prefix(prefix)?.strip_prefix('-')?.split_once('/')?;
    let source = campaign.sources().iter().position(|source| *source == topic)? as u8;
    let mut numbers = place.split('/');
    let (partition, offset) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    (numbers.next() == Some("0")).then_some(Id::Row { source, partition, offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_that_of_its_source() {
        let campaign = Campaign::named("two-keys").expect("it is there");
        let of = |text: &str| origin(campaign, "run-1", text);
        let id = Id::Row { source: 1, partition: 2, offset: 30 };
        assert_eq!(of("run-1-complaints/2/30/0"), Some(id));
        for other in [
            "run-1-complaints/2/30/1",
            "run-1-out/2/30/0",
            "run-2-complaints/2/30/0",
            "",
            "run-1-complaints/2",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn values_may_differ_by_their_rounding_alone() {
        let cells = |values: &[Option<f64>]| -> Cells { values.into() };
        assert!(same(&cells(&[Some(1.0 / 3.0), None]), &cells(&[Some(f64::from(1.0f32 / 3.0)), None])));
        assert!(!same(&cells(&[Some(3.0)]), &cells(&[Some(3.001)])));
        assert!(!same(&cells(&[Some(0.0)]), &cells(&[None])));
    }

    #[test]
    fn what_is_lost_is_counted() {
        let id = |offset: i64| Id::Row { source: 0, partition: 0, offset };
        let expected = (0..3).map(|offset| (id(offset), Cells::default())).collect();
        let seen = [(id(1), (1, 0, 0))].into();
        let mut findings = Findings::default();
        Tally { expected, seen, what: "output", columns: &["sum"] }.finish(&mut findings);
        assert_eq!((findings.lost, findings.faults.len(), findings.is_clean()), (2, 2, false));
        assert!(findings.faults[0].contains("0/0"), "{:?}", findings.faults);
    }
}
