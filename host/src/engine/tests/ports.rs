//! Ports that follow a script and remember what was done to them.

use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::parts::{Digits, Nothing, Numbers, counted, pipeline, timed};
use crate::contract::Window;
use crate::engine::ports::{Clock, Committed, Limit, Polled, Sent, Sink, Source, UnderWay};
use crate::engine::{Flow, Lodge, Parts, Relay, TaskId, Worker, WorkerOptions};
use crate::error::{Code, Error, Result};
use crate::pipeline::{Identity, Pipeline};
use crate::record::{Message, PartitionId, RELEASE, Record, Records};

pub(super) fn id(partition: i32) -> PartitionId {
    PartitionId { source: 0, partition }
}

pub(super) fn task(partition: i32) -> TaskId {
    TaskId { group: 0, partition }
}

/// What a poll brings.
pub(super) enum Event {
    Assign(Vec<i32>),
    Revoke {
        partitions: Vec<i32>,
        lost: bool,
    },
    /// Partition and offsets; the value of each is its offset.
    Records(i32, Range<i64>),
}

#[derive(Default)]
pub(super) struct SourceState {
    script: VecDeque<Event>,
    batch: Vec<(PartitionId, i64, String)>,
    pub polls: usize,
    pub commits: Vec<(PartitionId, i64)>,
    pub started: Vec<(PartitionId, Option<i64>)>,
    pub released: Vec<PartitionId>,
    pub held: Vec<PartitionId>,
    /// To be told next.
    pub ended: Vec<PartitionId>,
    pub signs_of_life: usize,
    /// The coordinator is away.
    pub silent: bool,
    pub left: bool,
}

#[derive(Default)]
pub(super) struct SinkState {
    sent: Vec<Vec<u8>>,
    /// Of each, what release it names.
    pub stamps: Vec<String>,
    /// How many messages it takes until it is worked.
    pub room: Option<usize>,
    queued: usize,
    /// How many waits bring nothing.
    pub stuck_for: usize,
    pub refused: usize,
    /// What is sent stays under way until somebody waits, or [`SinkState::arrive`] is called.
    pub slow: bool,
    /// After the mark, before it.
    pub under_way: [usize; 2],
    pub broken: bool,
}

impl SinkState {
    /// All from before the mark arrives.
    pub fn arrive(&mut self) {
        self.under_way[1] = 0;
    }

    pub fn values(&self) -> Vec<i64> {
        self.sent.iter().map(|value| String::from_utf8_lossy(value).parse().expect("a number")).collect()
    }
}

#[derive(Clone, Default)]
pub(super) struct Hands(Rc<RefCell<Duration>>);

impl Hands {
    pub fn advance(&self, by: Duration) {
        *self.0.borrow_mut() += by;
    }
}

impl Clock for Hands {
    fn monotonic(&self) -> Duration {
        *self.0.borrow()
    }
}

/// A worker's surroundings.
pub(super) struct House {
    pipeline: Arc<Pipeline>,
    source: Rc<RefCell<SourceState>>,
    sink: Rc<RefCell<SinkState>>,
    pub clock: Hands,
    lodge: Arc<Lodge>,
    /// Whether plugins spin now.
    pub spins: Arc<AtomicBool>,
    /// Whether there is a preprocessor, which passes everything on.
    pub preprocesses: bool,
    /// What a window may count; else plugins trap.
    pub most: Option<i64>,
}

pub(super) struct Tap(Rc<RefCell<SourceState>>, Vec<(PartitionId, i64, String)>);
pub(super) struct Drain(Rc<RefCell<SinkState>>, Hands);

impl House {
    pub fn new(lodge: Arc<Lodge>) -> Self {
        Self::of(pipeline(), lodge)
    }

    /// In event-time order: a number is its own time, in milliseconds, and up to 50 ms out of order.
    pub fn in_order(lodge: Arc<Lodge>) -> Self {
        Self::of(timed(), lodge)
    }

    /// As they come, each with a count of rows of its half, even or odd, in a window.
    pub fn counting(lodge: Arc<Lodge>, window: Window) -> Self {
        Self::of(counted(window), lodge)
    }

    fn of(pipeline: Pipeline, lodge: Arc<Lodge>) -> Self {
        Self {
            pipeline: Arc::new(pipeline),
            source: Rc::default(),
            sink: Rc::default(),
            clock: Hands::default(),
            lodge,
            spins: Arc::default(),
            preprocesses: false,
            most: None,
        }
    }

    pub fn script(&mut self, events: impl IntoIterator<Item = Event>) {
        self.source().script.extend(events);
    }

