//! Whether a release that is loaded may follow the one that runs: what it changes, whether its topics are there, and how it
//! does with records that came just now.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::baton::Baton;
use crate::app::control::cluster;
use crate::app::topics::METADATA_WITHIN;
use crate::config::Config;
use crate::engine::{Failing, Flow, Meter, PartitionCounts, Relay, Sample, Tables};
use crate::error::{Code, Error, Result};
use crate::kafka::topics;
use crate::pipeline::succession_beside;
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
    pub fn flow(&self, release: &Release) -> Result<Flow> {
        release.flow(&self.meter, &self.counts, &self.tables)
    }
}

/// Gives how many records it was tried on.
pub(super) fn settle(own: &Config, release: &Release, baton: &Baton, maker: &Maker) -> Result<usize> {
    let (current, before) = (baton.release(), baton.before());
    let before = before.as_ref().map(|before| &**before.pipeline());
    let changes = succession_beside(current.pipeline(), before, release.pipeline())?;
    release.try_migrations(current.pipeline())?;
    let names: Vec<&str> = changes.topics.iter().map(String::as_str).collect();
    if !names.is_empty() {
        topics(&cluster(own), &names, METADATA_WITHIN)?;
    }
    let sample = sample(&baton.relays());
    let rehearsed = maker.flow(release)?.rehearse(&sample)?;
    match rehearsed.failing.first() {
        None => Ok(sample.len()),
        Some(failing) => Err(failed(failing)),
    }
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
