//! Whether a release that is loaded may follow the one that runs: what it changes, whether its topics are there, and how it
//! does with records that came just now.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::app::control::cluster;
use crate::app::generations::Generation;
use crate::app::topics::METADATA_WITHIN;
use crate::config::{Config, Delivery};
use crate::engine::{Failing, Flow, Meter, PartitionCounts, Relay, Sample, Tables};
use crate::error::{Code, Error, Result};
use crate::kafka::topics;
use crate::pipeline::{SourceNode, succession_beside, succession_from_history};
use crate::release::Release;

/// That long is waited for records to try it on. Where none come, there is nothing to try.
const SAMPLED_WITHIN: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);

/// Makes flows for threads.
#[derive(Clone, Debug)]
pub(super) struct Maker {
    pub meter: Arc<Meter>,
    pub counts: PartitionCounts,
    pub tables: Arc<Tables>,
}

impl Maker {
    /// For those of a generation.
    pub fn of(Generation { run, counts }: &Generation) -> Self {
        let (meter, counts, tables) = (Arc::clone(&run.meter), Arc::clone(counts), Arc::clone(&run.tables));
        Self { meter, counts, tables }
    }

    /// For nobody but a trial: its topics are not there yet, and its own tables hold nothing.
    fn from_history(Generation { run, .. }: &Generation, release: &Release) -> Self {
        let (old, new) = (run.release.pipeline(), release.pipeline());
        let is_same = |(from, to): (&SourceNode, &SourceNode)| from.decoded == to.decoded;
        let tables = match old.sources.iter().zip(&new.sources).all(is_same) {
            true => Arc::clone(&run.tables),
            false => Arc::new(Tables::new(new)),
        };
        let counts = new.topics.iter().map(|_| 1).collect();
        Self { meter: Arc::clone(&run.meter), counts, tables }
    }

    pub fn flow(&self, release: &Release) -> Result<Flow> {
        release.flow(&self.meter, &self.counts, &self.tables)
    }
}

/// Gives how many records it was tried on. `from_history`: it is to have state of its own.
pub(super) fn settle(
    own: &Config,
    release: &Release,
    generation: &Generation,
    from_history: bool,
) -> Result<usize> {
    let baton = &generation.run.baton;
    let (current, before) = (baton.release(), baton.before());
    let before = before.as_ref().map(|before| &**before.pipeline());
    let changes = if from_history {
        can_read_history(own)?;
        succession_from_history(current.pipeline(), release.pipeline())?
    } else {
        let changes = succession_beside(current.pipeline(), before, release.pipeline())?;
        release.try_migrations(current.pipeline())?;
        changes
    };
    let names: Vec<&str> = changes.topics.iter().map(String::as_str).collect();
    if !names.is_empty() {
        topics(&cluster(own), &names, METADATA_WITHIN)?;
    }
    let sample = sample(&baton.relays());
    let (sample, maker) = match from_history {
        true => (sample.without_windows(), Maker::from_history(generation, release)),
        false => (sample, Maker::of(generation)),
    };
    let rehearsed = maker.flow(release)?.rehearse(&sample)?;
    match rehearsed.failing.first() {
        None => Ok(sample.len()),
        Some(failing) => Err(failed(failing)),
    }
}

/// An error: nothing of what two generations say to each other is kept.
pub(in crate::app) fn can_read_history(own: &Config) -> Result<()> {
    if own.delivery == Delivery::ExactlyOnce {
        return Ok(());
    }
    let text = "delivery is at-least-once: history can be read beside what runs exactly once alone";
    Err(Error::new(Code::ConfigValue, text))
}

/// Records that came just now to any thread.
fn sample(relays: &[Arc<Relay>]) -> Sample {
    let (began, mut sample) = (Instant::now(), Sample::default());
    relays.iter().for_each(|relay| relay.want_sample());
    while sample.is_empty() && began.elapsed() < SAMPLED_WITHIN {
        thread::sleep(LOOK);
        for one in relays.iter().filter_map(|relay| relay.sample()) {
            sample.extend(one);
        }
    }
    sample
}

fn failed(failing: &Failing) -> Error {
    let Failing { stage, failed, rows, last, .. } = failing;
    let text = format!(
        "{}: of {rows} rows that the pipeline has just had, {failed} failed, the last with {last}",
        stage.name()
    );
    Error::new(Code::ReleaseFailed, text)
}
