//! Releases come and go while the thread runs.
//!
//! It goes on as another release between two batches, right after a commit. A row is finished by the release that
//! began it: partitions and tasks in which rows of a release lie that the thread lacks wait until it was told.

use std::sync::Arc;
use std::time::Duration;

use super::Worker;
use crate::engine::breaker::Failing;
use crate::engine::flow::Flow;
use crate::engine::mistake::{Mistake, planted};
use crate::engine::parcel;
use crate::engine::ports::{Clock, Sink, Source};
use crate::engine::relay::{Arrival, Relay};
use crate::engine::sample::Sample;
use crate::engine::task::Task;
use crate::error::Result;
use crate::pipeline::Role;
use crate::record::{PartitionId, Records};

/// A release that had nothing to do for this long is of no use any more.
const RETIRE_AFTER: Duration = Duration::from_secs(5);

/// The thread's end of its relay.
#[derive(Debug)]
pub(super) struct Line {
    relay: Arc<Relay>,
    /// Asked for, and no answer yet.
    asked: Vec<String>,
    /// Nobody has them.
    unknown: Vec<String>,
    /// Partitions that are not read on until a release comes.
    absent: Vec<(PartitionId, String)>,
    last_retired: Duration,
}

impl Line {
    pub fn new(relay: Arc<Relay>, now: Duration) -> Self {
        let (asked, unknown, absent) = Default::default();
        Self { relay, asked, unknown, absent, last_retired: now }
    }

    fn lacks(&self, flow: &Flow, stamp: &str) -> bool {
        flow.lacks(stamp) && !self.unknown.iter().any(|one| one == stamp)
    }

    fn ask(&mut self, stamp: &str) {
        if !self.asked.iter().any(|one| one == stamp) {
            self.asked.push(stamp.to_owned());
            self.relay.ask(stamp);
        }
    }

    pub fn give_sample(&self, sample: Sample) {
        self.relay.put_sample(sample);
    }

    /// Partitions that wait.
    pub fn absent(&self) -> impl Iterator<Item = PartitionId> {
        self.absent.iter().map(|(id, _)| *id)
    }

    pub fn forget(&mut self, ids: &[PartitionId]) {
        self.absent.retain(|(id, _)| !ids.contains(id));
    }

    /// Keeps what can be worked on now: of a partition nothing from the first row on that has to wait. Gives whether
    /// any partition waits now that did not before.
    pub fn sift(&mut self, flow: &Flow, records: &mut Records<'_>) -> bool {
        let before = self.absent.len();
        let pipeline = flow.pipeline();
        if pipeline.groups.len() == 1 {
            return false;
        }
        records.rows.retain(|record| {
            if !matches!(pipeline.role(record.from.source), Role::Repartition { .. }) {
                return true;
            }
            if self.absent.iter().any(|(id, _)| *id == record.from) {
                return false;
            }
            let stamp = record.value.and_then(parcel::release);
            let Some(stamp) = stamp.filter(|stamp| self.lacks(flow, stamp)) else { return true };
            self.ask(stamp);
            self.absent.push((record.from, stamp.to_owned()));
            false
        });
        self.absent.len() > before
    }
}

impl<S: Source, K: Sink<Member = S::Member>, C: Clock> Worker<S, K, C> {
    /// Takes releases from a relay from now on.
    pub fn relayed(mut self, relay: &Arc<Relay>) -> Self {
        relay.set_at(self.flow.number());
        self.line = Some(Line::new(Arc::clone(relay), self.clock.monotonic()));
        self
    }

    /// Takes what has come.
    pub(super) fn receive(&mut self) -> Result<()> {
        let Some(relay) = self.line.as_ref().map(|line| Arc::clone(&line.relay)) else { return Ok(()) };
        if !relay.is_news() {
            return Ok(());
        }
        while let Some(arrival) = relay.take() {
            match arrival {
                Arrival::Current(flow) if flow.number() > self.flow.number() => self.switch(*flow)?,
                Arrival::Asked(flow) if self.flow.lacks(flow.stamp()) => self.learn(*flow)?,
                Arrival::Current(flow) | Arrival::Asked(flow) => relay.retire([*flow]),
                Arrival::Unknown(stamp) => self.do_without(&stamp, "which nobody has any more"),
            }
        }
        self.read_on()
    }

