mod against_serde;
mod documents;
mod edges;
mod encoding;
mod numbers;
mod record;
mod times;

use super::*;
use crate::columns::{Batch, Builder, Kind};
use crate::error::Refusal;
use crate::record::{PartitionId, Record};

const OPTIONS: JsonOptions = JsonOptions { time_unit: TimeUnit::Milliseconds, max_bytes: 1 << 20 };

fn record(value: Option<&[u8]>) -> Record<'_> {
    let from = PartitionId { source: 0, partition: 3 };
    Record {
        from,
        offset: 42,
        timestamp: Some(1_000),
        key: Some(b"k"),
        value,
        headers: 0..0,
        is_muted: false,
    }
}

fn decoder(columns: &[Column]) -> Box<dyn Decoder + Send> {
    json_decoder(columns, OPTIONS).expect("columns fit")
}

/// One row of the value, or why not.
fn decode(columns: &[Column], value: impl AsRef<[u8]>) -> Result<Batch, Refusal> {
    decode_by(&mut *decoder(columns), value)
}

/// The same, by a decoder that may have seen other records.
fn decode_by(decoder: &mut dyn Decoder, value: impl AsRef<[u8]>) -> Result<Batch, Refusal> {
    let mut builder = Builder::new(decoder.schema().clone());
    let decoded = decoder.decode("topic", &record(Some(value.as_ref())), &mut builder);
    assert_eq!(builder.rows(), usize::from(decoded.is_ok()));
    decoded.map(|()| builder.seal())
}

/// The value of the one field `a`.
fn one(kind: Kind, value: &str) -> Result<Batch, Refusal> {
    decode(&[Column::nullable("a", kind)], format!("{{\"a\":{value}}}"))
}

/// The message of a refusal with that code.
#[track_caller]
fn refused(decoded: Result<Batch, Refusal>, code: crate::error::Code) -> String {
    let refusal = decoded.expect_err("a refusal");
    assert_eq!(refusal.code, code, "{}", refusal.message);
    refusal.message
}
