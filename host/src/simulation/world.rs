//! Hosts that come, step, pause, crash and go, over one cluster; and what is left in the end.
//!
//! A turn is a step of a thread, or something that befalls a host. After it a little time goes by. When
//! something breaks, the seed and the last events are printed: `TAILWATER_SEED` runs the same again.

mod befall;
mod feed;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::client::{Ports, Seat};
use super::cluster::{Cluster, Faults, Stored, Timeouts};
use super::disk::SimDisk;
use super::journal::{Journal, Time};
use super::process::{Process, is_crash};
use super::random::Random;
use crate::error::{Error, Result};
pub use befall::{Fate, Odds};
use feed::Feeder;
pub use feed::Given;

/// The longest that a healed world may take to fall silent.
const SETTLES_WITHIN: Duration = Duration::from_secs(3_600);
/// How much time goes by in each round of it.
const ROUND: Duration = Duration::from_millis(10);

/// What a thread of a host does.
pub trait Stepper {
    fn step(&mut self) -> Result<()>;

    /// Ends in order.
    fn stop(self: Box<Self>) -> Result<()>;
}

/// Makes the thread that has these ports. Threads of one process share [`Seat::process`].
pub type Factory = Box<dyn FnMut(Ports) -> Result<Box<dyn Stepper>>>;

/// A world to be.
#[derive(Clone, Debug)]
pub struct WorldOptions {
    pub seed: u64,
    pub hosts: usize,
    /// Of each host.
    pub threads: usize,
    /// All topics with their partitions.
    pub topics: Vec<(String, usize)>,
    /// Those that are read, by the ids of sources.
    pub sources: Vec<String>,
    /// Of the sources: those that the group does not read.
    pub apart: Vec<usize>,
    pub transactions: bool,
    /// Whether each process has transactional ids of its own; else a host keeps its ids.
    pub fresh_ids: bool,
    pub static_members: bool,
    /// Messages that a sink's queue takes.
    pub queue: usize,
    pub timeouts: Timeouts,
    pub faults: Faults,
    pub odds: Odds,
}

impl WorldOptions {
    /// Seed and number of steps, of a run or of the environment.
    pub fn asked(seed: u64, steps: u64) -> (u64, u64) {
        let asked = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        (asked("TAILWATER_SEED").unwrap_or(seed), asked("TAILWATER_STEPS").unwrap_or(steps))
    }
}

/// One run of a host.
struct Host {
    name: usize,
    process: Arc<Process>,
    disk: Arc<SimDisk>,
    threads: Vec<Box<dyn Stepper>>,
    fate: Fate,
}

/// A cluster, and hosts.
pub struct World {
    options: WorldOptions,
    cluster: Cluster,
    journal: Journal,
    random: Random,
    factory: Factory,
    hosts: Vec<Host>,
    /// Paused, and another process has their names.
    ghosts: Vec<Host>,
    feeder: Feeder,
    /// How many processes there were.
    processes: usize,
}

impl World {
    pub fn new(
        options: WorldOptions,
        factory: impl FnMut(Ports) -> Result<Box<dyn Stepper>> + 'static,
        feed: impl FnMut(&mut Random) -> Vec<Given> + 'static,
    ) -> Self {
        let mut random = Random::new(options.seed);
        let journal = Journal::default();
        let cluster = Cluster::new(random.next(), journal.clone(), options.timeouts, options.faults);
        options.topics.iter().for_each(|(name, partitions)| cluster.add_topic(name, *partitions));
        let feeder = Feeder::new(cluster.clone(), feed);
        let (hosts, factory) = (options.hosts, Box::new(factory));
        let mut world = Self {
            options,
            cluster,
            journal,
            random,
            factory,
            hosts: Vec::new(),
            ghosts: Vec::new(),
            feeder,
            processes: 0,
        };
        (0..hosts).for_each(|name| world.add_host(name));
        world
    }

    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// A host crashes at the n-th call of its ports from now, before the call does anything, or after.
    pub fn arm(&self, host: usize, calls: u64, after: bool) {
        self.hosts[host].process.crash_in(calls, after);
    }

    /// Goes on until ports were called so often in all.
    pub fn run(&mut self, calls: u64) {
        while self.journal.calls() < calls {
            self.turn();
            let pause = match self.random.below(2_000) {
                0 => self.random.between(100_000, 2_000_000),
                1..20 => self.random.between(1_000, 50_000),
                _ => self.random.between(0, 500),
            };
            self.cluster.advance(Duration::from_micros(pause));
            self.check();
        }
    }

