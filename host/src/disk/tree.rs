//! The tree of one task, and who uses it.
//!
//! Keys in it begin with a byte that says what they are:
//!
//! ```text
//! 0                         commit, head
//! 1 store key               windows
//! 2 store moment key        nothing: that the key is due at that moment
//! ```

use std::collections::HashMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use lsm_tree::compaction::Leveled;
use lsm_tree::{AbstractTree, AnyTree, Cache, Config, DescriptorTable, Guard, SeqNo, SequenceNumberCounter};
use xxhash_rust::xxh3::xxh3_128;

use super::directory::remove;
use super::names::{DUE, HEAD, WINDOWS, due_name, read_head};
use super::{damaged, unusable};
use crate::bytes::{Reader, Write};
use crate::error::{Code, Error, Result};
use crate::state::{Checkpoint, Commit, Due, Frozen, Image};

/// Bytes of a key: the tree counts them in 16 bits, and we put some before it.
pub(super) const LONGEST_KEY: usize = 65_000;
/// Files kept open, of all tasks together.
const OPEN_FILES: usize = 512;
/// Bytes of a file, about.
const FILE: u64 = 16 << 20;
/// Levels of a tree.
const LEVELS: usize = 7;
/// Flushed files that have not been merged; from here on flushing waits.
const UNMERGED: usize = 16;
/// How long a task that is opened again waits until its tree is let go of.
const LET_GO: Duration = Duration::from_secs(60);

/// A commit and what the task itself keeps as of it.
pub(super) type Position = (Commit, Vec<u8>);

/// All trees of a directory.
pub(super) struct Trees {
    cache: Arc<Cache>,
    files: Arc<DescriptorTable>,
    /// Places that are in use, and by how many trees: a cleared one goes a little after the next one came.
    used: Mutex<HashMap<PathBuf, usize>>,
    let_go: Condvar,
}

/// One tree. Whoever reads it, writes it or merges it has a share in it.
pub(super) struct Tree {
    trees: Arc<Trees>,
    /// Of the task.
    place: PathBuf,
    number: u64,
    path: PathBuf,
    tree: AnyTree,
    numbers: SequenceNumberCounter,
    /// Everything beneath this number is whole. Held while a checkpoint goes in.
    whole: Mutex<SeqNo>,
    progress: Mutex<Progress>,
    progressed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Checkpoints that were taken and are not in the tree yet.
    pub pending: usize,
    /// Of the last one that went in.
    pub position: Option<Position>,
    /// Why nothing more goes in.
    pub failed: Option<Error>,
}

impl Trees {
    pub fn new(cache: usize) -> Self {
        Self {
            cache: Arc::new(Cache::with_capacity_bytes(cache as u64)),
            files: Arc::new(DescriptorTable::new(OPEN_FILES)),
            used: Mutex::default(),
            let_go: Condvar::new(),
        }
    }

    fn used(&self) -> MutexGuard<'_, HashMap<PathBuf, usize>> {
        self.used.lock().expect("nothing panics while it has this")
    }
}

impl Tree {
    /// The tree of the task at this place, once the last that had it has let go; what is damaged is deleted.
    pub fn open(trees: &Arc<Trees>, place: &Path) -> Result<Self> {
        let waited = trees.let_go.wait_timeout_while(trees.used(), LET_GO, |used| used.contains_key(place));
        let (mut used, timeout) = waited.expect("nothing panics while it has this");
        if timeout.timed_out() {
            let message = format!("{}: is still read or merged after {LET_GO:?}", place.display());
            return Err(Error::new(Code::Internal, message));
        }
        used.insert(place.to_owned(), 1);
        drop(used);
        let user = User { trees, place };
        let newest = newest(place)?;
        let opened = match newest {
            Some(number) => Self::load(&user, number),
            None => Self::load(&user, 0),
        };
        let tree = match opened {
            Err(error) if error.code == Code::StateDamaged => {
                tracing::warn!("{error}: it is deleted and made anew from the changelog");
                Self::load(&user, newest.map_or(0, |number| number + 1))
            }
            opened => opened,
        }?;
        std::mem::forget(user);
        remove_older(place, tree.number)?;
        Ok(tree)
    }

    /// An empty tree in place of this one, which is still there.
    pub fn next(&self) -> Result<Self> {
        *self.trees.used().entry(self.place.clone()).or_default() += 1;
        let user = User { trees: &self.trees, place: &self.place };
        let tree = Self::load(&user, self.number + 1)?;
        std::mem::forget(user);
        Ok(tree)
    }

