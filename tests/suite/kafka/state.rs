//! What an operator does with the state of a pipeline.

use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tailwater_tests::broker;
use tailwater_tests::program::{PATIENCE, Program, output};

use super::{Job, id};

/// What `tailwater state` says to these arguments, and whether it ended well.
fn state(job: &Job, arguments: &[&str]) -> (bool, String) {
    let file = job.file();
    let (verb, rest) = arguments.split_first().expect("show or reset");
    let all = [&["state", verb, file.to_str().expect("UTF-8")], rest].concat();
    let output = output(&all);
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// What is kept of a card, once that is as of its last row.
fn shown(job: &Job, card: i64, last: i64) -> Value {
    let began = Instant::now();
    loop {
        let file = job.file();
        let key = format!("card-{card}");
        let output = output(&["state", "show", file.to_str().expect("UTF-8"), "--key", &key, "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        // Markers of a transaction may lag behind its end.
        if shown["found"][0]["newest"] == last * 1000 {
            assert_eq!(shown["found"].as_array().map(Vec::len), Some(1), "{shown}");
            return shown["found"][0].take();
        }
        assert!(began.elapsed() < PATIENCE, "{shown}");
    }
}

/// The value of a window.
fn value<'a>(shown: &'a Value, name: &str) -> &'a str {
    let windows = shown["windows"].as_array().expect("a list");
    let found = windows.iter().find(|window| window["name"] == name);
    found.and_then(|window| window["value"].as_str()).unwrap_or_else(|| panic!("{name}: {shown}"))
}

/// A moment that lies between what was produced before and what is after; as the clock has it.
fn between() -> String {
    let now = || SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_millis();
    let moment = now() + 1;
    while now() <= moment {
        std::thread::sleep(Duration::from_millis(1));
    }
    moment.to_string()
}

#[test]
fn a_key_is_shown_as_its_last_decision_saw_it() {
    let job = Job::with_topics("shown");
    let (said_ok, said) = state(&job, &["show", "--key", "card-7"]);
    assert!(!said_ok && said.contains("TW502") && said.contains("has not run yet"), "{said}");
    let mut program = job.start();
    job.feed(0..400);
    let decisions = job.read(0..400);
    // The last row of card 7.
    let last = &decisions[&387][0];
    let shown = shown(&job, 7, 387);
    assert_eq!(shown["partition"], last.partition, "as many partitions as its topic, by the same key");
    let sum: f64 = value(&shown, "sliding 60000 ms: float sum of amount").parse().expect("a number");
    assert_eq!(Some(sum), last.json()["sum_1m"].as_f64(), "{shown}");
    let read = &shown["read"][format!("{}/{}", job.topic("in"), last.partition)];
    let own = broker::read_all(&job.topic("in")).iter().filter(|one| one.partition == last.partition).count();
    assert_eq!(read.as_u64(), Some(own as u64), "{shown}");
    let (ok, page) = state(&job, &["show", "--key", "card-7", "--partition", &last.partition.to_string()]);
    println!("{page}");
    assert!(ok && page.contains("folds, card = card-7") && page.contains(&sum.to_string()), "{page}");
    let (ok, said) = state(&job, &["show", "--key", "nobody"]);
    assert!(ok && said.contains("nothing is kept") && said.contains("partitions 0 to 3"), "{said}");
    for (arguments, says) in
        [(["--partition", "4"], "has 4 of them"), (["--stage", "other"], "there are: folds")]
    {
        let (ok, said) = state(&job, &[&["show", "--key", "card-7"], &arguments[..]].concat());
        assert!(!ok && said.contains("TW103") && said.contains(says), "{said}");
    }
    // Nobody was disturbed.
    job.feed(400..800);
    assert!(job.read(0..800).values().all(|copies| copies.len() == 1));
    assert!(program.terminate().success());
}

#[test]
fn what_is_kept_is_that_of_the_release_that_runs() {
    let job = Job::with_topics("current");
    let mut program = job.start();
    job.feed(0..100);
    job.read(0..100);
    let own = std::fs::read_to_string(job.file()).expect("readable");
    let elsewhere = job.folder.path().join("elsewhere.toml");
    // As files that nobody has tried yet: a stage is called otherwise, and its plugin is not there.
    let write = |plugin: &str| {
        let stage = format!("[[features]]\n            name = \"other\"\n            plugin = {plugin}");
        let (before, after) = own.split_once("[[features]]").expect("a stage");
        let (_, after) = after.split_once("key = ").expect("its key");
        std::fs::write(&elsewhere, format!("{before}{stage}\n            key = {after}")).expect("writable");
    };
    write("\"nowhere.wasm\"");
    let tell = |arguments: &[&str]| {
        let (before, after) = arguments.split_at(2);
        let all = [before, &[elsewhere.to_str().expect("UTF-8")], after].concat();
        let output = output(&all);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), said)
    };
    let (ok, said) = tell(&["state", "show", "--key", "card-7", "--stage", "folds"]);
    assert!(ok && said.contains("by release   1-") && said.contains("newest row"), "{said}");

    write(&format!("{:?}", tailwater_tests::guest("folds")));
    let (ok, said) = tell(&["validate", "--connect"]);
    assert!(ok && said.contains("1-") && said.contains("of other files"), "{said}");
    let (ok, said) = validated(&job);
    assert!(ok && !said.contains("of other files"), "{said}");

    assert!(program.terminate().success());
    let (ok, said) = tell(&["state", "reset", "--yes"]);
    assert!(ok && said.contains(&format!("{}.folds.changelog", job.name)), "{said}");
    let (ok, said) = state(&job, &["show", "--key", "card-7"]);
    assert!(
        !ok && said.contains("TW502") && said.contains("other.changelog"),
        "these files are the next release: {said}"
    );
}

