//! The ports of the driver: a source and a sink in memory, and a clock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::engine::ports::{Clock, Committed, Limit, Polled, Sent as Taken, Sink, Source, UnderWay};
use crate::engine::{Loader, Meter, Tables};
use crate::error::Result;
use crate::record::{Header, Message, PartitionId, Record, Records, SourceId};

/// A record given to the driver.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Index of the source in the pipeline.
    pub source: SourceId,
    pub partition: i32,
    pub key: Option<Vec<u8>>,
    /// `None`: a tombstone.
    pub value: Option<Vec<u8>>,
    /// Milliseconds.
    pub timestamp: Option<i64>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Given {
    /// In partition 0, without key, timestamp and headers.
    pub fn value(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }

    pub fn with_key(self, key: impl Into<Vec<u8>>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    pub fn in_partition(self, partition: i32) -> Self {
        Self { partition, ..self }
    }

    pub fn in_source(self, source: SourceId) -> Self {
        Self { source, ..self }
    }

    pub fn at(self, timestamp: i64) -> Self {
        Self { timestamp: Some(timestamp), ..self }
    }

    /// Bytes of key and value.
    fn size(&self) -> usize {
        [&self.key, &self.value].into_iter().flatten().map(Vec::len).sum()
    }
}

/// A message that the pipeline sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub topic: String,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp: Option<i64>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Sent {
    /// The value of a header as text; empty without it.
    pub fn header(&self, name: &str) -> String {
        let found = self.headers.iter().find(|(header, _)| header == name);
        let value = found.and_then(|(_, value)| value.as_deref()).unwrap_or_default();
        String::from_utf8_lossy(value).into_owned()
    }

    /// The value as JSON; null if it is none.
    pub fn json(&self) -> serde_json::Value {
        self.value.as_deref().and_then(|value| serde_json::from_slice(value).ok()).unwrap_or_default()
    }
}

/// Records that wait in memory.
#[derive(Debug, Default)]
pub struct Memory {
    waiting: VecDeque<(PartitionId, i64, Given)>,
    batch: Vec<(PartitionId, i64, Given)>,
    assigned: Vec<PartitionId>,
    revoked: Vec<PartitionId>,
    held: Vec<PartitionId>,
    /// Partitions that began or were given something since they were said to have ended.
    given: Vec<PartitionId>,
    committed: BTreeMap<PartitionId, i64>,
    cuts: Vec<usize>,
    next_cut: usize,
    tables: BTreeMap<SourceId, Loading>,
}

/// Where the records of a table go.
#[derive(Debug)]
pub(super) struct Loading {
    pub loader: Loader,
    pub tables: Arc<Tables>,
    pub meter: Arc<Meter>,
}

impl Memory {
    pub(super) fn new(tables: BTreeMap<SourceId, Loading>) -> Self {
        Self { tables, ..Self::default() }
    }

    /// Takes a record of a table.
    fn load(&mut self, one: (PartitionId, i64, Given)) {
        let source = one.0.source;
        let Some(Loading { loader, tables, meter }) = self.tables.get_mut(&source) else { return };
        if let Some(table) = tables.get(source) {
            loader.take(&records(&[one]), table, meter);
        }
    }

    pub(super) fn assign(&mut self, id: PartitionId) {
        self.assigned.push(id);
    }

    /// Takes these back, and gives them again.
    pub(super) fn shake(&mut self, ids: &[PartitionId]) {
        self.revoked = ids.to_vec();
        self.assigned = ids.to_vec();
    }

    pub(super) fn push(&mut self, id: PartitionId, offset: i64, record: Given) {
        self.waiting.push_back((id, offset, record));
    }

    pub(super) fn cut(&mut self, sizes: Vec<usize>) {
        (self.cuts, self.next_cut) = (sizes, 0);
    }

    pub(super) fn commits(&self) -> Vec<(PartitionId, i64)> {
        self.committed.iter().map(|(id, offset)| (*id, *offset)).collect()
    }
}

impl Source for Memory {
    type Member = ();