    fn learn(&mut self, flow: Flow) -> Result<()> {
        if let Err(error) = self.flow.goes_with(&flow) {
            self.do_without(flow.stamp(), &format!("whose windows do not go with its own: {error}"));
            if let Some(line) = &self.line {
                line.relay.retire([flow]);
            }
            return Ok(());
        }
        self.flow.learn(flow);
        self.keep_windows()
    }

    /// Rows of a release can't be finished by itself.
    fn do_without(&mut self, stamp: &str, why: &str) {
        tracing::warn!(
            pipeline = %self.flow.pipeline().name,
            "rows in flight were begun by release {stamp}, {why}; release {} finishes them", self.flow.stamp()
        );
        self.line.iter_mut().for_each(|line| line.unknown.push(stamp.to_owned()));
    }

    /// Windows of all tasks are kept so that they serve all releases that are known here.
    pub(super) fn keep_windows(&mut self) -> Result<()> {
        let odd = self.flow.unite()?;
        if let Some(line) = &self.line {
            line.relay.retire(odd);
        }
        let pipeline = Arc::clone(self.flow.pipeline());
        for index in 0..self.tasks.len() {
            let group = self.tasks.id(index).group;
            self.tasks.at(index).keep_by(&pipeline, group)?;
        }
        Ok(())
    }

    fn switch(&mut self, next: Flow) -> Result<()> {
        if self.vault.is_some() {
            self.commit(&[])?;
        }
        self.flow.settle_counts(true);
        let before = self.flow.stamp().to_owned();
        self.flow.succeed(next);
        self.keep_windows()?;
        tracing::debug!(
            target: "tasks", pipeline = %self.flow.pipeline().name, before, release = self.flow.stamp(), "goes on"
        );
        if let Some(line) = &self.line {
            line.relay.set_at(self.flow.number());
        }
        // What failed under the other release may go well now.
        let waited = self.pauses.end();
        self.try_again(waited)
    }

    /// What waited for a release that is here now goes on.
    fn read_on(&mut self) -> Result<()> {
        let Self { line: Some(line), flow, .. } = self else { return Ok(()) };
        line.asked.retain(|stamp| flow.lacks(stamp));
        let (asked, unknown) = (&mut line.asked, &line.unknown);
        asked.retain(|stamp| !unknown.contains(stamp));
        let waits: Vec<_> = std::mem::take(&mut line.absent);
        let (absent, ready): (Vec<_>, Vec<_>) =
            waits.into_iter().partition(|(_, stamp)| line.lacks(flow, stamp));
        line.absent = absent;
        let ready: Vec<PartitionId> = ready.into_iter().map(|(id, _)| id).collect();
        if !ready.is_empty() {
            self.start(&ready)?;
            self.hold_back()?;
        }
        self.adopt_rest()
    }

    /// Whether rows of a task wait for their time that can't be finished here. What is lacking is asked for.
    pub(super) fn has_to_wait(&mut self, task: &Task) -> bool {
        let Self { line: Some(line), flow, .. } = self else { return false };
        if planted(Mistake::LacksRelease) {
            return false;
        }
        let mut waits = false;
        let mut last = "";
        for stamp in task.held.releases() {
            if stamp != last && line.lacks(flow, stamp) {
                line.ask(stamp);
                waits = true;
            }
            last = stamp;
        }
        waits
    }

    /// Lets go of releases of which nothing is in flight.
    pub(super) fn retire(&mut self, now: Duration) -> Result<()> {
        let Self { line: Some(line), flow, tasks, .. } = self else { return Ok(()) };
        if !flow.has_formers() || now.saturating_sub(line.last_retired) < RETIRE_AFTER {
            return Ok(());
        }
        line.last_retired = now;
        let retired = flow.retire(line.relay.settled(), tasks);
        if retired.is_empty() {
            return Ok(());
        }
        line.relay.retire(retired);
        self.keep_windows()
    }

    /// The control side hears of stages that failed too often.
    pub(super) fn tell_of_failing(&self, failing: &[Failing]) {
        if let Some(line) = self.line.as_ref().filter(|_| !failing.is_empty()) {
            line.relay.tell_failing(failing);
        }
    }

    /// Keeps some of the records at hand, if they are asked for; what windows hold of their keys is copied before the
    /// batch is worked on.
    pub(super) fn begin_sample(&mut self) -> Option<Sample> {
        self.line.as_ref().filter(|line| line.relay.is_sample_wanted())?;
        self.flow.want_copies();
        Some(Sample::of(&self.source.records(), self.flow.pipeline().sources.len()))
    }
}
