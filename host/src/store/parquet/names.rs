//! Where files are and what they are called.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process;

use crate::error::{Code, Error, Result};

/// Of one topic.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    directory: PathBuf,
    path: PathBuf,
}

impl Folder {
    pub fn new(directory: &Path, topic: &str) -> Self {
        Self { directory: directory.to_owned(), path: directory.join(topic) }
    }

    /// Makes it, if it is not there.
    pub fn make(&self) -> Result<()> {
        if self.path.is_dir() {
            return Ok(());
        }
        let made = fs::create_dir_all(&self.path).and_then(|()| synced(&self.directory));
        made.map_err(|error| told(&self.path, &error))
    }

    /// Of a file that is complete. Names are in the order of partitions and offsets.
    pub fn finished(&self, partition: i32, first: i64, last: i64) -> PathBuf {
        self.path.join(format!("{partition:05}-{first:020}-{last:020}.parquet"))
    }

    /// Of one that is not. No two processes have the same, and readers of folders pass it over.
    pub fn hidden(&self, partition: i32, first: i64) -> PathBuf {
        let (prefix, own) = (prefix(partition), process::id());
        self.path.join(format!("{prefix}{first:020}-{own}-{:08x}.part", random()))
    }

    /// Removes what others have left unfinished of a partition. What can't be removed is in nobody's way.
    pub fn sweep(&self, partition: i32) {
        let prefix = prefix(partition);
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name.starts_with(&prefix) && name.ends_with(".part")) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Gives a file its name, for good.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let renamed = fs::rename(from, to).and_then(|()| synced(&self.path));
        renamed.map_err(|error| told(to, &error))
    }
}

fn prefix(partition: i32) -> String {
    format!(".{partition:05}-")
}

/// Its entries outlast a loss of power.
fn synced(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Another one in each process, also where two machines give out the same numbers.
fn random() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(()) as u32
}

pub(super) fn told(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(Code::StoreFiles, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_offsets() {
        let folder = Folder::new(Path::new("d"), "out");
        let path = folder.finished(3, 7, 1_234);
        assert_eq!(path, Path::new("d/out/00003-00000000000000000007-00000000000000001234.parquet"));
        assert!(folder.finished(3, 99, 99) < folder.finished(3, 100, 100));
        let hidden = folder.hidden(3, 7);
        assert!(hidden.file_name().unwrap().to_str().unwrap().starts_with(".00003-0"));
    }

    #[test]
    fn only_what_is_unfinished_of_the_partition_is_swept() {
        let base = tempfile::tempdir().unwrap();
        let folder = Folder::new(base.path(), "out");
        folder.make().unwrap();
        let [own, other] = [3, 4].map(|partition| folder.hidden(partition, 7));
        let finished = folder.finished(3, 7, 8);
        [&own, &other, &finished].iter().for_each(|path| fs::write(path, "").unwrap());
        folder.sweep(3);
        assert_eq!([&own, &other, &finished].map(|path| path.exists()), [false, true, true]);
    }
}
