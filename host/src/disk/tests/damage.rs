//! Files that are not what they were.

use std::fs;
use std::path::PathBuf;

use super::*;

/// Of a seed, a number of each kind after the other.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

pub(super) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A directory that was closed after some checkpoints, and the states on the way.
fn kept() -> (tempfile::TempDir, Vec<Keys>) {
    let directory = tempfile::tempdir().unwrap();
    let mut states = vec![Keys::new()];
    let disk = open(directory.path());
    let mut base = disk.open("a").unwrap();
    for commit in 1..=100 {
        let mut keys = states.last().unwrap().clone();
        base.write(change(&mut keys, commit)).unwrap();
        states.push(keys);
        if commit % 10 == 0 {
            base.written(true).unwrap();
        }
    }
    drop(base);
    drop(disk);
    // Closed in peace it has all.
    assert_eq!(open(directory.path()).open("a").unwrap().position().unwrap().0, 100);
    (directory, states)
}

fn copy(from: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in files(from) {
        let to = copy.path().join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(&file, to).unwrap();
    }
    copy
}

#[test]
fn damage_is_an_error_or_nothing_is_left_but_never_something_else() {
    let (directory, states) = kept();
    let rounds = std::env::var("DAMAGE_ROUNDS").map_or(60, |rounds| rounds.parse().unwrap());
    let (mut errors, mut empty, mut unharmed) = (0, 0, 0);
    for seed in 0..rounds {
        let copy = copy(directory.path());
        let mut random = Random(seed);
        let files = files(copy.path());
        let file = &files[random.below(files.len())];
        let mut content = fs::read(file).unwrap();
        match random.below(8) {
            0 => fs::remove_file(file).unwrap(),
            1 => fs::write(file, &content[..random.below(content.len())]).unwrap(),
            2 => fs::write(file, [content.as_slice(), &[0; 100]].concat()).unwrap(),
            3 => {
                let at = random.below(content.len());
                let end = content.len().min(at + 100);
                content[at..end].fill(0);
                fs::write(file, content).unwrap();
            }
            _ => {
                let at = random.below(content.len());
                content[at] ^= 1 << random.below(8);
                fs::write(file, content).unwrap();
            }
        }
        if file.ends_with("tailwater-state") && !file.exists() {
            assert_eq!(LocalDisk::open(copy.path(), tight()).unwrap_err().code, Code::StateDisk);
            continue;
        }
        let disk = open(copy.path());
        let mut base = disk.open("a").unwrap();
        match look(&*base, &states) {
            true => errors += 1,
            false if base.position().is_none() => empty += 1,
            false => unharmed += 1,
        }
        base.clear().unwrap();
        assert!(!look(&*base, &states));
        base.write(change(&mut Keys::new(), 1)).unwrap();
        base.written(true).unwrap();
        assert!(!look(&*base, &states));
    }
    println!("{errors} errors, {empty} empty, {unharmed} unharmed");
    assert!(errors > 0 && empty > 0);
}

#[test]
fn each_bit_of_the_list_of_files_counts() {
    let (directory, _) = kept();
    let tree = directory.path().join("tasks/a/0");
    tree::verify_list(&tree).unwrap();
    let lists = files(&tree).into_iter().filter(|file| file.parent().unwrap() == tree);
    let mut bits = 0;
    for list in lists {
        let good = fs::read(&list).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&list, bad).unwrap();
            assert_eq!(tree::verify_list(&tree).unwrap_err().code, Code::StateDamaged);
            bits += 1;
        }
        fs::write(&list, good).unwrap();
    }
    assert!(bits > 1_000);
}

#[test]
fn damage_that_is_found_when_files_are_merged_is_told() {
    let (directory, states) = kept();
    let tables =
        files(directory.path()).into_iter().filter(|file| file.parent().unwrap().ends_with("tables"));
    // The position is at the beginning of each, and is in others anew.
    let largest = tables.max_by_key(|table| fs::metadata(table).unwrap().len()).unwrap();
    let mut content = fs::read(&largest).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(largest, content).unwrap();
    let disk = open(directory.path());
    let mut base = disk.open("a").unwrap();
    let mut commit = base.position().unwrap().0;
    let mut keys = states[usize::try_from(commit).unwrap()].clone();
    let error = loop {
        commit += 1;
        assert!(commit < 1_000, "nothing was merged");
        if let Err(error) = base.write(change(&mut keys, commit)).and_then(|()| base.written(true)) {
            break error;
        }
    };
    assert_eq!(error.code, Code::StateDamaged);
    base.clear().unwrap();
    base.write(change(&mut Keys::new(), 1)).unwrap();
    assert!(base.written(true).unwrap());
}
