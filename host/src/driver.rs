//! The engine without a broker: records in, messages out, under a clock that moves when told to.
//! For tests of pipelines and plugins; what runs here is what runs under Kafka.
//!
//! ```no_run
//! # use tailwater::{config::Config, driver::{Driver, Given}, release::{Release, Runtimes}};
//! # fn main() -> Result<(), tailwater::error::Error> {
//! let config = Config::read("fraud.toml".as_ref())?;
//! let release = Release::load(&config, &Runtimes::new(None, None)?)?;
//! let mut driver = Driver::new(&release)?;
//! driver.give(Given::value(br#"{"amount": 12.5}"#.as_slice()));
//! for message in driver.run()? {
//!     println!("{} {}", message.topic, message.json());
//! }
//! # Ok(())
//! # }
//! ```

mod memory;

use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Flow, Lodge, Meter, Parts, Step, Table, Tables, TaskId, Worker, WorkerOptions};
use crate::error::Result;
use crate::pipeline::{Pipeline, Role};
use crate::record::{PartitionId, SourceId};
use crate::release::{self, Release};
use crate::state::Usage;

pub use memory::{Given, Memory, Sent, VirtualClock};

/// A pipeline under test: one thread, any number of partitions. Repartition topics have one partition; what
/// is sent there comes back by itself.
#[derive(Debug)]
pub struct Driver {
    worker: Worker<Memory, memory::Shelf, VirtualClock>,
    clock: VirtualClock,
    tables: Arc<Tables>,
    known: Vec<PartitionId>,
    /// The offset of the next record.
    next: std::collections::HashMap<PartitionId, i64>,
}

impl Driver {
    pub fn new(release: &Release) -> Result<Self> {
        Ok(Self::with_parts(Arc::clone(release.pipeline()), release.parts()?))
    }

    /// With parts of the caller's own: native plugins, for example.
    pub fn with_parts(pipeline: Arc<Pipeline>, parts: Parts) -> Self {
        Self::with_partitions(pipeline, parts, 1)
    }

    /// With topics of so many partitions: all of them hold watermarks up. With more than one, it is checked
    /// that records with one key in windows have one key of records.
    pub fn with_partitions(pipeline: Arc<Pipeline>, parts: Parts, partitions: i32) -> Self {
        let clock = VirtualClock::default();
        let internal: Vec<PartitionId> =
            pipeline.repartition_topics().map(|(source, _)| PartitionId { source, partition: 0 }).collect();
        let sources = pipeline.sources.len();
        let counts = (0..pipeline.topics.len()).map(|source| if source < sources { partitions } else { 1 });
        let (meter, tables) = (Arc::new(Meter::default()), Arc::new(Tables::new(&pipeline)));
        let shelves = pipeline.tables().map(|(table, _)| {
            let loader = release::loader(&pipeline, table).expect("the release has opened it before");
            (table, memory::Loading { loader, tables: Arc::clone(&tables), meter: Arc::clone(&meter) })
        });
        let source = Memory::new(shelves.collect());
        let flow = Flow::new(Arc::clone(&pipeline), parts, meter, counts.collect(), Arc::clone(&tables));
        let options = WorkerOptions {
            commit_interval: Duration::from_millis(100),
            commit_pause: Duration::ZERO,
            patience: Duration::ZERO,
            retry_after: Duration::from_secs(10),
            until_end: false,
        };
        let sink = memory::Shelf::default();
        let worker = Worker::new(flow, source, sink, clock.clone(), Arc::new(Lodge::default()), options);
        let (known, next) = Default::default();
        let mut driver = Self { worker, clock, tables, known, next };
        internal.into_iter().for_each(|id| driver.know(id));
        let all = (0..sources as u16)
            .flat_map(|source| (0..partitions).map(move |partition| PartitionId { source, partition }));
        all.for_each(|id| driver.know(id));
        driver
    }

    /// Puts a record at the end of its partition. All partitions of one number are one task. One of a table's
    /// source changes the table when all that was given before has been processed or is held.
    pub fn give(&mut self, record: Given) {
        let source = record.source;
        let id = PartitionId { source, partition: record.partition };
        self.know(id);
        self.push(id, record);
    }

    fn push(&mut self, id: PartitionId, record: Given) {
        let offset = self.next.entry(id).or_default();
        self.worker.source().push(id, *offset, record);
        *offset += 1;
    }

    /// Assigns a partition, and those that share its task, before anything is read.
    fn know(&mut self, id: PartitionId) {
        let pipeline = Arc::clone(self.worker.flow().pipeline());
        if pipeline.role(id.source) == Role::Table {
            return;
        }
        let task = TaskId::of(&pipeline, id);
        for source in 0..pipeline.topics.len() as u16 {
            let other = PartitionId { source, partition: id.partition };
            if TaskId::of(&pipeline, other) == task && !self.known.contains(&other) {
                self.known.push(other);
                self.worker.source().assign(other);
            }
        }
    }

    /// Cuts the records that wait into batches of these sizes, over and over; none: as large as allowed.
    pub fn cut(&mut self, sizes: Vec<usize>) {
        self.worker.source().cut(sizes);
    }

    /// Takes all partitions away, with their state, and gives them back: as when they move from thread to
    /// thread.
    pub fn shake(&mut self) {
        self.worker.source().shake(&self.known);
    }

    /// Moves the clock, while nothing comes.
    pub fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
        self.worker.listened();
    }

    /// Works until nothing waits; gives what was sent since the last call. A partition that is read to its end
    /// may fall idle when the clock is moved.
    pub fn run(&mut self) -> Result<Vec<Sent>> {
        let mut sent = Vec::new();
        loop {
            let step = self.worker.step()?;
            if !self.carry(&mut sent) && step == Step::Idle {
                return Ok(sent);
            }
        }
    }

    /// Says that no row is expected any more: all that is held goes through, all windows close.
    pub fn finish(&mut self) -> Result<Vec<Sent>> {
        let mut sent = self.run()?;
        self.worker.finish()?;
        sent.extend(self.run()?);
        Ok(sent)
    }

    /// Brings back what went to repartition topics. Whether there was any.
    fn carry(&mut self, sent: &mut Vec<Sent>) -> bool {
        let pipeline = Arc::clone(self.worker.flow().pipeline());
        let mut carried = false;
        for message in self.worker.sink().take() {
            let internal = pipeline.repartition_topics().find(|(_, topic)| *topic == message.topic);
            let Some((source, _)) = internal else {
                sent.push(message);
                continue;
            };
            carried = true;
            let given = Given { source, key: message.key, value: message.value, ..Given::default() };
            self.push(PartitionId { source, partition: 0 }, given);
        }
        carried
    }

    /// Offsets committed so far, by partition.
    pub fn committed(&mut self) -> Vec<(PartitionId, i64)> {
        self.worker.source().commits()
    }

    pub fn meter(&self) -> &Meter {
        self.worker.flow().meter()
    }

    /// Bytes of rows that wait for their watermark.
    pub fn held_bytes(&self) -> usize {
        self.worker.tasks().held_bytes()
    }

    /// What a table holds.
    pub fn table_usage(&self, source: SourceId) -> Usage {
        self.tables.get(source).map_or_else(Usage::default, Table::usage)
    }

    /// What the windows of all partitions hold.
    pub fn usage(&self) -> Usage {
        let usages = self.worker.tasks().iter().map(|(_, task)| task.usage());
        usages.fold(Usage::default(), |sum, usage| sum + usage)
    }
}
