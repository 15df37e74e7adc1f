//! What a record has for a column, until all of the record was read: a later key may replace it.

use std::fmt;

use super::cursor::Piece;
use super::meta::Meta;

#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    /// The column is one of the record itself.
    Meta(Meta),
    /// No such field.
    Absent,
    Null,
    Boolean(bool),
    /// An int or a time.
    Int(i64),
    Float(f64),
    Single(f32),
    /// A text in the input.
    Plain(Piece),
    /// A text, bytes or floats, in what was made.
    Made(Piece),
    /// A value that the column can't take.
    Wrong(Found),
    /// A value where an object should be, to hold the column.
    NoObject(Found),
}

/// What was found. Shown as in "text found".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Null,
    Boolean,
    /// Of 64 bits.
    Int,
    /// Another number.
    Number,
    Text,
    Array,
    Object,
    /// A text that is no time.
    NoTime,
    /// A number that is no time in the unit.
    FarTime,
    NoBase64,
    /// A number that is too large in single precision.
    NoSingle,
    /// An array with something else than numbers.
    NoNumbers,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Int => "integer",
            Self::Number => "number that is no integer of 64 bits",
            Self::Text => "text",
            Self::Array => "array",
            Self::Object => "object",
            Self::NoTime => "text that is no ISO 8601 time",
            Self::FarTime => "time that is too far away",
            Self::NoBase64 => "text that is no base64",
            Self::NoSingle => "number that is too large for single precision",
            Self::NoNumbers => "array with something else than numbers",
        })
    }
}
