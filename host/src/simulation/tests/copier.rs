//! A small engine: copies each record, numbered by how many its partition had so far. The number is its state:
//! in memory, in a changelog, and in a base on disk. Exactly once means that numbers and records fit.

use std::collections::BTreeMap;

use super::*;
use crate::engine::Words;
use crate::engine::ports::{Changelog, Clock, Ended, Sent, Sink};
use crate::error::{Code, Error, Result};
use crate::state::{Base, Checkpoint, Disk};

pub const LOG: &str = "changelog";
const COMMIT_INTERVAL: Duration = Duration::from_millis(20);
const WAIT: Duration = Duration::from_millis(10);

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    None,
    /// Offsets are committed beside the transaction.
    OffsetsApart,
    /// After an abort it goes on with the state that it has.
    KeepsState,
    /// After an abort it does not read again what it read.
    KeepsPlace,
    /// It begins with the changelog as it is, and not as of the committed offset.
    RestoresHalf,
    /// What it has on disk is as of what it processed, and not of what it committed.
    WritesEarly,
    /// Partitions that were lost go on as if they were its own.
    IgnoresLoss,
    /// It commits before all has arrived.
    CommitsEarly,
    /// A revoked partition is released before its transaction ends.
    ReleasesEarly,
}

/// Next offset, and records so far.
type Number = (i64, u64);

#[derive(Debug)]
struct Task {
    live: Number,
    committed: Number,
    base: Option<Box<dyn Base>>,
    commits: u64,
}

pub struct Copier {
    ports: Ports,
    tasks: BTreeMap<PartitionId, Task>,
    open: bool,
    last_commit: Duration,
    mistake: Mistake,
}

fn parse(bytes: &[u8]) -> Number {
    let text = std::str::from_utf8(bytes).unwrap();
    let (next, count) = text.split_once(' ').unwrap();
    (next.parse().unwrap(), count.parse().unwrap())
}

fn print((next, count): Number) -> Vec<u8> {
    format!("{next} {count}").into_bytes()
}

impl Copier {
    pub fn new(ports: Ports, mistake: Mistake) -> Self {
        let last_commit = ports.clock.monotonic();
        Self { ports, tasks: BTreeMap::new(), open: false, last_commit, mistake }
    }

    fn send(&mut self, topic: &str, to: i32, key: &[u8], value: &[u8], tag: Option<u32>) -> Result<()> {
        if !std::mem::replace(&mut self.open, true) {
            self.ports.sink.begin()?;
        }
        let (key, value, partition) = (Some(key), Some(value), Some(to));
        let message = Message { topic, partition, key, value, timestamp: None, headers: &[], tag };
        while self.ports.sink.send(message)? == Sent::Full {
            self.ports.sink.work(WAIT)?;
        }
        Ok(())
    }

    fn work(&mut self) -> Result<()> {
        let records = self.ports.source.records();
        let rows: Vec<_> = records.rows.iter().map(|row| (row.from, row.offset)).collect();
        for (from, offset) in rows {
            let Some(task) = self.tasks.get_mut(&from) else { continue };
            assert!(offset >= task.live.0, "{from:?}: {offset} after {}", task.live.0);
            task.live = (offset + 1, task.live.1 + 1);
            let value = format!("{offset} {}", task.live.1);
            self.send(OUT, from.partition, b"row", value.as_bytes(), None)?;
        }
        Ok(())
    }

    fn commit(&mut self, last: &[PartitionId]) -> Result<()> {
        self.last_commit = self.ports.clock.monotonic();
        let changed = self.tasks.iter().filter(|(id, task)| task.live != task.committed || last.contains(id));
        let changed: Vec<_> = changed.map(|(id, task)| (*id, task.live)).collect();
        if changed.is_empty() {
            return Ok(());
        }
        for (id, live) in &changed {
            self.send(LOG, id.partition, b"state", &print(*live), Some(id.partition as u32))?;
        }
        // A probe of the harness: whoever does not wait, says that nothing is under way.
        let enough = if self.mistake == Mistake::CommitsEarly { 1 } else { usize::MAX };
        let mut calls = 0;
        while self.ports.sink.flush(WAIT)?.all > 0 && calls < enough {
            calls += 1;
        }
        let mut marks: Vec<Mark> = changed
            .iter()
            .map(|(id, live)| Mark {
                of: *id,
                next: live.0,
                commit: 0,
                last: last.contains(id),
                words: Words::default(),
            })
            .collect();
        if self.mistake == Mistake::OffsetsApart {
            let offsets: Vec<_> = marks.drain(..).map(|mark| (mark.of, mark.next)).collect();
            self.ports.source.commit(&offsets, true)?;
        }
        let member = self.ports.source.member()?;
        match self.ports.sink.commit(&marks, member)? {
            Ended::Committed => self.keep(&changed)?,
            Ended::Failed(_) => return self.abort(),
        }
        self.open = false;
        Ok(())
    }

