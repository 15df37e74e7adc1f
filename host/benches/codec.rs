//! What reading and writing a record costs, beside `serde_json`: ratios within one run.

use std::hint::black_box;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tailwater::codec::{JsonOptions, TimeUnit, json_decoder, json_encoder};
use tailwater::columns::{Batch, Builder, Column, Kind};
use tailwater::engine::ports::Decoder;
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
    println!("{RECORDS} records of {} bytes; nanoseconds a record", values.concat().len() / RECORDS);
    decoding("decode", &values);
    let spaced: Vec<_> = values.iter().map(|value| spaced(value)).collect();
    decoding("decode, with spaces", &spaced);
    encoding(&values);
}

/// As Python writes it by default.
fn spaced(value: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(value).replace(':', ": ").replace(',', ", ").into_bytes()
}

fn decoding(title: &str, values: &[Vec<u8>]) {
    let (mut all, mut one) = (Decoding::new(&columns()), Decoding::new(&columns()[4..]));
    compare(
        title,
        &mut [
            ("tailwater", &mut || drop(all.pass(values))),
            // The other fields are checked and skipped.
            ("tailwater, one column of five", &mut || drop(one.pass(values))),
            ("serde_json, typed", &mut || {
                values.iter().for_each(|value| {
                    black_box(typed(value));
                })
            }),
            ("serde_json, Value", &mut || values.iter().for_each(|value| drop(black_box(tree(value))))),
        ],
    );
}

struct Decoding {
    decoder: Box<dyn Decoder>,
    builder: Builder,
}

impl Decoding {
    fn new(columns: &[Column]) -> Self {
        let options = JsonOptions { time_unit: TimeUnit::Milliseconds, max_bytes: 1 << 20 };
        let decoder = json_decoder(columns, options).expect("columns fit");
        Self { builder: Builder::new(decoder.schema().clone()), decoder }
    }

    fn pass(&mut self, values: &[Vec<u8>]) -> Batch {
        for value in values {
            self.decoder.decode("t", &record(value), &mut self.builder).expect("a row");
        }
        black_box(self.builder.seal())
    }
}

fn typed(value: &[u8]) -> Transaction {
    serde_json::from_slice(value).expect("JSON")
}

fn tree(value: &[u8]) -> serde_json::Value {
    serde_json::from_slice(value).expect("JSON")
}

fn encoding(values: &[Vec<u8>]) {
    let batch = Decoding::new(&columns()).pass(values);
    let transactions: Vec<_> = (0..RECORDS).map(Transaction::numbered).collect();
    let mut encoder = json_encoder(&columns()).expect("columns fit");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    compare(
        "encode",
        &mut [
            ("tailwater", &mut || {
                ours.clear();
                (0..RECORDS).for_each(|row| encoder.encode(&batch, row, &mut ours));
                black_box(&ours);
            }),
            ("serde_json, typed", &mut || {
                theirs.clear();
                transactions.iter().for_each(|row| serde_json::to_writer(&mut theirs, row).expect("JSON"));
                black_box(&theirs);
            }),
        ],
    );
}

/// Passes over all records by turns, so that what else the machine does meets all alike, and of each
/// the best.
fn compare(title: &str, contenders: &mut [(&str, &mut dyn FnMut())]) {
    let mut best = vec![f64::INFINITY; contenders.len()];
    for _ in 0..PASSES {
        for (best, (_, pass)) in best.iter_mut().zip(&mut *contenders) {
            let start = Instant::now();
            pass();
            *best = best.min(start.elapsed().as_nanos() as f64 / RECORDS as f64);
        }
    }
    println!("{title}");
    for (nanos, (name, _)) in best.iter().zip(contenders) {
        println!("  {name:30} {nanos:5.0} {:6.2} x", nanos / best[0]);
    }
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

fn record(value: &[u8]) -> Record<'_> {
    let from = PartitionId { source: 0, partition: 0 };
    Record { from, offset: 0, timestamp: None, key: None, value: Some(value), headers: 0..0, is_muted: false }
}
