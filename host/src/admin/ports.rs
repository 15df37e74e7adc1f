//! What the API is about: the pipelines of this process, as it sees them.

use std::fmt;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::health::Place;
use crate::config::Role;
use crate::engine::Meter;
use crate::error::Result;
use crate::pipeline::Identity;
use crate::release::history::Event;
use crate::release::manifest::{Manifest, Refusal, Ticket};
use crate::release::status::Status;
use crate::telemetry::Sheet;

/// A stream thread.
#[derive(Clone, Copy, Debug)]
pub struct Thread {
    pub place: Place,
    /// Those that it reads.
    pub partitions: usize,
    /// How long ago it came round last. One that waits for brokers comes round.
    pub silent: Duration,
}

/// Who changes what, and why.
#[derive(Clone, Debug)]
pub struct Change {
    pub by: String,
    pub why: String,
}

/// A file that is to take the place of that of a stage.
#[derive(Clone, Copy, Debug)]
pub struct NewFile {
    pub role: Role,
    pub signature: Option<[u8; 64]>,
    /// Windows are to be made anew, of what the sources have since then, in milliseconds since the epoch.
    pub bootstrap: Option<i64>,
}

/// What became of a proposal so far.
#[derive(Clone, Debug)]
pub enum Outcome {
    Waits,
    /// It has a number, and this host is to go over.
    Released(Box<Manifest>),
    /// All threads of this host go by it, or by a later one.
    Runs(Box<Manifest>),
    Refused(Refusal),
}

/// A pipeline of this process. The first ones answer at once.
pub trait Pipeline: fmt::Debug + Send + Sync {
    fn name(&self) -> &str;

    /// What its threads go by.
    fn identity(&self) -> Identity;

    fn meter(&self) -> Arc<Meter>;

    /// Adds its metrics.
    fn tell(&self, sheet: &mut Sheet);

    /// How many stream threads it is to have, and those that there are.
    fn threads(&self) -> (usize, Vec<Thread>);

    /// The stage of a file, by what the pipeline file calls it. None: there is none.
    fn role(&self, stage: &str) -> Option<Role>;

    /// None: nobody knows the proposal, or not any more.
    fn outcome(&self, ticket: Ticket) -> Option<Outcome>;

    /// Asks brokers.
    fn status(&self) -> Result<Status>;

    /// The last events, the oldest first. Asks brokers.
    fn history(&self, last: usize) -> Result<Vec<Event>>;

    /// Checks a file and proposes it. May take as long as a model takes to load.
    fn put(&self, file: NewFile, bytes: &mut dyn Read, change: &Change) -> Result<Ticket>;

    /// Proposes a former release. May take long, too.
    fn roll_back(&self, to: Option<u64>, change: &Change) -> Result<Ticket>;
}

/// This process, from before its pipelines are loaded until its end.
#[derive(Debug, Default)]
pub struct Host {
    pipelines: OnceLock<Vec<Arc<dyn Pipeline>>>,
    stops: AtomicBool,
}

impl Host {
    /// These are its pipelines: told once.
    pub fn open(&self, pipelines: Vec<Arc<dyn Pipeline>>) {
        // A process runs once.
        let _ = self.pipelines.set(pipelines);
    }

    /// It is about to end.
    pub fn stop(&self) {
        self.stops.store(true, Relaxed);
    }

    pub(super) fn stops(&self) -> bool {
        self.stops.load(Relaxed)
    }

    /// None: they are being loaded.
    pub(super) fn pipelines(&self) -> Option<&[Arc<dyn Pipeline>]> {
        self.pipelines.get().map(Vec::as_slice)
    }
}
