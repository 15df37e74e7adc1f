//! What makes a task survive: the journal of what was done since the last commit, what was committed since the
//! last checkpoint, and the checkpoint that is under way.
//!
//! ```text
//!          work          prepare        committed
//! settled ──────> at work ───────> pending ───────> settled       the changes are in the tail
//!    ^                                │
//!    └────────── roll back ───────────┘ the transaction failed: base and tail give what was committed
//!
//!       tail is long          all keys are frozen       it is on disk
//! idle ──────────────> freezing ─────────────────> writing ──────────> idle, tail cut
//! ```
//!
//! Memory: the tail is packed, and about as long as [`VaultOptions::tail_bytes`] at most.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::block::{self, Label, What};
use super::floor::Words;
use super::head::Head;
use super::image::Imaging;
use super::mistake::{Mistake, planted};
use super::task::Task;
use super::vault::VaultOptions;
use crate::bytes::{Reader, Write};
use crate::error::{Code, Error, Result};
use crate::pipeline::Pipeline;
use crate::state::{Base, Behind, Checkpoint, Commit, Journal, Retention, lock};
use crate::window::mix;

/// Bytes that a checkpoint freezes each time.
const FROZEN_AT_ONCE: usize = 1 << 20;

/// Of a task with a changelog.
#[derive(Debug)]
pub(super) struct Durable {
    pub journal: Journal,
    pub base: Behind,
    pub fingerprint: u64,
    /// The last one; 0: there was none.
    pub commit: Commit,
    /// The number of the first one, if it is still to come.
    first: Commit,
    /// As of the last commit.
    pub head: Vec<u8>,
    pending: Option<Change>,
    /// What was committed since the base's checkpoint.
    pub tail: VecDeque<Change>,
    tail_bytes: usize,
    /// Behind the last block that was committed.
    pub log_next: i64,
    checkpoint: Option<Frozen>,
    is_writing: bool,
    /// Bytes of blocks since the last image was begun.
    pub since_image: usize,
    /// Of the last image.
    pub image_bytes: usize,
    pub imaging: Option<Imaging>,
}

/// What one commit did.
#[derive(Debug)]
pub(super) struct Change {
    pub commit: Commit,
    pub head: Vec<u8>,
    /// Head and journal.
    packed: Vec<u8>,
}

/// A checkpoint whose keys are being frozen.
#[derive(Debug)]
struct Frozen {
    commit: Commit,
    head: Vec<u8>,
    images: Vec<crate::state::Image>,
    store: usize,
}

impl Durable {
    pub fn new(base: Box<dyn Base>, fingerprint: u64, first: Commit) -> Self {
        Self {
            journal: Journal::default(),
            base: Arc::new(Mutex::new(base)),
            fingerprint,
            commit: 0,
            first,
            head: Vec::new(),
            pending: None,
            tail: VecDeque::new(),
            tail_bytes: 0,
            log_next: 0,
            checkpoint: None,
            is_writing: false,
            since_image: 0,
            image_bytes: 0,
            imaging: None,
        }
    }

    /// Number of the next commit.
    pub fn next(&self) -> Commit {
        if self.commit == 0 { self.first } else { self.commit + 1 }
    }

    /// Whether the changes of a commit are those that come next.
    pub fn is_next(&self, commit: Commit) -> bool {
        if self.commit == 0 { is_first(commit) } else { commit == self.commit + 1 }
    }

    pub fn label(&self, what: What, commit: Commit) -> Label {
        Label { fingerprint: self.fingerprint, what, commit }
    }

    /// Takes over what is read from a changelog.
    pub fn push(&mut self, commit: Commit, packed: Vec<u8>, log_next: i64) -> Result<Vec<u8>> {
        let content = block::unpack(&packed)?;
        let mut reader = Reader(&content);
        let head = reader.list().ok_or_else(no_head)?.to_vec();
        let journal = reader.0.to_vec();
        (self.commit, self.log_next) = (commit, log_next);
        self.head.clone_from(&head);
        self.since_image += packed.len();
        self.tail_bytes += packed.len();
        self.tail.push_back(Change { commit, head, packed });
        Ok(journal)
    }
}

impl Change {
    /// What was done.
    pub fn journal(&self) -> Result<Vec<u8>> {
        let content = block::unpack(&self.packed)?;
        let mut reader = Reader(&content);
        reader.list().ok_or_else(no_head)?;
        Ok(reader.0.to_vec())
    }
}

fn no_head() -> Error {
    Error::new(Code::ChangelogDamaged, "a block has no head")
}

