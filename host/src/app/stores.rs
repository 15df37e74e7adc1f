//! Threads that keep outputs beside Kafka: one a store and process.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tracing::info;

use super::generations::{Generation, Generations};
use super::threads::launch;
use super::watch::Watch;
use super::{Report, Roster, Signals, Stop, Until};
use crate::codec::json_reader;
use crate::columns::Column;
use crate::config::{Config, Start, Store};
use crate::engine::ports::Decoder;
use crate::error::Result;
use crate::kafka::{KafkaSource, SourceOptions};
use crate::pipeline::Pipeline;
use crate::store::{self, Feed, Outputs, Tally};

/// Values of records that a store's consumer has fetched ahead.
const FETCH: usize = 4 << 20;

/// Refuses stores that could keep nothing of what a pipeline sends.
pub(super) fn check(config: &Config, pipeline: &Pipeline) -> Result<()> {
    config.store.iter().try_for_each(|store| {
        let Some(kind) = store.kind() else { return Ok(()) };
        let checked = store::check(kind, &outputs(store, pipeline));
        checked.map_err(|error| error.at(format!("store {}", store.name)))
    })
}

/// What of a release's outputs a store keeps.
fn outputs(store: &Store, pipeline: &Pipeline) -> Outputs {
    let mut topics: Vec<String> = Vec::new();
    for route in pipeline.routes.iter().filter(|route| store.keeps(&route.name)) {
        if !topics.contains(&route.topic) {
            topics.push(route.topic.clone());
        }
    }
    Outputs {
        release: pipeline.identity.number,
        topics,
        columns: Arc::clone(&pipeline.decision.output),
        windows: pipeline.features.last().is_some_and(|stage| stage.closed.is_some()),
    }
}

/// What became of outputs, by store.
#[derive(Clone, Debug, Default)]
pub(super) struct Tallies(Vec<(String, Arc<Tally>)>);

impl Tallies {
    pub fn new(config: &Config) -> Self {
        Self(config.store.iter().map(|store| (store.name.clone(), Arc::default())).collect())
    }

    fn of(&self, store: &Store) -> Arc<Tally> {
        let found = self.0.iter().find(|(name, _)| *name == store.name);
        found.map(|(_, tally)| Arc::clone(tally)).unwrap_or_default()
    }

    pub fn all(&self) -> Vec<(&str, &Tally)> {
        self.0.iter().map(|(name, tally)| (name.as_str(), &**tally)).collect()
    }
}

/// What a store reads in a run.
struct Outlet {
    store: Store,
    generations: Arc<Generations>,
    source: SourceOptions,
    watch: Watch,
}

impl Feed for Outlet {
    type Source = KafkaSource;

    fn outputs(&self) -> Outputs {
        outputs(&self.store, self.generations.first().run.baton.release().pipeline())
    }

    fn join(&self, topics: &[String]) -> Result<KafkaSource> {
        let internal_from = topics.len();
        KafkaSource::connect(SourceOptions { topics: topics.to_vec(), internal_from, ..self.source.clone() })
    }

    fn decoder(&self, columns: &[Column]) -> Result<Box<dyn Decoder + Send>> {
        json_reader(columns)
    }

    fn asked(&self) -> bool {
        self.watch.asked()
    }

    fn until_end(&self) -> bool {
        self.watch.until_end()
    }
}

/// Keeps all that a run has sent that ended by itself. A signal ends it earlier.
pub(super) async fn drain(runs: &[Arc<Generations>], signals: &mut Signals) -> Result<()> {
    let (stop, (_, report, mut reports)) = (Stop::default(), Roster::open());
    let watch = Watch::new(Until::End, &stop);
    let (mut alive, mut result) = (0, Ok(()));
    for generations in runs {
        for store in &generations.first().run.config.store {
            spawn(generations, store, &watch, report.clone())?;
            alive += 1;
        }
    }
    while alive > 0 {
        tokio::select! {
            _ = signals.terminate.recv() => stop.now(),
            _ = signals.interrupt.recv() => stop.now(),
            Some(ended) = reports.recv() => {
                alive -= 1;
                result = result.and(ended);
            }
        }
    }
    result
}

/// Starts the thread of a store. How it ended is told to `report`.
pub(super) fn spawn(
    generations: &Arc<Generations>,
    store: &Store,
    watch: &Watch,
    report: Report,
) -> Result<()> {
    let Generation { run, .. } = generations.first();
    let (config, kafka) = (&run.config, &run.config.kafka);
    let (place, client_id) =
        (format!("pipeline {}, store {}", config.name, store.name), config.store_group(store));
    let outlet = Outlet {
        store: store.clone(),
        generations: Arc::clone(generations),
        source: SourceOptions {
            cluster: run.cluster(),
            group: config.store_group(store),
            client_id: client_id.clone(),
            topics: Vec::new(),
            tables: Vec::new(),
            internal_from: 0,
            start: Start::Earliest,
            fetch_bytes: FETCH,
            protocol: kafka.protocol,
            instance: kafka.instance.as_ref().map(|name| format!("{name}-store-{}", store.name)),
            claims: None,
            asked: watch.when_asked(),
        },
        watch: watch.clone(),
    };
    let (folder, tally) = (config.folder.clone(), run.tallies.of(store));
    launch(client_id.clone(), place.clone(), report, move || {
        let Some(kind) = outlet.store.kind() else { return Ok(()) };
        let options = store::Options { place: &place, kind, folder: &folder, client_id: &client_id };
        let ended = store::run(&outlet, &options, &tally);
        let [kept, flawed, left_out] =
            [&tally.kept, &tally.flawed, &tally.left_out].map(|count| count.load(Relaxed));
        info!(kept, flawed, left_out, "{place}: ended");
        ended
    })
}
