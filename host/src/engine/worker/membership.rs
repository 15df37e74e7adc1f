//! Tasks come and go with their partitions. A task needs all of its partitions: those that came alone wait, and what
//! comes of them is passed over.

use std::sync::Arc;
use std::time::Duration;

use super::Worker;
use super::patience::Wait;
use crate::engine::mistake::{Mistake, planted};
use crate::engine::ports::{Clock, Committed, Sink, Source};
use crate::engine::task::{Input, Task, TaskId};
use crate::engine::vault::{Restored, Standing};
use crate::error::Result;
use crate::record::PartitionId;

impl<S: Source, K: Sink<Member = S::Member>, C: Clock> Worker<S, K, C> {
    pub(super) fn adopt(&mut self, ids: &[PartitionId]) -> Result<()> {
        if !ids.is_empty() {
            tracing::debug!(target: "tasks", "assigned {} partitions", ids.len());
        }
        // Bringing tasks back may take longer than a transaction may.
        if self.vault.is_some() {
            self.commit(&[])?;
        }
        let pipeline = Arc::clone(self.flow.pipeline());
        self.waiting.extend(ids);
        let mut tasks: Vec<TaskId> = self.waiting.iter().map(|id| TaskId::of(&pipeline, *id)).collect();
        tasks.sort_unstable();
        tasks.dedup();
        tasks.retain(|task| task.inputs(&pipeline).all(|input| self.waiting.contains(&input)));
        self.waiting.retain(|id| !tasks.contains(&TaskId::of(&pipeline, *id)));
        let mut inputs: Vec<PartitionId> = tasks.iter().flat_map(|task| task.inputs(&pipeline)).collect();
        let standing = match self.source.committed(&inputs) {
            // Whoever goes on asks again.
            Err(_) if self.asked.now() => return Ok(()),
            found => found?,
        };
        let committed: Vec<_> = inputs.iter().copied().zip(standing).collect();
        let now = self.clock.monotonic();
        for id in tasks {
            let own = |(input, _): &&(PartitionId, Option<Committed>)| TaskId::of(&pipeline, *input) == id;
            let own: Vec<_> = committed.iter().filter(own).copied().collect();
            let task = match self.lodge.take(id, &own) {
                Some(task) => Some(task),
                None => match self.make(id, &own, now) {
                    Err(_) if self.asked.now() => return Ok(()),
                    made => made?,
                },
            };
            match task {
                Some(task) if self.has_to_wait(&task) => {
                    self.lodge.leave(id, task);
                    self.waiting.extend(id.inputs(&pipeline));
                }
                Some(mut task) => {
                    task.keep_by(&pipeline, id.group)?;
                    task.know_fences(&own);
                    self.tasks.insert(id, task);
                }
                None => self.waiting.extend(id.inputs(&pipeline)),
            }
        }
        inputs.retain(|input| !self.waiting.contains(input));
        self.tasks.tell_again();
        self.was_assigned = true;
        if self.vault.is_some() {
            self.last_commit = self.clock.monotonic();
        }
        let mut from = self.places(&inputs);
        // An assignment is started as a whole; those that wait begin again with their task, and never before where
        // the group is: what was fetched until then must not be taken for what comes.
        let next = |id: &PartitionId| {
            let known = committed.iter().find(|(of, _)| of == id && !planted(Mistake::BeginsAnywhere));
            known.and_then(|(_, committed)| committed.map(|one| one.next))
        };
        from.extend(ids.iter().filter(|id| self.waiting.contains(id)).map(|id| (*id, next(id))));
        self.source.start(&from)?;
        // While nobody read them they were not silent.
        let now = self.clock.monotonic();
        for input in self.tasks.inputs_mut().filter(|input| inputs.contains(&input.id)) {
            (input.heard, input.at_end) = (now, false);
        }
        self.hold_back()?;
        self.claim(&inputs)
    }

    /// Lets the next owner know whose transactions to end, before there is one.
    fn claim(&mut self, ids: &[PartitionId]) -> Result<()> {
        if self.vault.is_none() {
            return Ok(());
        }
        for input in self.tasks.inputs_mut().filter(|input| ids.contains(&input.id) && input.next.is_some()) {
            input.claimed = false;
            self.is_dirty = true;
        }
        self.commit(&[]).map(drop)
    }