    fn load(user: &User<'_>, number: u64) -> Result<Self> {
        let User { trees, place } = *user;
        let path = place.join(number.to_string());
        verify_list(&path)?;
        let numbers = SequenceNumberCounter::new(1);
        let config = Config::new(&path, numbers.clone(), SequenceNumberCounter::default())
            .use_cache(Arc::clone(&trees.cache))
            .use_descriptor_table(Some(Arc::clone(&trees.files)));
        let tree = guarded(&path, || config.open())?;
        let next = tree.get_highest_seqno().map_or(1, |highest| highest + 1);
        numbers.fetch_max(next);
        let head = guarded(&path, || tree.get([HEAD], SeqNo::MAX))?;
        let position = match head {
            None if tree.table_count() > 0 => return Err(damaged(&path, "has keys, but no position")),
            None => None,
            Some(head) => Some(read_head(&head).ok_or_else(|| damaged(&path, "has no valid position"))?),
        };
        Ok(Self {
            trees: Arc::clone(trees),
            place: place.to_owned(),
            number,
            path,
            tree,
            numbers,
            whole: Mutex::new(next),
            progress: Mutex::new(Progress { position, ..Progress::default() }),
            progressed: Condvar::new(),
        })
    }

    pub fn get(&self, store: u8, key: &[u8]) -> Result<Option<Box<[u8]>>> {
        let mut name = Vec::with_capacity(key.len() + 2);
        name.extend([WINDOWS, store]);
        name.extend(key);
        let found = guarded(&self.path, || self.tree.get(name, SeqNo::MAX))?;
        Ok(found.map(|bytes| (*bytes).into()))
    }

    /// Behind a place, and not before a moment.
    pub fn due(
        &self,
        store: u8,
        behind: Option<&Due>,
        from: i64,
        until: i64,
        most: usize,
    ) -> Result<Vec<Due>> {
        let mut low = due_name(store, from, &[]);
        if let Some((moment, key)) = behind {
            let mut next = due_name(store, *moment, key);
            // The next possible name.
            next.push(0);
            low = low.max(next);
        }
        let high = match until.checked_add(1) {
            Some(after) => due_name(store, after, &[]),
            None => match store.checked_add(1) {
                Some(next) => vec![DUE, next],
                None => vec![DUE + 1],
            },
        };
        if low >= high {
            return Ok(Vec::new());
        }
        let found = guarded(&self.path, || {
            self.tree
                .range(low..high, SeqNo::MAX, None)
                .take(most)
                .map(Guard::key)
                .collect::<Result<Vec<_>, _>>()
        })?;
        let read = found.iter().map(|name| {
            let mut name = Reader(&name[2..]);
            let moment = name.fixed().ok_or_else(|| damaged(&self.path, "has a due key that is none"))?;
            let moment = (u64::from_be_bytes(moment) ^ 1 << 63).cast_signed();
            Ok((moment, name.0.into()))
        });
        read.collect()
    }

    pub fn frozen(self: Arc<Self>) -> impl Iterator<Item = Result<Frozen>> + Send {
        // No checkpoint goes in meanwhile, and nothing that is whole by now is merged away.
        let whole = self.whole();
        let mut found = self.tree.prefix([WINDOWS], *whole, None);
        drop(whole);
        // It has a share in the tree, so no other one comes to delete the files.
        std::iter::from_fn(move || {
            let next = guarded(&self.path, || found.next().map(Guard::into_inner).transpose()).transpose()?;
            Some(next.and_then(|(name, bytes)| match &*name {
                [_, store, key @ ..] => Ok((*store, key.into(), (*bytes).into())),
                _ => Err(damaged(&self.path, "has a key that is none")),
            }))
        })
    }

    /// All of it or nothing, and only in memory as yet.
    pub fn write(&self, checkpoint: Checkpoint) {
        let mut whole = self.whole();
        let number = self.numbers.next();
        for Image { store, key, bytes, due, due_before } in &checkpoint.images {
            if due != due_before {
                if let Some(moment) = due_before {
                    self.tree.remove(due_name(*store, *moment, key), number);
                }
                if let Some(moment) = due {
                    self.tree.insert(due_name(*store, *moment, key), [], number);
                }
            }
            let mut name = Vec::with_capacity(key.len() + 2);
            name.extend([WINDOWS, *store]);
            name.extend(key);
            match bytes {
                Some(bytes) => self.tree.insert(name, &**bytes, number),
                None => self.tree.remove(name, number),
            };
        }
        let mut head = Vec::with_capacity(checkpoint.head.len() + 8);
        head.word(checkpoint.commit);
        head.extend(&checkpoint.head);
        self.tree.insert([HEAD], head, number);
        *whole = self.numbers.get();
        drop(whole);
        self.progress().position = Some((checkpoint.commit, checkpoint.head));
    }

    /// Bytes in memory, about.
    pub fn held(&self) -> u64 {
        self.tree.active_memtable().size()
    }

    /// Whether merging has to catch up first.
    pub fn is_unmerged(&self) -> bool {
        self.tree.l0_run_count() >= UNMERGED && self.progress().failed.is_none()
    }

    /// What is in memory is to be flushed; what comes is not.
    pub fn seal(&self) {
        self.tree.rotate_memtable();
    }

