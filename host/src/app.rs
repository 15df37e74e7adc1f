//! Wires everything: pipelines to stream threads, threads to Kafka. The only room that sees all others.

mod admin;
pub(crate) mod control;
mod crew;
mod current;
mod generations;
mod progress;
mod releases;
mod reset;
mod rights;
mod roster;
mod scratch;
mod show;
mod signals;
mod standing;
mod steward;
mod stores;
mod tables;
mod threads;
mod topics;
mod vault;
mod watch;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::{error, info, warn};

use crate::admin::{self as api, Pipeline};
use crate::config::Config;
use crate::engine::{Budget, Floor, Lodge, Meter, Tables, Traces};
use crate::error::{Code, Error, Result};
use crate::kafka::Cluster;
use crate::otlp::{Collector, Exporter, Told};
use crate::release::{Release, Runtimes};
use crate::telemetry;
use admin::Administered;
use crew::Crew;
use generations::{Generation, Generations, Order};
use roster::{Report, Roster};
use signals::Signals;
use standing::Standings;
use steward::{Baton, Board, Opened};
use stores::Tallies;
use watch::Watch;

pub use releases::{Plan, Releases};
pub use reset::{Moved, Reset};
pub use show::{Found, Shown, Wanted};
pub use signals::Stop;

/// Twice as long waits a task that a thread gave up for another thread of this process to take it over.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// How long threads may take to finish what is under way.
pub const STOP_WITHIN: Duration = Duration::from_secs(25);

/// A pipeline that is to run, or a generation of one.
#[derive(Clone, Debug)]
pub struct Run {
    pub config: Config,
    /// What it begins with.
    pub release: Arc<Release>,
    pub meter: Arc<Meter>,
    runtimes: Arc<Runtimes>,
    baton: Arc<Baton>,
    standings: Arc<Standings>,
    board: Arc<Board>,
    /// If releases are swapped while it runs.
    steward: Arc<Mutex<Option<Box<Opened>>>>,
    /// So many stream threads there may be.
    most_threads: usize,
    budget: Arc<Budget>,
    tables: Arc<Tables>,
    lodge: Arc<Lodge>,
    tallies: Tallies,
    /// Where it speaks.
    floor: Arc<Floor>,
}

type Orders = UnboundedSender<Order>;

impl Run {
    /// As what the configuration names, which stays as it is.
    pub fn load(config: Config, runtimes: &Arc<Runtimes>) -> Result<Self> {
        let place = config.name.clone();
        let load = || {
            let release = Release::load(&config, runtimes)?;
            stores::check(&config, release.pipeline())?;
            Ok(release)
        };
        let release = load().map_err(|error: Error| error.at(place))?;
        Ok(Self::with(config, release, runtimes))
    }

    fn with(config: Config, release: Release, runtimes: &Arc<Runtimes>) -> Self {
        let release = Arc::new(release);
        Self {
            baton: Arc::new(Baton::new(Arc::clone(&release))),
            standings: Arc::default(),
            board: Arc::default(),
            steward: Arc::default(),
            runtimes: Arc::clone(runtimes),
            tables: Arc::new(Tables::new(release.pipeline())),
            release,
            meter: Arc::default(),
            most_threads: most_threads(&config),
            budget: Budget::new(config.limits.memory(config.threads)),
            lodge: Arc::default(),
            tallies: Tallies::new(&config),
            floor: Arc::default(),
            config,
        }
    }

    pub fn cluster(&self) -> Cluster {
        control::cluster(&self.config)
    }
}

/// How many stream threads a pipeline may come to have in this process: room for their plugins is made at the start.
pub fn most_threads(config: &Config) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    config.threads.max(2 * cores)
}

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// A signal, or whoever holds the [`Stop`].
    Stopped,
    /// Each partition of a source has been read to its end once: then no row is expected any more, all
    /// windows close, and what was held goes through.
    End,
}

/// Runs pipelines until their end, a signal comes, `stop` is asked for, or a thread fails; then ends all of
/// them in order. `admin`: who tells others of it; `collector`: who is told in numbers.
pub fn run(
    runs: &[Run],
    until: Until,
    stop: &Stop,
    admin: Option<&api::Host>,
    collector: Option<Collector>,
) -> Result<()> {
    let open = |run: &Run| {
        let (counts, run) = (run.check_topics(true)?, Arc::new(run.clone()));
        Ok(Arc::new(Generations::new(Generation { run, counts })))
    };
    let pipelines = runs.iter().map(open).collect::<Result<Vec<_>>>()?;
    let control = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let control =
        control.map_err(|error| Error::new(Code::Internal, format!("no control runtime: {error}")))?;
    if let Some(admin) = admin {
        let administered = |one: &Arc<Generations>| Arc::new(Administered::new(one)) as Arc<dyn Pipeline>;
        admin.open(pipelines.iter().map(administered).collect());
    }
    // Dropped last: what happens at the end is told.
    let _exporter = collector.map(|collector| export(&pipelines, collector)).transpose()?;
    control.block_on(supervise(&pipelines, until, stop, admin))
}

