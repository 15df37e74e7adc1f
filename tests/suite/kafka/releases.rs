//! Releases come and go while a pipeline runs.

mod admin;
mod commands;
mod history;
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use tailwater::release::ledger::Ledger;
use tailwater::release::manifest::{Content, Digest, Facts, How, Proposal, Ticket};
use tailwater_tests::broker::{self, Got};
use tailwater_tests::guest;
use tailwater_tests::program::Program;

use super::Job;

/// A machine with files of its own.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    /// Sums of amounts by card.
    fn new(job: &Job) -> Self {
        Self::of(job, "folds")
    }

    /// With this plugin.
    fn of(job: &Job, plugin: &str) -> Self {
        let machine = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        fs::copy(guest(plugin), machine.plugin()).expect("writable");
        machine.configure(job, "");
        machine
    }

    /// With more columns, which come out as they came.
    fn configure(&self, job: &Job, columns: &str) {
        job.write(&format!(
            r#"
            columns = {{ id = "int", t = "time", amount = "float", card = "text"{columns} }}
            partitioned_by = ["card"]
            event_time = "t"
            [[features]]
            plugin = "plugin.wasm"
            name = "folds"
            key = "card"
            "#
        ));
        replace(&self.file(), &fs::read(job.file()).expect("readable"));
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("pipeline.toml")
    }

    fn plugin(&self) -> PathBuf {
        self.folder.path().join("plugin.wasm")
    }

    fn start(&self) -> Program {
        Program::run(&self.file(), &[])
    }
}

/// At once, as it should be done.
fn replace(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("beside");
    fs::write(&beside, bytes).expect("writable");
    fs::rename(beside, path).expect("writable");
}

/// The plugin with something in it that changes nothing but its bytes.
fn marked(mark: &str) -> Vec<u8> {
    let mut bytes = fs::read(guest("folds")).expect("readable");
    let name = b"mark";
    bytes.extend([0, (1 + name.len() + mark.len()) as u8, name.len() as u8]);
    bytes.extend(name);
    bytes.extend(mark.as_bytes());
    bytes
}

/// Numbers of the releases that made these.
fn numbers<'a>(got: impl IntoIterator<Item = &'a Got>) -> BTreeSet<u64> {
    got.into_iter().map(number).collect()
}

fn number(got: &Got) -> u64 {
    let stamp = &got.headers["tailwater-release"];
    let (number, id) = stamp.split_once('-').expect("a number and an id");
    assert_eq!(id.len(), 16, "{stamp}");
    number.parse().expect("a number")
}

/// The row of an id: the only one, whose windows have all before it. Gives its release.
fn check(id: i64, copies: &[Got]) -> u64 {
    assert_eq!(copies.len(), 1, "id {id}");
    // Rows of a card are 20 s apart: a minute holds this one and two before.
    let minute: f64 = (0..3).map(|n| id - n * 20).filter(|id| *id >= 0).map(|id| id as f64 + 100.5).sum();
    assert_eq!(copies[0].json()["sum_1m"].as_f64(), Some(minute), "id {id}");
    number(&copies[0])
}

/// Feeds more and more, until rows of this release come.
fn feed_until(job: &Job, fed: &mut i64, release: u64) -> BTreeMap<i64, Vec<Got>> {
    for _ in 0..600 {
        job.feed(*fed..*fed + 200);
        *fed += 200;
        let all = job.read(0..*fed);
        if numbers(all.values().flatten()).contains(&release) {
            return all;
        }
    }
    panic!("release {release} never comes");
}