    fn poll(&mut self, _wait: Duration, limit: Limit) -> Result<Polled> {
        if !self.revoked.is_empty() {
            let partitions = std::mem::take(&mut self.revoked);
            return Ok(Polled::Revoked { partitions, lost: false });
        }
        if !self.assigned.is_empty() {
            return Ok(Polled::Assigned(std::mem::take(&mut self.assigned)));
        }
        let cut = self.cuts.get(self.next_cut).copied().unwrap_or(limit.rows).clamp(1, limit.rows);
        self.next_cut = (self.next_cut + 1).checked_rem(self.cuts.len()).unwrap_or(0);
        let (mut bytes, mut kept) = (0, VecDeque::new());
        self.batch.clear();
        while let Some((id, offset, given)) = self.waiting.pop_front() {
            let is_of_table = self.tables.contains_key(&id.source);
            if is_of_table && self.batch.is_empty() {
                self.load((id, offset, given));
                continue;
            }
            bytes += given.size();
            let fits =
                !is_of_table && (self.batch.is_empty() || self.batch.len() < cut && bytes <= limit.bytes);
            if self.held.contains(&id) {
                kept.push_back((id, offset, given));
            } else if fits {
                self.given.push(id);
                self.batch.push((id, offset, given));
            } else {
                self.waiting.push_front((id, offset, given));
                break;
            }
        }
        kept.into_iter().rev().for_each(|one| self.waiting.push_front(one));
        Ok(Polled::Records(self.batch.len()))
    }

    fn records(&self) -> Records<'_> {
        records(&self.batch)
    }

    fn committed(&mut self, partitions: &[PartitionId]) -> Result<Vec<Option<Committed>>> {
        let committed =
            |id| self.committed.get(id).map(|next| Committed { next: *next, commit: 0, fence: None });
        Ok(partitions.iter().map(committed).collect())
    }

    fn start(&mut self, partitions: &[(PartitionId, Option<i64>)]) -> Result<()> {
        // An empty one is at its end.
        self.given.extend(partitions.iter().map(|(id, _)| *id));
        Ok(())
    }

    fn hold(&mut self, partitions: &[PartitionId]) -> Result<()> {
        self.held = partitions.to_vec();
        Ok(())
    }

    fn ended(&mut self) -> Vec<PartitionId> {
        let ended = |id: &PartitionId| !self.waiting.iter().any(|(other, ..)| other == id);
        self.given.drain(..).filter(ended).collect()
    }

    fn release(&mut self, _partitions: &[PartitionId]) -> Result<()> {
        self.held.clear();
        Ok(())
    }

    fn commit(&mut self, offsets: &[(PartitionId, i64)], _wait: bool) -> Result<()> {
        self.committed.extend(offsets.iter().copied());
        Ok(())
    }

    fn member(&self) -> Result<()> {
        Ok(())
    }

    fn keep_alive(&self) -> Result<()> {
        Ok(())
    }

    fn leave(&mut self) -> Result<()> {
        Ok(())
    }
}

fn records(batch: &[(PartitionId, i64, Given)]) -> Records<'_> {
    let mut records = Records::default();
    for (from, offset, given) in batch {
        let start = records.headers.len() as u32;
        let headers = given.headers.iter();
        records.headers.extend(headers.map(|(name, value)| Header { name, value: value.as_deref() }));
        records.rows.push(Record {
            from: *from,
            offset: *offset,
            timestamp: given.timestamp,
            key: given.key.as_deref(),
            value: given.value.as_deref(),
            headers: start..records.headers.len() as u32,
            is_muted: false,
        });
    }
    records
}

/// Messages, as they were sent.
#[derive(Debug, Default)]
pub(super) struct Shelf(Vec<Sent>);

impl Shelf {
    pub fn take(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.0)
    }
}

impl Sink for Shelf {
    type Member = ();

    fn send(&mut self, message: Message<'_>) -> Result<Taken> {
        let header = |header: &Header<'_>| (header.name.to_owned(), header.value.map(<[u8]>::to_vec));
        self.0.push(Sent {
            topic: message.topic.to_owned(),
            key: message.key.map(<[u8]>::to_vec),
            value: message.value.map(<[u8]>::to_vec),
            timestamp: message.timestamp,
            headers: message.headers.iter().map(header).collect(),
        });
        Ok(Taken::Taken)
    }

    fn work(&mut self, _wait: Duration) -> Result<UnderWay> {
        Ok(UnderWay::default())
    }

    fn mark(&mut self) {}
}

/// A clock that stands still until it is moved. A clone shows the same time.
#[derive(Clone, Debug, Default)]
pub struct VirtualClock(Arc<AtomicU64>);

impl VirtualClock {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_nanos() as u64, Relaxed);
    }
}

impl Clock for VirtualClock {
    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.0.load(Relaxed))
    }
}
