//! The threads of a directory. Trees go from one to the next, and what one is slow at makes the one before wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::Options;
use super::queue::{Queue, Taken};
use super::tree::Tree;
use crate::state::Checkpoint;

/// How often it is looked whether something was in memory for too long.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is looked whether merging has caught up.
const CATCH_UP: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) enum Job {
    Write(Arc<Tree>, Checkpoint),
    /// Nobody uses it any more: what is in memory goes to a file.
    Close(Arc<Tree>),
    /// What it holds is not wanted any more.
    Remove(Arc<Tree>),
}

/// Takes checkpoints, one after the other, and puts them into files when there are enough of them.
pub(super) struct Writer {
    queue: Arc<Queue<Job>>,
    flush: SyncSender<Arc<Tree>>,
    options: Options,
    held: Vec<Held>,
    looked: Instant,
}

/// A tree with something in memory.
struct Held {
    tree: Arc<Tree>,
    since: Instant,
    bytes: u64,
}

impl Writer {
    pub fn new(queue: Arc<Queue<Job>>, flush: SyncSender<Arc<Tree>>, options: Options) -> Self {
        Self { queue, flush, options, held: Vec::new(), looked: Instant::now() }
    }

    pub fn run(mut self) {
        loop {
            match self.queue.take(LOOK) {
                Taken::Job(job, bytes) => {
                    self.work(job);
                    self.queue.done(bytes);
                }
                Taken::Nothing => {}
                Taken::Closed => break,
            }
            if self.looked.elapsed() >= LOOK.min(self.options.flush_after) {
                self.looked = Instant::now();
                let after = self.options.flush_after;
                while let Some(at) = self.held.iter().position(|held| held.since.elapsed() >= after) {
                    self.flush(at);
                }
            }
        }
        while !self.held.is_empty() {
            self.flush(0);
        }
    }

    fn work(&mut self, job: Job) {
        match job {
            Job::Write(tree, checkpoint) => {
                if tree.progress().failed.is_none() {
                    tree.write(checkpoint);
                    self.hold(&tree);
                }
                tree.done();
            }
            Job::Close(tree) => {
                if let Some(at) = self.find(&tree) {
                    self.flush(at);
                }
            }
            Job::Remove(tree) => {
                if let Some(at) = self.find(&tree) {
                    self.held.swap_remove(at);
                }
                // Merging may be at it: what is left goes when the task is opened.
                if let Err(error) = tree.remove() {
                    tracing::debug!("{error}");
                }
            }
        }
    }

    fn find(&self, tree: &Arc<Tree>) -> Option<usize> {
        self.held.iter().position(|held| Arc::ptr_eq(&held.tree, tree))
    }

    fn hold(&mut self, tree: &Arc<Tree>) {
        match self.find(tree) {
            Some(at) => self.held[at].bytes = tree.held(),
            None => {
                self.held.push(Held { tree: Arc::clone(tree), since: Instant::now(), bytes: tree.held() });
            }
        }
        while self.held.iter().map(|held| held.bytes).sum::<u64>() > self.options.buffer as u64 {
            let largest = (0..self.held.len()).max_by_key(|at| self.held[*at].bytes);
            self.flush(largest.expect("something is held"));
        }
    }

    fn flush(&mut self, at: usize) {
        let Held { tree, .. } = self.held.swap_remove(at);
        tree.seal();
        self.flush.send(tree).expect("flushing ends after this");
    }
}

/// Puts sealed memory into files.
pub(super) struct Flusher {
    pub trees: Receiver<Arc<Tree>>,
    pub merge: Sender<Weak<Tree>>,
    /// Whether there is merging.
    pub running: Arc<AtomicBool>,
}

impl Flusher {
    pub fn run(self) {
        for tree in self.trees {
            while tree.is_unmerged() && self.running.load(Ordering::Acquire) {
                std::thread::sleep(CATCH_UP);
            }
            match tree.flush() {
                Ok(()) => self.merge.send(Arc::downgrade(&tree)).expect("merging ends after this"),
                Err(error) => tree.fail(error),
            }
        }
    }
}

/// Merges files of trees, so that there are few to look into, and what is gone takes no room.
pub(super) struct Merger {
    /// Those that have a new file. What nobody uses any more is not merged: it may be opened again.
    pub trees: Receiver<Weak<Tree>>,
    pub running: Arc<AtomicBool>,
}

impl Merger {
    /// Until no trees come any more.
    pub fn run(self) {
        for tree in self.trees {
            let Some(tree) = tree.upgrade() else { continue };
            while self.running.load(Ordering::Acquire) && Arc::strong_count(&tree) > 1 {
                match tree.merge() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tree.fail(error);
                        break;
                    }
                }
            }
        }
    }
}
