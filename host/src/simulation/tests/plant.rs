//! A pipeline for the simulator: plugins of plain Rust, rows of a few numbers.
//!
//! A row is `id buyer shop amount at`. By buyer: count and sum of the last 2 s, sum of all that ever was. By shop:
//! behind a repartition topic, count and maximum of the last 3 s; or, where windows close, count and sum of each
//! second.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::columns::{Batch, Builder, Column, Kind, Schema};
use crate::config::Config;
use crate::contract::{
    Aggregate, Computed, FeaturesDescription, Fold, Folded, Input, RawBatch, Tape, Trigger, WINDOW_START,
    Window,
};
use crate::engine::ports::{Decoder, Encoder, Features, PluginFault};
use crate::engine::{Flow, Lodge, Parts, Sum, Tables, Vault, VaultOptions, Worker, WorkerOptions};
use crate::error::{Code, Refusal, Result};
use crate::pipeline::{Declared, ErrorBudget, Front, Identity, Pipeline};
use crate::record::Record;
use crate::simulation::{Ports, SimClock, SimSink, SimSource, Stepper};

pub const BUYERS: i64 = 8;
pub const SHOPS: i64 = 5;
/// How late a row may be, in milliseconds of event time.
pub const OUT_OF_ORDER: i64 = 300;

/// What is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// Nothing to be remembered: rows come out as they came in.
    Plain,
    /// One key, in the order of arrival.
    Arrival,
    /// Two keys, in the order of event time.
    TwoKeys,
    /// Windows by shop that close, behind a repartition topic.
    Close,
}

/// Partitions of the topic that is read, and of the repartition topic.
pub const PARTITIONS: (i32, i32) = (3, 4);

fn description(amounts: &[(Fold, Window)], trigger: Trigger, prefix: &str) -> FeaturesDescription {
    let aggregate = |(index, (fold, window)): (usize, &(Fold, Window))| Aggregate {
        name: format!("{prefix}{index}"),
        input: 0,
        fold: *fold,
        column: (*fold != Fold::Count).then_some(0),
        filter: None,
        window: *window,
    };
    let columns = vec![Column::new("amount", Kind::Int)];
    let aggregates: Vec<Aggregate> = amounts.iter().enumerate().map(aggregate).collect();
    FeaturesDescription {
        inputs: vec![Input { source: String::new(), updates_only: false, columns, kept: vec![0] }],
        lookups: Vec::new(),
        features: aggregates.iter().map(|aggregate| aggregate.name.clone()).collect(),
        aggregates,
        custom_folds: Vec::new(),
        trigger,
        ids: Vec::new(),
    }
}

impl Plant {
    pub fn pipeline(self) -> Pipeline {
        let is_plain = self == Self::Plain;
        let (time, first) = match is_plain {
            true => ("", ""),
            false => ("event_time = \"at\"", "[[features]]\nplugin = \"buyers.wasm\"\nkey = \"buyer\""),
        };
        let order = if is_plain || self == Self::Arrival { "arrival" } else { "event-time" };
        let second = if matches!(self, Self::Plain | Self::Arrival) {
            ""
        } else {
            "[[features]]\nplugin = \"shops.wasm\"\nkey = \"shop\""
        };
        let text = format!(
            r#"
            name = "p"
            order = "{order}"
            routes.output.topic = "out"
            dead_letters.topic = "dead"
            late.topic = "late"
            [[source]]
            topic = "in"
            columns = {{ id = "int", buyer = "int", shop = "int", amount = "int", at = "time" }}
            partitioned_by = ["buyer"]
            {time}
            out_of_orderness = "{OUT_OF_ORDER}ms"
            allowed_lateness = "0ms"
            idleness = "1h"
            max_ahead = "10000d"
            {first}
            {second}
            "#
        );
        let config = Config::parse(&text, Path::new(""), []).expect("valid");
        let buyers = description(
            &[
                (Fold::Count, Window::Sliding(2_000)),
                (Fold::Sum, Window::Sliding(2_000)),
                (Fold::Sum, Window::Forever),
            ],
            Trigger::Row,
            "b",
        );
        let shops = match self {
            Self::Close => description(
                &[(Fold::Count, Window::Tumbling(1_000)), (Fold::Sum, Window::Tumbling(1_000))],
                Trigger::Close(vec![Column::new("shop", Kind::Int), Column::new(WINDOW_START, Kind::Time)]),
                "s",
            ),
            _ => description(
                &[(Fold::Count, Window::Sliding(3_000)), (Fold::Max, Window::Sliding(3_000))],
                Trigger::Row,
                "s",
            ),
        };
        let features = match self {
            Self::Plain => Vec::new(),
            Self::Arrival => vec![&buyers],
            Self::TwoKeys | Self::Close => vec![&buyers, &shops],
        };
        let declared = Declared { features, ..Declared::default() };
        let front = Front::new(&config, &declared).expect("fits");
        let mut pipeline = front.complete(&config, &declared, None, Identity::default()).expect("fits");
        pipeline.bounds.memory_bytes = 40_000;
        pipeline
    }

    /// All topics with their partitions.
    pub fn topics(self, pipeline: &Pipeline) -> Vec<(String, usize)> {
        let (sources, shops) = (PARTITIONS.0 as usize, PARTITIONS.1 as usize);
        let mut topics: Vec<(String, usize)> = vec![("in".to_owned(), sources)];
        topics.extend([("out", 2), ("dead", 1), ("late", 1)].map(|(name, count)| (name.to_owned(), count)));
        topics.extend(pipeline.repartition_topics().map(|(_, name)| (name.to_owned(), shops)));
        let changelogs = pipeline.changelogs.iter().enumerate();
        let changelogs = changelogs.filter_map(|(group, name)| Some((name.clone()?, group)));
        topics.extend(changelogs.map(|(name, group)| (name, if group == 0 { sources } else { shops })));
        topics
    }
}

