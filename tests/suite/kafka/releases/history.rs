//! Releases that are begun from history: with what can't change otherwise.

use std::time::SystemTime;

use super::commands::{refused, said};
use super::*;
use tailwater_tests::program::output;

/// Rows of a card are 20 s apart, and of each the amount is so much more than its id.
const MORE: f64 = 100.5;

/// A machine whose windows are by another column, of which each row has its own value.
fn by_id(job: &Job) -> Machine {
    let machine = Machine::of(job, "spans");
    let text = fs::read_to_string(machine.file()).expect("readable");
    replace(&machine.file(), text.replace("key = \"card\"", "key = \"id\"").as_bytes());
    machine
}

/// The row of an id, with a window that has all before it, or itself alone. Gives its release.
fn check_key(id: i64, copies: &[Got]) -> u64 {
    assert_eq!(copies.len(), 1, "id {id}");
    let (row, release) = (copies[0].json(), number(&copies[0]));
    let of_card = (0..).map(|back| id - back * 20).take_while(|id| *id >= 0);
    let is_by_id = matches!(release, 2 | 4);
    let ever: f64 = of_card.take(if is_by_id { 1 } else { usize::MAX }).map(|id| id as f64 + MORE).sum();
    assert_eq!(row["ever"].as_f64(), Some(ever), "id {id} of release {release}: {row}");
    release
}

#[test]
fn a_release_from_history_has_another_key_and_goes_back_or_stays() {
    let job = Job::with_topics("history");
    let (machine, desk) = (Machine::of(&job, "spans"), by_id(&job));
    let mut program = machine.start();
    let mut fed = 0;
    feed_until(&job, &mut fed, 1);
    assert!(refused("plan", &desk, &[], "TW704").contains("release apply --bootstrap"));
    let plan = said("plan", &desk, &["--bootstrap", "earliest"]);
    assert!(plan.contains("key") && plan.contains("made anew, of what is read again"), "{plan}");
    for (from, why) in [("latest", "there is no history"), ("2100-01-01T00:00:00Z", "yet to come")] {
        refused("apply", &desk, &["--bootstrap", from], why);
    }
    assert!(said("apply", &desk, &["--bootstrap", "earliest"]).contains("release 2-"));
    refused("apply", &machine, &["--bootstrap", "earliest"], "TW709");
    feed_until(&job, &mut fed, 2);
    let status = said("status", &desk, &[]);
    assert!(status.contains("handover   2-") && status.contains("is kept beside it"), "{status}");
    // The other one has gone on, silently.
    assert!(said("rollback", &desk, &[]).contains("release 3-"));
    feed_until(&job, &mut fed, 3);
    program.says("g2` are deleted");
    assert!(program.terminate().success());
    // Once more, with a short probation. Its windows have what came in the last second.
    program = Program::run(&machine.file(), &[("TAILWATER__RELEASES__PROBATION", "1s")]);
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_millis();
    assert!(said("apply", &desk, &["--bootstrap", &(now - 1000).to_string()]).contains("release 4-"));
    feed_until(&job, &mut fed, 4);
    program.says(&format!("`{}` are deleted", job.name));
    assert!(broker::missing(&format!("{}.folds.changelog", job.name)));
    // Its own windows come back, and it may have successors.
    assert!(program.terminate().success());
    program = machine.start();
    job.feed(fed..fed + 500);
    fed += 500;
    let all = job.read(0..fed);
    let made: BTreeSet<u64> = all.iter().map(|(id, copies)| check_key(*id, copies)).collect();
    assert_eq!(made, BTreeSet::from([1, 2, 3, 4]));
    assert!(program.terminate().success());
    broker::remove(&[], &format!("{}.g4", job.name));
}

#[test]
fn one_that_turns_bad_when_it_speaks_gives_the_floor_back() {
    let job = Job::with_topics("floor");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |mode: &str| {
        job.write(&format!(
            "[preprocess]\nplugin = \"{}\"\nsettings = {{ mode = \"{mode}\" }}\n",
            guest("hostile-preprocessor").display(),
        ));
        fs::read(job.file()).expect("readable")
    };
    let (bad, _) = (write("trap"), write("pass"));
    let desk = folder.path().join("pipeline.toml");
    fs::write(&desk, bad).expect("writable");
    let record = |n: i64| ("k".to_owned(), format!("{{\"n\":{n},\"t\":1}}").into_bytes());
    let mut program = job.start();
    broker::produce(&job.topic("in"), (100..120).map(record));
    broker::read_until(&job.topic("out"), |got| got.len() >= 20);
    let desk = desk.to_str().expect("UTF-8");
    let applied = output(&["release", "apply", desk, "--bootstrap", "earliest"]);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    program.says("speaks; release 1 is kept beside it");
    broker::produce(&job.topic("in"), (200..220).map(record));
    broker::read_until(&job.topic("out"), |got| got.len() >= 40);
    // Of these it can do none.
    broker::produce(&job.topic("in"), (0..500).map(|_| record(13)));
    program.says("release 1 is to come back");
    let got = broker::read_until(&job.topic("out"), |got| got.len() >= 540);
    program.says("g2` are deleted");
    assert_eq!((got.len(), numbers(&got)), (540, BTreeSet::from([1, 2, 3])));
    assert!(got.iter().all(|got| got.json()["n"] != 13 || number(got) == 3));
    assert!(program.terminate().success());
    assert!(broker::read_all(&job.topic("dead")).is_empty());
}
