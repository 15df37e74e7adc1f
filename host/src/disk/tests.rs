mod crash;
mod damage;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::state::{Checkpoint, Image, contract};

/// So little in memory that files come and are merged all the time.
fn tight() -> Options {
    Options { cache: 100_000, buffer: 12_000, flush_after: Duration::from_millis(20), waiting: 10_000 }
}

fn open(directory: &Path) -> LocalDisk {
    LocalDisk::open(directory, tight()).unwrap()
}

/// What a task holds: of a key, the commit that wrote it last.
type Keys = BTreeMap<u64, u64>;

const KEYS: u64 = 200;
const CHANGED: u64 = 20;

/// Changes some keys; and each seventh commit forgets them.
fn change(keys: &mut Keys, commit: u64) -> Checkpoint {
    let images = (0..CHANGED).map(|step| {
        let key = (commit * 31 + step * 7) % KEYS;
        let before = if commit.is_multiple_of(7) { keys.remove(&key) } else { keys.insert(key, commit) };
        let now = keys.get(&key);
        Image {
            store: (key % 3) as u8,
            key: key.to_be_bytes().into(),
            bytes: now.map(|commit| bytes(key, *commit)),
            due: now.map(|commit| due(*commit)),
            due_before: before.map(due),
        }
    });
    let images = images.collect();
    Checkpoint { commit, head: head(commit), images }
}

fn head(commit: u64) -> Vec<u8> {
    format!("as of {commit}").into_bytes()
}

fn bytes(key: u64, commit: u64) -> Box<[u8]> {
    (0..200).map(|at| (key * 3 + commit * 5 + at) as u8).collect()
}

fn due(commit: u64) -> i64 {
    500 - commit.cast_signed()
}

/// All that can be seen is as of the position, or an error that says so. Whether there was one.
fn look(base: &dyn Base, states: &[Keys]) -> bool {
    let mut damaged = false;
    let mut seen = |result: Result<()>| match result {
        Ok(()) => {}
        Err(error) => {
            assert_eq!(error.code, Code::StateDamaged, "{error}");
            damaged = true;
        }
    };
    let (commit, kept) = base.position().unwrap_or((0, b"as of 0"));
    assert_eq!(kept, head(commit));
    let keys = &states[usize::try_from(commit).unwrap()];
    for key in 0..KEYS {
        let expected = keys.get(&key).map(|commit| bytes(key, *commit));
        seen(base.get((key % 3) as u8, &key.to_be_bytes()).map(|found| assert_eq!(found, expected, "{key}")));
    }
    for store in 0..3 {
        let of_store = keys.iter().filter(|(key, _)| (*key % 3) as u8 == store);
        let mut dues: Vec<_> =
            of_store.map(|(key, commit)| (due(*commit), key.to_be_bytes().into())).collect();
        dues.sort();
        seen(base.due(store, None, i64::MAX, usize::MAX).map(|found| assert_eq!(found, dues)));
    }
    let found: Result<Vec<_>> = base.frozen().unwrap().collect();
    seen(found.map(|found| {
        let found = found.into_iter().map(|(_, key, bytes)| (key, bytes));
        let expected = keys.iter().map(|(key, commit)| (key.to_be_bytes().into(), bytes(*key, *commit)));
        let expected: BTreeMap<Box<[u8]>, _> = expected.collect();
        assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);
    }));
    damaged
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_does_what_a_disk_must(steps in contract::steps(), little_memory: bool) {
        let directory = tempfile::tempdir().unwrap();
        let options = if little_memory { tight() } else { Options::default() };
        contract::holds(|| LocalDisk::open(directory.path(), options).unwrap(), steps);
    }
}

#[test]
fn a_task_has_one_base_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path());
    let base = disk.open("a").unwrap();
    assert_eq!(disk.open("a").unwrap_err().code, Code::StateLocked);
    disk.open("b").unwrap();
    drop(base);
    disk.open("a").unwrap();
}

#[test]
fn a_directory_has_one_disk_at_a_time_and_a_base_keeps_it() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path());
    let id = disk.instance_id().to_owned();
    let base = disk.open("a").unwrap();
    drop(disk);
    assert_eq!(LocalDisk::open(directory.path(), tight()).unwrap_err().code, Code::StateLocked);
    drop(base);
    assert_eq!(open(directory.path()).instance_id(), id);
}

#[test]
fn tasks_are_apart() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path());
    let mut keys = Keys::new();
    let mut one = disk.open("payments-0-1").unwrap();
    let mut other = disk.open("payments-0-2").unwrap();
    for commit in 1..=30 {
        let checkpoint = change(&mut keys, commit);
        one.write(checkpoint.clone()).unwrap();
        other.write(checkpoint).unwrap();
    }
    one.written(true).unwrap();
    one.clear().unwrap();
    assert_eq!((one.position(), one.frozen().unwrap().count()), (None, 0));
    other.written(true).unwrap();
    assert_eq!(other.position().unwrap().0, 30);
    assert_eq!(other.frozen().unwrap().count(), keys.len());
}

#[test]
fn frozen_keys_stay_as_they_are_while_files_come_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path());
    let mut base = disk.open("a").unwrap();
    let mut keys = Keys::new();
    base.write(change(&mut keys, 1)).unwrap();
    base.written(true).unwrap();
    let frozen = base.frozen().unwrap();
    for commit in 2..=300 {
        base.write(change(&mut keys, commit)).unwrap();
    }
    base.written(true).unwrap();
    let frozen: Vec<_> = frozen.map(|found| found.unwrap().2).collect();
    assert_eq!(frozen.len() as u64, CHANGED);
    assert!(frozen.iter().all(|found| (0..KEYS).any(|key| bytes(key, 1) == *found)));
}

#[test]
fn what_is_gone_takes_no_room() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path());
    let mut base = disk.open("a").unwrap();
    let mut keys = Keys::new();
    for commit in 1..=600 {
        base.write(change(&mut keys, commit)).unwrap();
    }
    drop(base);
    drop(disk);
    let size: usize =
        damage::files(directory.path()).iter().map(|file| std::fs::read(file).unwrap().len()).sum();
    // 600 checkpoints have some 5,000 bytes each.
    assert!(size < 600_000, "{size}");
}

#[test]
fn a_key_that_is_too_long_is_refused_before_anything_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut base = open(directory.path()).open("a").unwrap();
    let image = Image { store: 0, key: vec![1; 70_000].into(), bytes: None, due: None, due_before: None };
    let error =
        base.write(Checkpoint { commit: 1, head: Vec::new(), images: vec![image.clone()] }).unwrap_err();
    assert_eq!(error.code, Code::StateDisk);
    assert_eq!(base.get(0, &image.key).unwrap(), None);
    let key = vec![1; 65_000].into();
    let image = Image { key, bytes: Some(vec![7].into()), due: Some(1), ..image };
    base.write(Checkpoint { commit: 1, head: Vec::new(), images: vec![image.clone()] }).unwrap();
    base.written(true).unwrap();
    assert_eq!(base.get(0, &image.key).unwrap(), image.bytes);
}
