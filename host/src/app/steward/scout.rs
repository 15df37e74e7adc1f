//! Looks where two generations are, all the time, so that threads know for which records they speak: one thread a host,
//! as long as there are two.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;

use super::life::{internal, places, shared};
use crate::app::control::cluster;
use crate::app::generations::Generation;
use crate::config::{Config, Start};
use crate::engine::{Beside, Floor, Other, View};
use crate::error::{Code, Error, Result};
use crate::kafka::Operator;
use crate::record::PartitionId;

/// How often: a silent generation is behind the other by this, and by what that has not committed.
const EVERY: Duration = Duration::from_millis(25);
/// Repartition topics are looked at every so many times.
const INTERNAL_EVERY: u64 = 4;
/// Ends of transactions that may stand behind the last record of a topic, about.
const MARKERS: i64 = 64;
/// After brokers were away.
const PAUSE: Duration = Duration::from_secs(1);

/// Whose turns it sees to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub older: u64,
    pub newer: u64,
    /// The older one gives the floor away.
    pub passes: bool,
    /// The newer one gives it back.
    pub gives_back: bool,
    /// As in [`View::over`], of the older one.
    pub over: u64,
}

/// Where they are, by partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub older: BTreeMap<PartitionId, Other>,
    pub newer: BTreeMap<PartitionId, Other>,
    older_tasks: Tasks,
    newer_tasks: Tasks,
    /// Of the newer one's own repartition topics: where they end, and where it is.
    own: BTreeMap<PartitionId, (i64, i64)>,
    /// How often was looked.
    pub times: u64,
}

/// Of all tasks of a generation, also those behind repartition topics.
#[derive(Clone, Copy, Debug, Default)]
struct Tasks {
    /// All that they had begun before they gave the floor away is done.
    are_quiet: bool,
    /// Of the slowest that give outputs, where there is one.
    watermark: Option<i64>,
}

/// Where a generation has to be, to be where the other is.
#[derive(Clone, Debug)]
pub(super) struct Goal {
    positions: BTreeMap<PartitionId, i64>,
    watermark: Option<i64>,
}

impl Seen {
    pub fn older_is_quiet(&self) -> bool {
        self.older_tasks.are_quiet
    }

    pub fn newer_is_quiet(&self) -> bool {
        self.newer_tasks.are_quiet
    }

    /// Whether one generation is past all fences of the other.
    pub fn is_past(&self, one: &BTreeMap<PartitionId, Other>, other: &BTreeMap<PartitionId, Other>) -> bool {
        // Of what begins at zero nothing may ever come.
        let next = |id: &PartitionId| one.get(id).and_then(|one| one.next).unwrap_or(0);
        let mut fences = other.iter().filter_map(|(id, other)| Some((id, other.words.fence?.at)));
        fences.all(|(id, at)| next(id) >= at)
    }

    /// That of the newer one.
    pub fn goal(&self) -> Goal {
        let own = self.own.iter().map(|(id, (end, _))| (*id, *end));
        let positions = self.older.iter().filter_map(|(id, older)| Some((*id, older.next?))).chain(own);
        Goal { positions: positions.collect(), watermark: self.older_tasks.watermark }
    }

    /// Whether it is there.
    pub fn has_reached(&self, Goal { positions, watermark }: &Goal) -> bool {
        let next = |id: &PartitionId| match self.own.get(id) {
            Some((_, next)) => Some(*next),
            None => self.newer.get(id).and_then(|newer| newer.next),
        };
        let is_there = |(id, goal): (&PartitionId, &i64)| next(id).is_some_and(|next| next >= *goal);
        self.newer_tasks.watermark >= *watermark && positions.iter().all(is_there)
    }

    /// How many records it has to go, by partition of a source.
    pub fn distances(&self) -> impl Iterator<Item = i64> {
        let newer = |id: &PartitionId| self.newer.get(id).and_then(|newer| newer.next).unwrap_or(0);
        self.older.iter().filter_map(move |(id, older)| Some((older.next? - newer(id)).max(0)))
    }
}

#[derive(Debug)]
struct Shared {
    is_over: AtomicBool,
    task: Mutex<Task>,
    /// Of this host's threads, by generation.
    floors: Mutex<BTreeMap<u64, Arc<Floor>>>,
    /// Partitions of their repartition topics, as far as they are run here.
    internal: Mutex<BTreeMap<u64, Vec<(PartitionId, String)>>>,
    seen: Mutex<Seen>,
}

/// Ends its thread when it is dropped.
#[derive(Debug)]
pub(super) struct Scout(Arc<Shared>);