    /// What was committed is kept.
    fn keep(&mut self, changed: &[(PartitionId, Number)]) -> Result<()> {
        let landed: BTreeMap<u32, i64> = self.ports.sink.landed().into_iter().collect();
        for (id, live) in changed {
            let Some(task) = self.tasks.get_mut(id) else { continue };
            task.committed = *live;
            task.commits += 1;
            if let Some(base) = &mut task.base {
                let early = if self.mistake == Mistake::WritesEarly { 1 } else { 0 };
                let head = print((live.0 + early, live.1));
                base.write(Checkpoint { commit: task.commits, head, images: Vec::new() })?;
                base.written(false)?;
            }
            if let Some(block) = landed.get(&(id.partition as u32)).filter(|_| task.commits % 8 == 0) {
                self.ports.changelog.trim(LOG, id.partition, *block)?;
            }
        }
        Ok(())
    }

    fn abort(&mut self) -> Result<()> {
        if std::mem::take(&mut self.open) {
            self.ports.sink.abort()?;
            drop(self.ports.sink.landed());
        }
        let mut again = Vec::new();
        for (id, task) in &mut self.tasks {
            match self.mistake {
                Mistake::KeepsState => task.live.0 = task.committed.0,
                Mistake::KeepsPlace => task.live.1 = task.committed.1,
                _ => task.live = task.committed,
            }
            again.push((*id, Some(task.live.0)));
        }
        self.ports.source.start(&again)
    }

    fn adopt(&mut self, ids: &[PartitionId]) -> Result<()> {
        let committed = self.ports.source.committed(ids)?.into_iter().map(|one| one.map(|one| one.next));
        let mut begun = Vec::new();
        for (id, committed) in ids.iter().zip(committed) {
            let base = match self.ports.disk.open(&format!("task-{}", id.partition)) {
                Ok(base) => Some(base),
                // Of another thread of this process, that has not heard yet that it lost the partition.
                Err(error) if matches!(error.code, Code::StateLocked | Code::StateDamaged) => None,
                Err(error) => return Err(error),
            };
            let task = self.restore(*id, committed, base)?;
            begun.push((*id, committed));
            self.tasks.insert(*id, task);
        }
        self.ports.source.start(&begun)
    }

    fn restore(&mut self, id: PartitionId, next: Option<i64>, base: Option<Box<dyn Base>>) -> Result<Task> {
        let mut base = base;
        if let Some(open) = &mut base
            && open.get(0, b"any").is_err_and(|error| error.code == Code::StateDamaged)
        {
            open.clear()?;
        }
        let position = base.as_ref().and_then(|base| base.position());
        let (commits, mut at) = position.map_or((0, (0, 0)), |(commits, head)| (commits, parse(head)));
        if at.0 > next.unwrap_or(0) {
            let text = format!("{id:?}: the disk has {at:?}, the group {next:?}");
            return Err(Error::new(Code::StateBehind, text));
        }
        let changelog = &mut self.ports.changelog;
        let mut from = changelog.first(LOG, id.partition)?;
        changelog.open(LOG, id.partition, from)?;
        let mut silences = 0;
        while next.is_some_and(|next| at.0 != next) && silences < 1_000 {
            match changelog.next(WAIT) {
                Ok(Some((_, block))) => at = parse(block),
                Ok(None) if self.mistake == Mistake::RestoresHalf => break,
                Ok(None) => silences += 1,
                Err(error) if error.code == Code::OffsetLost => {
                    // Trimmed meanwhile.
                    from = changelog.first(LOG, id.partition)?;
                    changelog.open(LOG, id.partition, from)?;
                }
                Err(error) => return Err(error),
            }
        }
        if self.mistake != Mistake::RestoresHalf && next.unwrap_or(0) != at.0 {
            return Err(Error::new(Code::StateBehind, format!("{id:?}: {at:?}, the group {next:?}")));
        }
        let number = (next.unwrap_or(0), at.1);
        Ok(Task { live: number, committed: number, base, commits })
    }

    fn give_up(&mut self, ids: &[PartitionId], lost: bool) -> Result<()> {
        if lost && self.mistake != Mistake::IgnoresLoss {
            self.tasks.retain(|id, _| !ids.contains(id));
            self.abort()?;
        } else if self.mistake == Mistake::ReleasesEarly {
            self.ports.source.release(ids)?;
            return self.commit(ids);
        } else {
            self.commit(ids)?;
        }
        if self.mistake != Mistake::IgnoresLoss {
            self.tasks.retain(|id, _| !ids.contains(id));
        }
        self.ports.source.release(ids)
    }
}

impl Stepper for Copier {
    fn step(&mut self) -> Result<()> {
        match self.ports.source.poll(Duration::from_millis(1), LIMIT)? {
            Polled::Records(_) => self.work()?,
            Polled::Assigned(ids) => self.adopt(&ids)?,
            Polled::Revoked { partitions, lost } => self.give_up(&partitions, lost)?,
        }
        self.ports.sink.work(Duration::ZERO)?;
        if self.ports.clock.monotonic() >= self.last_commit + COMMIT_INTERVAL {
            self.commit(&[])?;
        }
        Ok(())
    }

    fn stop(mut self: Box<Self>) -> Result<()> {
        let all: Vec<_> = self.tasks.keys().copied().collect();
        self.commit(&all)?;
        self.ports.source.leave()
    }
}
