use super::*;
use crate::error::Code;
use crate::state::{Base, Checkpoint, Disk, Image};

fn checkpoint(commit: u64, keys: &[(&str, i64, Option<i64>)]) -> Checkpoint {
    let image = |(key, due, due_before): &(&str, i64, Option<i64>)| Image {
        store: 0,
        key: key.as_bytes().into(),
        bytes: Some(commit.to_string().as_bytes().into()),
        due: Some(*due),
        due_before: *due_before,
    };
    Checkpoint { commit, head: vec![commit as u8], images: keys.iter().map(image).collect() }
}

fn disk(seed: u64) -> (Cluster, SimDisk) {
    let cluster = cluster(seed);
    let process = process(&cluster, 1);
    (cluster, SimDisk::new(seed, process))
}

fn commit_of(base: &dyn Base) -> Option<u64> {
    base.position().map(|(commit, _)| commit)
}

#[test]
fn a_checkpoint_is_written_some_time_after_it_was_taken() {
    let (cluster, disk) = disk(1);
    let mut base = disk.open("task").unwrap();
    base.write(checkpoint(1, &[("a", 10, None), ("b", 5, None)])).unwrap();
    assert!(!base.written(false).unwrap());
    assert_eq!(commit_of(&*base), None);
    cluster.advance(SOON);
    assert!(base.written(false).unwrap());
    assert_eq!(base.position(), Some((1, [1].as_slice())));
    assert_eq!(base.get(0, b"a").unwrap().unwrap().as_ref(), b"1");
    assert_eq!(base.due(0, None, 9, 10).unwrap(), [(5, b"b".as_slice().into())]);
    assert_eq!(disk.open("task").unwrap_err().code, Code::StateLocked);
    base.write(checkpoint(2, &[("b", 20, Some(5))])).unwrap();
    assert!(base.written(true).unwrap());
    assert_eq!(base.due(0, None, 100, 10).unwrap().len(), 2);
    assert!(base.due(0, None, 9, 10).unwrap().is_empty());
    assert_eq!(base.frozen().unwrap().count(), 2);
    base.clear().unwrap();
    assert_eq!((commit_of(&*base), base.get(0, b"a").unwrap()), (None, None));
    assert!(cluster.journal().is_sound());
}

#[test]
fn a_crash_leaves_an_older_checkpoint_or_nothing_or_damage() {
    let mut counts = [0; 5];
    for seed in 0..400 {
        let (cluster, disk) = disk(seed);
        let mut base = disk.open("task").unwrap();
        base.write(checkpoint(1, &[("a", 1, None)])).unwrap();
        base.written(true).unwrap();
        base.write(checkpoint(2, &[("a", 2, Some(1))])).unwrap();
        base.write(checkpoint(3, &[("a", 3, Some(2))])).unwrap();
        let disk = disk.reopen(process(&cluster, 1));
        drop(base);
        let found = disk.open("task").and_then(|base| {
            let windows = base.get(0, b"a")?;
            let commit = commit_of(&*base);
            let bytes = commit.map(|commit| commit.to_string().into_bytes().into_boxed_slice());
            assert_eq!(windows, bytes, "whole, or not at all");
            Ok(commit)
        });
        match found {
            Ok(commit) => counts[commit.unwrap_or(0) as usize] += 1,
            Err(error) => {
                assert_eq!(error.code, Code::StateDamaged);
                counts[4] += 1;
            }
        }
        assert!(cluster.journal().is_sound());
    }
    assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
}

#[test]
fn damage_is_over_when_it_was_cleared() {
    let damaged = (0..400).find_map(|seed| {
        let (cluster, disk) = disk(seed);
        disk.open("task").unwrap().write(checkpoint(1, &[("a", 1, None)])).unwrap();
        let mut base = disk.open("task").unwrap();
        base.write(checkpoint(2, &[("a", 2, Some(1))])).unwrap();
        let disk = disk.reopen(process(&cluster, 1));
        let base = disk.open("task").ok()?;
        base.get(0, b"a").is_err().then_some(base)
    });
    let mut base = damaged.unwrap();
    base.clear().unwrap();
    assert_eq!(base.get(0, b"a").unwrap(), None);
}

#[test]
fn checkpoints_that_lie_are_told_on() {
    let twice = checkpoint(2, &[("a", 1, None), ("a", 2, Some(1))]);
    let due = checkpoint(2, &[("a", 1, Some(7))]);
    let commit = checkpoint(1, &[]);
    for wrong in [twice, due, commit] {
        let (cluster, disk) = disk(1);
        let mut base = disk.open("task").unwrap();
        base.write(checkpoint(1, &[])).unwrap();
        assert!(cluster.journal().is_sound());
        base.write(wrong).unwrap();
        base.written(true).unwrap();
        assert!(!cluster.journal().is_sound());
    }
}
