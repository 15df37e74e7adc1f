//! A stream thread: reads, works, sends, commits.
//!
//! ```text
//!             Assigned                    records
//!   idle ────────────────> working <─────────────────┐
//!                             │  │  every interval   │
//!                             │  └─> drain ─> commit ┘
//!              Revoked        │
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
const SINK_WAIT: Duration = Duration::from_millis(1);
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
    /// Partitions with records since the last commit.
    uncommitted: Vec<PartitionId>,
    last_commit: Duration,
}

impl<S: Source, K: Sink, C: Clock> Worker<S, K, C> {
    pub fn new(flow: Flow, source: S, sink: K, clock: C, lodge: Arc<Lodge>, options: WorkerOptions) -> Self {
        let last_commit = clock.monotonic();
        Self {
            flow,
            source,
            sink,
            clock,
            lodge,
            options,
            partitions: Partitions::default(),
            outbox: Outbox::default(),
            uncommitted: Vec::new(),
            last_commit,
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
        self.commit_if_due()?;
        Ok(step)
    }

    /// Finishes what is under way, commits it, and leaves the group.
    pub fn stop(mut self) -> Result<()> {
        self.drain()?;
        self.commit(true)?;
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
        let Self { flow, source, sink, clock, partitions, outbox, uncommitted, .. } = self;
        let records = source.records();
        outbox.clear();
        flow.process(&records, partitions, outbox)?;
        outbox.each(flow.pipeline(), &records, |message| {
            let mut heard = clock.monotonic();
            while sink.send(message)? == Sent::Full {
                sink.work(SINK_WAIT)?;
                if clock.monotonic().saturating_sub(heard) >= KEEP_ALIVE {
                    heard = clock.monotonic();
                    source.keep_alive()?;
                }
            }
            Ok(())
        })?;
        for record in &records.rows {
            let Some(partition) = partitions.get_mut(record.from) else { continue };
            partition.next = Some(record.offset + 1);
            if !uncommitted.contains(&record.from) {
                uncommitted.push(record.from);
            }
        }
        Ok(())
    }

    fn adopt(&mut self, ids: &[PartitionId]) -> Result<()> {
        let committed = self.source.committed(ids)?;
        for (id, committed) in ids.iter().zip(committed) {
            self.partitions.insert(*id, self.lodge.take(*id, committed));
        }
        self.source.start(ids)
    }

    fn give_up(&mut self, ids: &[PartitionId], lost: bool) -> Result<()> {
        self.drain()?;
        if lost {
            self.uncommitted.retain(|id| !ids.contains(id));
        }
        self.commit(true)?;
        for id in ids {
            if let Some(partition) = self.partitions.remove(*id).filter(|_| !lost) {
                self.lodge.leave(*id, partition);
            }
        }
        self.source.release(ids)
    }

    /// At low load everything has arrived by the time a commit is due, and nobody waits; only if that
    /// has not happened for an interval more, reading stops until it has.
    fn commit_if_due(&mut self) -> Result<()> {
        let since = self.clock.monotonic().saturating_sub(self.last_commit);
        if since < self.options.commit_interval || self.uncommitted.is_empty() {
            return Ok(());
        }
        if self.sink.work(Duration::ZERO)? > 0 {
            if since < self.options.commit_interval * 2 {
                return Ok(());
            }
            self.drain()?;
        }
        self.commit(false)
    }

    fn commit(&mut self, wait: bool) -> Result<()> {
        self.last_commit = self.clock.monotonic();
        let offsets: Vec<(PartitionId, i64)> = std::mem::take(&mut self.uncommitted)
            .into_iter()
            .filter_map(|id| Some((id, self.partitions.get_mut(id)?.next?)))
            .collect();
        if offsets.is_empty() { Ok(()) } else { self.source.commit(&offsets, wait) }
    }

    /// Waits until the broker has taken everything.
    fn drain(&mut self) -> Result<()> {
        let (start, mut heard) = (self.clock.monotonic(), self.clock.monotonic());
        while self.sink.work(SINK_WAIT)? > 0 {
            let now = self.clock.monotonic();
            if now.saturating_sub(heard) >= KEEP_ALIVE {
                heard = now;
                self.source.keep_alive()?;
            }
            if now.saturating_sub(start) >= DRAIN_LIMIT {
                let message = format!("the broker took nothing for {DRAIN_LIMIT:?}");
                return Err(Error::new(Code::Delivery, message));
            }
        }
        Ok(())
    }
}

/// Beyond librdkafka's own time-out for a message, after which it reports a failure.
const DRAIN_LIMIT: Duration = Duration::from_secs(330);
