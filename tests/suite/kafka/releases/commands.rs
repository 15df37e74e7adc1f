//! `tailwater release`, beside a host and without one.

use std::process::Output;

use serde_json::Value;
use tailwater_tests::program::output;

use super::*;

fn ask(verb: &str, machine: &Machine, rest: &[&str]) -> Output {
    let file = machine.file();
    let all = [&["release", verb, file.to_str().expect("UTF-8")], rest].concat();
    output(&all)
}

/// What a command says that goes well.
pub(super) fn said(verb: &str, machine: &Machine, rest: &[&str]) -> String {
    let output = ask(verb, machine, rest);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What one says that does not.
pub(super) fn refused(verb: &str, machine: &Machine, rest: &[&str], code: &str) -> String {
    let output = ask(verb, machine, rest);
    let error = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(!output.status.success() && error.contains(code), "{error}");
    error
}

fn status(machine: &Machine) -> Value {
    serde_json::from_str(&said("status", machine, &["--json"])).expect("JSON")
}

#[test]
fn releases_are_planned_applied_and_taken_back() {
    let job = Job::with_topics("commands");
    let [host, desk] = [Machine::new(&job), Machine::new(&job)];
    refused("status", &desk, &[], "TW502");
    let mut program = host.start();
    let mut fed = 0;
    feed_until(&job, &mut fed, 1);
    assert!(said("plan", &desk, &[]).contains("these files have its very content"));
    refused("apply", &desk, &[], "TW708");
    refused("rollback", &desk, &[], "TW706");

    desk.configure(&job, ", more = \"int?\"");
    let plan = said("plan", &desk, &[]);
    for part in ["reads + more int?", "output", "has + more int?", "windows folds", "kept"] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    assert_eq!(status(&desk)["current"]["number"], 1, "a plan changes nothing");
    assert!(said("apply", &desk, &["--why", "a column more"]).contains("release 2-"));
    feed_until(&job, &mut fed, 2);

    // What can't follow, or is no plugin, is not even proposed.
    let text = fs::read_to_string(desk.file()).expect("readable");
    fs::write(desk.file(), text.replace("key = \"card\"", "key = [\"card\", \"id\"]")).expect("writable");
    for verb in ["plan", "apply"] {
        let error = refused(verb, &desk, &[], "TW704");
        assert!(error.contains("key: card text -> card text, id int"), "{error}");
    }
    fs::write(desk.file(), &text).expect("writable");
    fs::write(desk.plugin(), "no plugin").expect("writable");
    refused("apply", &desk, &[], "TW202");
    assert_eq!(status(&desk)["refusals"], Value::Array(Vec::new()));

    assert!(said("rollback", &desk, &[]).contains("release 3-"));
    let all = feed_until(&job, &mut fed, 3);
    for (id, copies) in &all {
        check(*id, copies);
    }
    refused("rollback", &desk, &["--to", "7"], "TW706");
    program.says("release 3-");
    let status = status(&desk);
    assert_eq!(
        (&status["current"]["returns_to"], &status["current"]["how"]),
        (&1.into(), &"rollback".into())
    );
    let history = said("history", &desk, &[]);
    for part in ["released  1-", "a column more", "rollback to 1", "runs      2-"] {
        assert!(history.contains(part), "{part}: {history}");
    }
    assert!(program.terminate().success());
}

#[test]
fn a_proposal_waits_for_a_host() {
    let job = Job::with_topics("waiting");
    let [host, desk] = [Machine::new(&job), Machine::new(&job)];
    let mut program = host.start();
    let mut fed = 0;
    feed_until(&job, &mut fed, 1);
    assert!(program.terminate().success());
    desk.configure(&job, ", more = \"int?\"");
    refused("apply", &desk, &[], "TW707");
    let shown = said("status", &desk, &[]);
    assert!(shown.contains("waits"), "{shown}");
    let mut program = host.start();
    feed_until(&job, &mut fed, 2);
    assert_eq!(status(&desk)["waiting"], Value::Array(Vec::new()));
    assert!(program.terminate().success());
}
