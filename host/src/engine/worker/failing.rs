//! Stages that fail beyond their error budget: the partitions of their group wait, and are tried again later. Exactly
//! once, nothing of what failed is written; at least once, the dead letters of that batch are.
//!
//! A batch that was given up half done, since its rows spin, comes again in either case. At least once nothing can be
//! taken back: tasks that it has reached begin anew where their offsets were marked last, as after a crash. What has not
//! reached any task goes on from before the batch.

use std::sync::Arc;
use std::time::Duration;

use super::Worker;
use super::floor::Seat;
use crate::engine::breaker::Failing;
use crate::engine::ports::{Clock, Sink, Source};
use crate::engine::task::{Input, Task, TaskId};
use crate::error::{Code, Error, Result};
use crate::pipeline::{Pipeline, Stage};
use crate::record::PartitionId;

/// Each wait is twice as long as the one before, up to so many times the first.
const LONGEST: u32 = 32;

/// A partition, and its next offset.
pub(super) type Began = (PartitionId, Option<i64>);

/// A group whose partitions wait, or did.
#[derive(Debug)]
struct Pause {
    group: usize,
    until: Duration,
    length: Duration,
    waits: bool,
}

#[derive(Debug, Default)]
pub(super) struct Pauses(Vec<Pause>);

impl Pauses {
    /// Says for how long. One that fails again soon waits longer than the `first` time.
    fn begin(&mut self, group: usize, now: Duration, first: Duration) -> Duration {
        // Another stage of the group may have failed in the same batch.
        if let Some(pause) = self.0.iter().find(|pause| pause.group == group && pause.waits) {
            return pause.length;
        }
        let before = self.0.iter().position(|pause| pause.group == group).map(|at| self.0.swap_remove(at));
        let again = before.filter(|before| now < before.until + before.length);
        let length = again.map_or(first, |before| (before.length * 2).min(first * LONGEST));
        self.0.push(Pause { group, until: now + length, length, waits: true });
        length
    }

    /// All groups that wait are to be tried again, as if nothing had been.
    pub fn end(&mut self) -> Vec<usize> {
        let waited = self.0.drain(..).filter(|pause| pause.waits);
        waited.map(|pause| pause.group).collect()
    }

    /// Groups that are to be tried again.
    fn over(&mut self, now: Duration) -> Vec<usize> {
        let over = self.0.iter_mut().filter(|pause| pause.waits && pause.until <= now);
        over.map(|pause| {
            pause.waits = false;
            pause.group
        })
        .collect()
    }

    fn any(&self) -> bool {
        self.0.iter().any(|pause| pause.waits)
    }

    pub fn covers(&self, pipeline: &Pipeline, id: PartitionId) -> bool {
        self.any() && {
            let group = usize::from(TaskId::of(pipeline, id).group);
            self.0.iter().any(|pause| pause.waits && pause.group == group)
        }
    }
}

impl<S: Source, K: Sink<Member = S::Member>, C: Clock> Worker<S, K, C> {
    /// What became of a batch. Of a stage that failed too often the partitions wait from now on. `began`: where
    /// partitions were before the batch, if it failed.
    pub(super) fn judge(&mut self, worked: Result<()>, began: &[Began]) -> Result<()> {
        let (failing, is_half_done) = match worked {
            Ok(()) => (self.flow.failing(), false),
            Err(error) if error.code == Code::PluginFailing => (vec![self.flow.gave_up(error)], true),
            Err(error) => return Err(error),
        };
        if !is_half_done && self.seat.as_ref().is_some_and(Seat::gives_back) {
            return Ok(());
        }
        self.tell_of_failing(&failing);
        for one in &failing {
            let pipeline = Arc::clone(self.flow.pipeline());
            let words = words(one);
            if self.options.until_end {
                return Err(Error::new(Code::PluginFailing, words));
            }
            let length = self.pauses.begin(one.group, self.clock.monotonic(), self.options.retry_after);
            let partitions = self.ids_of(one.group).len();
            let written = match self.vault {
                Some(_) => "nothing of the last transaction was written",
                None if is_half_done => "rows of the last batch come again",
                None => "the last of them are in the dead letters",
            };
            let code = Code::PluginFailing;
            tracing::error!(
                pipeline = %pipeline.name,
                "{code} {words}; {written}. {partitions} partitions wait for {length:?} and are then tried again: mend \
                 what fails and start again, or raise limits.failures"
            );
        }
        if failing.is_empty() {
            return Ok(());
        }
        if self.vault.is_some() {
            self.roll_back(&[])?;
        } else if let Some(one) = failing.first().filter(|_| is_half_done) {
            self.begin_anew(one.stage, one.group, began)?;
        }
        self.hold_back()
    }

    /// At least once, a batch was given up at this stage.
    fn begin_anew(&mut self, stage: Stage, group: usize, began: &[Began]) -> Result<()> {
        self.flow.settle_counts(false);
        let pipeline = Arc::clone(self.flow.pipeline());
        let (now, reached) = (self.clock.monotonic(), group..pipeline.groups.len());
        let (mut anew, mut before) = (Vec::new(), Vec::new());
        for index in 0..self.tasks.len() {
            let group = usize::from(self.tasks.id(index).group);
            let task = self.tasks.at(index);
            if stage != Stage::Preprocess && reached.contains(&group) {
                let mut next = Task::new(task.stores.len());
                next.inputs =
                    task.inputs.iter().map(|input| Input::new(input.id, input.marked, now)).collect();
                // They are told what rises, and nothing twice.
                next.writers = std::mem::take(&mut task.writers);
                anew.extend(next.inputs.iter().map(|input| input.id));
                *task = next;
            } else if stage == Stage::Preprocess || reached.start == 0 {
                for (id, next) in began {
                    if let Some(input) = task.inputs.iter_mut().find(|input| input.id == *id) {
                        input.next = *next;
                        before.push(*id);
                    }
                }
            }
        }
        self.start(&[anew, before].concat())
    }

    /// Tries again what has waited long enough.
    pub(super) fn retry(&mut self) -> Result<()> {
        let over = self.pauses.over(self.clock.monotonic());
        self.try_again(over)
    }

    pub(super) fn try_again(&mut self, groups: Vec<usize>) -> Result<()> {
        for group in groups {
            tracing::info!(pipeline = %self.flow.pipeline().name, group, "partitions that waited are tried again");
            let ids = self.ids_of(group);
            self.start(&ids)?;
            self.hold_back()?;
        }
        Ok(())
    }

    fn ids_of(&self, group: usize) -> Vec<PartitionId> {
        let own = self.tasks.iter().filter(|(id, _)| usize::from(id.group) == group);
        own.flat_map(|(_, task)| &task.inputs).map(|input| input.id).collect()
    }
}

fn words(failing: &Failing) -> String {
    let Failing { stage, release, what, failed, rows, last, .. } = failing;
    let stage = stage.name();
    format!(
        "release {release}, {stage} {what}: {failed} of the last {rows} rows failed, the last with {last}"
    )
}
