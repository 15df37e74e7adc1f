//! Records to typed columns and rows to values: the adapter for JSON.
//!
//! A record is read in one pass, straight into columns. What is accepted is what `serde_json`
//! accepts as a `Value` that is an object: the whole input, UTF-8 throughout, nesting below 128,
//! numbers in the range of `f64`, and of repeated keys the last, with its value as a whole.
//! Broken JSON is told before wrong types, wrong types and missing values in the columns' order.
//!
//! What columns take: an int integers of 64 bits (`5`, not `5.0` nor `-0`); a float any number; a
//! single and floats numbers that stay finite in single precision; a time integers in the
//! configured unit, or texts as in [`time`]; bytes base64 with padding. `null` is a missing value.

pub mod base64;
mod cursor;
mod decode;
mod encode;
mod meta;
mod number;
mod path;
mod shape;
mod slot;
mod string;
#[cfg(test)]
mod tests;
mod time;
mod walk;

use crate::columns::Column;
pub use crate::config::TimeUnit;
use crate::engine::ports::{Decoder, Encoder};
use crate::error::Result;

/// How records are read.
#[derive(Clone, Copy, Debug)]
pub struct JsonOptions {
    /// Of numbers in time columns.
    pub time_unit: TimeUnit,
    /// Key and value of a larger record are not looked at.
    pub max_bytes: usize,
}

/// A decoder of JSON objects into `columns`. A column is named after a path into the object
/// (`card.country`), or after something of the record itself: `@key` (text or bytes), `@value`
/// (bytes), `@timestamp` (time), `@topic` (text), `@partition` and `@offset` (int). Where only the
/// latter are wanted, the value may be anything.
pub fn json_decoder(columns: &[Column], options: JsonOptions) -> Result<Box<dyn Decoder + Send>> {
    Ok(Box::new(decode::JsonDecoder::new(columns, options)?))
}

/// A decoder of what [`json_encoder`] wrote of these columns. None of them is the record's own, whatever its name; in
/// floats `null` is a number that is not finite.
pub fn json_reader(columns: &[Column]) -> Result<Box<dyn Decoder + Send>> {
    Ok(Box::new(decode::JsonDecoder::of_outputs(columns)?))
}

/// An encoder of rows as JSON objects without spaces. Columns come in order; those whose paths
/// begin alike come together in one nested object. Times are milliseconds since the epoch, bytes
/// base64; missing values and floats that are not finite are `null`.
pub fn json_encoder(columns: &[Column]) -> Result<Box<dyn Encoder + Send>> {
    Ok(Box::new(encode::JsonEncoder::new(columns)?))
}
