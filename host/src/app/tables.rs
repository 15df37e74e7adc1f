//! Threads that keep tables: one a table and process. Stream threads wait until all tables are loaded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::threads::launch;
use super::watch::Watch;
use super::{Report, Run};
use crate::engine::ports::Limit;
use crate::engine::{Loader, Meter, PartitionCounts, PassedOver, Tables};
use crate::error::{Refusal, Result};
use crate::kafka::{KafkaTable, TableOptions};
use crate::record::SourceId;
use crate::release;
use crate::state::Usage;

/// How long a thread waits for a record before it looks whether it should end.
const PATIENCE: Duration = Duration::from_millis(50);
/// How often a long load is told of.
const TELL: Duration = Duration::from_secs(10);
/// So many records of a poll that are passed over are told one by one.
const TOLD: usize = 10;

/// The tables of a pipeline, and how many of them are not loaded yet.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    pub tables: Arc<Tables>,
    missing: Arc<AtomicUsize>,
}

impl Shelf {
    pub fn new(run: &Run) -> Self {
        let pipeline = run.release.pipeline();
        let missing = Arc::new(AtomicUsize::new(pipeline.tables().count()));
        Self { tables: Arc::clone(&run.tables), missing }
    }

    /// Waits until all tables are loaded. False: the run is to end before that.
    pub fn wait(&self, watch: &Watch) -> bool {
        while self.missing.load(Ordering::Acquire) > 0 {
            if watch.asked() {
                return false;
            }
            std::thread::sleep(PATIENCE);
        }
        true
    }
}

/// All that a thread takes along.
struct Keeper {
    source: SourceId,
    pipeline: String,
    options: TableOptions,
    loader: Loader,
    limit: Limit,
    shelf: Shelf,
    meter: Arc<Meter>,
    watch: Watch,
}

/// Starts the thread of a table. How it ended is told to `report`.
pub(super) fn spawn(
    run: &Run,
    counts: &PartitionCounts,
    source: SourceId,
    shelf: &Shelf,
    watch: &Watch,
    report: Report,
) -> Result<()> {
    let (config, pipeline) = (&run.config, run.release.pipeline());
    let node = &pipeline.sources[usize::from(source)];
    let client_id = format!("{}-table-{source}", config.name);
    let keeper = Keeper {
        source,
        pipeline: config.name.clone(),
        options: TableOptions {
            cluster: run.cluster(),
            group: config.group(),
            client_id: client_id.clone(),
            topic: node.topic.clone(),
            partitions: counts[usize::from(source)],
            fetch_bytes: config.limits.fetch(config.threads),
        },
        loader: release::loader(pipeline, source)?,
        limit: Limit { rows: pipeline.bounds.batch_rows, bytes: pipeline.bounds.batch_bytes },
        shelf: shelf.clone(),
        meter: Arc::clone(&run.meter),
        watch: watch.clone(),
    };
    let place = format!("pipeline {}, table {}", config.name, node.name);
    launch(client_id, place, report, move || keeper.work())
}

impl Keeper {
    fn work(self) -> Result<()> {
        let Self { source, pipeline, options, mut loader, limit, shelf, meter, watch } = self;
        let Some(table) = shelf.tables.get(source) else { return Ok(()) };
        let (topic, mut reader) = (options.topic.clone(), KafkaTable::connect(options)?);
        let (began, mut told, mut records, mut is_loaded) = (Instant::now(), Instant::now(), 0, false);
        while !watch.asked() {
            records += reader.poll(PATIENCE, limit)?;
            tell(&topic, &loader.take(&reader.records(), table, &meter));
            if is_loaded {
                continue;
            }
            is_loaded = reader.is_loaded();
            if is_loaded {
                let (Usage { keys, bytes, .. }, took) = (table.usage(), began.elapsed());
                info!(pipeline, topic, records, keys, bytes, "table loaded in {:.1} s", took.as_secs_f64());
                shelf.missing.fetch_sub(1, Ordering::Release);
            } else if told.elapsed() >= TELL {
                told = Instant::now();
                info!(pipeline, topic, records, "table is being loaded");
            }
        }
        Ok(())
    }
}

fn tell(topic: &str, passed_over: &[PassedOver]) {
    for PassedOver { partition, offset, why } in passed_over.iter().take(TOLD) {
        let Refusal { code, message, .. } = why;
        warn!("{topic}/{partition}/{offset}: the table passes the record over: {code} {message}");
    }
    if let Some(more) = passed_over.len().checked_sub(TOLD).filter(|more| *more > 0) {
        warn!("{topic}: the table passes {more} more records over");
    }
}
