//! The threads of a plant, and what gives them releases.

use std::cell::{Cell as Counter, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::plugins::{Cells, Numbers, Versions, Words};
use super::{Plant, SHOP_PARTITIONS};
use crate::engine::ports::Decoder;
use crate::engine::{
    Arrival, Flow, Lodge, Meter, Parts, Relay, Sum, Tables, Vault, VaultOptions, Worker, WorkerOptions,
};
use crate::error::Result;
use crate::pipeline::{ErrorBudget, Identity, Pipeline, SourceNode};
use crate::simulation::{Ports, Process, Random, SimClock, SimSink, SimSource, Stepper};

/// Makes the stream threads of all processes, and gives them releases.
pub struct Works {
    pub pipeline: Arc<Pipeline>,
    plant: Plant,
    /// Its plugins fail now and then.
    pub ill: bool,
    /// Number of the release that is to run.
    current: Counter<u64>,
    /// Of all threads.
    pub meter: Arc<Meter>,
    /// Of each process.
    lodges: RefCell<HashMap<usize, Arc<Lodge>>>,
    /// Of all threads.
    relays: RefCell<Vec<Weak<Relay>>>,
}

impl Works {
    pub fn new(plant: Plant) -> Rc<Self> {
        // There is poison.
        Self::with(plant, false)
    }

    /// With plugins that fail now and then, for which there is no tolerance.
    pub fn ill(plant: Plant) -> Rc<Self> {
        Self::with(plant, true)
    }

    fn with(plant: Plant, ill: bool) -> Rc<Self> {
        Rc::new(Self {
            pipeline: Arc::new(plant.pipeline()),
            plant,
            ill,
            current: Counter::new(1),
            meter: Arc::default(),
            lodges: RefCell::default(),
            relays: RefCell::default(),
        })
    }

    /// From now on another release is to run, where that matters once all go by the one before.
    pub fn release(&self) {
        if !self.plant.is_delicate() || self.slowest() == self.current.get() {
            self.current.set(self.current.get() + 1);
        }
    }

    /// An ill plugin may fail at whatever entry, so that no fold of another release keeps up.
    fn versions(&self, number: u64) -> Versions {
        if self.ill { [1, 1] } else { self.plant.versions(number) }
    }

    /// The release of the thread that is the furthest behind.
    fn slowest(&self) -> u64 {
        let mut relays = self.relays.borrow_mut();
        relays.retain(|relay| relay.strong_count() > 0);
        let all = relays.iter().filter_map(Weak::upgrade).map(|relay| relay.at());
        all.chain([self.current.get()]).min().unwrap_or_default()
    }

    fn flow(&self, number: u64) -> Flow {
        let versions = self.versions(number);
        let mut pipeline = self.plant.release(number, versions);
        pipeline.bounds.errors = match self.ill {
            true => ErrorBudget { share: 0.0, at_least: 1 },
            false => ErrorBudget { share: 1.0, ..pipeline.bounds.errors },
        };
        let stages = pipeline.features.iter().enumerate().map(|(index, stage)| {
            let (first, cells) = (stage.shown.len() - stage.cells.len(), stage.cells.len());
            let (stage, release, ill, calls) = (index, number, self.ill, 0);
            Box::new(Cells { stage, first, cells, release, versions, ill, calls }) as _
        });
        let decoder =
            |source: &SourceNode| -> Box<dyn Decoder + Send> { Box::new(Numbers(source.decoded.clone())) };
        let parts = Parts {
            decoders: pipeline.sources.iter().map(decoder).collect(),
            preprocessor: None,
            features: stages.collect(),
            model: None,
            rules: None,
            encoder: Box::new(Words),
        };
        let sources = self.plant.sources().iter().map(|(_, partitions)| *partitions);
        let counts: Vec<i32> =
            sources.chain(pipeline.repartition_topics().map(|_| SHOP_PARTITIONS)).collect();
        let tables = Arc::new(Tables::new(&pipeline));
        Flow::new(Arc::new(pipeline), parts, Arc::clone(&self.meter), counts.into(), tables)
    }

    pub fn thread(self: &Rc<Self>, ports: Ports) -> Result<Box<dyn Stepper>> {
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
        let mut random = Random::new((seat.process.number * 100 + seat.thread) as u64);
        // A host may not have heard of the last one yet.
        let number = self.current.get().saturating_sub(random.below(2) as u64).max(1);
        let relay = Arc::new(Relay::default());
        let mut flow = self.flow(number);
        if number > 1 && self.plant.is_delicate() {
            flow = flow.beside(self.flow(number - 1))?;
        }
        let worker = Worker::new(flow, source, sink, clock, lodge, options).relayed(&relay);
        self.relays.borrow_mut().push(Arc::downgrade(&relay));
        let vault = Vault {
            disk,
            changelog: Box::new(changelog),
            options: VaultOptions { tail_bytes: 600, memory: 6_000 },
            tasks: Sum::default().part(),
            run: seat.process.number as u64,
        };
        let (worker, works, process) = (worker.exactly_once(vault)?, Rc::clone(self), seat.process);
        Ok(Box::new(Thread { worker, relay, works, process, random, asked: Vec::new() }))
    }
}

/// How often nobody goes back any more to a release before: times in ten thousand steps.
const SETTLED: u32 = 100;
/// How often a release is handed over that is to be: times in ten thousand steps.
const HANDED_OVER: u32 = 300;

struct Thread {
    worker: Worker<SimSource, SimSink, SimClock>,
    relay: Arc<Relay>,
    works: Rc<Works>,
    process: Arc<Process>,
    random: Random,
    asked: Vec<String>,
}

impl Thread {
    /// What the control side does.
    fn relay(&mut self) {
        let journal = &self.process.journal;
        let current = self.works.current.get();
        if self.relay.at() < current && self.random.hits(HANDED_OVER) {
            journal.tally("release");
            self.relay.give(Arrival::Current(Box::new(self.works.flow(current))));
        }
        if self.random.hits(SETTLED) {
            // A host may start that has not heard of the last one.
            let most = self.works.slowest().min(current.saturating_sub(1));
            self.relay.settle(self.relay.at().min(most));
        }
        self.asked.extend(self.relay.asked());
        if !self.asked.is_empty() && self.random.hits(HANDED_OVER) {
            for stamp in self.asked.drain(..) {
                journal.tally("release asked for");
                let number = Identity::number_of(&stamp).expect("a stamp");
                self.relay.give(Arrival::Asked(Box::new(self.works.flow(number))));
            }
        }
        for _ in self.relay.retired() {
            journal.tally("release retired");
        }
    }
}

impl Stepper for Thread {
    fn step(&mut self) -> Result<()> {
        self.relay();
        self.worker.step().map(drop)
    }

    fn stop(self: Box<Self>) -> Result<()> {
        self.worker.stop()
    }
}