/// A number more for each cell.
struct Cells {
    first: usize,
    cells: usize,
    /// Fails now and then for a while.
    ill: bool,
    calls: u64,
}

impl Features for Cells {
    fn compute(&mut self, rows: &Batch) -> std::result::Result<Computed, PluginFault> {
        let Self { first, cells, ill, calls } = *self;
        self.calls += 1;
        if ill && calls / 10 % 15 == 3 {
            return Err(PluginFault { code: Code::PluginTrap, message: "ill".to_owned() });
        }
        let row = |row: usize| (first..first + cells).map(move |cell| number(rows, cell, row));
        let ids = RawBatch { rows: rows.rows() as u32, ..RawBatch::default() };
        Ok(Computed { matrix: (0..rows.rows()).flat_map(row).collect(), ids, rejected: Vec::new() })
    }

    fn fold(&mut self, _: u32, _: &Batch, _: &Tape, _: &[u8]) -> std::result::Result<Folded, PluginFault> {
        unreachable!("there are no custom folds")
    }
}

fn number(rows: &Batch, column: usize, row: usize) -> f32 {
    let column = rows.column(column);
    if column.is_valid(row) { column.int(row) as f32 } else { -1.0 }
}

struct Numbers(Schema);

impl Decoder for Numbers {
    fn schema(&self) -> &Schema {
        &self.0
    }

    fn decode(
        &mut self,
        _: &str,
        record: &Record<'_>,
        into: &mut Builder,
    ) -> std::result::Result<(), Refusal> {
        let text = std::str::from_utf8(record.value.expect("given")).expect("text");
        for (name, word) in ["id", "buyer", "shop", "amount", "at"].into_iter().zip(text.split(' ')) {
            let column = crate::columns::position(&self.0, name).expect("declared");
            into.column(column).push_int(word.parse().expect("a number"));
        }
        into.finish_row();
        Ok(())
    }
}

/// All columns, with spaces between.
struct Words;

impl Encoder for Words {
    fn encode(&mut self, rows: &Batch, row: usize, into: &mut Vec<u8>) {
        let words = rows.columns().map(|column| match column.kind() {
            Kind::Single => column.single(row).to_string(),
            _ => column.int(row).to_string(),
        });
        into.extend(words.collect::<Vec<_>>().join(" ").bytes());
    }
}

/// Makes the stream threads of all processes.
pub struct Works {
    pub pipeline: Arc<Pipeline>,
    ill: bool,
    /// Of each process.
    lodges: RefCell<HashMap<usize, Arc<Lodge>>>,
}

impl Works {
    pub fn new(plant: Plant) -> Rc<Self> {
        let pipeline = Arc::new(plant.pipeline());
        Rc::new(Self { pipeline, ill: false, lodges: RefCell::default() })
    }

    /// With plugins that fail now and then, for which there is no tolerance.
    pub fn ill(plant: Plant) -> Rc<Self> {
        let mut pipeline = plant.pipeline();
        pipeline.bounds.errors = ErrorBudget { share: 0.0, at_least: 1 };
        Rc::new(Self { pipeline: Arc::new(pipeline), ill: true, lodges: RefCell::default() })
    }

    pub fn thread(&self, ports: Ports) -> Result<Box<dyn Stepper>> {
        let pipeline = Arc::clone(&self.pipeline);
        let stages = pipeline.features.iter().map(|stage| {
            let (first, cells) = (stage.shown.len() - stage.cells.len(), stage.cells.len());
            Box::new(Cells { first, cells, ill: self.ill, calls: 0 }) as _
        });
        let parts = Parts {
            decoders: vec![Box::new(Numbers(pipeline.sources[0].decoded.clone()))],
            preprocessor: None,
            features: stages.collect(),
            model: None,
            rules: None,
            encoder: Box::new(Words),
        };
        let counts: Vec<i32> =
            [PARTITIONS.0].into_iter().chain(pipeline.repartition_topics().map(|_| PARTITIONS.1)).collect();
        let tables = Arc::new(Tables::new(&pipeline));
        let flow = Flow::new(pipeline, parts, Arc::default(), counts.into(), tables);
        let options = WorkerOptions {
            commit_interval: Duration::from_millis(100),
            commit_pause: Duration::from_millis(10),
            patience: Duration::from_millis(2),
            retry_after: Duration::from_millis(10),
            until_end: false,
        };
        let Ports { seat, source, sink, changelog, clock, disk } = ports;
        let mut lodges = self.lodges.borrow_mut();
        let lodge = Arc::clone(lodges.entry(seat.process.number).or_default());
        let worker = Worker::new(flow, source, sink, clock, lodge, options);
        let vault = Vault {
            disk,
            changelog: Box::new(changelog),
            options: VaultOptions { tail_bytes: 600, memory: 6_000 },
            tasks: Sum::default().part(),
            run: seat.process.number as u64,
        };
        Ok(Box::new(Thread(worker.exactly_once(vault)?)))
    }
}

struct Thread(Worker<SimSource, SimSink, SimClock>);

impl Stepper for Thread {
    fn step(&mut self) -> Result<()> {
        self.0.step().map(drop)
    }

    fn stop(self: Box<Self>) -> Result<()> {
        self.0.stop()
    }
}