#[test]
fn a_plugin_that_changes_under_load_loses_and_doubles_nothing() {
    let job = Job::with_topics("swapped");
    let machine = Machine::new(&job);
    let mut program = machine.start();
    let mut fed = 0;
    feed_until(&job, &mut fed, 1);
    for release in 2..5 {
        replace(&machine.plugin(), &marked(&release.to_string()));
        feed_until(&job, &mut fed, release);
        program.says(&format!("release {release}-"));
    }
    // Half a file is no release.
    let whole = marked("whole");
    fs::write(machine.plugin(), &whole[..whole.len() / 2]).expect("writable");
    program.says("TW202");
    job.feed(fed..fed + 1000);
    fed += 1000;
    let all = job.read(0..fed);
    let mut last = BTreeMap::new();
    for (id, copies) in &all {
        let (number, card) = (check(*id, copies), id % 20);
        assert!(
            last.insert(card, number).is_none_or(|before| before <= number),
            "id {id} is of an older one"
        );
    }
    assert_eq!(numbers(all.values().flatten()), BTreeSet::from([1, 2, 3, 4]));
    // When all of it is there, it is one.
    fs::write(machine.plugin(), &whole).expect("writable");
    feed_until(&job, &mut fed, 5);
    assert!(program.terminate().success());
}

