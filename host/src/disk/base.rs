//! The base of one task.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::Local;
use super::tree::{LONGEST_KEY, Position, Progress, Tree};
use super::writer::Job;
use crate::error::{Code, Error, Result};
use crate::state::{Base, Checkpoint, Commit, Due, Frozen};

/// Bytes that each image of a checkpoint takes at least.
const IMAGE: usize = 64;

#[derive(Debug)]
pub(super) struct LocalBase {
    task: String,
    tree: Arc<Tree>,
    position: Option<Position>,
    /// Nothing is due in a store before this: so what was due and is gone, which is in the tree for a while still,
    /// is not walked through each time.
    earliest: RefCell<HashMap<u8, i64>>,
    local: Arc<Local>,
}

impl LocalBase {
    pub fn open(local: Arc<Local>, task: &str) -> Result<Self> {
        if !local.open().insert(task.to_owned()) {
            return Err(Error::new(Code::StateLocked, format!("the state of {task} is open already")));
        }
        let tree = Tree::open(&local.trees, &local.directory.task(task)).inspect_err(|_| {
            local.open().remove(task);
        })?;
        let position = tree.progress().position.clone();
        Ok(Self {
            task: task.to_owned(),
            tree: Arc::new(tree),
            position,
            earliest: RefCell::default(),
            local,
        })
    }

    fn settle(position: &mut Option<Position>, progress: &Progress) -> Result<()> {
        if let Some(error) = &progress.failed {
            return Err(error.clone());
        }
        let commit = |position: &Option<Position>| position.as_ref().map(|(commit, _)| *commit);
        if commit(position) != commit(&progress.position) {
            position.clone_from(&progress.position);
        }
        Ok(())
    }
}

impl Base for LocalBase {
    fn position(&self) -> Option<(Commit, &[u8])> {
        self.position.as_ref().map(|(commit, head)| (*commit, head.as_slice()))
    }

    fn get(&self, store: u8, key: &[u8]) -> Result<Option<Box<[u8]>>> {
        if key.len() > LONGEST_KEY { Ok(None) } else { self.tree.get(store, key) }
    }

    fn due(&self, store: u8, behind: Option<&Due>, until: i64, most: usize) -> Result<Vec<Due>> {
        let mut earliest = self.earliest.borrow_mut();
        let earliest = earliest.entry(store).or_insert(i64::MIN);
        let due = self.tree.due(store, behind, *earliest, until, most)?;
        if behind.is_none() {
            match due.first() {
                Some((moment, _)) => *earliest = *moment,
                None if most > 0 => *earliest = (*earliest).max(until.saturating_add(1)),
                None => {}
            }
        }
        Ok(due)
    }

    fn write(&mut self, checkpoint: Checkpoint) -> Result<()> {
        let mut bytes = checkpoint.head.len() + IMAGE;
        for image in &checkpoint.images {
            if image.key.len() > LONGEST_KEY {
                let message =
                    format!("a key of {} bytes: {LONGEST_KEY} at most can be kept", image.key.len());
                return Err(Error::new(Code::StateDisk, message));
            }
            bytes += image.key.len() + image.bytes.as_ref().map_or(0, |bytes| bytes.len()) + IMAGE;
            if let Some(due) = image.due
                && let Some(earliest) = self.earliest.get_mut().get_mut(&image.store)
            {
                *earliest = (*earliest).min(due);
            }
        }
        let mut progress = self.tree.progress();
        if let Some(error) = &progress.failed {
            return Err(error.clone());
        }
        progress.pending += 1;
        drop(progress);
        self.local.queue.push(Job::Write(Arc::clone(&self.tree), checkpoint), bytes);
        Ok(())
    }

    fn written(&mut self, wait: bool) -> Result<bool> {
        let progress = if wait { self.tree.wait() } else { self.tree.progress() };
        Self::settle(&mut self.position, &progress)?;
        Ok(progress.pending == 0)
    }

    fn frozen(&self) -> Result<Box<dyn Iterator<Item = Result<Frozen>> + Send>> {
        Ok(Box::new(Arc::clone(&self.tree).frozen()))
    }

    fn clear(&mut self) -> Result<()> {
        drop(self.tree.wait());
        let next = Arc::new(self.tree.next()?);
        let cleared = std::mem::replace(&mut self.tree, next);
        self.local.queue.push(Job::Remove(cleared), 0);
        self.position = None;
        self.earliest.get_mut().clear();
        Ok(())
    }
}

impl Drop for LocalBase {
    fn drop(&mut self) {
        self.local.queue.push(Job::Close(Arc::clone(&self.tree)), 0);
        self.local.open().remove(&self.task);
    }
}
