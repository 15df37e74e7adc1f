//! A task: one stage group on one partition, with its state. It moves as a whole.

use std::collections::BTreeMap;
use std::time::Duration;

use super::durable::Durable;
use super::floor::{Fence, Words};
use super::held::Held;
use super::mistake::{Mistake, planted};
use super::ports::Committed;
use crate::error::{Code, Error, Result};
use crate::pipeline::{Pipeline, Role};
use crate::record::{PartitionId, SourceId};
use crate::state::{Store, Usage};
use crate::watermark::{BEGINNING, END, Merged, Progress};

/// Which task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// Index of the group; sources that are only passed on come behind, each as a group of its own.
    pub group: u16,
    pub partition: i32,
}

impl TaskId {
    /// The task that reads a partition.
    pub fn of(pipeline: &Pipeline, id: PartitionId) -> Self {
        let group = match pipeline.role(id.source) {
            Role::Rows { group } | Role::Repartition { group } => group,
            Role::Side { .. } => 0,
            Role::Passed | Role::Table => pipeline.groups.len() + usize::from(id.source),
        };
        Self { group: group as u16, partition: id.partition }
    }

    /// The partitions that the task reads.
    pub fn inputs(self, pipeline: &Pipeline) -> impl Iterator<Item = PartitionId> {
        let all =
            (0..pipeline.topics.len() as SourceId).filter(|source| pipeline.role(*source) != Role::Table);
        let ids = all.map(move |source| PartitionId { source, partition: self.partition });
        ids.filter(move |id| Self::of(pipeline, *id) == self)
    }
}

/// A partition that a task reads.
#[derive(Debug)]
pub struct Input {
    pub id: PartitionId,
    /// The next offset to be read; `None`: none was read yet.
    pub next: Option<i64>,
    pub(super) progress: Progress,
    /// The watermark before its end was met.
    pub(super) reached: i64,
    /// What those behind were told last.
    pub(super) told: Progress,
    pub(super) told_fence: Option<Fence>,
    /// Offsets of records of which rows are held, and how many rows.
    held: BTreeMap<i64, u32>,
    /// What was committed or is about to be.
    pub(super) marked: Option<i64>,
    /// From there on another generation speaks.
    pub(super) fence: Option<Fence>,
    /// As was committed.
    pub(super) marked_words: Words,
    /// The group knows that it is this thread's.
    pub(super) claimed: bool,
    /// When something came last.
    pub(super) heard: Duration,
    /// All was read that there was.
    pub(super) at_end: bool,
}

impl Input {
    pub fn new(id: PartitionId, committed: Option<i64>, now: Duration) -> Self {
        Self {
            id,
            next: committed,
            progress: Progress::default(),
            reached: BEGINNING,
            told: Progress::default(),
            held: BTreeMap::new(),
            marked: committed,
            fence: None,
            marked_words: Words::default(),
            told_fence: None,
            claimed: false,
            heard: now,
            at_end: false,
        }
    }

    /// Where a restart has to go on: no row before is held.
    pub fn resume(&self) -> Option<i64> {
        self.held.first_key_value().map(|(offset, _)| *offset).or(self.next)
    }

    /// No row is expected any more, in this run.
    pub(super) fn end(&mut self) {
        if self.progress.watermark != END {
            self.reached = self.progress.watermark;
        }
        self.progress = Progress { watermark: END, idle: false };
    }

    pub(super) fn hold(&mut self, offset: i64) {
        *self.held.entry(offset).or_default() += 1;
    }

    pub(super) fn forget_held(&mut self) {
        self.held.clear();
    }

    pub(super) fn release(&mut self, offset: i64) {
        if let Some(count) = self.held.get_mut(&offset) {
            *count -= 1;
            if *count == 0 {
                self.held.remove(&offset);
            }
        }
    }
}

/// One stage group on one partition.
#[derive(Debug, Default)]
pub struct Task {
    pub inputs: Vec<Input>,
    pub(super) watermark: Merged,
    pub(super) held: Held,
    /// By stage of the group.
    pub(super) stores: Vec<Store>,
    /// Behind a repartition topic: how far those that write to it are.
    pub(super) writers: BTreeMap<PartitionId, Progress>,
    /// Those of them that are quiet: to which generation they gave the floor.
    pub(super) quiet_writers: BTreeMap<PartitionId, u64>,
    /// The same of this task.
    pub(super) quiet: Option<u64>,
    /// How far the other generation is told that it is.
    pub(super) at: Option<i64>,
    /// What those behind were told last.
    pub(super) told: Progress,
    pub(super) told_quiet: Option<u64>,
    /// All rows before this time are through the windows.
    pub(super) passed: i64,
    /// What had passed when keys were looked at last.
    pub(super) settled: i64,
    /// Where it has a changelog.
    pub(super) durable: Option<Durable>,
}

impl Task {
    pub fn new(stages: usize) -> Self {
        let stores = (0..stages).map(|_| Store::default()).collect();
        Self { stores, passed: i64::MIN, settled: i64::MIN, ..Self::default() }
    }

    /// What is said of one of its inputs.
    pub(super) fn words(&self, input: &Input) -> Words {
        Words { fence: input.fence, quiet: self.quiet, at: self.at }
    }

    /// What the group knows of fences.
    pub(super) fn know_fences(&mut self, standing: &[(PartitionId, Option<Committed>)]) {
        for input in &mut self.inputs {
            let committed = standing.iter().find(|(id, _)| *id == input.id);
            let fence = committed.and_then(|(_, committed)| committed.and_then(|one| one.fence));
            // The task may know of one that the group has lost.
            input.fence = input.fence.or(fence);
            input.marked_words.fence = fence;
        }
    }

