//! The image, and the program in a container of it.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use tailwater::config::Config;
use tailwater::driver::{Driver, Given};
use tailwater::release::{Release, Runtimes};
use tailwater_tests::broker::{self, Reader};
use tailwater_tests::container::{self, Container, GRACE, MEMORY, PROCESSES};
use tailwater_tests::program::PATIENCE;
use tailwater_tests::{guests, onnxruntime, repository};

use super::Job;

/// Bytes of the image with all that is in it, of which ONNX Runtime has 30 MB. The program of tests is larger than the
/// one that is shipped, and built in a tenth of the time.
const LARGEST: u64 = 80_000_000;
/// Who the program is.
const USER: u64 = 1000;
const PARTITIONS: i32 = 4;

/// The example with its own topics, in a container.
struct Clicks {
    name: String,
}

impl Clicks {
    fn new(name: &str) -> Self {
        let clicks = Self { name: broker::unique(name) };
        let topics = clicks.topics();
        broker::create(&topics.each_ref().map(String::as_str), PARTITIONS);
        clicks
    }

    /// Where clicks come from, where predictions go, and what can't be scored.
    fn topics(&self) -> [String; 3] {
        ["in", "out", "dead"].map(|which| format!("{}-{which}", self.name))
    }

    /// As compose.yaml has it, which see for the places.
    fn run(&self, more: &[(&str, &str)]) -> Container {
        let [input, out, dead] = &self.topics();
        let brokers = broker::address();
        let own = [
            ("TAILWATER__NAME", self.name.as_str()),
            ("TAILWATER__KAFKA__BROKERS", &brokers),
            ("TAILWATER__SOURCE__0__TOPIC", input),
            ("TAILWATER__ROUTES__OUTPUT__TOPIC", out),
            ("TAILWATER__DEAD_LETTERS__TOPIC", dead),
        ];
        let folders = [(repository("examples/clicks"), "/etc/tailwater"), (guests(), "/target/guests")];
        Container::run("/etc/tailwater/clicks.toml", &folders, &[&own, more].concat())
    }

    /// One in fifteen is of an item that there is not.
    fn click(id: usize) -> (String, Vec<u8>) {
        let item = id as i64 % 15 - 1;
        let value =
            format!("{{\"user_id\":{id},\"item_id\":{item},\"event_time\":\"2026-03-01T13:36:00Z\"}}");
        (id.to_string(), value.into_bytes())
    }

    fn feed(&self, clicks: usize) {
        broker::produce(&self.topics()[0], (0..clicks).map(Self::click));
    }

    /// Reads until so many predictions and dead letters are there. Compares them with what the same pipeline makes of
    /// these clicks without a broker.
    fn comes_out_once(&self, clicks: usize) {
        let [_, out, dead] = &self.topics();
        let config = Config::read(&repository("examples/clicks/clicks.toml")).expect("a valid pipeline");
        let runtimes = Runtimes::new(None, Some(onnxruntime())).expect("runtimes");
        let release = Release::load(&config, &runtimes).unwrap_or_else(|error| panic!("{}", error.report()));
        let mut driver = Driver::new(&release).expect("instances");
        for (key, value) in (0..clicks).map(Self::click) {
            driver.give(Given::value(value).with_key(key));
        }
        let mut expected: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for sent in driver.finish().expect("it runs") {
            let one = (sent.key.expect("a key"), sent.value.expect("a value"));
            expected.entry(sent.topic).or_default().push(one);
        }
        for (topic, known_as) in [(out, "click_predictions"), (dead, "click_dead_letters")] {
            let mut expected = expected.remove(known_as).expect("both come");
            broker::read_until(topic, |got| got.len() >= expected.len());
            let got = broker::read_all(topic);
            let mut got: Vec<_> = got
                .into_iter()
                .map(|one| (one.key.unwrap_or_default(), one.value.unwrap_or_default()))
                .collect();
            got.sort();
            expected.sort();
            assert_eq!(got.len(), expected.len(), "{topic}");
            assert!(got == expected, "{topic}: something is lost, doubled or not what it must be");
        }
    }
}

