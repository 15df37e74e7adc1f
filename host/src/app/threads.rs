//! Stream threads under Kafka.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;

use super::standing::Standing;
use super::steward::Baton;
use super::tables::Shelf;
use super::vault::Cellar;
use super::watch::Post;
use super::{Report, Run};
use crate::admin::Place;
use crate::engine::ports::{Asked, Clock};
use crate::engine::{
    BLOCK_BYTES, Budget, Floor, Lodge, Meter, Part, PartitionCounts, Relay, Step, Vault, Worker,
    WorkerOptions,
};
use crate::error::{Code, Error, Result};
use crate::kafka::{
    ChangelogOptions, Claims, KafkaChangelog, KafkaSink, KafkaSource, SinkOptions, SourceOptions,
    Transactions,
};
use crate::release::Release;

/// How long an idle thread waits for a record before it looks whether it should end.
const PATIENCE: Duration = Duration::from_millis(10);

/// How long partitions wait when a plugin fails too often, the first time.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// A thread that begins anew again and again does so this often.
const PAUSE_AT_MOST: Duration = Duration::from_secs(5);
/// One that worked for so long did not end at once.
const CALM: Duration = Duration::from_secs(10);

/// A thread asks for the time whenever it comes round, and while it waits for brokers: that it asks is seen.
#[derive(Clone, Debug)]
struct Monotonic(Arc<Standing>);

impl Clock for Monotonic {
    fn monotonic(&self) -> Duration {
        self.0.comes_round()
    }
}

/// All that a thread takes along.
struct Seat {
    baton: Arc<Baton>,
    /// Where releases come from, if others may come.
    relay: Option<Arc<Relay>>,
    standing: Arc<Standing>,
    floor: Arc<Floor>,
    meter: Arc<Meter>,
    counts: PartitionCounts,
    source: SourceOptions,
    sink: SinkOptions,
    changelog: ChangelogOptions,
    cellar: Option<Cellar>,
    lodge: Arc<Lodge>,
    options: WorkerOptions,
    shelf: Shelf,
    post: Post,
    budget: Arc<Budget>,
    /// Of it, what this thread reads ahead.
    _aside: Part,
    place: String,
    asked: Asked,
}

/// What a pipeline's threads have in common, and where one's releases come from.
pub(super) struct Common<'a> {
    pub shelf: &'a Shelf,
    pub cellar: Option<&'a Cellar>,
    pub relay: Option<Arc<Relay>>,
    pub standing: Arc<Standing>,
}

/// Starts a stream thread, one of so many. How it ended is told to `report`.
pub(super) fn spawn(
    run: &Run,
    counts: &PartitionCounts,
    (thread, threads): (usize, usize),
    Common { shelf, cellar, relay, standing }: Common<'_>,
    post: Post,
    report: Report,
) -> Result<()> {
    let (config, client_id) = (&run.config, run.config.client_id(thread));
    let (pipeline, kafka) = (run.release.pipeline(), &run.config.kafka);
    let (cluster, group, fetch_bytes) = (run.cluster(), config.group(), config.limits.fetch(threads));
    let place = format!("pipeline {}, thread {thread}", config.name);
    let asked = post.when_asked();
    let seat = Seat {
        baton: Arc::clone(&run.baton),
        relay,
        standing,
        floor: Arc::clone(&run.floor),
        meter: Arc::clone(&run.meter),
        counts: Arc::clone(counts),
        source: SourceOptions {
            cluster: cluster.clone(),
            group: group.clone(),
            client_id: client_id.clone(),
            topics: pipeline.topics.clone(),
            tables: pipeline.tables().map(|(table, _)| table).collect(),
            internal_from: pipeline.sources.len(),
            start: kafka.start,
            fetch_bytes,
            protocol: kafka.protocol,
            instance: kafka.instance.as_ref().map(|name| format!("{name}-{thread}")),
            claims: cellar.map(|cellar| Claims {
                kept: pipeline.changelogs.iter().any(Option::is_some),
                prefix: format!("{group}-"),
                own: format!("{group}-{}-", cellar.name()),
            }),
            asked: asked.clone(),
        },
        sink: SinkOptions {
            cluster: cluster.clone(),
            client_id: client_id.clone(),
            budget: Arc::clone(&run.budget),
            message_bytes: config.limits.record.bytes().max(BLOCK_BYTES),
            transactions: cellar.map(|cellar| Transactions {
                id: format!("{group}-{}-{thread}", cellar.name()),
                topics: pipeline.topics.clone(),
            }),
            asked: asked.clone(),
        },
        changelog: ChangelogOptions { cluster, group, client_id: client_id.clone(), fetch_bytes },
        cellar: cellar.cloned(),
        lodge: Arc::clone(&run.lodge),
        options: WorkerOptions {
            commit_interval: kafka.commit_interval.get(),
            commit_pause: kafka.commit_pause.get(),
            patience: PATIENCE,
            retry_after: RETRY_AFTER,
            until_end: post.watch.until_end(),
        },
        shelf: shelf.clone(),
        post,
        budget: Arc::clone(&run.budget),
        _aside: run.budget.set_aside(config.limits.aside(threads)),
        place: place.clone(),
        asked,
    };
    launch(client_id, place, report, move || seat.work())
}

