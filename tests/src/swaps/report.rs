//! What came of it, for people.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::events::{Moment, Swap};
use super::works::Ended;

/// Troubles that are spelled out.
const SHOWN: usize = 6;

/// The end of a run.
#[derive(Debug, Default)]
pub struct Report {
    pub took: Duration,
    pub swaps: BTreeMap<Swap, usize>,
    /// Kills that came at their moment.
    pub kills: BTreeMap<Moment, usize>,
    /// From a change to the number of its release.
    pub numbered: Vec<Duration>,
    /// Releases there were, by how they came.
    pub releases: BTreeMap<String, usize>,
    pub ended: Option<Ended>,
    /// Where logs are.
    pub folder: PathBuf,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.ended.as_ref().is_some_and(Ended::is_clean)
    }
}

/// Middle and greatest, in seconds.
pub fn spread(durations: &[Duration]) -> String {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let Some(most) = sorted.last() else { return "-".to_owned() };
    format!("p50 {:.2} s, most {:.2} s", sorted[sorted.len() / 2].as_secs_f64(), most.as_secs_f64())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { took, swaps, kills, numbered, releases, ended, folder } = self;
        let all: usize = swaps.values().sum();
        writeln!(f, "{all} swaps in {} s gave releases: {releases:?}", took.as_secs())?;
        for (swap, count) in swaps {
            writeln!(f, "  {:<20} {count:>5}", swap.name())?;
        }
        writeln!(f, "  from a change to its number: {}", spread(numbered))?;
        writeln!(f, "  hosts killed: {kills:?}")?;
        if let Some(ended) = ended {
            writeln!(f, "{ended}")?;
        }
        let verdict = if self.is_clean() { "all is well" } else { "FAULTS" };
        write!(f, "  {verdict}; logs: {}", folder.display())
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { findings, found, troubles, refused } = self;
        let counts = &found.outputs;
        writeln!(f, "  rows in {}, out {}, late {}", findings.rows_in, findings.rows_out, findings.late)?;
        let least = counts.values().min().copied().unwrap_or_default();
        writeln!(f, "  outputs of {} releases, of each {least} at the least", counts.len())?;
        write!(
            f,
            "  lost {}, doubled {}, wrong {}, unexpected {}, dead letters {}, of two releases {}, of none {}",
            findings.lost,
            findings.doubled,
            findings.wrong,
            findings.unexpected,
            findings.dead_letters,
            found.mixed,
            found.unknown
        )?;
        for refused in refused.iter().take(SHOWN) {
            write!(f, "\n  refused: {refused}")?;
        }
        for fault in findings.faults.iter().chain(&found.faults).chain(troubles.iter().take(SHOWN)) {
            write!(f, "\n  ! {fault}")?;
        }
        Ok(())
    }
}