    /// Where an input of it has to be read from after a restart.
    pub(super) fn resume(&self, input: &Input) -> Option<i64> {
        if self.durable.is_some() { input.next } else { input.resume() }
    }

    /// Looks at all inputs again; `expected`: so many there must be. Gives whether the watermark rose.
    pub(super) fn update_watermark(&mut self, expected: usize) -> bool {
        let Self { inputs, watermark, writers, .. } = self;
        if writers.is_empty() {
            watermark.update(inputs.iter().map(|input| input.progress), inputs.len() == expected)
        } else {
            watermark.update(writers.values().copied(), writers.len() == expected)
        }
    }

    /// What all windows of the task hold.
    pub fn usage(&self) -> Usage {
        self.stores.iter().map(Store::usage).fold(Usage::default(), |a, b| a + b)
    }

    /// Windows of the task of this group are kept by the plans of this pipeline from now on.
    pub(super) fn keep_by(&mut self, pipeline: &Pipeline, group: u16) -> Result<()> {
        let stages = pipeline.groups.get(usize::from(group)).map_or(0..0, |group| group.stages.clone());
        for (store, stage) in self.stores.iter_mut().zip(&pipeline.features[stages]) {
            let what = |kept| stage.plan.falls_behind(&[kept]).or_else(|| stage.plan.confuses(kept));
            if let Some(what) = store.plan().and_then(what) {
                let text = format!("features {}: {what}", stage.name);
                // Where there are releases, they are asked before.
                if pipeline.identity.number == 0 {
                    return Err(Error::new(Code::StateOther, text));
                }
                tracing::warn!(pipeline = %pipeline.name, "{text}: it begins anew");
            }
            let durable = self.durable.as_mut().filter(|_| !planted(Mistake::ForgetsPlans));
            store.keep_by(&stage.plan, durable.map(|durable| &mut durable.journal))?;
        }
        Ok(())
    }
}

/// The tasks of a thread.
#[derive(Debug, Default)]
pub struct Tasks(Vec<(TaskId, Task)>);

impl Tasks {
    pub fn insert(&mut self, id: TaskId, task: Task) {
        self.remove(id);
        self.0.push((id, task));
    }

    pub fn remove(&mut self, id: TaskId) -> Option<Task> {
        let index = self.0.iter().position(|(other, _)| *other == id)?;
        Some(self.0.swap_remove(index).1)
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = (TaskId, Task)> {
        self.0.drain(..)
    }

    pub fn iter(&self) -> impl Iterator<Item = &(TaskId, Task)> {
        self.0.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Where a partition is: indices of its task and of the task's input, until a task comes or goes.
    pub fn find(&self, id: PartitionId) -> Option<(usize, usize)> {
        self.0
            .iter()
            .enumerate()
            .find_map(|(task, (_, one))| Some((task, one.inputs.iter().position(|input| input.id == id)?)))
    }

    pub(super) fn input(&self, id: PartitionId) -> Option<&Input> {
        let (task, input) = self.find(id)?;
        Some(&self.0[task].1.inputs[input])
    }

    pub(super) fn at(&mut self, index: usize) -> &mut Task {
        &mut self.0[index].1
    }

    pub(super) fn id(&self, index: usize) -> TaskId {
        self.0[index].0
    }

    pub fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.0.iter().flat_map(|(_, task)| &task.inputs)
    }

    pub(super) fn inputs_mut(&mut self) -> impl Iterator<Item = &mut Input> {
        self.0.iter_mut().flat_map(|(_, task)| &mut task.inputs)
    }

    /// Whether nothing comes any more from a partition.
    pub(super) fn has_ended(&self, id: PartitionId) -> bool {
        self.inputs().any(|input| input.id == id && input.progress.watermark == END)
    }

    /// Those behind may be others now, who were told nothing.
    pub(super) fn tell_again(&mut self) {
        for (_, task) in &mut self.0 {
            (task.told, task.told_quiet) = (Progress::default(), None);
            for input in &mut task.inputs {
                (input.told, input.told_fence) = (Progress::default(), None);
            }
        }
    }

    /// Bytes of rows that wait.
    pub fn held_bytes(&self) -> usize {
        self.0.iter().map(|(_, task)| task.held.bytes()).sum()
    }

    /// Whether nothing comes any more, for all of them.
    pub fn are_done(&self) -> bool {
        self.0.iter().all(|(_, task)| task.watermark.watermark() == END)
    }

    /// What holds watermarks up: the slowest partition that is known of, and how far it is.
    pub(super) fn slowest(&self, sources: usize) -> Option<(PartitionId, i64)> {
        let writers = self.0.iter().flat_map(|(_, task)| &task.writers).map(|(id, progress)| (*id, progress));
        let own = self.inputs().filter(|input| usize::from(input.id.source) < sources);
        let all = writers.chain(own.map(|input| (input.id, &input.progress)));
        let active =
            all.filter(|(_, progress)| !progress.idle).map(|(id, progress)| (id, progress.watermark));
        active.min_by_key(|(_, watermark)| *watermark)
    }

    /// Partitions of sources that are ahead of a watermark.
    pub(super) fn ahead(&self, sources: usize, of: i64) -> impl Iterator<Item = PartitionId> {
        let own = self.inputs().filter(move |input| usize::from(input.id.source) < sources);
        own.filter(move |input| input.progress.watermark > of).map(|input| input.id)
    }
}
