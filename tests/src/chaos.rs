//! Chaos on a real Apache Kafka: a pipeline runs on a steady load while its hosts and its broker are killed, frozen,
//! stopped and started at random moments; then every single output is compared with what an offline recomputation says.
//!
//! A campaign is a pipeline with a load and an oracle; a seed draws its rows and its events (moments are the machine's
//! own). Hosts are processes of the built program in one consumer group, two threads each. All processes are children of
//! the thread that runs the campaign, and die with it.
//!
//! It must be so: each row has its output once, of the right value; late rows are those that are late; nothing is a dead
//! letter; hosts end when they are asked to, and not otherwise; rows come out again after every event. A row is what
//! lies in an input topic: over a broker's death the feeder may have written one twice.

pub mod campaign;
pub(crate) mod check;
pub(crate) mod ear;
mod events;
pub(crate) mod feed;
pub(crate) mod hosts;
pub(crate) mod log;
pub(crate) mod oracle;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod read;
mod report;
pub(crate) mod server;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use campaign::{Campaign, PARTITIONS};
use ear::Ear;
use events::World;
use feed::Feed;
use hosts::Hosts;
use random::Random;
pub use report::{Event, Landed, Report};
use server::Server;

use crate::broker;

/// At most so many hosts run.
pub const SEATS: usize = 4;
/// Of a group's members: short, so that much happens. With a broker of the user's the host's own holds.
const SESSION: Duration = Duration::from_secs(3);
const USERS_SESSION: Duration = Duration::from_secs(6);
/// When nothing more came for so long at the end, something is lost. A group whose coordinator was killed can wait for 47 s,
/// and offsets are pending for 45 s (Apache Kafka 4.3).
const QUIET_AT_END: Duration = Duration::from_secs(240);

/// Which broker it runs on.
#[derive(Clone, Debug)]
pub enum Ground {
    /// One of our own, from these jars, which is killed too.
    Own { libraries: PathBuf },
    /// This one, which is left alone.
    Given { address: String },
}

/// What is promised, and so checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    ExactlyOnce,
    /// Kills make faults: it shows that they are found.
    AtLeastOnce,
}

/// How a campaign runs.
#[derive(Clone, Debug)]
pub struct Options {
    pub campaign: &'static Campaign,
    pub seed: u64,
    /// What happens first.
    pub script: &'static [Event],
    /// So many more are drawn.
    pub events: usize,
    /// Between two events, when all goes on again.
    pub pause: Range<Duration>,
    /// For so long a killed host or broker is away.
    pub away: Range<Duration>,
    /// Hosts at first, [`SEATS`] at most.
    pub hosts: usize,
    /// Purchases a second.
    pub rate: u64,
    /// So many kills must land in a transaction, and as many in a rebalance. Where the drawn events did not do, more
    /// follow, as many as there were at most.
    pub landings: usize,
    pub delivery: Delivery,
    pub ground: Ground,
    /// Where logs, state and the broker's data go; it is made.
    pub folder: PathBuf,
}

impl Options {
    /// The broker that `cargo xtask` prepared: jars for one of our own, or an address.
    pub fn ground() -> Ground {
        match std::env::var_os("TAILWATER_KAFKA_LIBRARIES") {
            Some(libraries) => Ground::Own { libraries: libraries.into() },
            None => Ground::Given { address: broker::address() },
        }
    }
}

