//! Exactly once: one transaction after the other. In each is all that was sent for the records that were read, what
//! changed of the state, and the offsets; it is there as a whole or not at all.
//!
//! ```text
//!          read, work, send            flush, commit           committed
//! begun ────────────────────> dirty ──────────────────> ended ──────────> begun
//!                                          │ failed
//!                                          └──> abort, take the state back, read again from the last commit
//! ```
//!
//! A transaction ends when the commit interval is over; or sooner, if nothing more is there to be read, but not
//! sooner than the pause after the last one. What becomes of a transaction whose end is not known (the sink is
//! fenced) is an error: whoever owns the thread makes a new one, which begins with what the brokers have.

use std::sync::Arc;
use std::time::Duration;

use super::patience::Wait;
use super::{SINK_WAIT, Step, UNDER_WAY, Worker, send};
use crate::engine::mistake::{Mistake, planted};
use crate::engine::ports::{Clock, Ended, Mark, Sink, Source};
use crate::engine::task::TaskId;
use crate::engine::vault::VaultOptions;
use crate::error::{Code, Error, Result};
use crate::record::{Message, PartitionId};

/// When no transaction ended well for this long, the run ends.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

impl<S: Source, K: Sink<Member = S::Member>, C: Clock> Worker<S, K, C> {
    /// How long a poll may wait.
    pub(super) fn patience(&self) -> Duration {
        let patience = self.options.patience;
        if self.vault.is_none() || !self.is_dirty {
            return patience;
        }
        let since = self.clock.monotonic().saturating_sub(self.last_commit);
        patience.min(self.options.commit_pause.saturating_sub(since))
    }

    /// Ends the transaction, if it is time.
    pub(super) fn transact(&mut self, step: Step) -> Result<()> {
        if !self.is_dirty && self.is_word_due() {
            self.is_dirty = true;
        }
        if !self.is_dirty {
            return Ok(());
        }
        // Delivery goes on meanwhile.
        self.sink.work(Duration::ZERO)?;
        let since = self.clock.monotonic().saturating_sub(self.last_commit);
        let wait = match step {
            Step::Idle => self.options.commit_pause,
            Step::Worked(_) | Step::Rebalanced => self.options.commit_interval,
        };
        if since >= wait {
            self.commit(&[])?;
        }
        Ok(())
    }

    /// Ends the transaction. `leaving`: partitions that are given up. False: it failed, and all is as it was after
    /// the last one.
    pub(super) fn commit(&mut self, leaving: &[PartitionId]) -> Result<bool> {
        if !self.is_dirty && leaving.is_empty() {
            return Ok(true);
        }
        tracing::trace!(target: "transactions", "flush");
        let began = self.clock.monotonic();
        self.set_fences();
        self.send_changes()?;
        if !planted(Mistake::CommitsEarly) {
            self.flush()?;
        }
        for (task, offset) in self.sink.landed() {
            self.tasks.at(task as usize).landed(offset);
        }
        let mut marks = self.marks(leaving);
        if planted(Mistake::OffsetsApart) {
            let apart: Vec<_> = marks.drain(..).map(|mark| (mark.of, mark.next)).collect();
            self.source.commit(&apart, true)?;
        }
        tracing::trace!(target: "transactions", "commit");
        match self.sink.commit(&marks, self.source.member()?)? {
            Ended::Committed => self.sink.begin()?,
            Ended::Failed(why) => {
                self.take_back(&why, &[])?;
                return Ok(false);
            }
        }
        tracing::trace!(target: "transactions", "committed");
        (self.is_dirty, self.failing) = (false, None);
        self.flow.settle_counts(true);
        self.last_commit = self.clock.monotonic();
        self.flow.meter().committed(self.last_commit.saturating_sub(began));
        let pipeline = Arc::clone(self.flow.pipeline());
        let Some(vault) = &mut self.vault else { return Ok(true) };
        vault.tasks.set(self.tasks.len());
        let memory = vault.options.memory / vault.tasks.all().max(1);
        let options = VaultOptions { memory, ..vault.options };
        for index in 0..self.tasks.len() {
            let TaskId { group, partition } = self.tasks.id(index);
            let task = self.tasks.at(index);
            task.committed();
            task.checkpoint(options)?;
            if let (Some(before), Some(topic)) =
                (task.image_committed(), &pipeline.changelogs[usize::from(group)])
            {
                let too_far = if planted(Mistake::TrimsFar) { 8 } else { 0 };
                vault.changelog.trim(topic, partition, before + too_far)?;
            }
        }
        Ok(true)
    }

