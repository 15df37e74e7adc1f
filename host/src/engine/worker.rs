//! A stream thread: reads, works, sends, commits.
//!
//! ```text
//!             Assigned                  records
//!   idle ────────────────> working <───────────────┐
//!                             │  │                 │
//!                             │  └─> send ─────────┘
//!                             │        at intervals: note the offsets, mark the sink;
//!              Revoked        │        commit them when all from before the mark has arrived
//!   idle <── release <── leave state <── commit <── drain
//! ```
//!
//! Exactly once, all of this is one transaction after the other: see [`exact`].
//!
//! At least once, an offset is committed only when no row before it is held, and all that came of the records before
//! it has been taken by the broker; so a crash skips nothing. If a sink is stuck, nothing is read, and
//! the place in the group is kept. If too much is held, only the partitions are read that are behind.

mod exact;
mod failing;
mod floor;
mod holding;
mod marks;
mod membership;
mod patience;
mod places;
mod releases;

use std::sync::Arc;
use std::time::Duration;

use super::budget::Budget;
use super::flow::Flow;
use super::lap::Activity;
use super::lodge::Lodge;
use super::meter::OwnPlaces;
use super::mistake::{Mistake, planted};
use super::ports::{Asked, Clock, Limit, Polled, Sent, Sink, Source};
use super::sum::Part;
use super::task::{Input, Tasks};
use super::vault::Vault;
use crate::error::{Code, Error, Result};
use crate::record::{Message, PartitionId};
use crate::watermark::END;
use failing::{Began, Pauses};
use floor::Seat;
use patience::Wait;
use releases::Line;

/// How long a wait for a full or a draining sink lasts at a time.
const SINK_WAIT: Duration = Duration::from_millis(10);
/// A thread that did something else for so long does not know whether a partition was silent meanwhile.
const AWAY: Duration = Duration::from_secs(1);
/// How often groups behind are told of watermarks, at most.
const TELL: Duration = Duration::from_millis(5);
/// With more messages than this each time, it is less often: each task tells each partition.
const TOLD_AT_ONCE: usize = 64;

/// How a worker paces itself.
#[derive(Clone, Copy, Debug)]
pub struct WorkerOptions {
    pub commit_interval: Duration,
    /// The same at the least, where there is nothing more to gather. Only of transactions.
    pub commit_pause: Duration,
    /// Longest wait for a first record.
    pub patience: Duration,
    /// How long the partitions of a stage wait that has failed beyond its error budget, the first time.
    pub retry_after: Duration,
    /// Each partition is read to its end, and then no row is expected any more.
    pub until_end: bool,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing came.
    Idle,
    /// So many records went through.
    Worked(usize),
    /// Partitions came or went.
    Rebalanced,
}

/// One stream thread's loop, a step at a time.
#[derive(Debug)]
pub struct Worker<S, K, C> {
    flow: Flow,
    source: S,
    sink: K,
    clock: C,
    lodge: Arc<Lodge>,
    options: WorkerOptions,
    tasks: Tasks,
    was_assigned: bool,
    /// Partitions that are not read for a while.
    held_back: Vec<PartitionId>,
    /// Offsets that are committed once what was sent before the mark has arrived.
    marked: Vec<(PartitionId, i64)>,
    /// Of marks or transactions.
    last_commit: Duration,
    /// Exactly once, if there is one.
    vault: Option<Vault>,
    /// Something was read or sent since the last transaction.
    is_dirty: bool,
    /// Since when no transaction ended well.
    failing: Option<Duration>,
    /// Partitions that wait for the others of their task.
    waiting: Vec<PartitionId>,
    /// Of groups that fail too often.
    pauses: Pauses,
    budget: Arc<Budget>,
    /// Of it, what waits for a watermark.
    held: Part,
    /// When it was told last which partition that waits for.
    told_of_slow: Option<Duration>,
    /// How many partitions wait because a stage fails.
    paused: Part,
    /// What others see of its partitions, and when they were told last.
    places: OwnPlaces,
    told_places: Duration,
    last_tell: Duration,
    tell_interval: Duration,
    last_poll: Duration,
    /// Where releases come from, if others may come.
    line: Option<Line>,
    /// Of the floor, if there may be another generation.
    seat: Option<Seat>,
    asked: Asked,
}

impl<S: Source, K: Sink<Member = S::Member>, C: Clock> Worker<S, K, C> {
    /// At least once.
    pub fn new(flow: Flow, source: S, sink: K, clock: C, lodge: Arc<Lodge>, options: WorkerOptions) -> Self {
        let now = clock.monotonic();
        let budget = Budget::new(flow.pipeline().bounds.memory_bytes);
        Self {
            held: budget.held(),
            budget,
            told_of_slow: None,
            paused: flow.meter().paused.part(),
            places: OwnPlaces::new(flow.meter().places.clone()),
            told_places: now,
            flow,
            source,
            sink,
            clock,
            lodge,
            options,
            tasks: Tasks::default(),
            was_assigned: false,
            held_back: Vec::new(),
            marked: Vec::new(),
            last_commit: now,
            vault: None,
            is_dirty: false,
            failing: None,
            waiting: Vec::new(),
            pauses: Pauses::default(),
            last_tell: now,
            tell_interval: TELL,
            last_poll: now,
            line: None,
            seat: None,
            asked: Asked::default(),
        }
    }