    /// Puts what was sealed into a file, and syncs it.
    pub fn flush(&self) -> Result<()> {
        let whole = *self.whole();
        let flushed = guarded(&self.path, || self.tree.flush(&self.tree.get_flush_lock(), whole));
        self.settle();
        flushed.map(drop)
    }

    /// Merges some files, if that is due: true.
    pub fn merge(&self) -> Result<bool> {
        let shape = || {
            let levels = (0..LEVELS).map(|level| self.tree.level_table_count(level));
            (levels.collect::<Vec<_>>(), self.tree.disk_space(), self.tree.l0_run_count())
        };
        let before = shape();
        let strategy = Arc::new(Leveled::default().with_table_target_size(FILE));
        let whole = *self.whole();
        let merged = guarded(&self.path, || self.tree.compact(strategy, whole));
        self.settle();
        merged?;
        Ok(shape() != before)
    }

    /// A file more or less takes a number too.
    fn settle(&self) {
        let mut whole = self.whole();
        *whole = self.numbers.get();
    }

    fn whole(&self) -> MutexGuard<'_, SeqNo> {
        self.whole.lock().expect("inserting in memory does not fail")
    }

    pub fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().expect("nothing panics while it has this")
    }

    /// A checkpoint is no longer pending.
    pub fn done(&self) {
        self.progress().pending -= 1;
        self.progressed.notify_all();
    }

    pub fn fail(&self, error: Error) {
        tracing::warn!(code = %error.code, "{error}");
        self.progress().failed.get_or_insert(error);
        self.progressed.notify_all();
    }

    /// Until nothing is pending.
    pub fn wait(&self) -> MutexGuard<'_, Progress> {
        let pending = |progress: &mut Progress| progress.pending > 0;
        self.progressed.wait_while(self.progress(), pending).expect("nothing panics while it has this")
    }

    pub fn remove(&self) -> Result<()> {
        remove(&self.path)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        drop(User { trees: &self.trees, place: &self.place });
    }
}

/// One that uses a place, until it goes.
struct User<'a> {
    trees: &'a Arc<Trees>,
    place: &'a Path,
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        let mut used = self.trees.used();
        if let Some(count) = used.get_mut(self.place) {
            *count -= 1;
            if *count == 0 {
                used.remove(self.place);
            }
        }
        self.trees.let_go.notify_all();
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tree").field("path", &self.path).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Trees {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trees").field("used", &self.used).finish_non_exhaustive()
    }
}

/// Moments in the order of bytes.
/// The highest number of a tree at a place. What else is there does not matter.
fn newest(place: &Path) -> Result<Option<u64>> {
    fs::create_dir_all(place).map_err(|error| unusable(place, error))?;
    Ok(numbers(place)?.into_iter().max())
}

fn remove_older(place: &Path, number: u64) -> Result<()> {
    for older in numbers(place)?.into_iter().filter(|older| *older < number) {
        remove(&place.join(older.to_string()))?;
    }
    Ok(())
}

fn numbers(place: &Path) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(place).map_err(|error| unusable(place, error))? {
        let name = entry.map_err(|error| unusable(place, error))?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
    }
    Ok(numbers)
}

/// The list of a tree's files has a checksum beside its number, in `current`, which the tree writes, but does not
/// verify: 8 bytes of number, 16 of XXH3, one that says so.
pub(super) fn verify_list(path: &Path) -> Result<()> {
    let current = match fs::read(path.join("current")) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return begun(path),
        current => current.map_err(|error| unusable(path, error))?,
    };
    let mut reader = Reader(&current);
    let (Some(number), Some(checksum), Some(0), Some(())) =
        (reader.word(), reader.fixed(), reader.byte(), reader.end())
    else {
        return Err(damaged(path, "current is not what it was"));
    };
    let list = fs::read(path.join(format!("v{number}"))).map_err(|error| fault(path, &error.into()))?;
    match xxh3_128(&list) == u128::from_le_bytes(checksum) {
        true => Ok(()),
        false => Err(damaged(path, "the list of files is not what it was")),
    }
}

/// A tree without `current` was never used, if it has no files either.
fn begun(path: &Path) -> Result<()> {
    let files = fs::read_dir(path.join("tables")).is_ok_and(|mut files| files.next().is_some());
    if files { Err(damaged(path, "has files, but no list of them")) } else { Ok(()) }
}

/// What is on disk the tree takes for granted here and there, even though it verifies checksums.
fn guarded<T>(path: &Path, work: impl FnOnce() -> lsm_tree::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|error| fault(path, &error)),
        Err(_) => Err(damaged(path, "made its reader panic")),
    }
}

/// What is not a fault of the disk is one of what is on it.
fn fault(path: &Path, error: &lsm_tree::Error) -> Error {
    use std::io::ErrorKind::{InvalidData, InvalidInput, NotFound, UnexpectedEof};
    match error {
        lsm_tree::Error::Io(error)
            if !matches!(error.kind(), NotFound | UnexpectedEof | InvalidData | InvalidInput) =>
        {
            unusable(path, error)
        }
        error => damaged(path, error),
    }
}