impl Drop for Scout {
    fn drop(&mut self) {
        self.0.is_over.store(true, Relaxed);
        // Nothing is said any more that was seen before.
        lock(&self.0.floors).clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scout {
    /// `first`: one that reads the same topics.
    pub fn send(own: &Config, first: &Generation, task: Task) -> Result<Self> {
        let shared_with = Arc::new(Shared {
            is_over: AtomicBool::new(false),
            floors: Mutex::default(),
            internal: Mutex::default(),
            seen: Mutex::default(),
            task: Mutex::new(task.clone()),
        });
        let look = Look {
            own: own.clone(),
            partitions: shared(first),
            shared: Arc::clone(&shared_with),
            older: task.older,
            newer: task.newer,
        };
        let name = format!("{}-generations", own.name);
        let spawned = thread::Builder::new().name(name).spawn(move || look.work());
        spawned.map_err(|error| Error::new(Code::Internal, format!("no thread: {error}")))?;
        Ok(Self(shared_with))
    }

    pub fn is_between(&self, older: u64, newer: u64) -> bool {
        let task = lock(&self.0.task);
        (task.older, task.newer) == (older, newer)
    }

    pub fn does(&self, task: Task, generations: &[Generation]) {
        *lock(&self.0.task) = task;
        let floor = |one: &Generation| (one.number(), Arc::clone(&one.run.floor));
        *lock(&self.0.floors) = generations.iter().map(floor).collect();
        *lock(&self.0.internal) = generations.iter().map(|one| (one.number(), internal(one))).collect();
    }

    pub fn seen(&self) -> Seen {
        lock(&self.0.seen).clone()
    }
}

struct Look {
    own: Config,
    partitions: Vec<(PartitionId, String)>,
    shared: Arc<Shared>,
    older: u64,
    newer: u64,
}

impl Look {
    fn work(self) {
        let mut asks = None;
        while !self.shared.is_over.load(Relaxed) {
            let began = Instant::now();
            if let Err(error) = self.look(&mut asks) {
                let pipeline = &self.own.name;
                warn!(%pipeline, "where generations are can't be seen, and they wait: {} {error}", error.code);
                asks = None;
                thread::sleep(PAUSE);
            }
            thread::sleep(EVERY.saturating_sub(began.elapsed()));
        }
    }

    fn look(&self, asks: &mut Option<[Operator; 2]>) -> Result<()> {
        let connect = |generation: u64| {
            Operator::connect(cluster(&self.own), self.own.in_generation(generation).group())
        };
        let [of_older, of_newer] = match asks {
            Some(asks) => asks,
            None => asks.insert([connect(self.older)?, connect(self.newer)?]),
        };
        let places = places(&self.partitions);
        let standings = |operator: &Operator| -> Result<BTreeMap<PartitionId, Other>> {
            let found = operator.standings(&places)?;
            Ok(self.partitions.iter().map(|(id, _)| *id).zip(found).collect())
        };
        let (older, newer) = (standings(of_older)?, standings(of_newer)?);
        let mut seen = lock(&self.shared.seen).clone();
        (seen.older, seen.newer) = (older.clone(), newer.clone());
        if seen.times.is_multiple_of(INTERNAL_EVERY) {
            let internal = lock(&self.shared.internal).clone();
            let of = |generation: u64| internal.get(&generation).map(Vec::as_slice);
            seen.older_tasks = Tasks::look(of_older, &older, of(self.older), self.newer)?;
            seen.newer_tasks = Tasks::look(of_newer, &newer, of(self.newer), self.older)?;
            seen.own = look_at_own(of_newer, of(self.newer).unwrap_or_default(), &seen.own)?;
        }
        seen.times += 1;
        let task = lock(&self.shared.task).clone();
        let floors = lock(&self.shared.floors);
        if let Some(floor) = floors.get(&self.older) {
            let beside = Beside::Newer { generation: self.newer, passes: task.passes };
            floor.set(View { beside, over: task.over, others: to(&newer, self.older) });
        }
        if let Some(floor) = floors.get(&self.newer) {
            let beside = Beside::Older { generation: self.older, passes: task.gives_back };
            floor.set(View { beside, over: 0, others: to(&older, self.newer) });
        }
        drop(floors);
        *lock(&self.shared.seen) = seen;
        Ok(())
    }
}

impl Tasks {
    /// Of a generation that may have given the floor to `to`. `internal`: partitions of its repartition topics; without them
    /// nothing is known.
    fn look(
        operator: &Operator,
        sources: &BTreeMap<PartitionId, Other>,
        internal: Option<&[(PartitionId, String)]>,
        to: u64,
    ) -> Result<Self> {
        let Some(internal) = internal else { return Ok(Self::default()) };
        let behind = match internal {
            [] => Vec::new(),
            internal => operator.standings(&places(internal))?,
        };
        let are_quiet = sources.values().chain(&behind).all(|other| other.words.quiet == Some(to));
        // Behind repartition topics all hear of the same; of a source's partition there may be nothing to tell.
        let watermark = match behind.is_empty() {
            true => sources.values().filter_map(|other| other.words.at).min(),
            false => behind.iter().map(|other| other.words.at).min().flatten(),
        };
        Ok(Self { are_quiet, watermark })
    }
}

/// Where topics end, and where the group is. Where neither has moved, all that there is has been read: ends of transactions
/// are records, too, which are never read.
fn look_at_own(
    operator: &Operator,
    own: &[(PartitionId, String)],
    before: &BTreeMap<PartitionId, (i64, i64)>,
) -> Result<BTreeMap<PartitionId, (i64, i64)>> {
    if own.is_empty() {
        return Ok(BTreeMap::new());
    }
    let places = places(own);
    let (ends, committed) = (operator.find(&places, Start::Latest)?, operator.committed(&places)?);
    let all = own.iter().zip(ends.into_iter().zip(committed));
    let all = all.map(|((id, _), (end, next))| {
        let next = next.unwrap_or(0);
        let stood =
            before.get(id).is_some_and(|(before, old)| *before == end && (*old == next || *old == end));
        let is_at_end = stood && next > 0 && end - next <= MARKERS;
        (*id, (end, if is_at_end { end } else { next }))
    });
    Ok(all.collect())
}

/// Only fences to this generation say anything here.
fn to(standings: &BTreeMap<PartitionId, Other>, generation: u64) -> BTreeMap<PartitionId, Other> {
    let own = |mut other: Other| {
        other.words.fence = other.words.fence.filter(|fence| fence.to == generation);
        other
    };
    standings.iter().map(|(id, other)| (*id, own(*other))).collect()
}