    /// Nothing is adopted any more once it has been asked to end.
    pub fn until(mut self, asked: Asked) -> Self {
        self.asked = asked;
        self
    }

    /// Shares a budget with other threads.
    pub fn within(mut self, budget: &Arc<Budget>) -> Self {
        (self.held, self.budget) = (budget.held(), Arc::clone(budget));
        self
    }

    /// Exactly once, with state that is kept. The sink has transactions.
    pub fn exactly_once(mut self, vault: Vault) -> Result<Self> {
        self.vault = Some(vault);
        self.sink.begin()?;
        Ok(self)
    }

    /// Does what is next: one batch, or one change of the assignment.
    pub fn step(&mut self) -> Result<Step> {
        self.receive()?;
        self.look_at_floor()?;
        let bounds = self.flow.pipeline().bounds;
        let limit = Limit { rows: bounds.batch_rows, bytes: bounds.batch_bytes };
        self.flow.turn(Activity::Source);
        self.listen();
        let polled = self.source.poll(self.patience(), limit)?;
        self.listened();
        // What comes and goes is brought back, or given away.
        let is_work = matches!(polled, Polled::Records(1..));
        self.flow.turn(if is_work { Activity::Decode } else { Activity::Commit });
        let step = match polled {
            Polled::Records(0) => {
                self.adopt_rest()?;
                Step::Idle
            }
            Polled::Records(count) => {
                self.work()?;
                Step::Worked(count)
            }
            Polled::Assigned(partitions) => {
                self.adopt(&partitions)?;
                Step::Rebalanced
            }
            Polled::Revoked { partitions, lost } => {
                self.give_up(&partitions, lost)?;
                Step::Rebalanced
            }
        };
        self.pass_time(step)?;
        self.tell_places(step);
        self.flow.turn(Activity::Commit);
        match self.vault {
            Some(_) => self.transact(step)?,
            None => {
                self.flow.settle_counts(true);
                self.commit_what_arrived()?;
            }
        }
        Ok(step)
    }

    /// Finishes what is under way, commits it, leaves its tasks to the other threads and leaves the group.
    pub fn stop(mut self) -> Result<()> {
        let all: Vec<PartitionId> = self.tasks.inputs().map(|input| input.id).collect();
        match self.vault {
            Some(_) => drop(self.commit(&all)?),
            None => {
                self.drain()?;
                self.commit_all()?;
            }
        }
        self.tasks.drain().for_each(|(id, task)| self.lodge.leave(id, task));
        self.source.leave()
    }

    /// Whether everything was read to its end and went through. Only with `until_end`.
    pub fn is_done(&self) -> bool {
        self.was_assigned && self.tasks.are_done()
    }

    /// Whether it has joined the group: it has been assigned something, or nothing.
    pub fn was_assigned(&self) -> bool {
        self.was_assigned
    }

    /// Whether nothing that is assigned to it waits for its task any more.
    pub fn has_all(&self) -> bool {
        self.waiting.is_empty()
    }

    /// No row is expected any more from any source: all that is held goes through, all windows close.
    pub fn finish(&mut self) -> Result<()> {
        let sources = self.flow.pipeline().sources.len();
        for input in self.tasks.inputs_mut().filter(|input| usize::from(input.id.source) < sources) {
            input.end();
        }
        let worked = self.advance();
        self.judge(worked, &[])?;
        self.tell()
    }

    pub fn source(&mut self) -> &mut S {
        &mut self.source
    }

