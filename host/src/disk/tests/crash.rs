//! A process that is killed.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

const DIRECTORY: &str = "TAILWATER_TEST_STATE";

/// Writes until it is killed; in a process of its own.
#[test]
fn writes_for_ever() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let disk = open(Path::new(&directory));
    let mut base = disk.open("a").unwrap();
    let mut commit = base.position().map_or(0, |(commit, _)| commit);
    let mut keys = Keys::new();
    for earlier in 1..=commit {
        change(&mut keys, earlier);
    }
    loop {
        commit += 1;
        base.write(change(&mut keys, commit)).unwrap();
    }
}

#[test]
fn a_killed_process_leaves_one_whole_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let rounds = std::env::var("CRASH_ROUNDS").map_or(8, |rounds| rounds.parse().unwrap());
    let mut states = vec![Keys::new()];
    let mut before = 0;
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "disk::tests::crash::writes_for_ever"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(40 + round * 37 % 160));
        child.kill().unwrap();
        child.wait().unwrap();
        let disk = open(directory.path());
        let base = disk.open("a").unwrap();
        let commit = base.position().map_or(0, |(commit, _)| commit);
        assert!(commit >= before, "{commit} after {before}");
        while states.len() as u64 <= commit {
            let mut keys = states.last().unwrap().clone();
            change(&mut keys, states.len() as u64);
            states.push(keys);
        }
        assert!(!look(&*base, &states));
        before = commit;
    }
    assert!(before > rounds, "{before} commits in {rounds} rounds");
}
