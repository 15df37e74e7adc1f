//! Records as rows, whatever keeps them: identity, what made them, their own columns, and what is wrong with them.

use std::collections::BTreeMap;

use super::identity::{self, Identity};
use super::ports::Outputs;
use crate::columns::{Batch, Builder, Column, Kind, Schema, TIMES, View};
use crate::engine::ports::Decoder;
use crate::error::{Code, Error, Result};
use crate::pipeline;
use crate::record::{PartitionId, Record, Records};

/// Columns of our own begin with this.
const PREFIX: &str = "tailwater_";
const OF_ROWS: [(&str, Kind); 4] = [
    ("tailwater_topic", Kind::Text),
    ("tailwater_partition", Kind::Int),
    ("tailwater_offset", Kind::Int),
    ("tailwater_index", Kind::Int),
];
const OF_WINDOWS: [(&str, Kind); 4] = [
    ("tailwater_key", Kind::Text),
    ("tailwater_start", Kind::Time),
    ("tailwater_end", Kind::Time),
    ("tailwater_revision", Kind::Int),
];
/// Columns that make the identity: the first ones.
pub(super) const IDENTITY: usize = 4;
const RELEASE: &str = "tailwater_release";
const TIME: &str = "tailwater_time";
const FLAW: &str = "tailwater_flaw";

/// What is kept of a row.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// [`IDENTITY`], release and time; then what outputs have; what is wrong with the row comes last.
    pub schema: Schema,
    windows: bool,
}

impl Layout {
    pub fn new(outputs: &Outputs) -> Result<Self> {
        if let Some(ours) = outputs.columns.iter().find(|column| column.name.starts_with(PREFIX)) {
            let text = format!("column {}: names that begin with {PREFIX} are the store's own", ours.name);
            return Err(Error::new(Code::Mismatch, text));
        }
        let identity = if outputs.windows { OF_WINDOWS } else { OF_ROWS };
        let identity = identity.into_iter().map(|(name, kind)| Column::new(name, kind));
        let about = [Column::new(RELEASE, Kind::Text), Column::nullable(TIME, Kind::Time)];
        let own = outputs.columns.iter().map(|column| Column { nullable: true, ..column.clone() });
        let flaw = [Column::nullable(FLAW, Kind::Text)];
        let schema = identity.chain(about).chain(own).chain(flaw).collect();
        Ok(Self { schema, windows: outputs.windows })
    }

    fn outputs(&self) -> &[Column] {
        &self.schema[IDENTITY + 2..self.flaw()]
    }

    /// Index of the column that says what is wrong.
    pub fn flaw(&self) -> usize {
        self.schema.len() - 1
    }
}

/// What one poll brought.
#[derive(Debug)]
pub(super) struct Rows {
    pub batch: Batch,
    /// Of each row: where its record lies.
    pub places: Vec<(PartitionId, i64)>,
    /// Behind all that was read, rows or not.
    pub next: BTreeMap<PartitionId, i64>,
    /// Records that are no outputs.
    pub left_out: Vec<LeftOut>,
    /// The highest number of a release that made any of them.
    pub newest: u64,
}

impl Rows {
    /// Of all rows, what is wrong with them.
    pub fn flaws(&self) -> Vec<String> {
        let view = self.batch.column(self.batch.schema().len() - 1);
        let flawed = (0..self.batch.rows()).filter(|row| view.is_valid(*row));
        flawed.map(|row| String::from_utf8_lossy(view.bytes(row)).into_owned()).collect()
    }
}

/// A record that can't be kept, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub from: PartitionId,
    pub offset: i64,
    pub why: String,
}

/// Makes rows of records. Its memory is kept from poll to poll.
pub(super) struct Reader {
    layout: Layout,
    decoder: Box<dyn Decoder + Send>,
    /// Identity, release and time.
    about: Builder,
    values: Builder,
    flaws: Builder,
}

impl Reader {
    /// `decoder`: of the outputs' columns.
    pub fn new(layout: &Layout, decoder: Box<dyn Decoder + Send>) -> Self {
        let schema = |columns: &[Column]| Builder::new(columns.into());
        debug_assert_eq!(&**decoder.schema(), layout.outputs());
        Self {
            about: schema(&layout.schema[..IDENTITY + 2]),
            values: schema(layout.outputs()),
            flaws: schema(&layout.schema[layout.flaw()..]),
            layout: layout.clone(),
            decoder,
        }
    }

    pub fn columns(layout: &Layout) -> &[Column] {
        layout.outputs()
    }

    pub fn read(&mut self, records: &Records<'_>, topics: &[String]) -> Rows {
        let (mut places, mut next, mut left_out, mut newest) = (Vec::new(), BTreeMap::new(), Vec::new(), 0);
        for record in &records.rows {
            next.insert(record.from, record.offset + 1);
            match self.take(records, record, topics) {
                Ok(release) => {
                    places.push((record.from, record.offset));
                    newest = newest.max(release);
                }
                Err(why) => {
                    self.about.abandon_row();
                    let why = why.to_owned();
                    left_out.push(LeftOut { from: record.from, offset: record.offset, why });
                }
            }
        }
        Rows { batch: self.seal(), places, next, left_out, newest }
    }

    /// Gives the number of the release that made it.
    fn take(
        &mut self,
        records: &Records<'_>,
        record: &Record<'_>,
        topics: &[String],
    ) -> Result<u64, &'static str> {
        let headers = records.headers_of(record);
        let identity = Identity::of(record.key, headers, self.layout.windows)?;
        let release = identity::release(headers).ok_or("it has no header `tailwater-release`")?;
        push_identity(&mut self.about, identity)?;
        self.about.column(IDENTITY).push_bytes(release.as_bytes());
        let time = record.timestamp.filter(|time| TIMES.contains(time));
        match time {
            Some(time) => self.about.column(IDENTITY + 1).push_int(time),
            None => self.about.column(IDENTITY + 1).push_null(),
        }
        self.about.finish_row();
        let mut flaw = String::new();
        if time.is_none() {
            flaw += "its timestamp is no time";
        }
        let topic = &topics[usize::from(record.from.source)];
        if let Err(refusal) = self.decoder.decode(topic, record, &mut self.values) {
            let columns = self.layout.outputs().len();
            (0..columns).for_each(|column| self.values.column(column).push_null());
            self.values.finish_row();
            let between = if flaw.is_empty() { "" } else { "; " };
            flaw += &format!("{between}{} {}", refusal.code, refusal.message);
        }
        if flaw.is_empty() {
            self.flaws.column(0).push_null();
        } else {
            self.flaws.column(0).push_bytes(flaw.as_bytes());
        }
        self.flaws.finish_row();
        Ok(pipeline::Identity::number_of(release).unwrap_or_default())
    }

    fn seal(&mut self) -> Batch {
        let parts = [self.about.seal(), self.values.seal(), self.flaws.seal()];
        let views: Vec<View<'_>> = parts.iter().flat_map(Batch::columns).collect();
        Batch::assemble(self.layout.schema.clone(), parts[0].rows(), &views)
    }
}

fn push_identity(into: &mut Builder, identity: Identity<'_>) -> Result<(), &'static str> {
    let (text, numbers) = match identity {
        Identity::Row { topic, partition, offset, index } => (topic, [partition, offset, index]),
        Identity::Window { key, start, end, revision } => {
            if !TIMES.contains(&start) || !TIMES.contains(&end) {
                return Err("its window is further away than times go");
            }
            (key, [start, end, revision])
        }
    };
    into.column(0).push_bytes(text.as_bytes());
    for (column, number) in numbers.into_iter().enumerate() {
        into.column(column + 1).push_int(number);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
