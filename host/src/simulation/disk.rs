//! A host's disk: checkpoints of tasks, applied some time after they were taken.
//!
//! When the host crashes, what was not applied is lost, or torn. What is read back after that is an older
//! checkpoint as a whole, also one from before the last that was written; or is known to be damaged; or is
//! nothing. Where nothing was torn, what was [written](Base::written) is there.

mod files;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::journal::{Journal, Time};
use super::process::Process;
use super::random::Random;
use crate::error::{Code, Error, Result};
use crate::state::{Base, Checkpoint, Commit, Disk, Due, Frozen};
use files::Files;

/// The longest that a checkpoint waits for the disk, in microseconds.
const WRITE_DELAY: u64 = 200_000;
/// How often a torn write leaves something that can't be read; how often nothing; in ten thousand.
const DAMAGED: u32 = 3_000;
const EMPTY: u32 = 2_000;

/// A checkpoint that is not applied yet.
#[derive(Debug)]
struct Taken {
    at: Time,
    checkpoint: Checkpoint,
}

#[derive(Debug, Default)]
struct Slot {
    files: Files,
    taken: Vec<Taken>,
    /// By which process; each opening has a number.
    open: Option<u64>,
    damaged: bool,
}

impl Slot {
    /// Writes the first checkpoints that were taken.
    fn apply(&mut self, count: usize, task: &str, journal: &Journal) {
        for Taken { checkpoint, .. } in self.taken.drain(..count) {
            if let Err(law) = self.files.apply(checkpoint) {
                journal.broke(format!("disk: {task}: {law}"));
            }
        }
    }
}

#[derive(Debug)]
struct Inner {
    slots: BTreeMap<String, Slot>,
    random: Random,
    opened: u64,
    /// How often an operation fails, in ten thousand.
    failing: u32,
}

/// The disk of one host. A clone is the same, seen by another process.
#[derive(Clone, Debug)]
pub struct SimDisk {
    inner: Arc<Mutex<Inner>>,
    process: Arc<Process>,
}

impl SimDisk {
    pub fn new(seed: u64, process: Arc<Process>) -> Self {
        let (slots, random) = (BTreeMap::new(), Random::new(seed));
        Self { inner: Arc::new(Mutex::new(Inner { slots, random, opened: 0, failing: 0 })), process }
    }

    /// What a new process of the host finds, when the one before has ended, however it did.
    pub fn reopen(&self, process: Arc<Process>) -> Self {
        let mut guard = self.lock();
        let Inner { slots, random, .. } = &mut *guard;
        for (task, slot) in slots.iter_mut() {
            slot.open = None;
            let kept = random.below(slot.taken.len() + 1);
            let torn = kept < slot.taken.len() && random.coin();
            slot.taken.truncate(kept);
            slot.apply(kept, task, &self.process.journal);
            if torn {
                let (damaged, empty) = (random.hits(DAMAGED), random.hits(EMPTY));
                let older = random.below(3);
                self.process.journal.tally("torn checkpoint");
                if damaged {
                    slot.damaged = true;
                } else if empty {
                    slot.files = Files::default();
                } else {
                    slot.files.undo(older);
                }
                let now = slot.files.position().map(|(commit, _)| commit);
                self.process.journal.note(format_args!("{task}: torn; damaged: {}, {now:?}", slot.damaged));
            }
        }
        drop(guard);
        Self { inner: Arc::clone(&self.inner), process }
    }

    /// All is lost.
    pub fn wipe(&self) {
        self.lock().slots.clear();
    }