/// Tells of the process and all of its pipelines, before anything of them runs.
fn export(pipelines: &[Arc<Generations>], collector: Collector) -> Result<Exporter> {
    let meters: Vec<_> = pipelines.iter().map(|one| Arc::clone(&one.first().run.meter)).collect();
    if let Some(ratio) = collector.ratio() {
        meters.iter().for_each(|meter| drop(meter.traces.set(Arc::new(Traces::new(ratio)))));
    }
    let pipelines: Vec<_> = pipelines.iter().map(Administered::new).collect();
    let sheet = move || {
        let mut sheet = telemetry::of_process();
        pipelines.iter().for_each(|pipeline| pipeline.tell(&mut sheet));
        sheet
    };
    collector.export(Told { sheet: Box::new(sheet), meters })
}

async fn supervise(
    pipelines: &[Arc<Generations>],
    until: Until,
    stop: &Stop,
    admin: Option<&api::Host>,
) -> Result<()> {
    // Before anything starts: a signal that comes early is heard, too.
    let mut signals = Signals::new()?;
    stop.is_heard();
    let (roster, report, mut reports) = Roster::open();
    let (orders, mut ordered) = unbounded_channel();
    let mut progress = progress::Progress::new(pipelines);
    let watch = Watch::new(until, stop);
    let mut company = Company { watch: watch.clone(), report, alive: 0, crews: Vec::new() };
    let started = pipelines.iter().try_for_each(|generations| company.start(generations, &orders));
    let result = match started {
        Ok(()) => company.wait(&mut signals, &mut reports, &mut ordered, &mut progress).await,
        failed => failed,
    };
    let mut alive = company.alive;
    let is_through = watch.until_end() && !watch.asked() && watch.is_over();
    admin.into_iter().for_each(api::Host::stop);
    stop.now();
    drop(company);
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
            "not ended within {STOP_WITHIN:?}: {}\nWhat they had not committed comes again.",
            roster.names()
        );
        Err(Error::new(Code::Stuck, message))
    });
    progress.end();
    result.and(rest)?;
    // What came out last is there now.
    if is_through { stores::drain(pipelines, &mut signals).await } else { Ok(()) }
}

/// All crews of this process.
struct Company {
    watch: Watch,
    report: Report,
    /// So many threads have not ended.
    alive: usize,
    crews: Vec<Crew>,
}

impl Company {
    fn start(&mut self, generations: &Arc<Generations>, orders: &Orders) -> Result<()> {
        let mut crew = Crew::new(generations.first(), &self.watch, self.report.clone())?;
        let lead = crew.lead(generations, &self.watch, orders, &mut self.alive);
        self.crews.push(crew);
        let started = self.crews.last_mut().map_or(Ok(()), |crew| crew.start(&mut self.alive));
        lead.and(started)
    }

    /// Until something wants the end.
    async fn wait(
        &mut self,
        signals: &mut Signals,
        reports: &mut UnboundedReceiver<Result<()>>,
        ordered: &mut UnboundedReceiver<Order>,
        progress: &mut progress::Progress<'_>,
    ) -> Result<()> {
        let mut look = tokio::time::interval(Duration::from_millis(50));
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                // What asked for the end is told, whoever else noticed it.
                biased;
                _ = signals.terminate.recv() => { info!("SIGTERM: finishing"); return Ok(()) }
                _ = signals.interrupt.recv() => { info!("interrupted: finishing"); return Ok(()) }
                _ = signals.hangup.recv() => {
                    if self.watch.until_end() {
                        warn!("SIGHUP is passed over: this run ends by itself");
                        continue;
                    }
                    let Self { crews, alive, .. } = self;
                    crews.iter_mut().try_for_each(|crew| crew.read_again(alive))?;
                }
                Some(ended) = reports.recv() => {
                    self.alive -= 1;
                    match ended {
                        // It was not needed any more.
                        Ok(()) if !self.watch.asked() && self.alive > 0 => {}
                        ended => return ended,
                    }
                }
                Some(order) = ordered.recv() => self.obey(order)?,
                _ = sweep.tick() => self.crews.iter().for_each(Crew::sweep),
                _ = look.tick() => {
                    if self.watch.is_over() {
                        return Ok(());
                    }
                    progress.tell();
                }
            }
        }
    }

    fn obey(&mut self, order: Order) -> Result<()> {
        match order {
            Order::Open(generation) => {
                let mut crew = Crew::new(generation, &self.watch, self.report.clone())?.relayed();
                let started = crew.start(&mut self.alive);
                self.crews.push(crew);
                started
            }
            Order::Close(generation) => {
                if let Some(place) = self.crews.iter().position(|crew| crew.is_of(&generation)) {
                    self.crews.swap_remove(place).close();
                }
                Ok(())
            }
        }
    }
}
