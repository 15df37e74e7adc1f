//! All that runs while releases are swapped: hosts with their files, a load, listeners.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Setup;
use super::check::{self, Found};
use super::files::{Files, Place};
use super::ledger::Ledger;
use crate::broker;
use crate::chaos::campaign::{PARTITIONS, SWAPPED};
use crate::chaos::check::Findings;
use crate::chaos::ear::Ear;
use crate::chaos::feed::Feed;
use crate::chaos::hosts::Hosts;
use crate::chaos::log::Mark;
use crate::chaos::random::Random;
use crate::chaos::server::Server;
use crate::chaos::{Ground, check as chaos_check, oracle};

/// For rows to come out, whatever happened.
const RECOVERS_WITHIN: Duration = Duration::from_secs(120);
/// How often it is looked for hosts that have ended.
const LOOK: Duration = Duration::from_secs(1);
/// For a host to have loaded what it needs.
const UP_WITHIN: Duration = Duration::from_secs(60);
/// When nothing more came for so long at the end, something is lost.
const QUIET_AT_END: Duration = Duration::from_secs(60);

/// Dropped, hosts and broker are killed.
#[derive(Debug)]
pub struct Works {
    pub random: Random,
    pub hosts: Hosts,
    pub files: Files,
    /// Where the hosts' own files are.
    pub place: Place,
    /// Where those are that are applied.
    pub desk: Place,
    pub ledger: Ledger,
    pub feed: Feed,
    pub ear: Ear,
    pub brokers: String,
    pub prefix: String,
    pub folder: PathBuf,
    pub troubles: Vec<String>,
    topics: Vec<String>,
    server: Option<Server>,
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    pub findings: Findings,
    pub found: Found,
    pub troubles: Vec<String>,
    pub refused: Vec<String>,
}

impl Ended {
    pub fn is_clean(&self) -> bool {
        self.findings.is_clean() && self.found.is_clean() && self.troubles.is_empty()
    }
}

impl Works {
    /// Starts all, and waits until rows come out. `sections`: of the pipeline file, beside those of the load.
    pub fn open(setup: &Setup, sections: &str) -> Self {
        std::fs::create_dir_all(&setup.folder).expect("writable");
        let folder = setup.folder.canonicalize().expect("it was just made");
        println!("seed {}, logs in {}", setup.seed, folder.display());
        let (server, brokers) = match &setup.ground {
            Ground::Own { libraries } => {
                let server = Server::launch(libraries, &folder.join("kafka"));
                let address = server.address();
                (Some(server), address)
            }
            Ground::Given { address } => (None, address.clone()),
        };
        let prefix = broker::unique("swaps");
        let topics = SWAPPED.sources().iter().chain(&["out", "late", "dead"]);
        let topics: Vec<String> = topics.map(|which| format!("{prefix}-{which}")).collect();
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        broker::create_at(&brokers, &names, PARTITIONS);

        let sections = format!("{}\n{sections}", kafka(&brokers, &folder));
        let mut files = Files::new(&SWAPPED, "", &sections, &prefix);
        let (place, desk) = (files.place(&folder.join("files")), files.place(&folder.join("desk")));
        let mut random = Random::new(setup.seed);
        let rows = random.fork();
        let mut hosts = Hosts::new(&place.pipeline(), &folder, setup.hosts, true);
        (0..setup.hosts).for_each(|seat| hosts.start(seat));
        // The first of them makes the topic of releases.
        let up = hosts.log(0).wait(0, &[Mark::Starts], UP_WITHIN);
        assert!(up.is_some(), "host 0 does not start; logs: {}", folder.display());
        let ledger = Ledger::open(&brokers, &prefix);
        let ear = Ear::open(&brokers, &format!("{prefix}-out"));
        let feed = Feed::start(&SWAPPED, &brokers, &prefix, setup.rate, rows);
        let troubles = Vec::new();
        let mut works = Self {
            random,
            hosts,
            files,
            place,
            desk,
            ledger,
            feed,
            ear,
            brokers,
            prefix,
            folder,
            troubles,
            topics,
            server,
        };
        if !works.recovers() {
            works.troubles.push("no rows come out at the start".to_owned());
        }
        works
    }

    /// Waits until rows that are fed now come out everywhere. Hosts that ended by themselves are started again.
    pub fn recovers(&mut self) -> bool {
        let (began, fed) = (std::time::Instant::now(), self.feed.clock());
        while !self.ear.wait_until(fed, LOOK) {
            self.raise();
            if began.elapsed() > RECOVERS_WITHIN {
                return false;
            }
        }
        true
    }

    /// Hosts that ended by themselves are troubles; they are started again.
    pub fn raise(&mut self) {
        for said in self.hosts.troubles() {
            println!("      {said}");
            self.troubles.push(said);
        }
        self.hosts.free().into_iter().for_each(|seat| self.hosts.start(seat));
    }

    /// Feeds the last rows, ends the hosts, and compares every output with what it must be.
    pub fn end(mut self) -> Ended {
        self.raise();
        let Self {
            mut hosts,
            files,
            ledger,
            feed,
            ear,
            brokers,
            prefix,
            topics,
            server,
            mut troubles,
            folder,
            ..
        } = self;
        println!("      the last rows");
        let fed = feed.finish();
        let expected = oracle::expect(&SWAPPED, &brokers, &prefix);
        if expected.rows_in < fed {
            troubles.push(format!("{fed} rows were fed, {} are there", expected.rows_in));
        }
        chaos_check::wait(&brokers, &prefix, &expected, QUIET_AT_END);
        let running = hosts.running();
        running.iter().for_each(|seat| hosts.ask_to_end(*seat));
        troubles.extend(running.iter().filter_map(|seat| hosts.await_end(*seat).err()));
        let findings = chaos_check::check(&SWAPPED, &brokers, &prefix, expected);
        let found = check::check(&brokers, &prefix, &files, &ledger.releases());
        let refused = ledger.refused();
        drop((ear, ledger));
        if server.is_none() {
            let internal = ["releases", "release-history"].map(|which| format!("{prefix}.{which}"));
            broker::remove(&topics.into_iter().chain(internal).collect::<Vec<_>>(), &prefix);
        }
        drop(server);
        let ended = Ended { findings, found, troubles, refused };
        if ended.is_clean() {
            // Nobody will look at it, and it is large.
            let seats = running.iter().map(|seat| format!("state-{seat}"));
            seats
                .chain(["kafka/data".to_owned()])
                .for_each(|data| drop(std::fs::remove_dir_all(folder.join(data))));
        }
        ended
    }
}

fn kafka(brokers: &str, folder: &Path) -> String {
    let state = folder.join("state");
    format!("[kafka]\nbrokers = \"{brokers}\"\n[state]\ndirectory = \"{}\"", state.display())
}
