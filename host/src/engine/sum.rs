//! Sums of what threads have.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Of the parts that threads have.
#[derive(Clone, Debug, Default)]
pub struct Sum(Arc<AtomicUsize>);

impl Sum {
    pub fn get(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// A part, of nothing yet.
    pub fn part(&self) -> Part {
        Part { sum: self.clone(), own: 0 }
    }
}

/// What one thread has. It is given back when it is dropped.
#[derive(Debug)]
pub struct Part {
    sum: Sum,
    own: usize,
}

impl Part {
    /// Of this thread.
    pub fn own(&self) -> usize {
        self.own
    }

    /// Of all threads.
    pub fn all(&self) -> usize {
        self.sum.get()
    }

    pub fn set(&mut self, own: usize) {
        match own.checked_sub(self.own) {
            Some(0) => {}
            Some(more) => drop(self.sum.0.fetch_add(more, Relaxed)),
            None => drop(self.sum.0.fetch_sub(self.own - own, Relaxed)),
        }
        self.own = own;
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.set(0);
    }
}