/// Runs a campaign. One line an event goes to stdout.
pub fn run(options: &Options) -> Report {
    let Options { campaign, seed, folder, .. } = options;
    let began = Instant::now();
    std::fs::create_dir_all(folder).expect("writable");
    let folder = folder.canonicalize().expect("it was just made");
    println!("campaign {}, seed {seed}, logs in {}", campaign.name, folder.display());
    let (server, brokers, session) = match &options.ground {
        Ground::Own { libraries } => {
            let server = Server::launch(libraries, &folder.join("kafka"));
            let address = server.address();
            (Some(server), address, SESSION)
        }
        Ground::Given { address } => (None, address.clone(), USERS_SESSION),
    };
    let prefix = broker::unique(&format!("chaos-{}", campaign.name));
    let topic = |which: &str| format!("{prefix}-{which}");
    let topics: Vec<String> =
        campaign.sources().iter().chain(&["out", "late", "dead"]).map(|which| topic(which)).collect();
    broker::create_at(&brokers, &topics.iter().map(String::as_str).collect::<Vec<_>>(), PARTITIONS);
    let pipeline = pipeline(options, &folder, &brokers, &prefix, server.is_some());

    let mut random = Random::new(*seed);
    let rows = random.fork();
    let keeps_state = options.delivery == Delivery::ExactlyOnce;
    let mut hosts = Hosts::new(&pipeline, &folder, SEATS, keeps_state);
    (0..options.hosts).for_each(|seat| hosts.start(seat));
    let ear = Ear::open(&brokers, &topic("out"));
    let feed = Feed::start(campaign, &brokers, &prefix, options.rate, rows);
    let (lines, landed) = (BTreeMap::new(), Landed::default());
    let (fewest, troubles) = (options.hosts.min(2), Vec::new());
    let away = options.away.clone();
    let mut world =
        World { random, hosts, server, feed, ear, fewest, away, session, lines, landed, troubles };
    // Plugins are compiled now.
    if world.recovers(world.feed.clock()) {
        inflict(options, &mut world);
    } else {
        world.troubles.push("no rows came before the first event".to_owned());
    }
    world.raise();

    let World { mut hosts, server, feed, ear, lines, landed, mut troubles, .. } = world;
    println!("      the last rows");
    let fed = feed.finish();
    let expected = oracle::expect(campaign, &brokers, &prefix);
    if expected.rows_in < fed {
        troubles.push(format!("{fed} rows were fed, {} are there", expected.rows_in));
    }
    check::wait(&brokers, &prefix, &expected, QUIET_AT_END);
    let running = hosts.running();
    running.iter().for_each(|seat| hosts.ask_to_end(*seat));
    troubles.extend(running.iter().filter_map(|seat| hosts.await_end(*seat).err()));
    let findings = check::check(campaign, &brokers, &prefix, expected);
    println!("      the listener heard {} of {} outputs", ear.heard(), findings.rows_out);
    drop(ear);
    if !findings.is_clean() {
        troubles.extend(server.as_ref().and_then(Server::trouble));
    }
    if server.is_none() {
        broker::remove(&topics, &prefix);
    }
    drop(server);
    let report = Report {
        campaign: campaign.name,
        seed: *seed,
        took: began.elapsed(),
        lines: Event::ALL.iter().filter_map(|event| Some((*event, lines.get(event)?.clone()))).collect(),
        landed,
        wanted: options.landings,
        findings,
        troubles,
        folder,
    };
    if report.is_clean() {
        // Nobody will look at it, and it is large.
        let data = (0..SEATS).map(|seat| format!("state-{seat}")).chain(["kafka/data".to_owned()]);
        data.for_each(|data| drop(std::fs::remove_dir_all(report.folder.join(data))));
    }
    report
}

fn inflict(options: &Options, world: &mut World) {
    let mut number = 0;
    let mut happen = |world: &mut World, event: Event| {
        if world.is_hopeless() {
            return;
        }
        number += 1;
        world.happen(number, event, &options.pause);
    };
    for event in options.script {
        happen(world, *event);
    }
    for _ in 0..options.events {
        let event = world.draw();
        happen(world, event);
    }
    for _ in 0..options.script.len() + options.events {
        let landed = world.landed;
        if landed.in_rebalance() < options.landings {
            happen(world, Event::KillInRebalance);
        } else if landed.in_transaction() < options.landings {
            happen(world, Event::KillInTransaction);
        } else {
            break;
        }
    }
}

/// Writes the pipeline file.
fn pipeline(options: &Options, folder: &Path, brokers: &str, prefix: &str, is_own: bool) -> PathBuf {
    let delivery = match options.delivery {
        Delivery::ExactlyOnce => "exactly-once",
        Delivery::AtLeastOnce => "at-least-once",
    };
    let top = format!("delivery = \"{delivery}\"");
    let mut sections = format!("[kafka]\nbrokers = \"{brokers}\"\n");
    if is_own {
        let session = SESSION.as_millis();
        sections += &format!(
            "properties = {{ \"session.timeout.ms\" = \"{session}\", \"heartbeat.interval.ms\" = \"500\" }}\n"
        );
    }
    if options.delivery == Delivery::ExactlyOnce {
        // Each host has one of its own in its environment.
        sections += &format!("[state]\ndirectory = \"{}\"\n", folder.join("state").display());
    }
    let file = folder.join("pipeline.toml");
    std::fs::write(&file, options.campaign.pipeline(&top, &sections, prefix)).expect("writable");
    file
}