    /// How often operations fail, in ten thousand.
    pub fn set_failing(&self, often: u32) {
        self.lock().failing = often;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for SimDisk {
    fn open(&self, task: &str) -> Result<Box<dyn Base>> {
        self.process.call("disk open", || {
            let mut guard = self.lock();
            let Inner { slots, opened, random, .. } = &mut *guard;
            *opened += 1;
            let slot = slots.entry(task.to_owned()).or_default();
            if slot.open.is_some() {
                return Err(Error::new(Code::StateLocked, format!("{task} is open already")));
            }
            // Damage shows here or with the first read.
            if slot.damaged && random.coin() {
                *slot = Slot::default();
                return Err(damaged(task));
            }
            slot.open = Some(*opened);
            let head = slot.files.position().map(|(commit, head)| (commit, head.to_vec()));
            let (disk, task, number) = (self.clone(), task.to_owned(), *opened);
            Ok(Box::new(SimBase { disk, task, number, position: head }) as Box<dyn Base>)
        })
    }
}

fn damaged(task: &str) -> Error {
    Error::new(Code::StateDamaged, format!("{task}: a checksum is wrong"))
}

/// The base of one task.
#[derive(Debug)]
struct SimBase {
    disk: SimDisk,
    task: String,
    number: u64,
    /// As of the last checkpoint that is known to be written.
    position: Option<(Commit, Vec<u8>)>,
}

impl SimBase {
    fn journal(&self) -> &Journal {
        &self.disk.process.journal
    }

    /// Does something with the task's slot. `reads`: of what is kept, which may be damaged.
    fn with<T>(
        &self,
        name: &str,
        reads: bool,
        body: impl FnOnce(&mut Slot, &mut Random) -> Result<T>,
    ) -> Result<T> {
        self.disk.process.call(name, || {
            let mut guard = self.disk.lock();
            let Inner { slots, random, failing, .. } = &mut *guard;
            if random.hits(*failing) {
                return Err(Error::new(Code::StateDisk, format!("{}: no space left on device", self.task)));
            }
            let slot = slots.get_mut(&self.task).filter(|slot| slot.open == Some(self.number));
            let Some(slot) = slot else {
                self.journal().broke(format!("disk: {} is used by two", self.task));
                return Err(damaged(&self.task));
            };
            if reads && slot.damaged {
                return Err(damaged(&self.task));
            }
            body(slot, random)
        })
    }
}

impl Base for SimBase {
    fn position(&self) -> Option<(Commit, &[u8])> {
        self.position.as_ref().map(|(commit, head)| (*commit, head.as_slice()))
    }

    fn get(&self, store: u8, key: &[u8]) -> Result<Option<Box<[u8]>>> {
        self.with("disk get", true, |slot, _| {
            let mut coming = slot.taken.iter().flat_map(|taken| &taken.checkpoint.images);
            if coming.any(|image| image.store == store && *image.key == *key) {
                self.journal().broke(format!("disk: {}: a read of what is on its way", self.task));
            }
            Ok(slot.files.get(store, key))
        })
    }

    fn due(&self, store: u8, behind: Option<&Due>, until: i64, most: usize) -> Result<Vec<Due>> {
        self.with("disk due", true, |slot, _| Ok(slot.files.due(store, behind, until, most)))
    }

    fn write(&mut self, checkpoint: Checkpoint) -> Result<()> {
        let now = self.journal().clock.now();
        let task = &self.task;
        self.journal().note(format_args!("{task}: checkpoint {} is taken", checkpoint.commit));
        self.with("disk write", false, |slot, random| {
            let last = slot.taken.last().map(|taken| taken.checkpoint.commit);
            let last = last.or_else(|| slot.files.position().map(|(commit, _)| commit));
            if last.is_some_and(|last| last >= checkpoint.commit) {
                self.journal().broke(format!("disk: {task}: {last:?}, then {}", checkpoint.commit));
            }
            let at = now + random.between(0, WRITE_DELAY);
            slot.taken.push(Taken { at, checkpoint });
            Ok(())
        })
    }

    fn written(&mut self, wait: bool) -> Result<bool> {
        let now = self.journal().clock.now();
        let (done, position) = self.with("disk written", false, |slot, _| {
            let done = slot.taken.iter().take_while(|taken| wait || taken.at <= now).count();
            slot.apply(done, &self.task, self.journal());
            let position = slot.files.position().map(|(commit, head)| (commit, head.to_vec()));
            Ok((slot.taken.is_empty(), position))
        })?;
        self.position = position;
        Ok(done)
    }

    fn frozen(&self) -> Result<Box<dyn Iterator<Item = Result<Frozen>> + Send>> {
        self.with("disk frozen", true, |slot, _| {
            let all = slot.files.all().into_iter().map(Ok);
            Ok(Box::new(all) as Box<dyn Iterator<Item = Result<Frozen>> + Send>)
        })
    }

    fn clear(&mut self) -> Result<()> {
        self.with("disk clear", false, |slot, _| {
            (slot.files, slot.damaged) = (Files::default(), false);
            slot.taken.clear();
            Ok(())
        })?;
        self.position = None;
        Ok(())
    }
}

impl Drop for SimBase {
    /// In a process that lives on, what was taken is written.
    fn drop(&mut self) {
        if self.disk.process.is_dead() {
            return;
        }
        let mut inner = self.disk.lock();
        if let Some(slot) = inner.slots.get_mut(&self.task).filter(|slot| slot.open == Some(self.number)) {
            slot.open = None;
            slot.apply(slot.taken.len(), &self.task, &self.disk.process.journal);
        }
    }
}
