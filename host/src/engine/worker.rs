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
//! An offset is committed only when all that came of the records before it has been taken by the
//! broker; so a crash skips nothing. If a sink is stuck, nothing is read, and the place in the group
//! is kept.

use std::sync::Arc;
use std::time::Duration;

use super::flow::{Flow, Partitions};
use super::lodge::Lodge;
use super::outbox::Outbox;
use super::ports::{Clock, Limit, Polled, Sent, Sink, Source};
use crate::error::{Code, Error, Result};
use crate::record::PartitionId;

/// How long a wait for a full or a draining sink lasts at a time.
const SINK_WAIT: Duration = Duration::from_millis(10);
/// How often the group hears from a thread whose sink is stuck.
const KEEP_ALIVE: Duration = Duration::from_millis(500);

/// How a worker paces itself.
#[derive(Clone, Copy, Debug)]
pub struct WorkerOptions {
    pub commit_interval: Duration,
    /// Longest wait for a first record.
    pub patience: Duration,
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
    partitions: Partitions,
    outbox: Outbox,
    /// Partitions with records since the last mark.
    unmarked: Vec<PartitionId>,
    /// Offsets that are committed once what was sent before the mark has arrived.
    marked: Vec<(PartitionId, i64)>,
    last_mark: Duration,
}

impl<S: Source, K: Sink, C: Clock> Worker<S, K, C> {
    pub fn new(flow: Flow, source: S, sink: K, clock: C, lodge: Arc<Lodge>, options: WorkerOptions) -> Self {
        let last_mark = clock.monotonic();
        Self {
            flow,
            source,
            sink,
            clock,
            lodge,
            options,
            partitions: Partitions::default(),
            outbox: Outbox::default(),
            unmarked: Vec::new(),
            marked: Vec::new(),
            last_mark,
        }
    }

    /// Does what is next: one batch, or one change of the assignment.
    pub fn step(&mut self) -> Result<Step> {
        let bounds = self.flow.pipeline().bounds;
        let limit = Limit { rows: bounds.batch_rows, bytes: bounds.batch_bytes };
        let step = match self.source.poll(self.options.patience, limit)? {
            Polled::Records(0) => Step::Idle,
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
        self.commit_what_arrived()?;
        Ok(step)
    }

    /// Finishes what is under way, commits it, and leaves the group.
    pub fn stop(mut self) -> Result<()> {
        self.drain()?;
        self.commit_all()?;
        self.source.leave()
    }

    pub fn source(&mut self) -> &mut S {
        &mut self.source
    }

    pub fn sink(&mut self) -> &mut K {
        &mut self.sink
    }

    pub fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    fn work(&mut self) -> Result<()> {
        let Self { flow, source, sink, clock, partitions, outbox, .. } = self;
        let records = source.records();
        outbox.clear();
        flow.process(&records, partitions, outbox)?;
        outbox.each(flow.pipeline(), &records, |message| {
            if sink.send(message)? == Sent::Taken {
                return Ok(());
            }
            let mut heard = clock.monotonic();
            loop {
                sink.work(SINK_WAIT)?;
                if sink.send(message)? == Sent::Taken {
                    return Ok(());
                }
                keep_alive(source, clock, &mut heard)?;
            }
        })?;
        // Records of one partition come in runs; the last one of a run tells.
        for run in records.rows.chunk_by(|one, next| one.from == next.from) {
            let (from, last) = (run[0].from, run[run.len() - 1].offset);
            let Some(partition) = partitions.get_mut(from) else { continue };
            partition.next = Some(last + 1);
            if !self.unmarked.contains(&from) {
                self.unmarked.push(from);
            }
        }
        Ok(())
    }

    fn adopt(&mut self, ids: &[PartitionId]) -> Result<()> {
        let from: Vec<_> = ids.iter().copied().zip(self.source.committed(ids)?).collect();
        for (id, committed) in &from {
            self.partitions.insert(*id, self.lodge.take(*id, *committed));
        }
        self.source.start(&from)
    }

    fn give_up(&mut self, ids: &[PartitionId], lost: bool) -> Result<()> {
        self.drain()?;
        if lost {
            self.unmarked.retain(|id| !ids.contains(id));
            self.marked.retain(|(id, _)| !ids.contains(id));
        }
        self.commit_all()?;
        for id in ids {
            if let Some(partition) = self.partitions.remove(*id).filter(|_| !lost) {
                self.lodge.leave(*id, partition);
            }
        }
        self.source.release(ids)
    }

    /// Reading goes on meanwhile.
    fn commit_what_arrived(&mut self) -> Result<()> {
        let under_way = self.sink.work(Duration::ZERO)?;
        if under_way.marked == 0 && !self.marked.is_empty() {
            self.source.commit(&std::mem::take(&mut self.marked), false)?;
        }
        if !self.marked.is_empty() || self.unmarked.is_empty() {
            return Ok(());
        }
        let now = self.clock.monotonic();
        if now.saturating_sub(self.last_mark) >= self.options.commit_interval {
            self.last_mark = now;
            self.mark();
            if under_way.all == 0 {
                self.source.commit(&std::mem::take(&mut self.marked), false)?;
            }
        }
        Ok(())
    }

    /// Notes how far each partition is; a later offset of one replaces an earlier one.
    fn mark(&mut self) {
        for id in self.unmarked.drain(..) {
            let Some(next) = self.partitions.get_mut(id).and_then(|partition| partition.next) else {
                continue;
            };
            self.marked.retain(|(other, _)| *other != id);
            self.marked.push((id, next));
        }
        self.sink.mark();
    }

    /// When everything has arrived: commits all of it, and waits for that.
    fn commit_all(&mut self) -> Result<()> {
        self.mark();
        self.source.commit(&std::mem::take(&mut self.marked), true)
    }

    /// Waits until the broker has taken everything.
    fn drain(&mut self) -> Result<()> {
        let (start, mut heard) = (self.clock.monotonic(), self.clock.monotonic());
        while self.sink.work(SINK_WAIT)?.all > 0 {
            keep_alive(&self.source, &self.clock, &mut heard)?;
            if heard.saturating_sub(start) >= DRAIN_LIMIT {
                let message = format!("the broker took nothing for {DRAIN_LIMIT:?}");
                return Err(Error::new(Code::Delivery, message));
            }
        }
        Ok(())
    }
}

/// Lets the group hear from this thread, if it is time.
fn keep_alive(source: &impl Source, clock: &impl Clock, heard: &mut Duration) -> Result<()> {
    let now = clock.monotonic();
    if now.saturating_sub(*heard) < KEEP_ALIVE {
        return Ok(());
    }
    *heard = now;
    source.keep_alive()
}

/// Beyond librdkafka's own time-out for a message, after which it reports a failure.
const DRAIN_LIMIT: Duration = Duration::from_secs(330);
