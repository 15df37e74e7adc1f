//! Wires everything: pipelines to stream threads, threads to Kafka. The only room that sees all others.

mod progress;
mod threads;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing::{error, info};

use crate::config::Config;
use crate::engine::{Lodge, Meter};
use crate::error::{Code, Error, Result};
use crate::kafka::{Cluster, topics};
use crate::pipeline::Pipeline;
use crate::release::{Release, Runtimes};

/// How long the brokers may take to name their topics.
const METADATA_WITHIN: Duration = Duration::from_secs(10);
/// How long threads may take to finish what is under way.
const STOP_WITHIN: Duration = Duration::from_secs(25);

/// A pipeline that is to run.
#[derive(Debug)]
pub struct Run {
    pub config: Config,
    pub release: Release,
    pub meter: Arc<Meter>,
    lodge: Arc<Lodge>,
}

impl Run {
    pub fn load(config: Config, runtimes: &Runtimes) -> Result<Self> {
        let place = config.name.clone();
        let release = Release::load(&config, runtimes).map_err(|error| error.at(place))?;
        Ok(Self { config, release, meter: Arc::default(), lodge: Arc::default() })
    }

    pub fn cluster(&self) -> Cluster {
        let kafka = &self.config.kafka;
        Cluster { brokers: kafka.brokers.clone(), properties: kafka.properties.clone() }
    }

    /// Makes sure that the brokers answer and that all topics are there.
    pub fn check_topics(&self) -> Result<()> {
        let names = topic_names(self.release.pipeline());
        topics(&self.cluster(), &names, METADATA_WITHIN)
            .map_err(|error| error.at(&self.config.name))
            .map(drop)
    }
}

/// Those that a pipeline reads and writes.
fn topic_names(pipeline: &Pipeline) -> Vec<&str> {
    let mut names: Vec<&str> = pipeline.topics.iter().map(String::as_str).collect();
    names.extend(pipeline.routes.iter().map(|route| route.topic.as_str()));
    names.push(&pipeline.dead_letters);
    names.sort_unstable();
    names.dedup();
    names
}

/// Where threads tell how they ended.
type Report = mpsc::UnboundedSender<Result<()>>;

/// Tells all threads to finish what they have begun and to end.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn now(&self) {
        self.0.store(true, Relaxed);
    }

    pub fn asked(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// Runs pipelines until a signal comes, `stop` is asked for, or a thread fails; then ends all of them in order.
pub fn run(runs: &[Run], stop: &Stop) -> Result<()> {
    for run in runs {
        run.check_topics()?;
    }
    let control = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let control =
        control.map_err(|error| Error::new(Code::Internal, format!("no control runtime: {error}")))?;
    control.block_on(supervise(runs, stop))
}

async fn supervise(runs: &[Run], stop: &Stop) -> Result<()> {
    let (report, mut reports) = mpsc::unbounded_channel();
    let mut alive = 0;
    let mut progress = progress::Progress::new(runs);
    let started = start(runs, stop, &report, &mut alive);
    drop(report);
    let result = match started {
        Ok(()) => wait(stop, &mut reports, &mut alive, &mut progress).await,
        failed => failed,
    };
    stop.now();
    let rest = async {
        let mut first = Ok(());
        while alive > 0 {
            let Some(ended) = reports.recv().await else { break };
            alive -= 1;
            if let (Err(error), true) = (&ended, first.is_err() || result.is_err()) {
                error!("{error}");
            }
            first = first.and(ended);
        }
        first
    };
    let rest = tokio::time::timeout(STOP_WITHIN, rest).await.unwrap_or_else(|_| {
        let message = format!(
            "{alive} threads did not end within {STOP_WITHIN:?}; what they had not committed comes again"
        );
        Err(Error::new(Code::Stuck, message))
    });
    progress.end();
    result.and(rest)
}

fn start(runs: &[Run], stop: &Stop, report: &Report, alive: &mut usize) -> Result<()> {
    for run in runs {
        let pipeline = run.release.pipeline();
        info!(pipeline = %pipeline.name, release = %pipeline.identity.release, threads = run.config.threads, "starts");
        for thread in 0..run.config.threads {
            threads::spawn(run, thread, stop, report.clone())?;
            *alive += 1;
        }
    }
    Ok(())
}

/// Until something wants the end.
async fn wait(
    stop: &Stop,
    reports: &mut mpsc::UnboundedReceiver<Result<()>>,
    alive: &mut usize,
    progress: &mut progress::Progress<'_>,
) -> Result<()> {
    let listen =
        |kind| signal(kind).map_err(|error| Error::new(Code::Internal, format!("no signals: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let mut look = tokio::time::interval(Duration::from_millis(50));
    loop {
        tokio::select! {
            _ = terminate.recv() => { info!("SIGTERM: finishing"); return Ok(()) }
            _ = interrupt.recv() => { info!("interrupted: finishing"); return Ok(()) }
            ended = reports.recv() => {
                *alive -= 1;
                return ended.unwrap_or(Ok(()));
            }
            _ = look.tick() => {
                if stop.asked() {
                    return Ok(());
                }
                progress.tell();
            }
        }
    }
}