/// Number of the first commit of a task that remembers nothing; `seed` differs wherever one begins. So the state
/// of one life is never taken for that of another, whose topics had the same names.
pub(super) fn first_commit(seed: u64) -> Commit {
    mix(seed) << COUNTED | 1
}

/// Whether a commit is the first one.
pub(super) fn is_first(commit: Commit) -> bool {
    commit % (1 << COUNTED) == 1
}

/// Whether two commits are of one life of a task.
pub(super) fn is_same_life(one: Commit, other: Commit) -> bool {
    one >> COUNTED == other >> COUNTED
}

/// Bits of a commit's number that count.
const COUNTED: u32 = 40;

/// What stands in the head of a checkpoint.
pub(super) struct BaseHead<'a> {
    /// Of the windows.
    pub fingerprint: u64,
    /// The changelog goes on from here.
    pub log_next: i64,
    pub head: &'a [u8],
    pub held: &'a [u8],
}

impl<'a> BaseHead<'a> {
    pub fn write(&self, into: &mut Vec<u8>) {
        into.word(self.fingerprint);
        into.signed(self.log_next);
        into.list(self.head);
        into.list(self.held);
    }

    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let (fingerprint, log_next) = (reader.word()?, reader.signed()?);
        let (head, held) = (reader.list()?, reader.list()?);
        reader.end()?;
        Some(Self { fingerprint, log_next, head, held })
    }
}

impl Task {
    /// Writes down what was done since the last commit; gives the blocks to be sent. None: nothing was.
    pub(super) fn prepare(&mut self) -> Vec<Vec<u8>> {
        let head = Head::of(self).written();
        let Some(durable) = &mut self.durable else { return Vec::new() };
        for store in &self.stores {
            if !planted(Mistake::LosesRegisters) {
                store.journal_registers(&mut durable.journal);
            }
        }
        // What changes without an offset is nothing yet: no row has come.
        let is_blank = self.inputs.iter().all(|input| input.next.is_none());
        if is_blank || durable.journal.is_empty() && head == durable.head {
            return Vec::new();
        }
        let mut journal = durable.journal.take();
        if planted(Mistake::LosesChanges) && durable.commit % 7 == 3 {
            journal.clear();
        }
        let mut content = Vec::with_capacity(head.len() + journal.len() + 8);
        content.list(&head);
        content.extend(&journal);
        let (packed, commit) = (block::pack(&content), durable.next());
        let blocks = block::blocks(durable.label(What::Changes, commit), &packed);
        durable.pending = Some(Change { commit, head, packed });
        blocks
    }

    /// Whether changes were prepared and have yet to be committed.
    pub(super) fn is_prepared(&self) -> bool {
        self.durable.as_ref().is_some_and(|durable| durable.pending.is_some())
    }

    /// Number of the commit that is under way, or of the last one if it changes nothing; 0: nothing is kept.
    pub(super) fn next_commit(&self) -> Commit {
        let durable = self.durable.as_ref();
        durable.map_or(0, |durable| durable.pending.as_ref().map_or(durable.commit, |change| change.commit))
    }

    /// One of the blocks that were sent lies at this offset.
    pub(super) fn landed(&mut self, offset: i64) {
        if let Some(durable) = &mut self.durable {
            durable.log_next = durable.log_next.max(offset + 1);
        }
    }

    /// What was prepared is there for good.
    pub(super) fn committed(&mut self) {
        self.stores.iter_mut().for_each(crate::state::Store::commit);
        for input in self.inputs.iter_mut().filter(|input| input.next.is_some()) {
            (input.marked, input.claimed) = (input.next, true);
            input.marked_words = Words { fence: input.fence, quiet: self.quiet, at: self.at };
        }
        let Some(durable) = &mut self.durable else { return };
        if let Some(change) = durable.pending.take() {
            durable.commit = change.commit;
            durable.head.clone_from(&change.head);
            durable.since_image += change.packed.len();
            durable.tail_bytes += change.packed.len();
            durable.tail.push_back(change);
        }
    }

    /// Moves the checkpoint on, right after a commit; begins one if there is enough that it would save.
    pub(super) fn checkpoint(&mut self, options: VaultOptions) -> Result<()> {
        let begins = self.durable.as_ref().is_some_and(|durable| {
            let is_full = self.stores.iter().map(|store| store.held().1).sum::<usize>() > options.memory / 4;
            let is_due = durable.tail_bytes > options.tail_bytes || is_full;
            let is_free = !durable.is_writing && durable.checkpoint.is_none();
            // What was taken back is read from the base again: it is no news.
            let is_news = || lock(&durable.base).position().is_none_or(|(last, _)| durable.commit > last);
            is_free && is_due && is_news()
        });
        if begins {
            self.begin_checkpoint();
        }
        let Some(durable) = &mut self.durable else { return Ok(()) };
        if durable.is_writing {
            if lock(&durable.base).written(false)? {
                self.written();
                let most = options.memory / self.stores.len().max(1);
                self.stores.iter_mut().for_each(|store| store.evict(most));
            }
            return Ok(());
        }
        let Some(frozen) = &mut durable.checkpoint else { return Ok(()) };
        while let Some(store) = self.stores.get_mut(frozen.store) {
            if !store.freeze(FROZEN_AT_ONCE) {
                return Ok(());
            }
            frozen.images.extend(store.take_images());
            frozen.store += 1;
        }
        self.write_checkpoint()
    }