    /// Heals everything, and goes on until nothing changes any more.
    pub fn settle(&mut self) {
        self.heal();
        let Timeouts { transaction, session } = self.options.timeouts;
        let silence = (transaction + session) * 2;
        let (mut rounds, mut quiet, mut changes) = (0, 0, self.cluster.changes());
        while ROUND * quiet < silence {
            for host in 0..self.hosts.len() {
                if matches!(self.hosts[host].fate, Fate::Down { .. }) {
                    self.start(host);
                }
                (0..self.hosts[host].threads.len()).for_each(|thread| self.step(host, thread));
            }
            self.cluster.advance(ROUND);
            self.check();
            quiet = if self.cluster.changes() == changes { quiet + 1 } else { 0 };
            changes = self.cluster.changes();
            rounds += 1;
            if ROUND * rounds > SETTLES_WITHIN {
                panic!("it does not come to rest");
            }
        }
        if let Some(hanging) = self.cluster.hanging() {
            panic!("{hanging}: a transaction hangs");
        }
    }

    /// Ends all hosts in order.
    pub fn stop(&mut self) {
        for host in 0..self.hosts.len() {
            self.remove(host);
        }
        self.check();
    }

    /// What a reader of what is committed finds in a topic: partition, offset, record.
    pub fn output(&self, topic: &str) -> Vec<(i32, i64, Rc<Stored>)> {
        let partitions = 0..self.cluster.partitions(topic);
        let read =
            |partition| self.cluster.read(topic, partition).into_iter().map(move |one| (partition, one));
        partitions.flat_map(read).map(|(partition, (offset, record))| (partition, offset, record)).collect()
    }

    fn check(&self) {
        if !self.journal.is_sound() {
            panic!("a law was broken: {:#?}", self.journal.broken());
        }
    }

    fn add_host(&mut self, name: usize) {
        let process = self.new_process(name);
        let disk = Arc::new(SimDisk::new(self.random.next(), Arc::clone(&process)));
        self.hosts.push(Host { name, process, disk, threads: Vec::new(), fate: Fate::Down { until: 0 } });
        self.start(self.hosts.len() - 1);
    }

    fn new_process(&mut self, name: usize) -> Arc<Process> {
        self.processes += 1;
        Arc::new(Process::new(name, self.processes, self.journal.clone()))
    }

    /// Starts a host that is down, over what its disk holds.
    fn start(&mut self, index: usize) {
        let name = self.hosts[index].name;
        let process = self.new_process(name);
        let disk = Arc::new(self.hosts[index].disk.reopen(Arc::clone(&process)));
        disk.set_failing(self.cluster.faults().disk);
        self.journal.note(format_args!("host {name} starts as process {}", process.number));
        let host = &mut self.hosts[index];
        (host.process, host.disk, host.fate) = (Arc::clone(&process), Arc::clone(&disk), Fate::Runs);
        let tx = if self.options.fresh_ids { format!("tx-{}", process.number) } else { "tx".to_owned() };
        for thread in 0..self.options.threads {
            let id = |what: &str| format!("{what}-{name}-{thread}");
            let seat = Seat {
                process: Arc::clone(&process),
                thread,
                topics: self.options.sources.clone(),
                apart: self.options.apart.clone(),
                transactional_id: self.options.transactions.then(|| id(&tx)),
                instance: self.options.static_members.then(|| id("member")),
                queue: self.options.queue,
            };
            let ports = Ports::connect(&self.cluster, seat, Arc::clone(&disk));
            match ports.and_then(|ports| (self.factory)(ports)) {
                Ok(stepper) => self.hosts[index].threads.push(stepper),
                Err(error) => return self.ended(index, error),
            }
        }
    }

    fn step(&mut self, index: usize, thread: usize) {
        let Some(stepper) = self.hosts[index].threads.get_mut(thread) else { return };
        if let Err(error) = stepper.step() {
            self.ended(index, error);
        }
    }

    /// A thread ended with an error: its process ends without a word, and starts again later.
    fn ended(&mut self, index: usize, error: Error) {
        self.count(&error);
        self.crash(index);
    }

    /// Errors that a new start may help against are part of life; others are not.
    fn count(&mut self, error: &Error) {
        if is_crash(error) {
            return self.journal.tally("crash point");
        }
        let (code, message) = (error.code, &error.message);
        self.journal.note(format_args!("it ended with {code}: {message}"));
        if !code.retry() {
            panic!("it ended with {code}, {}: {message}", code.title());
        }
        self.journal.tally(code.title());
    }

    fn crash(&mut self, index: usize) {
        let session = self.options.timeouts.session.as_micros() as Time;
        let until = self.journal.clock.now() + self.random.between(0, 2 * session);
        let host = &mut self.hosts[index];
        host.process.kill();
        host.threads.clear();
        host.fate = Fate::Down { until };
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, calls) = (self.options.seed, self.journal.calls());
            eprintln!("{}\nTAILWATER_SEED={seed}, after {calls} calls of ports", self.journal.tail());
        }
    }
}
