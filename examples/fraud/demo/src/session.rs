//! A run of the demo: broker, host, stream and view, all in this process.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use fraud_generator::{Generator, Settings};
use tailwater::app::{self, Run, Stop, Until};
use tailwater::config::Delivery;
use tailwater::engine::Meter;
use tailwater::release::Runtimes;
use tailwater_sdk::Time;

use crate::args::Demo;
use crate::broker::{Broker, Topics};
use crate::feed::Feeder;
use crate::ledger::Ledger;
use crate::pipeline;
use crate::read::{Asides, Reader};
use crate::report::Report;
use crate::tally::Tally;
use crate::view::{Picture, View};

/// A group of a real Kafka waits some seconds for its members.
const READY_WITHIN: Duration = Duration::from_secs(45);
/// For the last records to come out.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const PAINT_EVERY: Duration = Duration::from_millis(500);

/// Plays, looks, and ends everything that it began.
pub fn run(demo: &Demo) -> Result<Report> {
    let view = View::new(demo.json);
    let mut config = pipeline::read(&demo.pipeline)
        .map_err(|error| anyhow!("{}\n  The demo is run from the repository's root.", error.report()))?;
    // A consumer group of its own: the same pipeline may run beside the demo, and neither takes the other's partitions.
    config.name += "-demo";
    if demo.brokers.is_some() {
        // Windows are kept; those of an earlier run are of other times.
        config.name += &format!("-{}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
        config.state.directory = std::env::temp_dir().join(&config.name);
    } else {
        // The embedded broker has no transactions.
        config.delivery = Delivery::AtLeastOnce;
    }
    view.say(match config.delivery {
        Delivery::ExactlyOnce => "delivery: exactly once",
        Delivery::AtLeastOnce => "delivery: at least once; the embedded broker has no transactions",
    });
    let [transactions, labels] = &config.source[..] else {
        bail!("{}: the demo feeds two sources, transactions and labels", demo.pipeline.display())
    };
    let sources = [transactions, labels].map(|source| source.topic.clone());
    let dead_letters = config.dead_letters.topic.clone();
    let asides = Asides {
        dead_letters: dead_letters.clone(),
        late: config.late.as_ref().map(|late| late.topic.clone()),
    };
    let routes: Vec<String> = config.routes.values().map(|route| route.topic.clone()).collect();
    let outputs = routes.iter().chain([&dead_letters]).chain(&asides.late);
    let outputs: Vec<&str> = outputs.map(String::as_str).collect();

    let runtimes = Arc::new(Runtimes::new(None, demo.onnxruntime.clone()).map_err(report)?);
    let mut run = Run::load(config, &runtimes).map_err(report)?;
    let pipeline = run.release.pipeline();
    let topics = Topics {
        sources: sources.iter().map(String::as_str).collect(),
        outputs: outputs.clone(),
        internal: pipeline.repartition_topics().map(|(_, topic)| topic).collect(),
    };
    let broker = Broker::open(demo.brokers.as_deref(), &pipeline.name, &topics, |line| view.say(line))?;

    let id = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros().to_string();
    let ledger = Arc::new(Ledger::default());
    let reader =
        Reader::new(&broker, &outputs, asides.clone(), &id, &pipeline.identity.stamp, Arc::clone(&ledger))?;
    let feeder = Feeder::new(&broker, &sources[0], &sources[1], &id)?;
    run.config.kafka.brokers = broker.cluster().brokers.clone();
    run.config.kafka.properties.extend(broker.cluster().properties.clone());
    let alerts = routes.iter().find(|topic| topic.ends_with("alerts")).unwrap_or(&dead_letters).clone();
    let stage = Stage {
        demo,
        meter: Arc::clone(&run.meter),
        tally: reader.tally(),
        ledger,
        feeder,
        reader,
        stop: AtomicBool::new(false),
        stop_reading: AtomicBool::new(false),
        stop_host: Stop::default(),
        brokers: broker.cluster().brokers.clone(),
        alerts,
    };
    view.invite(&stage.brokers, &stage.alerts);
    let (group, state) = (run.config.name.clone(), run.config.path(&run.config.state.directory));
    let pipeline = Arc::clone(run.release.pipeline());
    let played = std::thread::scope(|scope| stage.play(scope, run, view));
    if demo.brokers.is_some() {
        let changelogs = pipeline.changelogs.iter().flatten().map(String::as_str);
        let internal = pipeline.repartition_topics().map(|(_, topic)| topic);
        broker.clear(&group, &internal.chain(changelogs).collect::<Vec<_>>())?;
        // It may never have been made.
        let _ = std::fs::remove_dir_all(state);
    }
    played
}

fn report(error: tailwater::error::Error) -> anyhow::Error {
    anyhow!(error.report())
}

/// What the threads share.
struct Stage<'d> {
    demo: &'d Demo,
    meter: Arc<Meter>,
    tally: Arc<Mutex<Tally>>,
    ledger: Arc<Ledger>,
    feeder: Feeder,
    reader: Reader,
    /// The stream.
    stop: AtomicBool,
    stop_reading: AtomicBool,
    stop_host: Stop,
    brokers: String,
    alerts: String,
}

