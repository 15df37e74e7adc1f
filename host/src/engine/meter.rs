//! What passed, and how far it is, for all threads of a pipeline. Nothing is decided by it.

mod counts;
mod places;
mod spread;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::lap::Spent;
use super::sum::Sum;
use super::traces::Traces;
use super::vault::Restored;
use crate::error::Code;
use crate::pipeline::{Pipeline, Stage};
use crate::record::PartitionId;
pub(super) use counts::Counts;
pub use counts::Volume;
pub(super) use places::OwnPlaces;
pub use places::{Place, Places, Waits};
pub use spread::Spread;
use spread::{ROWS, SCORES, SECONDS};

/// Raised when rows are done: exactly once, with their transaction.
#[derive(Debug, Default)]
pub struct Meter {
    pub batches: AtomicU64,
    /// Of sources.
    pub records: AtomicU64,
    /// Records without a value that were passed over.
    pub tombstones: AtomicU64,
    /// Rows that the preprocessor dropped without a word, or the rules sent nowhere.
    pub dropped: AtomicU64,
    pub decisions: AtomicU64,
    /// What threads did all the time.
    pub spent: Spent,
    /// Partitions that wait since a plugin or the model fails too often.
    pub paused: Sum,
    /// Where threads are in their partitions.
    pub places: Places,
    /// By stage and code. Rare, hence the lock.
    dead_letters: Mutex<BTreeMap<(&'static str, Code), u64>>,
    /// By source: rows that came too late.
    late: Mutex<BTreeMap<String, u64>>,
    /// Taken by a thread when its rows are done, a few times a second.
    passed: Mutex<Passed>,
    kept: Mutex<Kept>,
    /// Releases that this process went over to, by how they came to be.
    releases: Mutex<BTreeMap<&'static str, u64>>,
    /// What might have become a release, and came to nothing here.
    pub refused: AtomicU64,
    /// Spans of decisions, if somebody wants them.
    pub traces: OnceLock<Arc<Traces>>,
}

/// What passed.
#[derive(Clone, Debug)]
pub struct Passed {
    /// Records by partition.
    pub read: BTreeMap<PartitionId, Volume>,
    /// By stage, with the index among its kind: rows of each batch that it was given.
    pub calls: BTreeMap<(&'static str, u8), Spread>,
    /// Decisions, by route.
    pub sent: BTreeMap<String, Volume>,
    /// By the model's score.
    pub scores: BTreeMap<String, Spread>,
    /// Seconds from a record's timestamp to the moment that what was decided about it is done.
    pub latency: Spread,
}

impl Default for Passed {
    fn default() -> Self {
        let (read, calls, sent, scores) = Default::default();
        Self { read, calls, sent, scores, latency: Spread::new(SECONDS) }
    }
}

/// Transactions, and windows that were read back.
#[derive(Clone, Debug)]
pub struct Kept {
    pub aborted: u64,
    /// Seconds that ends of transactions took; of those that were committed.
    pub commits: Spread,
    /// Seconds.
    pub restores: Spread,
    /// Of changelogs.
    pub restored_bytes: u64,
}

impl Default for Kept {
    fn default() -> Self {
        let (commits, restores) = (Spread::new(SECONDS), Spread::new(SECONDS));
        Self { aborted: 0, commits, restores, restored_bytes: 0 }
    }
}

impl Meter {
    /// Those rows are done, in the pipeline that they passed through.
    pub(super) fn add(&self, mut counts: Counts, pipeline: &Pipeline) {
        let add = |counter: &AtomicU64, by: usize| counter.fetch_add(by as u64, Relaxed);
        add(&self.batches, counts.batches);
        add(&self.records, counts.records);
        add(&self.tombstones, counts.tombstones);
        add(&self.dropped, counts.dropped);
        add(&self.decisions, counts.decisions);
        merge(&self.dead_letters, std::mem::take(&mut counts.dead_letters));
        merge(&self.late, std::mem::take(&mut counts.late));
        if counts.batches > 0 || !counts.calls.is_empty() {
            self.pass(&counts, pipeline);
        }
    }

    fn pass(&self, counts: &Counts, pipeline: &Pipeline) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64);
        let mut passed = lock(&self.passed);
        for (id, volume) in &counts.read {
            passed.read.entry(*id).or_default().add(*volume);
        }
        for (stage, calls) in &counts.calls {
            let index = if let Stage::Features(index) = stage { *index } else { 0 };
            let all = passed.calls.entry((stage.name(), index)).or_insert_with(|| Spread::new(ROWS));
            all.add(calls);
        }
        for (route, volume) in pipeline.routes.iter().zip(&counts.sent) {
            named(&mut passed.sent, &route.name, Volume::default).add(*volume);
        }
        let scores = pipeline.model.iter().flat_map(|model| &model.scores);
        for (name, seen) in scores.zip(&counts.scores) {
            named(&mut passed.scores, name, || Spread::new(SCORES)).add(seen);
        }
        for time in &counts.times {
            passed.latency.see((now - time).max(0) as f64 / 1_000.0);
        }
    }

    pub fn passed(&self) -> Passed {
        lock(&self.passed).clone()
    }

    pub fn kept(&self) -> Kept {
        lock(&self.kept).clone()
    }

    /// A transaction was committed; its end took so long.
    pub(super) fn committed(&self, took: Duration) {
        lock(&self.kept).commits.see(took.as_secs_f64());
    }

    pub(super) fn aborted(&self) {
        lock(&self.kept).aborted += 1;
    }

    pub(super) fn restored(&self, what: &Restored, took: Duration) {
        let mut kept = lock(&self.kept);
        kept.restores.see(took.as_secs_f64());
        kept.restored_bytes += what.bytes;
    }

    /// All threads are told to go on as another release.
    pub fn goes_over(&self, how: &'static str) {
        *lock(&self.releases).entry(how).or_default() += 1;
    }

    pub fn releases(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.releases).clone()
    }

    pub(super) fn dead_letter(&self, stage: Stage, code: Code) {
        *lock(&self.dead_letters).entry((stage.name(), code)).or_default() += 1;
    }

    pub fn dead_letters(&self) -> BTreeMap<(&'static str, Code), u64> {
        lock(&self.dead_letters).clone()
    }

    pub fn late_by_source(&self) -> BTreeMap<String, u64> {
        lock(&self.late).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Without a copy of the name, where it is known.
fn named<'a, T>(all: &'a mut BTreeMap<String, T>, name: &str, new: impl FnOnce() -> T) -> &'a mut T {
    if !all.contains_key(name) {
        all.insert(name.to_owned(), new());
    }
    all.get_mut(name).expect("it was just looked for")
}

/// Rarely anything.
fn merge<K: Ord>(all: &Mutex<BTreeMap<K, u64>>, own: BTreeMap<K, u64>) {
    if own.is_empty() {
        return;
    }
    let mut all = lock(all);
    for (key, count) in own {
        *all.entry(key).or_default() += count;
    }
}