    pub fn source(&self) -> RefMut<'_, SourceState> {
        self.source.borrow_mut()
    }

    pub fn sink(&self) -> RefMut<'_, SinkState> {
        self.sink.borrow_mut()
    }

    pub fn worker(&self) -> Worker<Tap, Drain, Hands> {
        self.worker_with(false)
    }

    pub fn worker_until_end(&self) -> Worker<Tap, Drain, Hands> {
        self.worker_with(true)
    }

    /// Goes by a release, and hears of others.
    pub fn relayed(&self, number: u64) -> (Worker<Tap, Drain, Hands>, Arc<Relay>) {
        let relay = Arc::default();
        (self.worker_of(self.flow(number), false).relayed(&relay), relay)
    }

    fn worker_with(&self, until_end: bool) -> Worker<Tap, Drain, Hands> {
        self.worker_of(self.flow(0), until_end)
    }

    /// That of a release of this number.
    pub fn flow(&self, number: u64) -> Flow {
        let plugin = || Nothing { spins: Arc::clone(&self.spins), most: self.most };
        let features = self.pipeline.features.iter().map(|_| Box::new(plugin()) as _).collect();
        let preprocessor = self.preprocesses.then(|| Box::new(plugin()) as _);
        let parts = Parts {
            decoders: vec![Box::new(Numbers(self.pipeline.sources[0].decoded.clone()))],
            preprocessor,
            features,
            model: None,
            rules: None,
            encoder: Box::new(Digits),
        };
        let mut pipeline = Pipeline::clone(&self.pipeline);
        pipeline.identity =
            Identity { number, stamp: Identity::stamp_of(number, "n"), ..Identity::default() };
        Flow::new(Arc::new(pipeline), parts, Arc::default(), [2].into(), Arc::default())
    }

    fn worker_of(&self, flow: Flow, until_end: bool) -> Worker<Tap, Drain, Hands> {
        let options = WorkerOptions {
            commit_interval: Duration::from_millis(100),
            commit_pause: Duration::ZERO,
            patience: Duration::ZERO,
            retry_after: Duration::from_secs(10),
            until_end,
        };
        let (tap, drain) =
            (Tap(Rc::clone(&self.source), Vec::new()), Drain(Rc::clone(&self.sink), self.clock.clone()));
        Worker::new(flow, tap, drain, self.clock.clone(), Arc::clone(&self.lodge), options)
    }
}

impl Source for Tap {
    type Member = ();

    fn poll(&mut self, _: Duration, _: Limit) -> Result<Polled> {
        let mut state = self.0.borrow_mut();
        state.polls += 1;
        state.batch.clear();
        let ids = |partitions: Vec<i32>| partitions.into_iter().map(id).collect();
        let polled = match state.script.pop_front() {
            None => Polled::Records(0),
            Some(Event::Assign(partitions)) => Polled::Assigned(ids(partitions)),
            Some(Event::Revoke { partitions, lost }) => Polled::Revoked { partitions: ids(partitions), lost },
            Some(Event::Records(partition, offsets)) => {
                state.batch = offsets.map(|offset| (id(partition), offset, offset.to_string())).collect();
                Polled::Records(state.batch.len())
            }
        };
        self.1.clone_from(&state.batch);
        Ok(polled)
    }

    fn records(&self) -> Records<'_> {
        let rows = self.1.iter().map(|(from, offset, value)| Record {
            from: *from,
            offset: *offset,
            timestamp: None,
            key: None,
            value: Some(value.as_bytes()),
            headers: 0..0,
            is_muted: false,
        });
        Records { rows: rows.collect(), ..Records::default() }
    }

    fn committed(&mut self, partitions: &[PartitionId]) -> Result<Vec<Option<Committed>>> {
        if self.0.borrow().silent {
            return Err(Error::new(Code::Consuming, "no"));
        }
        let commits = &self.0.borrow().commits;
        let last = |id: &PartitionId| {
            commits.iter().rev().find(|(of, _)| of == id).map(|(_, next)| Committed {
                next: *next,
                commit: 0,
                fence: None,
            })
        };
        Ok(partitions.iter().map(last).collect())
    }

    fn start(&mut self, partitions: &[(PartitionId, Option<i64>)]) -> Result<()> {
        self.0.borrow_mut().started.extend(partitions);
        Ok(())
    }

    fn hold(&mut self, partitions: &[PartitionId]) -> Result<()> {
        self.0.borrow_mut().held = partitions.to_vec();
        Ok(())
    }

    fn ended(&mut self) -> Vec<PartitionId> {
        std::mem::take(&mut self.0.borrow_mut().ended)
    }

    fn release(&mut self, partitions: &[PartitionId]) -> Result<()> {
        self.0.borrow_mut().released.extend(partitions);
        Ok(())
    }

    fn commit(&mut self, offsets: &[(PartitionId, i64)], _: bool) -> Result<()> {
        self.0.borrow_mut().commits.extend(offsets);
        Ok(())
    }

    fn member(&self) -> Result<()> {
        Ok(())
    }

    fn keep_alive(&self) -> Result<()> {
        self.0.borrow_mut().signs_of_life += 1;
        Ok(())
    }

    fn leave(&mut self) -> Result<()> {
        self.0.borrow_mut().left = true;
        Ok(())
    }
}

impl Sink for Drain {
    type Member = ();

    fn send(&mut self, message: Message<'_>) -> Result<Sent> {
        let mut state = self.0.borrow_mut();
        if state.room == Some(state.queued) {
            state.refused += 1;
            return Ok(Sent::Full);
        }
        state.queued += 1;
        state.under_way[0] += usize::from(state.slow);
        state.sent.push(message.value.expect("given").to_vec());
        let stamp = message.headers.iter().find(|header| header.name == RELEASE).and_then(|one| one.value);
        state.stamps.push(String::from_utf8_lossy(stamp.unwrap_or_default()).into_owned());
        Ok(Sent::Taken)
    }

    fn work(&mut self, wait: Duration) -> Result<UnderWay> {
        let mut state = self.0.borrow_mut();
        if state.broken {
            return Err(Error::new(Code::Delivery, "no"));
        }
        self.1.advance(wait);
        if state.stuck_for > 0 && !wait.is_zero() {
            state.stuck_for -= 1;
            return Ok(UnderWay { all: state.queued, marked: 0 });
        }
        state.queued = 0;
        if !wait.is_zero() {
            state.under_way = [0; 2];
        }
        let [after, before] = state.under_way;
        Ok(UnderWay { all: after + before, marked: before })
    }

    fn mark(&mut self) {
        let [after, before] = &mut self.0.borrow_mut().under_way;
        assert_eq!(*before, 0, "what was marked before has arrived");
        std::mem::swap(after, before);
    }
}
