//! The decoder: from a record to a row.

use super::JsonOptions;
use super::cursor::Cursor;
use super::shape::{self, Object};
use super::slot::Slot;
use super::walk::Walk;
use crate::columns::{Builder, Column, ColumnBuilder, Kind, Schema};
use crate::engine::ports::Decoder;
use crate::error::{Code, Error, Refusal, Result};
use crate::record::Record;

/// Where a column's values come from.
#[derive(Clone, Copy, Debug)]
enum Origin {
    /// The object in the record's value.
    Json,
    Key,
    Value,
    Timestamp,
    Topic,
    Partition,
    Offset,
}

impl Origin {
    fn of(column: &Column) -> Result<Self> {
        if !column.name.starts_with('@') {
            return Ok(Self::Json);
        }
        let (origin, kinds): (_, &[Kind]) = match column.name.as_str() {
            "@key" => (Self::Key, &[Kind::Text, Kind::Bytes]),
            "@value" => (Self::Value, &[Kind::Bytes]),
            "@timestamp" => (Self::Timestamp, &[Kind::Time]),
            "@topic" => (Self::Topic, &[Kind::Text]),
            "@partition" => (Self::Partition, &[Kind::Int]),
            "@offset" => (Self::Offset, &[Kind::Int]),
            name => {
                let known = "@key, @value, @timestamp, @topic, @partition and @offset";
                return Err(mismatch(name, format!("a record has only {known}")));
            }
        };
        if kinds.contains(&column.kind) {
            return Ok(origin);
        }
        let kinds: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
        Err(mismatch(&column.name, format!("it is {}, not {}", kinds.join(" or "), column.kind)))
    }
}

fn mismatch(column: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Code::Mismatch, format!("column {column}: {why}"))
}

/// Owned by one thread; its memory is kept from record to record.
#[derive(Debug)]
pub(super) struct JsonDecoder {
    schema: Schema,
    origins: Vec<Origin>,
    options: JsonOptions,
    /// `None` if the value is not to be read.
    objects: Option<Vec<Object>>,
    slots: Vec<Slot>,
    made: Vec<u8>,
}

impl JsonDecoder {
    pub(super) fn new(columns: &[Column], options: JsonOptions) -> Result<Self> {
        for (index, column) in columns.iter().enumerate() {
            if columns[..index].iter().any(|other| other.name == column.name) {
                return Err(mismatch(&column.name, "is named twice"));
            }
        }
        // Places in a record are kept in 32 bits.
        let max_bytes = options.max_bytes.min(u32::MAX as usize);
        Ok(Self {
            schema: columns.into(),
            origins: columns.iter().map(Origin::of).collect::<Result<_>>()?,
            options: JsonOptions { max_bytes, ..options },
            objects: shape::objects(columns)?,
            slots: vec![Slot::Absent; columns.len()],
            made: Vec::new(),
        })
    }

    fn check_size(&self, record: &Record<'_>) -> Result<(), Refusal> {
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        let limit = self.options.max_bytes;
        if bytes <= limit {
            return Ok(());
        }
        let message = format!("the record has {bytes} bytes, where at most {limit} are allowed");
        Err(Refusal::new(Code::TooLarge, message))
    }

    fn read(&mut self, value: Option<&[u8]>) -> Result<(), Refusal> {
        let Some(objects) = &mut self.objects else { return Ok(()) };
        let value = value.ok_or_else(|| Refusal::new(Code::Tombstone, "the record has no value"))?;
        let text = std::str::from_utf8(value)
            .map_err(|error| undecodable(error.valid_up_to(), "the text is not UTF-8"))?;
        self.slots.fill(Slot::Absent);
        let cursor = Cursor::new(text, &mut self.made);
        let mut walk = Walk { cursor, objects, slots: &mut self.slots, unit: self.options.time_unit };
        walk.record().map_err(|_broken| undecodable(walk.cursor.at, walk.cursor.fault()))
    }

    fn push_row(&self, topic: &str, record: &Record<'_>, into: &mut Builder) -> Result<(), Refusal> {
        let input = record.value.unwrap_or_default();
        for (index, (column, origin)) in self.schema.iter().zip(&self.origins).enumerate() {
            let to = into.column(index);
            match origin {
                Origin::Json => self.push(column, self.slots[index], input, to)?,
                Origin::Key => push_key(column, record.key, to)?,
                Origin::Value => match record.value {
                    Some(value) => to.push_bytes(value),
                    None => push_null(column, Code::Tombstone, "the record has no value", to)?,
                },
                Origin::Timestamp => match record.timestamp {
                    Some(time) => to.push_int(time),
                    None => push_null(column, Code::Missing, "the record has no timestamp", to)?,
                },
                Origin::Topic => to.push_bytes(topic.as_bytes()),
                Origin::Partition => to.push_int(record.from.partition.into()),
                Origin::Offset => to.push_int(record.offset),
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn push(&self, column: &Column, slot: Slot, input: &[u8], to: &mut ColumnBuilder) -> Result<(), Refusal> {
        match slot {
            Slot::Boolean(value) => to.push_boolean(value),
            Slot::Int(value) => to.push_int(value),
            Slot::Float(value) => to.push_float(value),
            Slot::Single(value) => to.push_single(value),
            Slot::Plain(piece) => to.push_bytes(piece.of(input)),
            Slot::Made(piece) => to.push_bytes(piece.of(&self.made)),
            Slot::Absent => push_null(column, Code::Missing, "the field is missing", to)?,
            Slot::Null => push_null(column, Code::Missing, "the field is null", to)?,
            Slot::Wrong(found) => {
                return Err(wrong(column, format!("{} wanted, {found} found", column.kind)));
            }
            Slot::NoObject(found) => {
                return Err(wrong(column, format!("object around it wanted, {found} found")));
            }
        }
        Ok(())
    }
}

impl Decoder for JsonDecoder {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn decode(&mut self, topic: &str, record: &Record<'_>, into: &mut Builder) -> Result<(), Refusal> {
        self.check_size(record)?;
        self.read(record.value)?;
        if let Err(refusal) = self.push_row(topic, record, into) {
            into.abandon_row();
            return Err(refusal);
        }
        into.finish_row();
        Ok(())
    }
}

fn push_key(column: &Column, key: Option<&[u8]>, to: &mut ColumnBuilder) -> Result<(), Refusal> {
    let Some(key) = key else {
        return push_null(column, Code::Missing, "the record has no key", to);
    };
    if column.kind == Kind::Text && std::str::from_utf8(key).is_err() {
        return Err(wrong(column, "text wanted, bytes that are not UTF-8 found"));
    }
    to.push_bytes(key);
    Ok(())
}

fn push_null(column: &Column, code: Code, why: &str, to: &mut ColumnBuilder) -> Result<(), Refusal> {
    if column.nullable {
        to.push_null();
        return Ok(());
    }
    Err(Refusal::new(code, format!("column {}: {why}", column.name)))
}

#[cold]
fn wrong(column: &Column, what: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::WrongType, format!("column {}: {what}", column.name))
}

#[cold]
fn undecodable(at: usize, fault: &str) -> Refusal {
    Refusal::new(Code::Undecodable, format!("broken JSON at byte {at}: {fault}"))
}