impl Drop for Clicks {
    fn drop(&mut self) {
        let changelog = format!("source-{}-in.changelog", self.name);
        let internal =
            ["releases", "release-history", &changelog].map(|which| format!("{}.{which}", self.name));
        broker::remove(&self.topics().into_iter().chain(internal).collect::<Vec<_>>(), &self.name);
    }
}

/// What a process is, in words of `/proc/PID/status`.
fn status(process: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(process.join("status")).expect("it runs");
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

/// A user of this machine, as a process knows it.
fn as_known_by(process: &Path, user: u64) -> Option<u64> {
    let map = fs::read_to_string(process.join("uid_map")).expect("it runs");
    map.lines().find_map(|line| {
        let numbers: Vec<u64> = line.split_whitespace().flat_map(str::parse).collect();
        let [inside, outside, count] = numbers[..] else { return None };
        (outside..outside + count).contains(&user).then(|| inside + user - outside)
    })
}

#[test]
fn the_image_is_small_and_says_what_it_is() {
    let image = container::inspect("image", &container::image());
    let size = image["Size"].as_u64().expect("a number");
    assert!(size <= LARGEST, "{size} bytes");
    let config = &image["Config"];
    assert_eq!(config["User"], format!("{USER}:{USER}"));
    let label = |name: &str| config["Labels"][format!("org.opencontainers.image.{name}")].as_str();
    assert_eq!(label("title"), Some("Tailwater"));
    assert_eq!(label("version"), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(label("licenses"), Some(env!("CARGO_PKG_LICENSE")));
    assert!(label("revision").is_some_and(|revision| !revision.is_empty()));
    let version = container::done(&["run", "--rm", "--read-only", &container::image(), "--version"]);
    assert_eq!(version, format!("tailwater {}", env!("CARGO_PKG_VERSION")));
    for program in ["/bin/sh", "/bin/bash", "/usr/bin/env"] {
        let shell = container::engine(&["run", "--rm", "--entrypoint", program, &container::image()]);
        assert_eq!(shell.status.code(), Some(127), "there is {program}");
    }
}

#[test]
fn clicks_are_scored_by_a_process_that_may_do_nothing_else() {
    let clicks = Clicks::new("confined");
    clicks.feed(1_000);
    let mut reader = Reader::open(&[&clicks.topics()[1]]);
    let began = Instant::now();
    let container = clicks.run(&[]);
    reader.until(|got| !got.is_empty());
    eprintln!("from nothing to the first prediction: {:?}", began.elapsed());
    let api = container.api();
    assert_eq!(api.get("/live").0, 200);
    while api.get("/ready").0 != 200 {
        assert!(began.elapsed() < PATIENCE, "it does not get ready");
    }

    let process = container.process();
    let status = status(&process);
    let user = status["Uid"].split_whitespace().next().and_then(|user| user.parse().ok()).expect("a number");
    assert_eq!(as_known_by(&process, user), Some(USER));
    for capabilities in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(u64::from_str_radix(&status[capabilities], 16), Ok(0), "{capabilities}");
    }
    assert_eq!(status["NoNewPrivs"], "1");
    // Filtered by the engine's own profile.
    assert_eq!(status["Seccomp"], "2");
    let mounts = fs::read_to_string(process.join("mountinfo")).expect("it runs");
    let of = |place: &str| {
        let mount = mounts.lines().find(|line| line.split(' ').nth(4) == Some(place));
        mount.unwrap_or_else(|| panic!("{place} is not mounted")).split(' ').nth(5).expect("options")
    };
    let is_writable = |place: &str| of(place).split(',').any(|option| option == "rw");
    assert_eq!(
        ["/", "/etc/tailwater", "/var/lib/tailwater", "/tmp"].map(is_writable),
        [false, false, true, true]
    );
    let limits = &container.inspect()["HostConfig"];
    assert_eq!(limits["Memory"].as_u64(), Some(MEMORY));
    assert_eq!(limits["PidsLimit"].as_u64(), Some(PROCESSES));
    let log = container.log();
    assert!(!log.contains(" WARN ") && !log.contains(" ERROR "), "{log}");

    clicks.comes_out_once(1_000);
    assert_eq!(container.stop(), 0);
    broker::produce(&clicks.topics()[0], [Clicks::click(1)]);
    let before = broker::read_all(&clicks.topics()[1]).len();
    let began = Instant::now();
    container.start();
    reader.until(|got| got.len() > before);
    eprintln!("from the second start to the first prediction: {:?}", began.elapsed());
    assert_eq!(container.stop(), 0);
}

#[test]
fn one_that_still_waits_for_brokers_ends_when_it_is_told_to() {
    let clicks = Clicks::new("waiting");
    let container = clicks.run(&[("TAILWATER__KAFKA__BROKERS", "127.0.0.1:1")]);
    // Where it listens it says before it asks for brokers.
    container.api();
    assert_eq!(container.stop(), 0, "{}", container.log());
}

#[test]
fn sigterm_under_load_finishes_commits_and_leaves_within_the_grace() {
    let clicks = Clicks::new("stopped");
    clicks.feed(100_000);
    // Slow enough to be in the middle.
    let container = clicks.run(&[("TAILWATER__LIMITS__BATCH_ROWS", "1")]);
    Reader::open(&[&clicks.topics()[1]]).until(|got| got.len() > 1_000);
    let began = Instant::now();
    assert_eq!(container.stop(), 0, "{}", container.log());
    assert!(began.elapsed() < GRACE);
    eprintln!("from SIGTERM to the end: {:?}", began.elapsed());
    assert_eq!(broker::members(&clicks.name), 0, "its members have left");
    let committed = broker::committed(&clicks.name, &clicks.topics()[0], PARTITIONS);
    assert!((1_000..100_000).contains(&committed), "{committed} are committed");
    container.start();
    clicks.comes_out_once(100_000);
    assert_eq!(container.stop(), 0);
}

#[test]
fn kill_9_loses_and_doubles_nothing_and_windows_go_on() {
    let job = Job::with_topics("container");
    let (folder, guests) = (job.folder.path(), guests());
    // Temporary folders are for their owner alone.
    fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("it is ours");
    // The pipeline names its plugin by the place that it has on this machine.
    let folders = [(folder.to_owned(), "/etc/tailwater"), (guests.clone(), guests.to_str().expect("UTF-8"))];
    let environment = [("TAILWATER__LIMITS__BATCH_ROWS", "16")];
    job.feed(0..20_000);
    let container = Container::run("/etc/tailwater/pipeline.toml", &folders, &environment);
    let (mut fed, mut between) = (20_000, 0);
    for _ in 0..3 {
        job.read(0..fed - 19_500);
        job.feed(fed..fed + 20_000);
        fed += 20_000;
        container.kill();
        let committed = broker::committed(&job.group(), &job.topic("in"), PARTITIONS);
        between += usize::from(committed > 0 && committed < fed);
        container.start();
    }
    assert!(between > 0, "no kill came between two commits");
    job.read(0..fed);
    let all = broker::read_all(&job.topic("out"));
    assert_eq!(all.len() as i64, fed, "each of them once");
    for one in all {
        let id = super::id(&one);
        let minute: f64 = (0..3).map(|n| id - n * 20).filter(|id| *id >= 0).map(|id| id as f64 + 100.5).sum();
        assert_eq!(one.json()["sum_1m"].as_f64(), Some(minute), "id {id}");
    }
    assert_eq!(container.stop(), 0);
}
