//! A process: what dies as a whole.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::journal::Journal;
use crate::error::{Code, Error, Result};

/// What calls of a dead process say.
const CRASHED: &str = "simulated crash";

/// One run of a host, shared by all its ports. It may die at any call of any of them.
#[derive(Debug)]
pub struct Process {
    pub host: usize,
    /// No two processes have the same.
    pub number: usize,
    pub journal: Journal,
    /// Calls that are left; `u64::MAX`: it lives on.
    left: AtomicU64,
    /// Whether the last call still does what it is to do.
    after: AtomicBool,
    dead: AtomicBool,
}

/// Whether that is the end of a process, and no error of the engine.
pub fn is_crash(error: &Error) -> bool {
    error.code == Code::Internal && error.message.contains(CRASHED)
}

fn crash() -> Error {
    Error::new(Code::Internal, CRASHED)
}

impl Process {
    pub fn new(host: usize, number: usize, journal: Journal) -> Self {
        let (left, after, dead) = (u64::MAX.into(), false.into(), false.into());
        Self { host, number, journal, left, after, dead }
    }

    /// Dies at the n-th call from now, before it does anything, or `after`.
    pub fn crash_in(&self, calls: u64, after: bool) {
        self.left.store(calls.max(1), Relaxed);
        self.after.store(after, Relaxed);
    }

    pub fn kill(&self) {
        self.dead.store(true, Relaxed);
    }

    pub fn is_dead(&self) -> bool {
        self.dead.load(Relaxed)
    }

    /// A call of a port: counts, and does it unless the process is dead.
    pub(super) fn call<T>(&self, name: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
        self.journal.count();
        if self.is_dead() {
            return Err(crash());
        }
        let left = self.left.load(Relaxed);
        if left == u64::MAX {
            return body();
        }
        self.left.store(left - 1, Relaxed);
        if left > 1 {
            return body();
        }
        let after = self.after.load(Relaxed);
        let when = if after { "after" } else { "before" };
        self.journal.note(format_args!("host {} crashes {when} {name}", self.host));
        if after {
            // What it gives is never seen.
            let _ = body();
        }
        self.kill();
        Err(crash())
    }
}
