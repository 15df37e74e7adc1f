//! When files beside a running host have changed.
//!
//! A file that is being written is left alone: two looks, some time apart, must see the same, and so must a third one
//! after all was read. A look follows symbolic links: where a whole folder is swapped by one (Kubernetes does so), all
//! files change at once. There is no clock here: whoever looks decides how often.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What a look sees of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub bytes: u64,
    /// Of its content, and of anything; in seconds and nanoseconds.
    pub modified: (i64, i64),
    pub changed: (i64, i64),
    /// Which file it is.
    pub device: u64,
    pub inode: u64,
}

/// Where files are looked at.
pub trait Look {
    /// None: there is none, or it can't be seen.
    fn stat(&self, path: &Path) -> Option<Stat>;
}

/// The file system.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Look for Disk {
    fn stat(&self, path: &Path) -> Option<Stat> {
        std::fs::metadata(path).ok().map(|metadata| stat(&metadata))
    }
}

fn stat(metadata: &Metadata) -> Stat {
    Stat {
        bytes: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        device: metadata.dev(),
        inode: metadata.ino(),
    }
}

/// All files at one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight(Vec<(PathBuf, Option<Stat>)>);

impl Sight {
    pub fn of(files: &[PathBuf], look: &impl Look) -> Self {
        Self(files.iter().map(|path| (path.clone(), look.stat(path))).collect())
    }

    /// Whether another look sees the same.
    pub fn stands(&self, look: &impl Look) -> bool {
        self.0.iter().all(|(path, stat)| look.stat(path) == *stat)
    }

    /// Whether these are the files.
    pub fn is_of(&self, files: &[PathBuf]) -> bool {
        self.0.iter().map(|(path, _)| path).eq(files)
    }

    /// Whether a file had so many bytes.
    pub fn has(&self, path: &Path, bytes: u64) -> bool {
        let found = self.0.iter().find(|(own, _)| own == path);
        found.is_some_and(|(_, stat)| stat.is_some_and(|stat| stat.bytes == bytes))
    }
}

/// Files that are watched.
#[derive(Debug)]
pub struct Watch {
    files: Vec<PathBuf>,
    last: Option<Sight>,
    taken: Option<Sight>,
}

impl Watch {
    /// Nothing of them is taken yet: the first two looks that agree see something new.
    pub fn new(files: Vec<PathBuf>) -> Self {
        Self { files, last: None, taken: None }
    }

    /// Other files from now on.
    pub fn follow(&mut self, files: Vec<PathBuf>) {
        if files != self.files {
            *self = Self::new(files);
        }
    }

    /// One look. Some: it sees what the look before saw, which was not taken yet.
    pub fn look(&mut self, look: &impl Look) -> Option<Sight> {
        let sight = Sight::of(&self.files, look);
        let is_settled = self.last.as_ref() == Some(&sight);
        let is_new = self.taken.as_ref() != Some(&sight);
        self.last = Some(sight);
        self.last.clone().filter(|_| is_settled && is_new)
    }

    /// These need not be seen again.
    pub fn taken(&mut self, sight: Sight) {
        self.taken = Some(sight);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Files whose sizes are all that there is of them.
    struct Sizes([Option<u64>; 2]);

    impl Look for Sizes {
        fn stat(&self, path: &Path) -> Option<Stat> {
            let bytes = self.0[usize::from(path == Path::new("b"))]?;
            let (modified, changed, device, inode) = Default::default();
            Some(Stat { bytes, modified, changed, device, inode })
        }
    }

    fn sizes(a: u64, b: u64) -> Sizes {
        Sizes([Some(a), Some(b)])
    }

    fn watch() -> Watch {
        Watch::new(vec!["a".into(), "b".into()])
    }

    #[test]
    fn a_file_is_left_alone_while_it_is_written() {
        let mut watch = watch();
        assert_eq!(watch.look(&sizes(1, 1)), None);
        let first = watch.look(&sizes(1, 1)).expect("settled");
        watch.taken(first);
        assert_eq!(watch.look(&sizes(1, 1)), None, "taken");
        for size in 2..9 {
            assert_eq!(watch.look(&sizes(1, size)), None, "it grows");
        }
        assert_eq!(watch.look(&Sizes([Some(1), None])), None, "it is away");
        assert_eq!(watch.look(&sizes(1, 9)), None);
        let second = watch.look(&sizes(1, 9)).expect("settled");
        assert!(second.has(Path::new("b"), 9) && !second.has(Path::new("b"), 8));
        // While it was read it went on.
        assert!(second.stands(&sizes(1, 9)) && !second.stands(&sizes(1, 10)));
        assert_eq!(watch.look(&sizes(1, 10)), None);
        let third = watch.look(&sizes(1, 10)).expect("settled");
        watch.taken(third);
        assert_eq!(watch.look(&sizes(1, 10)), None);
    }

    #[test]
    fn what_was_not_taken_comes_again_and_what_goes_back_is_no_news() {
        let mut watch = watch();
        watch.look(&sizes(1, 1));
        let first = watch.look(&sizes(1, 1)).expect("settled");
        assert_eq!(watch.look(&sizes(1, 1)), Some(first.clone()));
        watch.taken(first);
        watch.look(&sizes(2, 2));
        assert_eq!(watch.look(&sizes(1, 1)), None);
        assert_eq!(watch.look(&sizes(1, 1)), None);
    }

    #[test]
    fn other_files_begin_anew() {
        let mut watch = watch();
        watch.look(&sizes(1, 1));
        let first = watch.look(&sizes(1, 1)).expect("settled");
        watch.taken(first.clone());
        watch.follow(vec!["a".into(), "b".into()]);
        assert_eq!(watch.look(&sizes(1, 1)), None);
        watch.follow(vec!["b".into()]);
        assert_eq!(watch.look(&sizes(1, 1)), None);
        let other = watch.look(&sizes(1, 1)).expect("settled");
        assert!(other.is_of(&["b".into()]) && !first.is_of(&["b".into()]));
    }

    #[test]
    fn a_missing_file_is_seen_as_that() {
        let mut watch = watch();
        let missing = || Sizes([Some(1), None]);
        watch.look(&missing());
        assert!(watch.look(&missing()).is_some_and(|sight| !sight.has(Path::new("b"), 0)));
    }

    #[test]
    fn a_folder_that_is_swapped_by_a_link_changes_all_files() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = |name: &str| folder.path().join(name);
        for (version, text) in [("..1", "one"), ("..2", "two")] {
            fs::create_dir(place(version)).expect("writable");
            fs::write(place(version).join("plugin.wasm"), text).expect("writable");
        }
        symlink("..1", place("..data")).expect("writable");
        symlink("..data/plugin.wasm", place("plugin.wasm")).expect("writable");
        let mut watch = Watch::new(vec![place("plugin.wasm")]);
        watch.look(&Disk);
        let first = watch.look(&Disk).expect("settled");
        watch.taken(first.clone());
        assert_eq!(watch.look(&Disk), None);
        symlink("..2", place("..tmp")).expect("writable");
        fs::rename(place("..tmp"), place("..data")).expect("writable");
        assert!(!first.stands(&Disk));
        assert_eq!(watch.look(&Disk), None);
        assert!(watch.look(&Disk).is_some());
    }
}