type Thread<'s> = ScopedJoinHandle<'s, Result<()>>;

impl Stage<'_> {
    fn play<'s>(&'s self, scope: &'s Scope<'s, '_>, run: Run, view: View) -> Result<Report> {
        let host = scope
            .spawn(move || app::run(&[run], Until::Stopped, &self.stop_host, None, None).map_err(report));
        let reader = scope.spawn(|| self.reader.read(&self.stop_reading));
        let played = self.play_to(scope, &host, &reader, view);
        // The threads must end also where something failed, or the scope never would.
        self.stop.store(true, Relaxed);
        self.stop_host.now();
        let hosted = join(host);
        self.stop_reading.store(true, Relaxed);
        // What the host says explains more than what follows of it.
        hosted.and(join(reader)).and(played)
    }

    fn play_to<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        host: &Thread<'_>,
        reader: &Thread<'_>,
        mut view: View,
    ) -> Result<Report> {
        self.await_host(host)?;
        let began = Instant::now();
        let settings = Settings { seed: self.demo.seed, cards: self.demo.cards(), ..Settings::default() };
        let stream = Generator::new(settings).labelled();
        let feeding = scope
            .spawn(|| self.feeder.play(stream, self.demo.rate, self.demo.length(), &self.ledger, &self.stop));
        let mut pace = Pace::new();
        while !feeding.is_finished() && !host.is_finished() && !reader.is_finished() {
            std::thread::sleep(LOOK_EVERY);
            if let Some(rate) = pace.rate(self.ledger.fed()) {
                view.show(&self.picture(began.elapsed(), rate))?;
            }
        }
        self.stop.store(true, Relaxed);
        join(feeding)?;
        let took = began.elapsed();
        self.await_answers(host);
        view.show(&self.picture(took, pace.last))?;
        Ok(Report::new(&self.ledger, &self.tally(), took))
    }

    /// Until each partition is read.
    fn await_host(&self, host: &Thread<'_>) -> Result<()> {
        self.feeder.probe()?;
        let since = Instant::now();
        while self.meter.dropped.load(Relaxed) < self.feeder.partitions() {
            if host.is_finished() {
                bail!("the host ended before the stream began");
            }
            if since.elapsed() > READY_WITHIN {
                bail!("the host did not read all partitions within {READY_WITHIN:?}");
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Until all that was fed came out; a host that ended answers nothing more.
    fn await_answers(&self, host: &Thread<'_>) {
        let since = Instant::now();
        let is_missing = || self.tally().answered() < self.ledger.expected();
        while is_missing() && !host.is_finished() && since.elapsed() < ANSWERED_WITHIN {
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn picture(&self, elapsed: Duration, rate: f64) -> Picture {
        Picture {
            elapsed,
            length: self.demo.length(),
            records: self.ledger.fed(),
            labels: self.ledger.labels(),
            rate,
            event_time: Time(self.ledger.event_time()),
            tally: self.tally(),
            brokers: self.brokers.clone(),
            alerts_topic: self.alerts.clone(),
        }
    }
}

fn join(thread: Thread<'_>) -> Result<()> {
    thread.join().map_err(|_| anyhow!("a thread of the demo panicked")).context("see above")?
}

/// Records a second from one picture to the next.
struct Pace {
    at: Instant,
    fed: u64,
    last: f64,
}

impl Pace {
    fn new() -> Self {
        Self { at: Instant::now(), fed: 0, last: 0.0 }
    }

    /// `None`: it is not yet time.
    fn rate(&mut self, fed: u64) -> Option<f64> {
        let passed = self.at.elapsed();
        if passed < PAINT_EVERY {
            return None;
        }
        self.last = (fed - self.fed) as f64 / passed.as_secs_f64();
        (self.at, self.fed) = (Instant::now(), fed);
        Some(self.last)
    }
}