    fn begin_checkpoint(&mut self) {
        let held = self.held_written();
        let Some(durable) = &mut self.durable else { return };
        self.stores.iter_mut().for_each(crate::state::Store::begin_checkpoint);
        let (commit, log_next, fingerprint) = (durable.commit, durable.log_next, durable.fingerprint);
        let mut head = Vec::new();
        BaseHead { fingerprint, log_next, head: &durable.head, held: &held }.write(&mut head);
        let commit = if planted(Mistake::CheckpointAhead) { commit + 1 } else { commit };
        durable.checkpoint = Some(Frozen { commit, head, images: Vec::new(), store: 0 });
    }

    fn write_checkpoint(&mut self) -> Result<()> {
        let Some(durable) = &mut self.durable else { return Ok(()) };
        if let Some(Frozen { commit, head, images, .. }) = durable.checkpoint.take() {
            lock(&durable.base).write(Checkpoint { commit, head, images })?;
            durable.is_writing = true;
        }
        Ok(())
    }

    /// The checkpoint is on disk.
    fn written(&mut self) {
        self.stores.iter_mut().for_each(crate::state::Store::written);
        let Some(durable) = &mut self.durable else { return };
        durable.is_writing = false;
        let commit = lock(&durable.base).position().map_or(0, |(commit, _)| commit);
        while let Some(change) = durable.tail.front().filter(|change| change.commit <= commit) {
            durable.tail_bytes -= change.packed.len();
            durable.tail.pop_front();
        }
    }

    /// Finishes the checkpoint that is under way, and waits for it.
    pub(super) fn finish_checkpoint(&mut self) -> Result<()> {
        let Some(durable) = &mut self.durable else { return Ok(()) };
        if let Some(frozen) = &mut durable.checkpoint {
            while let Some(store) = self.stores.get_mut(frozen.store) {
                store.freeze(usize::MAX / 2);
                frozen.images.extend(store.take_images());
                frozen.store += 1;
            }
        }
        self.write_checkpoint()?;
        if self.durable.as_ref().is_some_and(|durable| durable.is_writing) {
            if let Some(durable) = &self.durable {
                lock(&durable.base).written(true)?;
            }
            self.written();
        }
        Ok(())
    }

    /// Takes back what was done since the last commit.
    pub(super) fn roll_back(&mut self, pipeline: &Pipeline, group: usize) -> Result<()> {
        self.finish_checkpoint()?;
        let own = pipeline.groups.get(group);
        let stages = own.map_or(0..0, |group| group.stages.clone());
        let lateness = own.map_or(0, |group| group.lateness);
        let retentions: Vec<Retention<'_>> =
            pipeline.features[stages].iter().map(|stage| stage.retention(lateness)).collect();
        let Some(durable) = &mut self.durable else {
            for input in &mut self.inputs {
                (input.next, input.fence) = (input.marked, input.marked_words.fence);
            }
            return Ok(());
        };
        durable.pending = None;
        // What was sent of it is gone with the transaction.
        durable.imaging = None;
        durable.journal.take();
        let tail = std::mem::take(&mut durable.tail);
        let (base, head) = (Arc::clone(&durable.base), durable.head.clone());
        let base_head = lock(&base).position().map(|(_, head)| head.to_vec());
        self.forget_held();
        if let Some(base_head) = &base_head {
            let BaseHead { held, .. } = BaseHead::read(base_head).ok_or_else(super::vault::damaged)?;
            self.read_held(held)?;
        }
        let stores = self.stores.iter_mut().zip(&retentions);
        let mut replays =
            stores.map(|(store, retention)| store.roll_back(*retention)).collect::<Result<Vec<_>>>()?;
        for change in &tail {
            self.redo(&change.journal()?, &mut replays)?;
        }
        self.stores.iter_mut().for_each(crate::state::Store::commit);
        Head::read(&head).ok_or_else(super::vault::damaged)?.put(self);
        if let Some(durable) = &mut self.durable {
            durable.tail = tail;
        }
        Ok(())
    }
}
