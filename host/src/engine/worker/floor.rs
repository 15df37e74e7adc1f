//! Another generation of the pipeline beside this one: which records are read, for which of them it speaks, and where
//! it gives the floor away.

use std::sync::Arc;

use super::Worker;
use crate::engine::floor::{Beside, Fence, Floor, Turn, View};
use crate::engine::flow::Flow;
use crate::engine::ports::{Clock, Sink, Source};
use crate::engine::task::{Input, Task, TaskId, Tasks};
use crate::error::Result;
use crate::pipeline::{Pipeline, Role};
use crate::record::{PartitionId, Records};
use crate::watermark::{BEGINNING, END};

/// The thread's view of the floor.
#[derive(Debug)]
pub(super) struct Seat {
    floor: Arc<Floor>,
    version: u64,
    view: Arc<View>,
    /// Partitions that are not read on until it is known who speaks.
    behind: Vec<PartitionId>,
}

impl Seat {
    pub fn new(floor: Arc<Floor>) -> Self {
        let (version, view) = (floor.version(), floor.look());
        Self { floor, version, view, behind: Vec::new() }
    }

    /// Gives whether the generation is called off now.
    fn look(&mut self) -> bool {
        let version = self.floor.version();
        if version == self.version {
            return false;
        }
        let before = self.view.gives_back();
        (self.version, self.view) = (version, self.floor.look());
        self.view.gives_back() && !before
    }

    /// What fails becomes dead letters, however much it is: what is on its way is to be finished.
    pub fn gives_back(&self) -> bool {
        self.view.gives_back()
    }

    /// Partitions that wait.
    pub fn behind(&self) -> &[PartitionId] {
        &self.behind
    }

    pub fn forget(&mut self, ids: &[PartitionId]) {
        self.behind.retain(|id| !ids.contains(id));
    }

    /// Keeps the records of which it is known who speaks for them, and marks those for which the other generation does.
    /// Gives whether any partition waits now that did not before.
    pub fn sift(&mut self, pipeline: &Pipeline, tasks: &Tasks, records: &mut Records<'_>) -> bool {
        let before = self.behind.len();
        let (mut of, mut turn) = (None, Turn::SPEAKS);
        let Self { view, behind, .. } = self;
        records.rows.retain_mut(|record| {
            if of != Some(record.from) {
                of = Some(record.from);
                // What stands in a repartition topic is marked.
                let input = Some(record.from).filter(|id| is_shared(pipeline, *id));
                let input = input.and_then(|id| tasks.input(id));
                turn = input.map_or(Turn::SPEAKS, |input| turn_of(view, input));
            }
            record.is_muted = !turn.speaks(record.offset);
            let is_known = record.offset < turn.end;
            if !is_known && !behind.contains(&record.from) {
                behind.push(record.from);
            }
            is_known
        });
        self.behind.len() > before
    }

    /// Those that need not wait any more.
    fn ready(&mut self, tasks: &Tasks) -> Vec<PartitionId> {
        let Self { view, behind, .. } = self;
        let is_ready = |id: &PartitionId| {
            tasks.input(*id).is_none_or(|input| turn_of(view, input).end > input.next.unwrap_or(0))
        };
        let (ready, rest) = std::mem::take(behind).into_iter().partition(is_ready);
        *behind = rest;
        ready
    }

    /// Where the floor is given away in a partition, or was: beside an offset that is about to be committed.
    fn fence(&self, input: &Input, next: i64) -> Option<Fence> {
        let passes = || self.view.passes_to().map(|to| Fence { to, at: next });
        self.view.fence(input.fence).or_else(passes)
    }
}

impl Seat {
    /// How far a task is, for the other generation.
    fn at(&self, task: &Task) -> Option<i64> {
        let is_time = |at: &i64| ![BEGINNING, END].contains(at) && self.view.beside != Beside::Nobody;
        Some(task.watermark.watermark()).filter(is_time)
    }

    /// To which generation a task has given the floor, if nothing comes of it any more for which this one speaks.
    fn quiet(&self, flow: &Flow, id: TaskId, task: &Task) -> Option<u64> {
        let to = self.view.passes_to()?;
        let is_fenced = |input: &Input| input.fence.is_some_and(|fence| fence.to == to);
        let own = task.inputs.iter().filter(|input| is_shared(flow.pipeline(), input.id));
        let writers = task.inputs.iter().any(|input| !is_shared(flow.pipeline(), input.id));
        let is_told = || {
            let expected = flow.expected(usize::from(id.group));
            task.quiet_writers.values().filter(|writer| **writer == to).count() == expected
        };
        let is_quiet = own.into_iter().all(is_fenced) && (!writers || is_told()) && !task.held.speaks();
        is_quiet.then_some(to)
    }
}

fn turn_of(view: &View, input: &Input) -> Turn {
    view.turn(input.id, input.fence)
}

/// Whether generations take turns in what is read there.
fn is_shared(pipeline: &Pipeline, id: PartitionId) -> bool {
    !matches!(pipeline.role(id.source), Role::Repartition { .. } | Role::Table)
}

impl<S: Source, K: Sink<Member = S::Member>, C: Clock> Worker<S, K, C> {
    /// Speaks only where this generation has the floor. Exactly once alone.
    pub fn speaks_by(mut self, floor: &Arc<Floor>) -> Self {
        self.seat = Some(Seat::new(Arc::clone(floor)));
        self
    }

    /// What others have committed may let partitions go on.
    pub(super) fn look_at_floor(&mut self) -> Result<()> {
        let Some(seat) = &mut self.seat else { return Ok(()) };
        if seat.look() {
            let waited = self.pauses.end();
            self.try_again(waited)?;
        }
        let Some(seat) = &mut self.seat else { return Ok(()) };
        if seat.behind.is_empty() {
            return Ok(());
        }
        let ready = seat.ready(&self.tasks);
        if ready.is_empty() {
            return Ok(());
        }
        self.start(&ready)?;
        for input in self.tasks.inputs_mut().filter(|input| ready.contains(&input.id)) {
            input.at_end = false;
        }
        self.hold_back()
    }

    /// A transaction is due for what the other generation waits for, where nothing else is to be committed.
    pub(super) fn is_word_due(&mut self) -> bool {
        let Self { seat: Some(seat), source, tasks, flow, .. } = self else { return false };
        if seat.view.beside == Beside::Nobody {
            return false;
        }
        let mut is_due = false;
        for input in tasks.inputs_mut().filter(|input| is_shared(flow.pipeline(), input.id)) {
            // Where nothing was ever read, its beginning is where it is.
            if input.next.is_none() && input.at_end {
                input.next = source.end(input.id);
            }
            let Some(next) = input.next else { continue };
            is_due |= input.marked.is_none() || seat.fence(input, next) != input.fence;
        }
        let is_news = |(id, task): &(TaskId, Task)| {
            seat.quiet(flow, *id, task) != task.quiet || seat.at(task) != task.at
        };
        is_due || tasks.iter().any(is_news)
    }

    /// Fences stand beside the offsets of this commit, and which tasks are quiet.
    pub(super) fn set_fences(&mut self) {
        let Self { seat: Some(seat), tasks, flow, .. } = self else { return };
        for input in tasks.inputs_mut().filter(|input| is_shared(flow.pipeline(), input.id)) {
            if let Some(next) = input.next {
                input.fence = seat.fence(input, next);
            }
        }
        for index in 0..tasks.len() {
            let id = tasks.id(index);
            let task = tasks.at(index);
            (task.quiet, task.at) = (seat.quiet(flow, id, task), seat.at(task));
        }
    }
}
