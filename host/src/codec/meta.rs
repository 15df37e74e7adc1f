//! Columns that hold something of the record itself.

use super::decode::{push_null, wrong};
use crate::columns::{Column, ColumnBuilder, Kind, TIMES};
use crate::error::{Code, Error, Refusal, Result};
use crate::record::Record;

/// The names of such columns begin so.
pub(super) const PREFIX: char = '@';

#[derive(Clone, Copy, Debug)]
pub(super) enum Meta {
    Key,
    Value,
    Timestamp,
    Topic,
    Partition,
    Offset,
}

impl Meta {
    /// What a column is named after; `None`: a path into the value.
    pub(super) fn of(column: &Column) -> Result<Option<Self>> {
        if !column.name.starts_with(PREFIX) {
            return Ok(None);
        }
        let (meta, kinds): (_, &[Kind]) = match &column.name[1..] {
            "key" => (Self::Key, &[Kind::Text, Kind::Bytes]),
            "value" => (Self::Value, &[Kind::Bytes]),
            "timestamp" => (Self::Timestamp, &[Kind::Time]),
            "topic" => (Self::Topic, &[Kind::Text]),
            "partition" => (Self::Partition, &[Kind::Int]),
            "offset" => (Self::Offset, &[Kind::Int]),
            _ => {
                let known = "@key, @value, @timestamp, @topic, @partition and @offset";
                return Err(mismatch(column, format!("a record has only {known}")));
            }
        };
        if kinds.contains(&column.kind) {
            return Ok(Some(meta));
        }
        let kinds: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
        Err(mismatch(column, format!("it is {}, not {}", kinds.join(" or "), column.kind)))
    }

    pub(super) fn push(
        self,
        column: &Column,
        topic: &str,
        record: &Record<'_>,
        to: &mut ColumnBuilder,
    ) -> Result<(), Refusal> {
        match self {
            Self::Key => match record.key {
                Some(key) if column.kind == Kind::Text && std::str::from_utf8(key).is_err() => {
                    return Err(wrong(column, "text wanted, bytes that are not UTF-8 found"));
                }
                Some(key) => to.push_bytes(key),
                None => push_null(column, Code::Missing, "the record has no key", to)?,
            },
            Self::Value => match record.value {
                Some(value) => to.push_bytes(value),
                None => push_null(column, Code::Tombstone, "the record has no value", to)?,
            },
            Self::Timestamp => match record.timestamp {
                Some(time) if TIMES.contains(&time) => to.push_int(time),
                Some(_) => return Err(wrong(column, "the record's timestamp is further away than times go")),
                None => push_null(column, Code::Missing, "the record has no timestamp", to)?,
            },
            Self::Topic => to.push_bytes(topic.as_bytes()),
            Self::Partition => to.push_int(record.from.partition.into()),
            Self::Offset => to.push_int(record.offset),
        }
        Ok(())
    }
}

pub(super) fn mismatch(column: &Column, why: impl std::fmt::Display) -> Error {
    Error::new(Code::Mismatch, format!("column {}: {why}", column.name))
}