    /// What changed of the state goes to the changelogs.
    fn send_changes(&mut self) -> Result<()> {
        let pipeline = Arc::clone(self.flow.pipeline());
        let tail_bytes = self.vault.as_ref().map_or(usize::MAX, |vault| vault.options.tail_bytes);
        let Self { source, sink, clock, tasks, .. } = self;
        for index in 0..tasks.len() {
            let TaskId { group, partition } = tasks.id(index);
            let Some(topic) = &pipeline.changelogs[usize::from(group)] else { continue };
            let task = tasks.at(index);
            let changes = task.prepare();
            for block in changes.into_iter().chain(task.image(tail_bytes)?) {
                let message = Message {
                    topic,
                    partition: Some(partition),
                    key: None,
                    value: Some(&block),
                    timestamp: None,
                    headers: &[],
                    tag: Some(index as u32),
                };
                send(source, sink, clock, message)?;
            }
        }
        Ok(())
    }

    fn marks(&self, leaving: &[PartitionId]) -> Vec<Mark> {
        let mut marks = Vec::new();
        for (_, task) in self.tasks.iter() {
            let (commit, mut changed) = (task.next_commit(), task.is_prepared());
            for input in &task.inputs {
                let (of, Some(next)) = (input.id, task.resume(input)) else { continue };
                let last = leaving.contains(&of);
                // A change that moves no offset has to be known of too.
                let words = task.words(input);
                let is_news = input.marked != Some(next) || input.marked_words != words;
                if last || !input.claimed || is_news || std::mem::take(&mut changed) {
                    changed = false;
                    marks.push(Mark { of, next, commit, last, words });
                }
            }
        }
        marks
    }

    /// Waits until all that was sent has arrived, or never will.
    fn flush(&mut self) -> Result<()> {
        let mut wait = Wait::new(&self.clock);
        while self.sink.flush(SINK_WAIT)?.all > 0 {
            wait.go_on(&self.source, &self.clock, UNDER_WAY)?;
        }
        Ok(())
    }

    /// Aborts the transaction; all tasks are as after the last one, and read on from there. Those that are lost
    /// are not read any more.
    pub(super) fn take_back(&mut self, why: &str, lost: &[TaskId]) -> Result<()> {
        let now = self.clock.monotonic();
        tracing::warn!(pipeline = %self.flow.pipeline().name, "a transaction is taken back: {why}");
        if now.saturating_sub(*self.failing.get_or_insert(now)) > GIVE_UP_AFTER {
            let text = format!("no transaction ended well for {GIVE_UP_AFTER:?}; the last one: {why}");
            return Err(Error::new(Code::Commit, text));
        }
        self.roll_back(lost)
    }

    /// The same, where nothing is wrong with the brokers.
    pub(super) fn roll_back(&mut self, lost: &[TaskId]) -> Result<()> {
        self.sink.abort()?;
        self.flow.meter().aborted();
        self.sink.landed();
        self.flow.settle_counts(false);
        let pipeline = Arc::clone(self.flow.pipeline());
        for index in 0..self.tasks.len() {
            let id = self.tasks.id(index);
            if !lost.contains(&id) && !planted(Mistake::KeepsState) {
                self.tasks.at(index).roll_back(&pipeline, usize::from(id.group))?;
            }
        }
        // What was taken back may be by which plans they are kept.
        self.keep_windows()?;
        (self.is_dirty, self.last_commit) = (false, self.clock.monotonic());
        self.sink.begin()?;
        let kept = |(id, task): &(TaskId, _)| {
            let task: &crate::engine::task::Task = task;
            let few = if planted(Mistake::KeepsOtherPlaces) { 1 } else { usize::MAX };
            let ids: Vec<PartitionId> = task.inputs.iter().map(|input| input.id).take(few).collect();
            (!lost.contains(id)).then_some(ids)
        };
        let ids: Vec<PartitionId> = self.tasks.iter().filter_map(kept).flatten().collect();
        if planted(Mistake::KeepsPlace) { Ok(()) } else { self.start(&ids) }
    }
}
