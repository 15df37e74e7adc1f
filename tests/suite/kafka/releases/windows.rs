//! Windows that change while rows come.

use super::commands::said;
use super::*;

/// Rows of a card are 20 s apart, and of each the amount is so much more than its id.
const MORE: f64 = 100.5;

/// Ids of the rows of a card, from this one back.
fn of_card(id: i64) -> impl Iterator<Item = i64> {
    (0..).map(move |back| id - back * 20).take_while(|id| *id >= 0)
}

fn sum(ids: impl Iterator<Item = i64>) -> f64 {
    ids.map(|id| id as f64 + MORE).sum()
}

/// The row of an id is what the windows of its release make of all before it. Gives its release.
fn check_windows(id: i64, copies: &[Got]) -> u64 {
    assert_eq!(copies.len(), 1, "id {id}");
    let (row, release) = (copies[0].json(), number(&copies[0]));
    let is = |name: &str, value: f64| assert_eq!(row[name].as_f64(), Some(value), "{name} of id {id}: {row}");
    is("ever", sum(of_card(id)));
    if release % 2 == 1 {
        is("count", of_card(id).take(3).count() as f64);
        is("minute", sum(of_card(id).take(3)));
        return release;
    }
    is("lately", sum(of_card(id).take(2)));
    is("most", id as f64 + MORE);
    // Entries of the release before have no id: the first rows of its successor see their own alone.
    let first = row["first"].as_f64();
    assert!([id, id - 20].map(|id| Some(id as f64)).contains(&first), "first of id {id}: {row}");
    release
}

#[test]
fn windows_change_and_come_back_with_all_that_they_had() {
    let job = Job::with_topics("windows");
    let machine = Machine::of(&job, "spans");
    let mut program = machine.start();
    let mut fed = 0;
    feed_until(&job, &mut fed, 1);
    replace(&machine.plugin(), &fs::read(guest("other-spans")).expect("readable"));
    feed_until(&job, &mut fed, 2);
    program.says("release 2-");
    // What is on disk and in changelogs says by which plan it is kept.
    assert!(program.terminate().success());
    program = machine.start();
    feed_until(&job, &mut fed, 2);
    job.feed(fed..fed + 1000);
    fed += 1000;
    assert!(said("rollback", &machine, &[]).contains("release 3-"));
    let all = feed_until(&job, &mut fed, 3);
    let made: BTreeSet<u64> = all.iter().map(|(id, copies)| check_windows(*id, copies)).collect();
    assert_eq!(made, BTreeSet::from([1, 2, 3]));
    assert!(program.terminate().success());
}

#[test]
fn a_fold_takes_over_what_its_last_version_left_and_that_one_comes_back() {
    let job = Job::with_topics("versions");
    let [machine, desk] = ["totals", "next-totals"].map(|plugin| Machine::of(&job, plugin));
    let mut program = machine.start();
    let mut fed = 0;
    feed_until(&job, &mut fed, 1);
    let plan = said("plan", &desk, &[]);
    for fate in ["total (version 2), forever: migrated", "total (version 2), sliding 1m: rebuilt"] {
        assert!(plan.contains(fate), "{plan}");
    }
    assert!(said("apply", &desk, &[]).contains("release 2-"));
    feed_until(&job, &mut fed, 2);
    program.says("release 2-");
    // A host that starts in the probation keeps the other version too.
    assert!(program.terminate().success());
    program = machine.start();
    feed_until(&job, &mut fed, 2);
    job.feed(fed..fed + 1000);
    fed += 1000;
    assert!(said("rollback", &desk, &[]).contains("release 3-"));
    let all = feed_until(&job, &mut fed, 3);
    for (id, copies) in &all {
        assert_eq!(copies.len(), 1, "id {id}");
        let row = copies[0].json();
        assert_eq!(row["ever"].as_f64(), Some(sum(of_card(*id))), "id {id}: {row}");
        assert_eq!(row["minute"].as_f64(), Some(sum(of_card(*id).take(3))), "id {id}: {row}");
    }
    assert_eq!(numbers(all.values().flatten()), BTreeSet::from([1, 2, 3]));
    assert!(program.terminate().success());
}
