//! Stream threads under Kafka.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::tables::Shelf;
use super::watch::Watch;
use super::{Report, Run};
use crate::engine::ports::Clock;
use crate::engine::{Flow, Lodge, PartitionCounts, Worker, WorkerOptions};
use crate::error::{Code, Error, Result};
use crate::kafka::{KafkaSink, KafkaSource, SinkOptions, SourceOptions};

/// How long an idle thread waits for a record before it looks whether it should end.
const PATIENCE: Duration = Duration::from_millis(10);

/// Of two transactions of a thread, where there is nothing more to gather.
const COMMIT_PAUSE: Duration = Duration::from_millis(10);

#[derive(Clone, Debug)]
struct Monotonic(Instant);

impl Clock for Monotonic {
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// All that a thread takes along.
struct Seat {
    flow: Flow,
    source: SourceOptions,
    sink: SinkOptions,
    lodge: Arc<Lodge>,
    options: WorkerOptions,
    shelf: Shelf,
    watch: Watch,
    /// Which of all threads.
    index: usize,
}

/// Starts a stream thread. How it ended is told to `report`.
pub(super) fn spawn(
    run: &Run,
    counts: &PartitionCounts,
    (thread, index): (usize, usize),
    shelf: &Shelf,
    watch: &Watch,
    report: Report,
) -> Result<()> {
    let (config, client_id) = (&run.config, run.config.client_id(thread));
    let pipeline = run.release.pipeline();
    let seat = Seat {
        flow: run.release.flow(&run.meter, counts, &shelf.tables)?.of_run(watch.run()),
        source: SourceOptions {
            cluster: run.cluster(),
            group: config.group(),
            client_id: client_id.clone(),
            topics: pipeline.topics.clone(),
            tables: pipeline.tables().map(|(table, _)| table).collect(),
            internal_from: pipeline.sources.len(),
            start: config.kafka.start,
            fetch_bytes: config.limits.fetch.bytes(),
        },
        sink: SinkOptions {
            cluster: run.cluster(),
            client_id: client_id.clone(),
            queue_bytes: config.limits.send.bytes(),
            message_bytes: config.limits.record.bytes(),
            transactions: None,
        },
        lodge: Arc::clone(&run.lodge),
        options: WorkerOptions {
            commit_interval: config.kafka.commit_interval.get(),
            commit_pause: COMMIT_PAUSE,
            patience: PATIENCE,
            until_end: watch.until_end(),
        },
        shelf: shelf.clone(),
        watch: watch.clone(),
        index,
    };
    let place = format!("pipeline {}, thread {thread}", config.name);
    launch(client_id, place, report, move || seat.work())
}

/// Starts a thread. How its work ended is told to `report`.
pub(super) fn launch(
    name: String,
    place: String,
    report: Report,
    work: impl FnOnce() -> Result<()> + Send + 'static,
) -> Result<()> {
    let body = move || {
        let ended = catch_unwind(AssertUnwindSafe(work));
        let ended = ended
            .unwrap_or_else(|_| Err(Error::new(Code::Internal, "it panicked; the message stands above")));
        // Nobody listens any more if the process is ending.
        let _ = report.send(ended.map_err(|error| error.at(place)));
    };
    let spawned = std::thread::Builder::new().name(name).spawn(body);
    spawned.map(drop).map_err(|error| Error::new(Code::Internal, format!("no thread: {error}")))
}

impl Seat {
    fn work(self) -> Result<()> {
        let Self { flow, source, sink, lodge, options, shelf, watch, index } = self;
        if !shelf.wait(&watch) {
            return Ok(());
        }
        let (source, sink) = (KafkaSource::connect(source)?, KafkaSink::connect(sink)?);
        let mut worker = Worker::new(flow, source, sink, Monotonic(Instant::now()), lodge, options);
        while !watch.asked() {
            worker.step()?;
            if watch.until_end() {
                watch.tell(index, worker.is_done());
            }
        }
        worker.stop()
    }
}
