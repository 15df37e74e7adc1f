//! The ports of one stream thread, and what they have in common.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::cluster::{Cluster, Producer, Refused, State};
use super::journal::{SimClock, Time};
use super::process::Process;
use super::{SimChangelog, SimDisk, SimSink, SimSource};
use crate::error::{Code, Error, Result};

/// How long a client waits before it asks again, in microseconds.
const BACKOFF: Time = 5_000;

/// Who a stream thread is.
#[derive(Clone, Debug)]
pub struct Seat {
    pub process: Arc<Process>,
    pub thread: usize,
    /// Topics of the sources by their ids, and those of them that are not read by the group.
    pub topics: Vec<String>,
    /// Topics that are nobody's in the group: tables.
    pub apart: Vec<usize>,
    /// None: without transactions.
    pub transactional_id: Option<String>,
    /// Of a static member.
    pub instance: Option<String>,
    /// Messages that a sink's queue takes.
    pub queue: usize,
}

/// The ports of one stream thread.
#[derive(Debug)]
pub struct Ports {
    pub seat: Seat,
    pub source: SimSource,
    pub sink: SimSink,
    pub changelog: SimChangelog,
    pub clock: SimClock,
    pub disk: Arc<SimDisk>,
}

impl Ports {
    /// As the adapters connect: first whoever had the transactional id is fenced, then the group is joined.
    pub fn connect(cluster: &Cluster, seat: Seat, disk: Arc<SimDisk>) -> Result<Self> {
        let clock = cluster.journal().clock;
        let sink = SimSink::connect(cluster.clone(), &seat)?;
        let source = SimSource::connect(cluster.clone(), &seat)?;
        let changelog = SimChangelog::new(cluster.clone(), Arc::clone(&seat.process));
        Ok(Self { seat, source, sink, changelog, clock, disk })
    }
}

/// Asks until what was before is through. Nobody can be fenced by another one meanwhile: what is fenced stays so.
pub(super) fn insist<T>(
    state: &mut State,
    mut ask: impl FnMut(&mut State) -> Result<T, Refused>,
) -> Result<T, Refused> {
    loop {
        match ask(state) {
            Err(Refused::Concurrent) => {
                let limit = state.now() + BACKOFF;
                state.drift(limit);
            }
            answer => return answer,
        }
    }
}

/// Takes over a transactional id.
pub(super) fn fence(state: &mut State, id: &str) -> Result<Producer> {
    let fenced = insist(state, |state| state.init_producer(id));
    fenced.map_err(|refused| internal(format!("InitProducerId: {refused:?}")))
}

pub(super) fn fenced() -> Error {
    Error::new(Code::Fenced, "another one has the transactional id")
}

pub(super) fn internal(message: impl Into<String>) -> Error {
    Error::new(Code::Internal, message)
}

/// The end of a wait.
pub(super) fn until(state: &State, wait: Duration) -> Time {
    state.now() + wait.as_micros() as Time
}

pub(super) fn empty() -> Rc<str> {
    "".into()
}
