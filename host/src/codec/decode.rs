//! The decoder: from a record to a row.

use super::cursor::{Cursor, PADDING};
use super::meta::{Meta, PREFIX, mismatch};
use super::shape::{self, Object};
use super::slot::Slot;
use super::walk::Walk;
use super::{JsonOptions, TimeUnit};
use crate::columns::{Builder, Column, ColumnBuilder, Schema};
use crate::engine::ports::Decoder;
use crate::error::{Code, Refusal, Result};
use crate::record::Record;

/// Owned by one thread; its memory is kept from record to record.
#[derive(Debug)]
pub(super) struct JsonDecoder {
    schema: Schema,
    options: JsonOptions,
    /// `None` if the value is not to be read.
    objects: Option<Vec<Object>>,
    /// The slots before a record is read.
    blank: Box<[Slot]>,
    slots: Box<[Slot]>,
    /// A copy of the value, with padding.
    input: Vec<u8>,
    made: Vec<u8>,
    /// A null among floats is a number that is not finite.
    gaps: bool,
}

impl JsonDecoder {
    pub(super) fn new(columns: &[Column], options: JsonOptions) -> Result<Self> {
        named_once(columns)?;
        let blank = |column| Ok(Meta::of(column)?.map_or(Slot::Absent, Slot::Meta));
        let blank: Box<[Slot]> = columns.iter().map(blank).collect::<Result<_>>()?;
        let own = |column: &Column| !column.name.starts_with(PREFIX);
        Ok(Self::with(columns, options, shape::objects(columns, own)?, blank))
    }

    /// Of what was sent.
    pub(super) fn of_outputs(columns: &[Column]) -> Result<Self> {
        named_once(columns)?;
        let options = JsonOptions { time_unit: TimeUnit::Milliseconds, max_bytes: usize::MAX };
        let blank = vec![Slot::Absent; columns.len()].into();
        let decoder = Self::with(columns, options, shape::objects(columns, |_| true)?, blank);
        Ok(Self { gaps: true, ..decoder })
    }

    fn with(
        columns: &[Column],
        options: JsonOptions,
        objects: Option<Vec<Object>>,
        blank: Box<[Slot]>,
    ) -> Self {
        // Places in a record are kept in 32 bits.
        let max_bytes = options.max_bytes.min(u32::MAX as usize);
        let (input, made) = Default::default();
        let (options, slots) = (JsonOptions { max_bytes, ..options }, blank.clone());
        Self { schema: columns.into(), options, objects, blank, slots, input, made, gaps: false }
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

    /// Fills the slots.
    fn read(&mut self, value: Option<&[u8]>) -> Result<(), Refusal> {
        let Some(objects) = &mut self.objects else { return Ok(()) };
        let value = value.ok_or_else(|| Refusal::new(Code::Tombstone, "the record has no value"))?;
        check_utf8(value)?;
        self.slots.copy_from_slice(&self.blank);
        self.input.clear();
        self.input.extend_from_slice(value);
        self.input.extend_from_slice(&PADDING);
        let cursor = Cursor::new(&self.input, &mut self.made);
        let (slots, unit, gaps) = (&mut self.slots, self.options.time_unit, self.gaps);
        let mut walk = Walk { cursor, objects, slots, unit, gaps };
        walk.record().map_err(|_broken| {
            let (at, fault) = walk.cursor.fault();
            undecodable(at, fault)
        })
    }

    fn push_row(&self, topic: &str, record: &Record<'_>, into: &mut Builder) -> Result<(), Refusal> {
        for (index, slot) in self.slots.iter().enumerate() {
            let to = into.column(index);
            match *slot {
                Slot::Int(value) => to.push_int(value),
                Slot::Float(value) => to.push_float(value),
                Slot::Single(value) => to.push_single(value),
                Slot::Boolean(value) => to.push_boolean(value),
                Slot::Plain(piece) => to.push_bytes(piece.of(&self.input)),
                Slot::Made(piece) => to.push_bytes(piece.of(&self.made)),
                Slot::Meta(meta) => meta.push(&self.schema[index], topic, record, to)?,
                other => push_other(&self.schema[index], other, to)?,
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

fn named_once(columns: &[Column]) -> Result<()> {
    let twice =
        |(index, column): &(usize, &Column)| columns[..*index].iter().any(|other| other.name == column.name);
    match columns.iter().enumerate().find(twice) {
        Some((_, column)) => Err(mismatch(column, "is named twice")),
        None => Ok(()),
    }
}

fn check_utf8(text: &[u8]) -> Result<(), Refusal> {
    if is_ascii(text) {
        return Ok(());
    }
    let valid = std::str::from_utf8(text).map(|_text| ());
    valid.map_err(|error| undecodable(error.valid_up_to(), "the text is not UTF-8"))
}

/// Mostly true, and found out much faster than by the standard library, which stops at the first
/// that is not.
fn is_ascii(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks();
    let words = words.iter().fold(0, |bits, word| bits | u64::from_ne_bytes(*word));
    let rest = rest.iter().fold(0, |bits, byte| bits | byte);
    words & u64::from_ne_bytes([0x80; 8]) == 0 && rest < 0x80
}

#[inline(never)]
fn push_other(column: &Column, slot: Slot, to: &mut ColumnBuilder) -> Result<(), Refusal> {
    match slot {
        Slot::Null => push_null(column, Code::Missing, "the field is null", to),
        Slot::Wrong(found) => Err(wrong(column, format!("{} wanted, {found} found", column.kind))),
        Slot::NoObject(found) => Err(wrong(column, format!("object around it wanted, {found} found"))),
        _ => push_null(column, Code::Missing, "the field is missing", to),
    }
}

pub(super) fn push_null(
    column: &Column,
    code: Code,
    why: &str,
    to: &mut ColumnBuilder,
) -> Result<(), Refusal> {
    if column.nullable {
        to.push_null();
        return Ok(());
    }
    Err(Refusal::new(code, format!("column {}: {why}", column.name)))
}

#[cold]
pub(super) fn wrong(column: &Column, what: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::WrongType, format!("column {}: {what}", column.name))
}

#[cold]
fn undecodable(at: usize, fault: &str) -> Refusal {
    Refusal::new(Code::Undecodable, format!("broken JSON at byte {at}: {fault}"))
}
