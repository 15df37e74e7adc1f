//! What reading and writing a record costs, beside `serde_json`: ratios within one run.

use std::hint::black_box;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tailwater::codec::{JsonOptions, TimeUnit, json_decoder, json_encoder};
use tailwater::columns::{Builder, Column, Kind};
use tailwater::record::{PartitionId, Record};

const RECORDS: usize = 1_024;
const PASSES: usize = 801;

#[derive(Deserialize, Serialize)]
struct Transaction {
    transaction_id: i64,
    event_time: i64,
    customer_id: i64,
    terminal_id: i64,
    amount: f64,
}

impl Transaction {
    fn numbered(n: usize) -> Self {
        let n = n as i64;
        Self {
            transaction_id: 12 + 37 * n,
            event_time: 1_522_540_800_000 + 7_919 * n,
            customer_id: n * 7_919 % 5_000,
            terminal_id: n * 104_729 % 10_000,
            amount: (n * 1_299_709 % 30_000) as f64 / 100.0,
        }
    }
}

fn main() {
    let values: Vec<_> =
        (0..RECORDS).map(|n| serde_json::to_vec(&Transaction::numbered(n)).expect("JSON")).collect();
    let spaced: Vec<_> = values.iter().map(|value| spaced(value)).collect();
    println!("{RECORDS} records of {} bytes, ns a record", values.concat().len() / RECORDS);
    decoding("compact", &values);
    decoding("with spaces", &spaced);
    encoding(&values);
}

/// As Python writes it by default.
fn spaced(value: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(value).replace(':', ": ").replace(',', ", ").into_bytes()
}

fn decoding(name: &str, values: &[Vec<u8>]) {
    let ours = tailwater(&columns(), values);
    println!("decode, {name}");
    report("tailwater", ours, ours);
    // The other fields are checked and skipped.
    report("tailwater, one column of five", tailwater(&columns()[4..], values), ours);
    let typed = measure(|| values.iter().for_each(|value| drop(black_box(typed(value)))));
    report("serde_json, typed", typed, ours);
    let tree = measure(|| values.iter().for_each(|value| drop(black_box(tree(value)))));
    report("serde_json, Value", tree, ours);
}

fn typed(value: &[u8]) -> Transaction {
    serde_json::from_slice(value).expect("JSON")
}

fn tree(value: &[u8]) -> serde_json::Value {
    serde_json::from_slice(value).expect("JSON")
}

/// Decodes into a batch, and seals it.
fn tailwater(columns: &[Column], values: &[Vec<u8>]) -> f64 {
    let mut decoder = json_decoder(columns, options()).expect("columns fit");
    let mut builder = Builder::new(decoder.schema().clone());
    measure(|| {
        for value in values {
            decoder.decode("t", &record(value), &mut builder).expect("a row");
        }
        drop(black_box(builder.seal()));
    })
}

fn encoding(values: &[Vec<u8>]) {
    let columns = columns();
    let mut decoder = json_decoder(&columns, options()).expect("columns fit");
    let mut builder = Builder::new(decoder.schema().clone());
    for value in values {
        decoder.decode("t", &record(value), &mut builder).expect("a row");
    }
    let batch = builder.seal();
    let mut encoder = json_encoder(&columns).expect("columns fit");
    let mut buffer = Vec::new();
    let ours = measure(|| {
        for row in 0..RECORDS {
            buffer.clear();
            encoder.encode(&batch, row, &mut buffer);
            black_box(&buffer);
        }
    });
    let transactions: Vec<_> = (0..RECORDS).map(Transaction::numbered).collect();
    let typed = measure(|| {
        for transaction in &transactions {
            buffer.clear();
            serde_json::to_writer(&mut buffer, transaction).expect("JSON");
            black_box(&buffer);
        }
    });
    println!("encode");
    report("tailwater", ours, ours);
    report("serde_json, typed", typed, ours);
}

/// Nanoseconds a record in the median pass over all of them.
fn measure(mut pass: impl FnMut()) -> f64 {
    let mut passes: Vec<_> = (0..PASSES)
        .map(|_| {
            let start = Instant::now();
            pass();
            start.elapsed()
        })
        .collect();
    passes.sort_unstable();
    passes[PASSES / 2].as_nanos() as f64 / RECORDS as f64
}

fn report(name: &str, nanos: f64, ours: f64) {
    println!("  {name:32} {nanos:6.0} {:6.2} x", nanos / ours);
}

fn columns() -> [Column; 5] {
    [
        Column::new("transaction_id", Kind::Int),
        Column::new("event_time", Kind::Time),
        Column::new("customer_id", Kind::Int),
        Column::new("terminal_id", Kind::Int),
        Column::new("amount", Kind::Float),
    ]
}

fn options() -> JsonOptions {
    JsonOptions { time_unit: TimeUnit::Milliseconds, max_bytes: 1 << 20 }
}

fn record(value: &[u8]) -> Record<'_> {
    let from = PartitionId { source: 0, partition: 0 };
    Record { from, offset: 0, timestamp: None, key: None, value: Some(value), headers: 0..0 }
}
