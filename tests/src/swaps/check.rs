//! Every output is what the release that is stamped on it makes of its row, in both stages.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::files::{Files, Marks};
use super::ledger::Release;
use crate::chaos::read::{each, header, json};

/// Faults that are spelled out.
const SHOWN: usize = 8;
/// Values come as floats of 32 bits.
const NEAR: f64 = 2e-6;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Outputs by number of release.
    pub outputs: BTreeMap<u64, u64>,
    /// Outputs of which something is another release's.
    pub mixed: u64,
    /// Outputs of a release that the control topic never had.
    pub unknown: u64,
    /// The first faults.
    pub faults: Vec<String>,
}

impl Found {
    pub fn is_clean(&self) -> bool {
        self.mixed + self.unknown == 0
    }
}

/// Reads all outputs. Hosts have ended.
pub fn check(brokers: &str, prefix: &str, files: &Files, releases: &BTreeMap<u64, Release>) -> Found {
    let mut found = Found::default();
    let of = |number: &u64, release: &Release| {
        let marks = files.marks(&release.files, &release.configuration);
        (format!("{number}-{}", release.id), (*number, marks))
    };
    let known: HashMap<String, (u64, Option<Marks>)> =
        releases.iter().map(|(number, release)| of(number, release)).collect();
    each(brokers, &format!("{prefix}-out"), |message| {
        let stamp = header(message, "tailwater-release").unwrap_or_default();
        let Some((number, Some(marks))) = known.get(&stamp) else {
            found.unknown += 1;
            return found.fault(|| format!("nobody knows release {stamp:?}"));
        };
        *found.outputs.entry(*number).or_default() += 1;
        let value = json(message);
        let differs = |(column, want): &(&str, f64)| {
            value[*column].as_f64().is_none_or(|got| (got - want).abs() > NEAR * want.abs().max(1.0))
        };
        let wrong: HashSet<&str> =
            marks.columns().iter().filter(|one| differs(one)).map(|(column, _)| *column).collect();
        if !wrong.is_empty() {
            found.mixed += 1;
            found.fault(|| format!("{stamp}: {wrong:?} of {value} are not of {marks:?}"));
        }
    });
    found
}

impl Found {
    fn fault(&mut self, text: impl FnOnce() -> String) {
        if self.faults.len() < SHOWN {
            self.faults.push(text());
        }
    }
}
