//! Access control: what a client needs, and what is told where some of it is missing.

use tailwater_tests::program::Program;
use tailwater_tests::secured::{Operation, Resource, password, user};

use super::{Stand, sasl};

/// A pipeline of its own user, who may do all that must be, but for one thing.
fn without(number: usize, missing: Option<&(Resource, Operation)>, stand: &Stand) {
    let name = user(number);
    let mut rights = stand.rights();
    rights.retain(|right| Some(right) != missing);
    stand.secured.grant(&name, &rights);
    stand.put("word", &password(&name));
    stand.write(&stand.secured.login(), &format!("{}{}", stand.tls("ca.pem"), sasl("PLAIN", &name, "word")));
}

#[test]
fn a_pipeline_needs_what_the_reference_says_and_no_more() {
    let Some(stand) = Stand::with_topics("least") else { return };
    without(1, None, &stand);
    let (ok, said) = stand.say(&["validate", "--connect"], &[]);
    assert!(ok, "{said}");
    let mut program = Program::run(&stand.file(), &[]);
    stand.feed(0..200);
    stand.read(0..200);
    for (arguments, more, says) in [
        (&["validate", "--connect"][..], &[][..], "valid, release"),
        (&["release", "status"], &[], "1-"),
        (&["release", "plan"], &[], ""),
        (&["release", "history"], &[], "1-"),
        (&["state", "show"], &["--key", "card-1"], "sliding"),
    ] {
        let (ok, said) = stand.say(arguments, more);
        assert!(ok && said.contains(says), "{arguments:?}: {said}");
    }
    assert!(program.terminate().success());
    let (ok, said) = stand.say(&["state", "reset"], &["--to", "earliest", "--yes"]);
    assert!(ok && said.contains("Done."), "{said}");
}

#[test]
fn a_right_that_is_missing_is_named_with_what_it_is_about() {
    let Some(first) = Stand::with_topics("rights") else { return };
    let run_once = |stand: &Stand| stand.say(&["run", "--until-end"], &[]);
    for number in 0..first.rights().len() {
        let stand = Stand::with_topics("rights").expect("there is one");
        let missing = stand.rights().swap_remove(number);
        without(2 + number, Some(&missing), &stand);
        let (resource, operation) = &missing;
        // Changelogs are trimmed by whoever may; the rest goes on.
        let (code, about) = match (resource, operation) {
            (_, Operation::Delete) => continue,
            (Resource::Topics(_), Operation::Create) => ("TW511", format!("{}.", stand.name)),
            (Resource::Topics(_), _) => ("TW508", format!("{operation:?} on topic `{}.folds.", stand.name)),
            (Resource::Topic(name), _) => ("TW508", format!("{operation:?} on topic `{name}`")),
            (Resource::Group(name), _) => ("TW508", format!("{operation:?}, Describe on group `{name}`")),
            (Resource::TransactionalIds(name), _) => ("TW508", format!("transactional id `{name}")),
        };
        let (ok, said) = run_once(&stand);
        println!("{missing:?}: {said}");
        assert!(
            !ok && said.contains(&format!("error {code}, ")) && said.contains(&about),
            "{missing:?}: {said}"
        );
    }
}
