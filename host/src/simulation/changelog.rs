//! A reader of changelog topics: only what is committed.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::client::{internal, until};
use super::cluster::{Cluster, Place, State, Stored};
use super::process::Process;
use crate::engine::ports::Changelog;
use crate::error::{Code, Error, Result};

/// Reads that find nothing, though something is there; in ten thousand.
const SLOW_FETCH: u32 = 1_000;

#[derive(Debug)]
pub struct SimChangelog {
    cluster: Cluster,
    process: Arc<Process>,
    at: Option<(Place, i64)>,
    /// The last block that was given.
    block: Rc<Stored>,
}

impl SimChangelog {
    pub(super) fn new(cluster: Cluster, process: Arc<Process>) -> Self {
        Self { cluster, process, at: None, block: Rc::default() }
    }

    fn place(state: &State, topic: &str, partition: i32) -> Result<Place> {
        let found = state.topic(topic).filter(|topic| (partition as usize) < state.partitions_of(*topic));
        let missing = || Error::new(Code::TopicMissing, format!("{topic}/{partition}"));
        found.map(|topic| (topic, partition)).ok_or_else(missing)
    }

    fn next_now(&mut self, wait: Duration) -> Result<Option<i64>> {
        let Some((place, from)) = self.at else {
            self.process.journal.broke("changelog: read, and not opened");
            return Err(internal("no changelog is open"));
        };
        let mut state = self.cluster.state();
        let limit = until(&state, wait);
        loop {
            if from < state.log(place).start() {
                let text = format!("{}: offset {from} is not there any more", state.place(place));
                return Err(Error::new(Code::OffsetLost, text));
            }
            let often = if state.faults.slow > 0 { SLOW_FETCH } else { 0 };
            let slow = state.random.hits(often);
            if let Some((offset, block)) = state.log(place).read(from).filter(|_| !slow) {
                self.block = Rc::clone(block);
                self.at = Some((place, offset + 1));
                return Ok(Some(offset));
            }
            if state.now() >= limit {
                return Ok(None);
            }
            state.drift(limit);
        }
    }
}

impl Changelog for SimChangelog {
    fn first(&mut self, topic: &str, partition: i32) -> Result<i64> {
        self.process.call("changelog first", || {
            let state = self.cluster.state();
            Ok(state.log(Self::place(&state, topic, partition)?).start())
        })
    }

    fn open(&mut self, topic: &str, partition: i32, from: i64) -> Result<()> {
        let process = Arc::clone(&self.process);
        process.call("changelog open", || {
            let state = self.cluster.state();
            let place = Self::place(&state, topic, partition)?;
            let log = state.log(place);
            if from < log.start() || from > log.end() {
                let text = format!("{topic}/{partition}: offset {from} is not there");
                return Err(Error::new(Code::OffsetLost, text));
            }
            self.at = Some((place, from));
            Ok(())
        })
    }

    fn next(&mut self, wait: Duration) -> Result<Option<(i64, &[u8])>> {
        let process = Arc::clone(&self.process);
        let offset = process.call("changelog next", || self.next_now(wait))?;
        Ok(offset.map(|offset| (offset, self.block.value.as_deref().unwrap_or_default())))
    }

    fn trim(&mut self, topic: &str, partition: i32, before: i64) -> Result<()> {
        self.process.call("trim", || {
            let mut state = self.cluster.state();
            let place = Self::place(&state, topic, partition)?;
            state.trim_later(place, before);
            Ok(())
        })
    }
}