#[test]
fn each_row_is_what_its_release_makes_of_it_and_all_hosts_go_over() {
    let job = Job::with_topics("fleet");
    let [one, two] = [Machine::new(&job), Machine::new(&job)];
    let (mut first, mut second) = (one.start(), two.start());
    let mut fed = 0;
    feed_until(&job, &mut fed, 1);
    // Of one machine alone.
    one.configure(&job, ", more = \"int?\"");
    let all = feed_until(&job, &mut fed, 2);
    for program in [&first, &second] {
        program.says("release 2-");
    }
    for (id, copies) in &all {
        let release = check(*id, copies);
        assert_eq!(copies[0].json().get("more").is_some(), release == 2, "id {id} of release {release}");
    }
    // A host that comes later has old files, and goes by what runs.
    assert!(first.terminate().success() && second.terminate().success());
    let mut third = two.start();
    job.feed(fed..fed + 500);
    let all = job.read(0..fed + 500);
    assert_eq!(numbers(all.range(fed..).flat_map(|(_, copies)| copies)), BTreeSet::from([2]));
    assert!(third.terminate().success());
    let history = broker::read_all(&format!("{}.release-history", job.name));
    let whats: Vec<String> =
        history.iter().map(|got| got.json()["what"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(whats.iter().filter(|what| *what == "released").count(), 2, "{whats:?}");
    assert_eq!(whats.iter().filter(|what| *what == "runs").count(), 5, "{whats:?}");
}

#[test]
fn a_release_that_fails_goes_back_by_itself() {
    let job = Job::with_topics("probation");
    let write = |mode: &str| {
        job.write(&format!(
            r#"
            [preprocess]
            plugin = "{}"
            settings = {{ mode = "{mode}" }}
            "#,
            guest("hostile-preprocessor").display(),
        ));
    };
    write("pass");
    let record = |n: i64| ("k".to_owned(), format!("{{\"n\":{n},\"t\":1}}").into_bytes());
    let mut program = job.start();
    broker::produce(&job.topic("in"), (100..120).map(record));
    broker::read_until(&job.topic("out"), |got| got.len() >= 20);
    write("trap");
    program.says("release 2-");
    broker::produce(&job.topic("in"), (0..500).map(|_| record(13)));
    program.says("release 1 is to come back");
    let got = broker::read_until(&job.topic("out"), |got| got.len() >= 520);
    assert_eq!(numbers(&got[20..]).last(), Some(&3));
    assert!(program.terminate().success());
    assert!(broker::read_all(&job.topic("dead")).is_empty());
    // The bad files are there still, and stay what they are.
    let mut program = job.start();
    broker::produce(&job.topic("in"), (0..500).map(|_| record(13)));
    broker::read_until(&job.topic("out"), |got| got.len() >= 1020);
    assert!(program.terminate().success());
    let history = broker::read_all(&format!("{}.release-history", job.name));
    let back = history.iter().map(Got::json).find(|event| event["how"] == "probation").expect("it is told");
    assert_eq!((&back["number"], &back["returns_to"]), (&3.into(), &1.into()));
    assert!(back["why"].as_str().is_some_and(|why| why.contains("500")), "{back}");
}

#[test]
fn what_is_proposed_is_answered() {
    let job = Job::with_topics("proposed");
    let machine = Machine::new(&job);
    let mut program = machine.start();
    let mut fed = 0;
    feed_until(&job, &mut fed, 1);
    let topic = format!("{}.releases", job.name);
    let propose = |how: How, content: Content, returns_to: Option<u64>| {
        let (by, why) = ("tests@here".to_owned(), "to see it".to_owned());
        let facts = Facts { content, by, how, at: 1, why, returns_to, bootstrap: None, generation: 0 };
        let (key, value) = Proposal { ticket: Ticket::random(), facts }.record().expect("small");
        broker::produce(&topic, [(key, value)]);
    };
    let first = ledger(&topic).current().expect("one").facts.content.clone();
    // Nobody has the bytes of this one; what waits behind it is answered all the same.
    let mut lacking = first.clone();
    lacking.id = "0".repeat(16);
    lacking.artifacts[0].digest = Digest([7; 32]);
    propose(How::Apply, lacking, None);
    replace(&machine.plugin(), &marked("more"));
    feed_until(&job, &mut fed, 2);
    propose(How::Apply, ledger(&topic).current().expect("one").facts.content.clone(), None);
    // This one says that it is the first, which is known, and is another.
    let mut lying = first.clone();
    lying.artifacts[0].digest = Digest([7; 32]);
    propose(How::Apply, lying, None);
    propose(How::Rollback, first, Some(1));
    feed_until(&job, &mut fed, 3);
    let ledger = ledger(&topic);
    let codes: Vec<&str> = ledger.refusals().iter().map(|refusal| refusal.code.as_str()).collect();
    assert_eq!(codes, ["TW705", "TW708", "TW705"]);
    let current = ledger.current().expect("one");
    assert_eq!((current.number, current.facts.how, current.facts.returns_to), (3, How::Rollback, Some(1)));
    // The files are those of release 2, which was there.
    for (id, copies) in job.read(0..fed) {
        check(id, &copies);
    }
    assert!(program.terminate().success());
}

/// What a topic says.
fn ledger(topic: &str) -> Ledger {
    let mut ledger = Ledger::default();
    for (offset, got) in broker::read_all(topic).iter().enumerate() {
        ledger.take(offset as i64, got.key.as_deref(), got.value.as_deref()).expect("ours");
    }
    ledger
}

#[test]
fn threads_that_come_later_go_by_what_runs_then_and_rows_may_repeat() {
    let job = Job::with_topics("later");
    let machine = Machine::new(&job);
    let mut program = Program::run(&machine.file(), &[("TAILWATER__DELIVERY", "at-least-once")]);
    let mut fed = 0;
    feed_until(&job, &mut fed, 1);
    replace(&machine.plugin(), &marked("more"));
    feed_until(&job, &mut fed, 2);
    program.says("release 2-");
    let text = fs::read_to_string(machine.file()).expect("readable").replace("threads = 2", "threads = 4");
    replace(&machine.file(), text.as_bytes());
    program.hang_up();
    program.says("threads=4");
    job.feed(fed..fed + 2000);
    let all = job.read(0..fed + 2000);
    assert_eq!(numbers(all.range(fed..).flat_map(|(_, copies)| copies)), BTreeSet::from([2]));
    assert!(program.terminate().success());
}

#[test]
fn without_releases_what_was_there_at_the_start_runs() {
    let job = Job::with_topics("still");
    let machine = Machine::new(&job);
    let mut program = Program::run(&machine.file(), &[("TAILWATER__RELEASES__ENABLED", "false")]);
    let mut fed = 0;
    feed_until(&job, &mut fed, 0);
    assert!(program.terminate().success());
    assert!(broker::missing(&format!("{}.releases", job.name)));
}
