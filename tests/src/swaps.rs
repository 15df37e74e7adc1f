//! Releases that come and go on a real Apache Kafka while a pipeline of two keys runs, in the order of event time, with
//! late rows and a partition that is idle; hosts are killed meanwhile.
//!
//! Plugins and the model are such that each output tells which files and settings made it. So it is found out whether an
//! output is what its release gives offline, in both stages; and whether each row has its output once, with windows that
//! go on over all releases.

mod check;
mod events;
mod files;
mod ledger;
pub mod pause;
mod report;
pub(crate) mod works;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use events::{Moment, Swap};
pub(crate) use files::Part;
pub use report::Report;

use crate::chaos::Ground;
use works::Works;

/// What is run on which load.
#[derive(Clone, Debug)]
pub struct Setup {
    pub ground: Ground,
    pub hosts: usize,
    /// Purchases a second.
    pub rate: u64,
    pub seed: u64,
    /// Where logs, files, state and the broker's data go; it is made.
    pub folder: PathBuf,
}

/// How releases come.
#[derive(Clone, Debug)]
pub struct Options {
    pub setup: Setup,
    /// These first, each with the moment at which a host is killed.
    pub script: &'static [(Swap, Option<Moment>)],
    /// So many more are drawn.
    pub swaps: usize,
    /// One so often, at most.
    pub every: Duration,
    /// At so many of a hundred a host is killed.
    pub kills: u64,
    /// Releases are begun from history.
    pub history: bool,
}

/// A release from history may be called off that long.
const SHORT_PROBATION: &str = "[releases]\nprobation = \"4s\"";

impl Options {
    fn works(&self) -> Works {
        Works::open(&self.setup, if self.history { SHORT_PROBATION } else { "" })
    }
}

/// Swaps releases; one line each goes to stdout.
pub fn run(options: &Options) -> Report {
    let began = Instant::now();
    let mut works = options.works();
    let mut report = Report { folder: works.folder.clone(), ..Report::default() };
    for number in 0..options.script.len() + options.swaps {
        let due = Instant::now() + options.every;
        let (swap, moment) = match options.script.get(number) {
            Some(scripted) => *scripted,
            None => events::draw(&mut works.random, options.kills, options.history),
        };
        events::happen(&mut works, &mut report, number + 1, swap, moment);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    for release in works.ledger.releases().into_values() {
        *report.releases.entry(release.how).or_default() += 1;
    }
    let ended = works.end();
    Report { took: began.elapsed(), ended: Some(ended), ..report }
}
