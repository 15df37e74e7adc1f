//! Where tasks keep their keys on this machine: one directory a process, and in it a log-structured merge tree
//! for each task, so that damage in one, and clearing it, is nothing to the others.
//!
//! A checkpoint goes into a tree's memory, all of it under one number; now and then that memory is sorted into a
//! file, and a small file that lists the others is replaced by one that lists this one too. So what is on disk is
//! always some whole checkpoint: after a process is killed an older one than was written last, by
//! [`Options::flush_after`] or [`Options::buffer`] at most. No journal makes up for the rest: the changelog has it.
//!
//! Three threads a directory: one takes checkpoints, one flushes, one merges files. Callers neither write nor sync a
//! file, but for [`Disk::open`] and [`Base::clear`](crate::state::Base::clear).
//!
//! Files are untrusted: their blocks and lists carry checksums, which are verified whenever they are read.

mod base;
mod directory;
mod names;
mod queue;
mod tree;
mod writer;

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use base::LocalBase;
use directory::Directory;
use queue::Queue;
use tree::Trees;
use writer::{Flusher, Job, Merger, Writer};

use crate::error::{Code, Error, Result};
use crate::state::{Base, Disk};

pub use directory::{delete, is_ours};

/// Bounds for all tasks of a directory together.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of file blocks kept in memory.
    pub cache: usize,
    /// Bytes of checkpoints kept in memory before the largest tree's share goes to a file; twice as much while that
    /// happens. By the number of tasks that is the size of a file, and small ones cost more.
    pub buffer: usize,
    /// How long a task's checkpoints stay in memory at most.
    pub flush_after: Duration,
    /// Bytes of checkpoints that may wait before [`Base::write`](crate::state::Base::write) does. One is always
    /// taken.
    pub waiting: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache: 64 << 20, buffer: 64 << 20, flush_after: Duration::from_secs(60), waiting: 64 << 20 }
    }
}

/// A directory for the state of this process's tasks; no other process can have it meanwhile.
///
/// All that was taken is written when this is dropped, after the bases.
#[derive(Debug)]
pub struct LocalDisk(Arc<Local>);

/// Fields in the order in which they go.
#[derive(Debug)]
struct Local {
    queue: Arc<Queue<Job>>,
    merging: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// Tasks that have a base.
    open: Mutex<HashSet<String>>,
    trees: Arc<Trees>,
    directory: Directory,
}

impl Local {
    fn open(&self) -> MutexGuard<'_, HashSet<String>> {
        self.open.lock().expect("nothing panics while it has this")
    }
}

impl LocalDisk {
    pub fn open(directory: &Path, options: Options) -> Result<Self> {
        let directory = Directory::open(directory)?;
        let trees = Arc::new(Trees::new(options.cache));
        let queue = Arc::new(Queue::new(options.waiting));
        let merging = Arc::new(AtomicBool::new(true));
        // No room: while a tree is flushed at most one more is sealed.
        let (flush, to_flush) = mpsc::sync_channel(0);
        let (merge, to_merge) = mpsc::channel();
        let writer = Writer::new(Arc::clone(&queue), flush, options);
        let flusher = Flusher { trees: to_flush, merge, running: Arc::clone(&merging) };
        let merger = Merger { trees: to_merge, running: Arc::clone(&merging) };
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(run)
                .map_err(|error| Error::new(Code::StateDisk, format!("a thread for the state: {error}")))
        };
        let mut local =
            Local { queue, merging, threads: Vec::new(), open: Mutex::default(), trees, directory };
        local.threads.push(spawn("state-writer", Box::new(move || writer.run()))?);
        local.threads.push(spawn("state-flusher", Box::new(move || flusher.run()))?);
        local.threads.push(spawn("state-merger", Box::new(move || merger.run()))?);
        Ok(Self(Arc::new(local)))
    }

    /// 16 hexadecimal digits, made up when the directory was; no other directory has them.
    pub fn instance_id(&self) -> &str {
        &self.0.directory.instance_id
    }
}

impl Disk for LocalDisk {
    fn open(&self, task: &str) -> Result<Box<dyn Base>> {
        Ok(Box::new(LocalBase::open(Arc::clone(&self.0), task)?))
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.merging.store(false, Ordering::Release);
        self.queue.close();
        for thread in self.threads.drain(..) {
            // It panicked: what it had not written is in the changelog.
            if thread.join().is_err() {
                tracing::error!("a thread that writes state panicked");
            }
        }
    }
}

fn damaged(place: &Path, what: impl std::fmt::Display) -> Error {
    Error::new(Code::StateDamaged, format!("{}: {what}", place.display()))
}

fn unusable(place: &Path, what: impl std::fmt::Display) -> Error {
    Error::new(Code::StateDisk, format!("{}: {what}", place.display()))
}

#[cfg(test)]
mod tests;
