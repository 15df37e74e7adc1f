//! Tables of reference data, which rows are looked up in.
//!
//! A table has a row for each key of its topic: what its newest record says. It is shared by the threads of a
//! pipeline, with one writer, and lies in memory whole; nothing bounds it but what is in the topic. A row is
//! packed into bytes of its own, so that a key costs its own length, that of its row, and some 50 bytes.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::cells;
use super::meter::Meter;
use super::ports::Decoder;
use crate::bytes::Reader;
use crate::columns::{Builder, Kind, Schema, View};
use crate::error::{Code, Refusal};
use crate::pipeline::{LookupNode, Pipeline, SourceNode, Stage};
use crate::record::{Record, Records, SourceId};
use crate::state::Usage;

/// The tables of a pipeline, by source.
#[derive(Debug, Default)]
pub struct Tables(Vec<Option<Table>>);

impl Tables {
    /// Without rows.
    pub fn new(pipeline: &Pipeline) -> Self {
        let table = |source: &SourceNode| source.table.then(|| Table::new(source.rows.clone()));
        Self(pipeline.sources.iter().map(table).collect())
    }

    /// A source that is no table has none.
    pub fn get(&self, source: SourceId) -> Option<&Table> {
        self.0.get(usize::from(source))?.as_ref()
    }
}

/// What one record changes: a key, and its row or that it has none any more.
type Change = (Box<[u8]>, Option<Box<[u8]>>);

/// Many readers, one writer.
#[derive(Debug)]
pub struct Table {
    columns: Schema,
    rows: RwLock<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    by_key: HashMap<Box<[u8]>, Box<[u8]>>,
    /// Of keys and rows.
    bytes: usize,
}

impl Table {
    pub(super) fn new(columns: Schema) -> Self {
        Self { columns, rows: RwLock::default() }
    }

    /// Keys, as many entries, and bytes held.
    pub fn usage(&self) -> Usage {
        let Rows { by_key, bytes } = &*self.rows();
        // A slot and its control byte.
        let slots = by_key.capacity() * (size_of::<(Box<[u8]>, Box<[u8]>)>() + 1);
        Usage { keys: by_key.len(), entries: by_key.len(), bytes: bytes + slots }
    }

    /// For a range of keys the columns of the row of each; without a row they are null. Rows are not finished.
    /// `None`: they have more bytes than there is `room`, and some columns may be ahead.
    pub(super) fn look_up(
        &self,
        keys: View<'_>,
        range: Range<usize>,
        lookup: &LookupNode,
        room: &mut usize,
        into: &mut Builder,
    ) -> Option<()> {
        let (rows, mut digits) = (self.rows(), itoa::Buffer::new());
        for index in range {
            let key = match keys.kind() {
                _ if !keys.is_valid(index) => None,
                Kind::Int => Some(digits.format(keys.int(index)).as_bytes()),
                _ => Some(keys.bytes(index)),
            };
            match key.and_then(|key| rows.by_key.get(key)) {
                Some(row) => {
                    *room = room.checked_sub(row.len())?;
                    cells::pick(&self.columns, &lookup.places, &mut Reader(row), into)
                        .expect("the row was packed by the same columns");
                }
                None => lookup.own.clone().for_each(|column| into.column(column).push_null()),
            }
        }
        Some(())
    }

    fn change(&self, changes: Vec<Change>) {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        changes.into_iter().for_each(|change| rows.change(change));
        rows.shrink();
    }

    fn rows(&self) -> RwLockReadGuard<'_, Rows> {
        // A change that panics in the middle leaves a key with or without its row.
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    fn change(&mut self, (key, row): Change) {
        let size = key.len();
        let (after, before) = match row {
            Some(row) => (size + row.len(), self.by_key.insert(key, row)),
            None => (0, self.by_key.remove(&key)),
        };
        self.bytes = self.bytes + after - before.map_or(0, |row| size + row.len());
    }

    /// When most keys are gone, so is their room.
    fn shrink(&mut self) {
        let keys = self.by_key.len();
        if self.by_key.capacity() / 8 > keys.max(64) {
            self.by_key.shrink_to(keys * 2);
        }
    }
}

/// Takes the records of a table's topic into the table. What can't be decoded is passed over: every process
/// reads it, so it can't be sent to the dead letters, but it is counted as one.
pub struct Loader {
    topic: String,
    decoder: Box<dyn Decoder + Send>,
    decoded: Builder,
}

/// A record that was passed over.
#[derive(Debug)]
pub struct PassedOver {
    pub partition: i32,
    pub offset: i64,
    pub why: Refusal,
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Loader {
    /// `decoder`: of the table's source.
    pub fn new(topic: String, decoder: Box<dyn Decoder + Send>) -> Self {
        let decoded = Builder::new(decoder.schema().clone());
        Self { topic, decoder, decoded }
    }

    /// Takes records in their order.
    pub fn take(&mut self, records: &Records<'_>, table: &Table, meter: &Meter) -> Vec<PassedOver> {
        let mut changes: Vec<(Box<[u8]>, Option<usize>)> = Vec::with_capacity(records.rows.len());
        let mut passed_over = Vec::new();
        for record in &records.rows {
            match self.decode(record) {
                Ok((key, row)) => changes.push((key.into(), row)),
                Err(why) => {
                    meter.dead_letter(Stage::Decode, why.code);
                    let (partition, offset) = (record.from.partition, record.offset);
                    passed_over.push(PassedOver { partition, offset, why });
                }
            }
        }
        let rows = self.decoded.seal();
        let pack = |row: usize| {
            let mut packed = Vec::new();
            cells::write(&rows, row, &mut packed);
            packed.into_boxed_slice()
        };
        table.change(changes.into_iter().map(|(key, row)| (key, row.map(pack))).collect());
        passed_over
    }

    /// The key, and which of the decoded rows is its own; none: it is deleted.
    fn decode<'a>(&mut self, record: &Record<'a>) -> Result<(&'a [u8], Option<usize>), Refusal> {
        let key = record.key.ok_or_else(|| Refusal::new(Code::NoKey, "a record of a table needs a key"))?;
        if record.value.is_none() {
            return Ok((key, None));
        }
        self.decoder.decode(&self.topic, record, &mut self.decoded)?;
        Ok((key, Some(self.decoded.rows() - 1)))
    }
}

#[cfg(test)]
mod tests;