fn validated(job: &Job) -> (bool, String) {
    let output = output(&["validate", "--connect", job.file().to_str().expect("UTF-8")]);
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_reset_begins_anew_with_empty_windows() {
    let job = Job::with_topics("reset");
    let mut program = job.start();
    job.feed(0..300);
    let first = job.read(0..300);
    let (ok, said) = state(&job, &["reset", "--to", "earliest", "--yes"]);
    assert!(!ok && said.contains("TW609") && said.contains("members"), "{said}");
    assert!(program.terminate().success());

    let (ok, said) = state(&job, &["reset", "--to", "earliest"]);
    println!("{said}");
    for part in ["Nothing was done", "folds.changelog", "tailwater-state", &format!("{}/3", job.topic("in"))]
    {
        assert!(ok && said.contains(part), "{part}: {said}");
    }
    assert_eq!(broker::committed(&job.group(), &job.topic("in"), 4), 300);
    assert!(job.folder.path().join("tailwater-state").join(&job.name).join("0").exists());

    let (ok, said) = state(&job, &["reset", "--to", "earliest", "--yes"]);
    assert!(ok && said.contains("Done"), "{said}");
    assert_eq!(broker::committed(&job.group(), &job.topic("in"), 4), 0);
    assert!(!job.folder.path().join("tailwater-state").join(&job.name).join("0").exists());
    let (ok, said) = state(&job, &["show", "--key", "card-7"]);
    assert!(ok && said.contains("nothing is kept"), "{said}");

    // The same rows see the same as before: nothing was left of them in any window.
    assert!(Program::run_until_end(&job.file()).end().success());
    let all = broker::read_all(&job.topic("out"));
    assert_eq!(all.len(), 600, "each of them twice");
    for copy in all {
        assert_eq!(copy.json(), first[&id(&copy)][0].json());
    }
}

#[test]
fn a_reset_goes_on_where_the_group_stands_or_at_a_time() {
    let job = Job::with_topics("later");
    job.feed(0..100);
    let moment = between();
    job.feed(100..200);
    assert!(Program::run_until_end(&job.file()).end().success());
    let (ok, said) = state(&job, &["reset", "--yes"]);
    assert!(ok && said.contains("stays at"), "{said}");
    assert_eq!(broker::committed(&job.group(), &job.topic("in"), 4), 200);
    job.feed(200..300);
    assert!(Program::run_until_end(&job.file()).end().success());
    for (id, copies) in job.read(0..300) {
        assert_eq!(copies.len(), 1, "id {id}");
        // A minute holds three rows of a card; the first ones after the reset find nothing before them.
        let rows = (0..3).map(|n| id - n * 20).filter(|one| *one >= if id >= 200 { 200 } else { 0 });
        let sum: f64 = rows.map(|one| one as f64 + 100.5).sum();
        assert_eq!(copies[0].json()["sum_1m"].as_f64(), Some(sum), "id {id}");
    }
    let (ok, said) = state(&job, &["reset", "--to", &moment, "--yes"]);
    assert!(ok, "{said}");
    assert_eq!(broker::committed(&job.group(), &job.topic("in"), 4), 100);
}

#[test]
fn a_new_group_begins_at_a_time() {
    let job = Job::with_topics("from");
    job.feed(0..100);
    let moment = between();
    job.feed(100..200);
    for (from, ids) in [(moment.as_str(), 100..200), ("earliest", 200..300)] {
        // What is committed goes before it.
        let mut program = Program::run_from(&job.file(), from);
        job.feed(ids.start.max(200)..ids.end);
        let seen: Vec<i64> = job.read(ids.clone()).into_keys().collect();
        assert_eq!(seen, (100..ids.end).collect::<Vec<_>>());
        assert!(program.terminate().success());
    }
}

#[test]
fn a_reset_sees_members_of_either_protocol_and_ends_what_the_dead_left_open() {
    let job = Job::with_topics("either");
    let mut program = job.start_with(&[("TAILWATER__KAFKA__PROTOCOL", "consumer")]);
    job.feed(0..300);
    job.read(0..300);
    // On another machine nothing but the group tells.
    let text = std::fs::read_to_string(job.file()).expect("readable");
    let elsewhere = job.folder.path().join("elsewhere.toml");
    let away = job.folder.path().join("away").display().to_string();
    std::fs::write(&elsewhere, format!("{text}\n[state]\ndirectory = \"{away}\"\n")).expect("writable");
    let reset = || {
        let output =
            output(&["state", "reset", elsewhere.to_str().expect("UTF-8"), "--to", "latest", "--yes"]);
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    let (ok, said) = reset();
    assert!(!ok && said.contains("TW609"), "{said}");
    assert!(!shown(&job, 7, 287).is_null(), "nothing was deleted");
    assert!(program.terminate().success());
    let program = job.start();
    job.feed(300..600);
    job.read(0..600);
    // It is killed in the middle of its work.
    job.feed(600..60_000);
    program.kill();
    let began = Instant::now();
    let mut answer = reset();
    while !answer.0 {
        assert!(answer.1.contains("TW609") && began.elapsed() < PATIENCE, "{}", answer.1);
        answer = reset();
    }
    assert_eq!(broker::committed(&job.group(), &job.topic("in"), 4), 60_000);
}
