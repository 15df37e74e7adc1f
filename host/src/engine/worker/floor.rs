//! Another generation of the pipeline beside this one: which records are read, for which of them it speaks, and where
//! it gives the floor away.

use std::sync::Arc;

use super::Worker;
use crate::engine::floor::{Fence, Floor, Turn, View};
use crate::engine::ports::{Clock, Sink, Source};
use crate::engine::task::{Input, Tasks};
use crate::error::Result;
use crate::pipeline::{Pipeline, Role};
use crate::record::{PartitionId, Records};

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

    fn look(&mut self) {
        let version = self.floor.version();
        if version != self.version {
            (self.version, self.view) = (version, self.floor.look());
        }
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
    pub fn sift(&mut self, tasks: &Tasks, records: &mut Records<'_>) -> bool {
        let before = self.behind.len();
        let (mut of, mut turn) = (None, Turn::SPEAKS);
        let Self { view, behind, .. } = self;
        records.rows.retain_mut(|record| {
            if of != Some(record.from) {
                of = Some(record.from);
                turn = tasks.input(record.from).map_or(Turn::SPEAKS, |input| turn_of(view, input));
            }
            record.is_muted = turn.silent.contains(&record.offset);
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
        seat.look();
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

    /// A transaction is due for the fences alone, where nothing else is to be committed.
    pub(super) fn is_fence_due(&mut self) -> bool {
        let pipeline = Arc::clone(self.flow.pipeline());
        let Self { seat: Some(seat), source, tasks, .. } = self else { return false };
        if seat.view.passes_to().is_none() {
            return false;
        }
        let mut is_due = false;
        for input in tasks.inputs_mut().filter(|input| is_shared(&pipeline, input.id)) {
            // A partition of which nothing was ever read is fenced where it begins.
            if input.next.is_none() && input.at_end {
                input.next = source.end(input.id);
            }
            is_due |= input.next.is_some_and(|next| seat.fence(input, next) != input.fence);
        }
        is_due
    }

    /// Fences stand beside the offsets of this commit.
    pub(super) fn set_fences(&mut self) {
        let pipeline = Arc::clone(self.flow.pipeline());
        let Self { seat: Some(seat), tasks, .. } = self else { return };
        for input in tasks.inputs_mut().filter(|input| is_shared(&pipeline, input.id)) {
            if let Some(next) = input.next {
                input.fence = seat.fence(input, next);
            }
        }
    }
}