    /// Tries again to take over tasks that another thread of this process had.
    pub(super) fn adopt_rest(&mut self) -> Result<()> {
        let pipeline = self.flow.pipeline();
        let whole = |id: &PartitionId| {
            let mut inputs = TaskId::of(pipeline, *id).inputs(pipeline);
            inputs.all(|input| self.waiting.contains(&input))
        };
        if self.waiting.iter().any(whole) { self.adopt(&[]) } else { Ok(()) }
    }

    /// A task that no thread of this process left behind. None: one has it still.
    fn make(&mut self, id: TaskId, standing: &Standing, now: Duration) -> Result<Option<Task>> {
        let pipeline = Arc::clone(self.flow.pipeline());
        let group = usize::from(id.group);
        if let Some(vault) = self.vault.as_mut().filter(|_| pipeline.changelogs[group].is_some()) {
            let (source, clock, asked) = (&self.source, &self.clock, &self.asked);
            let mut wait = Wait::new(clock);
            let alive = || {
                asked.check()?;
                wait.go_on(source, clock, "windows have been read back").map(drop)
            };
            let Some((task, restored)) = vault.restore(&pipeline, id, standing, clock, alive)? else {
                return Ok(None);
            };
            let took = self.clock.monotonic().saturating_sub(now);
            self.flow.meter().restored(&restored, took);
            let Restored { base, blocks, bytes } = restored;
            tracing::info!(
                target: "tasks", pipeline = %pipeline.name, group, partition = id.partition, base, blocks, bytes,
                "restored in {} ms", took.as_millis()
            );
            return Ok(Some(task));
        }
        let stages = pipeline.groups.get(group).map_or(0, |group| group.stages.len());
        let mut task = Task::new(stages);
        task.inputs = standing
            .iter()
            .map(|(input, committed)| Input::new(*input, committed.map(|one| one.next), now))
            .collect();
        Ok(Some(task))
    }

    /// Reads these from where their tasks are: what was read and is held came with them.
    pub(super) fn start(&mut self, ids: &[PartitionId]) -> Result<()> {
        let from = self.places(ids);
        self.source.start(&from)
    }

    fn places(&self, ids: &[PartitionId]) -> Vec<(PartitionId, Option<i64>)> {
        let own = self.tasks.inputs().filter(|input| ids.contains(&input.id));
        own.map(|input| (input.id, input.next)).collect()
    }

    pub(super) fn give_up(&mut self, ids: &[PartitionId], lost: bool) -> Result<()> {
        tracing::debug!(target: "tasks", lost, "revoked {} partitions", ids.len());
        let pipeline = Arc::clone(self.flow.pipeline());
        if planted(Mistake::ReleasesEarly) {
            self.source.release(ids)?;
        }
        let mut gone: Vec<TaskId> = ids.iter().map(|id| TaskId::of(&pipeline, *id)).collect();
        gone.sort_unstable();
        gone.dedup();
        match self.vault {
            Some(_) if lost => self.take_back("partitions were lost", &gone)?,
            Some(_) => {
                // Else the next owner takes this thread for dead. It may fail again: then it is.
                if !self.commit(ids)? {
                    self.commit(ids)?;
                }
            }
            None => {
                self.drain()?;
                if lost {
                    self.marked.retain(|(id, _)| !ids.contains(id));
                    for input in self.tasks.inputs_mut().filter(|input| ids.contains(&input.id)) {
                        input.marked = input.resume();
                    }
                }
                self.commit_all()?;
            }
        }
        self.waiting.retain(|id| !ids.contains(id));
        self.line.iter_mut().for_each(|line| line.forget(ids));
        self.seat.iter_mut().for_each(|seat| seat.forget(ids));
        for id in gone {
            let Some(task) = self.tasks.remove(id) else { continue };
            // Its other partitions are here still.
            self.waiting.extend(task.inputs.iter().map(|input| input.id).filter(|id| !ids.contains(id)));
            if !lost {
                self.lodge.leave(id, task);
            }
        }
        // The others are held still.
        self.held_back.retain(|id| !ids.contains(id));
        if !planted(Mistake::ReleasesEarly) {
            self.source.release(ids)?;
        }
        self.hold_back()
    }
}
