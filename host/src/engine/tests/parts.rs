//! What the house works with: pipelines of numbers, plugins and codecs in plain Rust.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::columns::{Batch, Builder, Schema};
use crate::config::Config;
use crate::contract::{
    Aggregate, Computed, FeaturesDescription, Fold, Folded, Input, Processed, RawBatch, Tape, Trigger, Window,
};
use crate::engine::ports::{Decoder, Encoder, Features, PluginFault, Preprocessor};
use crate::error::{Code, Refusal};
use crate::pipeline::{Declared, Front, Identity, Pipeline};
use crate::record::Record;

pub fn pipeline() -> Pipeline {
    let text = r#"
        name = "numbers"
        routes.output.topic = "out"
        dead_letters.topic = "dead"
        [[source]]
        topic = "in"
        columns = { n = "int" }
    "#;
    let config = Config::parse(text, Path::new(""), []).expect("valid");
    let front = Front::new(&config, &Declared::default()).expect("fits");
    front.complete(&config, &Declared::default(), None, Identity::default()).expect("fits")
}

/// With windows, so that rows wait; and so few bytes that ten rows are too many.
pub fn timed() -> Pipeline {
    let text = r#"
        name = "numbers"
        order = "event-time"
        routes.output.topic = "out"
        dead_letters.topic = "dead"
        [[source]]
        topic = "in"
        columns = { n = "int", t = "time" }
        partitioned_by = ["n"]
        event_time = "t"
        out_of_orderness = "50ms"
        custom_partitioner = true
        [[features]]
        plugin = "nothing.wasm"
        key = "n"
    "#;
    with_features(text, Vec::new())
}

/// With a count by half.
pub fn counted(window: Window) -> Pipeline {
    let text = r#"
        name = "numbers"
        routes.output.topic = "out"
        dead_letters.topic = "dead"
        [[source]]
        topic = "in"
        columns = { half = "int", n = "int", t = "time" }
        partitioned_by = ["half"]
        event_time = "t"
        custom_partitioner = true
        [[features]]
        plugin = "nothing.wasm"
        key = "half"
    "#;
    let name = "count".to_owned();
    with_features(
        text,
        vec![Aggregate { name, input: 0, fold: Fold::Count, column: None, filter: None, window }],
    )
}

fn with_features(text: &str, aggregates: Vec<Aggregate>) -> Pipeline {
    let config = Config::parse(text, Path::new(""), []).expect("valid");
    let features = FeaturesDescription {
        inputs: vec![Input {
            source: String::new(),
            updates_only: false,
            columns: Vec::new(),
            kept: Vec::new(),
        }],
        lookups: Vec::new(),
        aggregates,
        custom_folds: Vec::new(),
        trigger: Trigger::Row,
        features: vec!["nothing".to_owned()],
        ids: Vec::new(),
    };
    let declared = Declared { features: vec![&features], ..Declared::default() };
    let front = Front::new(&config, &declared).expect("fits");
    let mut pipeline = front.complete(&config, &declared, None, Identity::default()).expect("fits");
    pipeline.bounds.memory_bytes = 2400;
    pipeline
}

/// A vector of zeros, and rows as they came; unless it spins or traps.
pub struct Nothing {
    pub spins: Arc<AtomicBool>,
    pub most: Option<i64>,
}

impl Nothing {
    fn call(&self) -> Result<(), PluginFault> {
        let fault = || PluginFault { code: Code::PluginTime, message: "it spins".to_owned() };
        if self.spins.load(Relaxed) { Err(fault()) } else { Ok(()) }
    }
}

impl Preprocessor for Nothing {
    fn process(&mut self, rows: &Batch) -> Result<Processed, PluginFault> {
        self.call()?;
        let raw =
            RawBatch { rows: rows.rows() as u32, spans: rows.spans().to_vec(), data: rows.data().to_vec() };
        Ok(Processed { rows: raw, origin: (0..rows.rows() as u32).collect(), rejected: Vec::new() })
    }
}

impl Features for Nothing {
    fn compute(&mut self, rows: &Batch) -> Result<Computed, PluginFault> {
        self.call()?;
        if self.most.is_some_and(|most| (0..rows.rows()).any(|row| rows.column(0).int(row) > most)) {
            return Err(PluginFault { code: Code::PluginTrap, message: "so many".to_owned() });
        }
        let ids = RawBatch { rows: rows.rows() as u32, ..RawBatch::default() };
        Ok(Computed { matrix: vec![0.0; rows.rows()], ids, rejected: Vec::new() })
    }

    fn fold(&mut self, _: u32, _: &Batch, _: &Tape, _: &[u8]) -> Result<Folded, PluginFault> {
        unreachable!("there are no custom folds")
    }

    fn migrate(&mut self, _: u32, _: u32, _: u32, _: &[u8]) -> Result<Vec<u8>, PluginFault> {
        unreachable!("there are no custom folds")
    }
}

pub struct Numbers(pub Schema);

impl Decoder for Numbers {
    fn schema(&self) -> &Schema {
        &self.0
    }

    fn decode(&mut self, _: &str, record: &Record<'_>, into: &mut Builder) -> Result<(), Refusal> {
        let text = std::str::from_utf8(record.value.expect("given")).expect("text");
        let number: i64 = text.parse().expect("a number");
        for (index, column) in self.0.iter().enumerate() {
            into.column(index).push_int(if column.name == "half" { number % 2 } else { number });
        }
        into.finish_row();
        Ok(())
    }
}

pub struct Digits;

impl Encoder for Digits {
    fn encode(&mut self, rows: &Batch, row: usize, into: &mut Vec<u8>) {
        into.extend(rows.column(0).int(row).to_string().bytes());
    }
}