/// Starts a thread. How its work ended is told to `report`.
pub(super) fn launch(
    name: String,
    place: String,
    report: Report,
    work: impl FnOnce() -> Result<()> + Send + 'static,
) -> Result<()> {
    report.begins(&place);
    let body = move || {
        let ended = catch_unwind(AssertUnwindSafe(work));
        let ended = ended
            .unwrap_or_else(|_| Err(Error::new(Code::Internal, "it panicked; the message stands above")));
        report.ends(&place, ended);
    };
    let spawned = thread::Builder::new().name(name).spawn(body);
    spawned.map(drop).map_err(|error| Error::new(Code::Internal, format!("no thread: {error}")))
}

impl Seat {
    fn work(self) -> Result<()> {
        if !self.shelf.wait(&self.post.watch) {
            return Ok(());
        }
        let mut pause = PATIENCE;
        loop {
            let began = Instant::now();
            let ended = self.run();
            if began.elapsed() > CALM {
                pause = PATIENCE;
            }
            match ended {
                Err(error) if self.cellar.is_some() && begins_anew(&error) => {
                    if !self.post.asked() {
                        warn!("{}: {} {error}; it begins anew", self.place, error.code);
                    } else if self.post.watch.until_end() {
                        return Err(error);
                    } else {
                        warn!("{}: {} {error}; others go on from its last commit", self.place, error.code);
                        return Ok(());
                    }
                }
                ended => return ended,
            }
            pause = (pause * 2).min(PAUSE_AT_MOST);
            thread::sleep(pause);
        }
    }

    /// From joining the group to leaving it.
    fn run(&self) -> Result<()> {
        self.standing.is_at(Place::Joining, 0);
        let release = self.baton.release();
        let make = |release: &Release| release.flow(&self.meter, &self.counts, &self.shelf.tables);
        let mut flow = make(&release)?.of_run(self.post.run());
        if let Some(before) = self.baton.before() {
            flow = flow.beside(make(&before)?)?;
        }
        let sink = KafkaSink::connect(self.sink.clone())?;
        let source = KafkaSource::connect(self.source.clone())?;
        let (clock, lodge) = (Monotonic(Arc::clone(&self.standing)), Arc::clone(&self.lodge));
        let worker = Worker::new(flow, source, sink, clock, lodge, self.options);
        let mut worker = worker.within(&self.budget).until(self.asked.clone());
        if let Some(relay) = &self.relay {
            worker = worker.relayed(relay);
        }
        if let Some(cellar) = &self.cellar {
            let changelog = Box::new(KafkaChangelog::connect(self.changelog.clone())?);
            let (disk, options) = (Arc::clone(&cellar.disk) as _, cellar.options);
            let (tasks, run) = (cellar.live.part(), self.post.run());
            worker = worker.exactly_once(Vault { disk, changelog, options, tasks, run })?;
            worker = worker.speaks_by(&self.floor);
        }
        while !self.post.asked() {
            // Tasks come and go in the other steps alone.
            if !matches!(worker.step()?, Step::Worked(_)) {
                self.tell_place(&worker);
            }
            if self.post.watch.until_end() {
                self.post.tell(worker.is_done());
            }
        }
        worker.stop()
    }

    fn tell_place(&self, worker: &Worker<KafkaSource, KafkaSink, Monotonic>) {
        let place = match (worker.was_assigned(), worker.has_all()) {
            (false, _) => Place::Joining,
            (true, false) => Place::Restoring,
            (true, true) => Place::Running,
        };
        self.standing.is_at(place, worker.tasks().inputs().count());
    }
}

/// What the brokers have is whole, and a new thread goes on from there; with its new clients, which have certificates as
/// they are then.
fn begins_anew(error: &Error) -> bool {
    use Code as C;
    matches!(
        error.code,
        C::Fenced
            | C::StateDamaged
            | C::BrokerUnreachable
            | C::Consuming
            | C::Commit
            | C::Delivery
            | C::Stuck
            | C::OwnCertificate
    )
}
