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

use crate::engine::{Flow, Lodge, Meter, Parts, Step, Worker, WorkerOptions};
use crate::error::Result;
use crate::pipeline::Pipeline;
use crate::record::PartitionId;
use crate::release::Release;
use crate::state::Usage;

pub use memory::{Given, Memory, Sent, VirtualClock};

/// A pipeline under test: one thread, any number of partitions.
#[derive(Debug)]
pub struct Driver {
    worker: Worker<Memory, memory::Shelf, VirtualClock>,
    clock: VirtualClock,
    known: Vec<PartitionId>,
    /// By partition, the offset of the next record.
    next: std::collections::HashMap<i32, i64>,
}

impl Driver {
    pub fn new(release: &Release) -> Result<Self> {
        Ok(Self::with_parts(Arc::clone(release.pipeline()), release.parts()?))
    }

    /// With parts of the caller's own: native plugins, for example.
    pub fn with_parts(pipeline: Arc<Pipeline>, parts: Parts) -> Self {
        let clock = VirtualClock::default();
        let flow = Flow::new(pipeline, parts, Arc::new(Meter::default()));
        let options = WorkerOptions { commit_interval: Duration::from_millis(100), patience: Duration::ZERO };
        let (source, sink) = (Memory::default(), memory::Shelf::default());
        let worker = Worker::new(flow, source, sink, clock.clone(), Arc::new(Lodge::default()), options);
        Self { worker, clock, known: Vec::new(), next: std::collections::HashMap::new() }
    }

    /// Puts a record at the end of its partition.
    pub fn give(&mut self, record: Given) {
        let id = PartitionId { source: 0, partition: record.partition };
        if !self.known.contains(&id) {
            self.known.push(id);
            self.worker.source().assign(id);
        }
        let offset = self.next.entry(record.partition).or_default();
        self.worker.source().push(id, *offset, record);
        *offset += 1;
    }

    /// Cuts the records that wait into batches of these sizes, over and over; none: as large as allowed.
    pub fn cut(&mut self, sizes: Vec<usize>) {
        self.worker.source().cut(sizes);
    }

    /// Moves the clock.
    pub fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
    }

    /// Works until nothing waits; gives what was sent since the last call.
    pub fn run(&mut self) -> Result<Vec<Sent>> {
        while self.worker.step()? != Step::Idle {}
        Ok(self.worker.sink().take())
    }

    /// Offsets committed so far, by partition.
    pub fn committed(&mut self) -> Vec<(PartitionId, i64)> {
        self.worker.source().commits()
    }

    pub fn meter(&self) -> &Meter {
        self.worker.flow().meter()
    }

    /// What the windows of all partitions hold.
    pub fn usage(&self) -> Usage {
        let pipeline = self.worker.flow().pipeline();
        let Some(features) = &pipeline.features else { return Usage::default() };
        let usages =
            self.worker.partitions().iter().map(|(_, partition)| partition.store.usage(&features.plan));
        usages.fold(Usage::default(), |sum, usage| Usage {
            keys: sum.keys + usage.keys,
            entries: sum.entries + usage.entries,
            bytes: sum.bytes + usage.bytes,
        })
    }
}