    pub fn sink(&mut self) -> &mut K {
        &mut self.sink
    }

    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    fn work(&mut self) -> Result<()> {
        let sample = self.begin_sample();
        let Self { flow, source, sink, clock, tasks, options, is_dirty, waiting, pauses, line, seat, .. } =
            self;
        *is_dirty = true;
        let mut records = source.records();
        // Most of the time there are none, or few.
        let pipeline = Arc::clone(flow.pipeline());
        records
            .rows
            .retain(|record| !waiting.contains(&record.from) && !pauses.covers(&pipeline, record.from));
        if options.until_end {
            // What came after the end is not part of the run.
            records.rows.retain(|record| !tasks.has_ended(record.from));
        }
        let now = clock.monotonic();
        let lacks = line
            .as_mut()
            .filter(|_| !planted(Mistake::LacksRelease))
            .is_some_and(|line| line.sift(flow, &mut records));
        let waits = seat.as_mut().is_some_and(|seat| seat.sift(&pipeline, tasks, &mut records)) || lacks;
        let worked = flow.process(&records, tasks, &mut |message| send(source, sink, clock, message));
        if let (Some(mut sample), Some(line)) = (sample, line) {
            sample.keys = flow.take_copies();
            line.give_sample(sample);
        }
        let mut began: Vec<Began> = Vec::new();
        // Records of one partition come in runs; the last one of a run tells.
        for run in records.rows.chunk_by(|one, next| one.from == next.from) {
            let (from, last) = (run[0].from, run[run.len() - 1].offset);
            let Some((task, input)) = tasks.find(from) else { continue };
            let input = &mut tasks.at(task).inputs[input];
            if worked.is_err() && began.iter().all(|(id, _)| *id != from) {
                began.push((from, input.next));
            }
            (input.next, input.heard, input.at_end) = (Some(last + 1), now, false);
        }
        self.judge(worked, &began)?;
        if waits { self.hold_back() } else { Ok(()) }
    }

    /// What happens without a record: partitions end or fall silent; those behind are told.
    fn pass_time(&mut self, step: Step) -> Result<()> {
        let now = self.clock.monotonic();
        for id in self.source.ended() {
            if let Some((task, input)) = self.tasks.find(id) {
                let is_source = usize::from(id.source) < self.flow.pipeline().sources.len();
                let input = &mut self.tasks.at(task).inputs[input];
                input.at_end = true;
                if self.options.until_end && is_source {
                    input.end();
                }
            }
        }
        let waited = now.saturating_sub(self.last_tell);
        if waited < self.tell_interval && !(step == Step::Idle && self.tell_interval == TELL) {
            return Ok(());
        }
        self.last_tell = now;
        self.retire(now)?;
        self.retry()?;
        let pipeline = Arc::clone(self.flow.pipeline());
        let Self { tasks, held_back, .. } = self;
        let is_silent =
            |input: &&mut Input| input.at_end && !input.progress.idle && !held_back.contains(&input.id);
        for input in tasks.inputs_mut().filter(is_silent) {
            let times = pipeline.sources.get(usize::from(input.id.source)).and_then(|source| source.times);
            input.progress.idle = input.progress.watermark != END
                && times.is_some_and(|times| now.saturating_sub(input.heard) >= times.idleness);
        }
        let worked = self.advance();
        self.judge(worked, &[])?;
        self.tell()?;
        self.hold_back()
    }

    /// It has waited for records until now.
    pub fn listened(&mut self) {
        self.last_poll = self.clock.monotonic();
    }

    /// Whoever was away for long has not heard whether partitions were silent.
    fn listen(&mut self) {
        let now = self.clock.monotonic();
        if now.saturating_sub(self.last_poll) >= AWAY {
            self.tasks.inputs_mut().for_each(|input| input.heard = now);
        }
    }

    /// Watermarks may have risen without a row.
    fn advance(&mut self) -> Result<()> {
        let Self { flow, source, sink, clock, tasks, is_dirty, .. } = self;
        flow.advance(tasks, &mut |message| {
            *is_dirty = true;
            send(source, sink, clock, message)
        })
    }

    fn tell(&mut self) -> Result<()> {
        let Self { flow, source, sink, clock, tasks, is_dirty, .. } = self;
        let told = flow.tell(tasks, &mut |message| {
            *is_dirty = true;
            send(source, sink, clock, message)
        })?;
        self.tell_interval = TELL * (told / TOLD_AT_ONCE).max(1) as u32;
        Ok(())
    }

    /// Waits until the broker has taken everything.
    fn drain(&mut self) -> Result<()> {
        let mut wait = Wait::new(&self.clock);
        while self.sink.work(SINK_WAIT)?.all > 0 {
            if wait.go_on(&self.source, &self.clock, UNDER_WAY)? >= DRAIN_LIMIT {
                let message = format!("the broker took nothing for {DRAIN_LIMIT:?}");
                return Err(Error::new(Code::Delivery, message));
            }
        }
        Ok(())
    }
}

/// Hands a message to the sink; waits as long as that is full.
fn send(source: &impl Source, sink: &mut impl Sink, clock: &impl Clock, message: Message<'_>) -> Result<()> {
    if sink.send(message)? == Sent::Taken {
        return Ok(());
    }
    let mut wait = Wait::new(clock);
    loop {
        sink.work(SINK_WAIT)?;
        if sink.send(message)? == Sent::Taken {
            return Ok(());
        }
        wait.go_on(source, clock, "the queue to the brokers has been full")?;
    }
}

/// For what is waited at the end of a transaction, or of a run.
const UNDER_WAY: &str = "messages have been under way to the brokers";

/// Beyond librdkafka's own time-out for a message, after which it reports a failure.
const DRAIN_LIMIT: Duration = Duration::from_secs(330);
