//! What a store sees of the rest.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::columns::{Column, Schema};
use crate::engine::ports::{Decoder, Source};
use crate::error::Result;

/// What a release sends, as far as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// Number of the release; 0: it has none.
    pub release: u64,
    /// No topic twice.
    pub topics: Vec<String>,
    /// Of values. Any of them may lack a value: what JSON can't say is null there.
    pub columns: Schema,
    /// They are made of closed windows, not of records.
    pub windows: bool,
}

impl Outputs {
    /// Of a later release, and what there was before: rows of that may still come.
    pub fn followed_by(self, mut later: Self) -> Self {
        let topics = self.topics.into_iter().filter(|topic| !later.topics.contains(topic));
        later.topics.extend(topics.collect::<Vec<_>>());
        let is_gone = |column: &&Column| later.columns.iter().all(|other| other.name != column.name);
        let gone: Vec<_> = self.columns.iter().filter(is_gone).cloned().collect();
        later.columns = later.columns.iter().cloned().chain(gone).collect();
        later
    }
}

/// Where a store's rows come from, and when it ends.
pub trait Feed {
    type Source: Source;

    /// Of the release that runs now.
    fn outputs(&self) -> Outputs;

    /// Joins the store's group, to read these topics: the index is a partition's source.
    fn join(&self, topics: &[String]) -> Result<Self::Source>;

    /// Reads values back as they were sent.
    fn decoder(&self, columns: &[Column]) -> Result<Box<dyn Decoder + Send>>;

    /// Whether to end, with what is in hand.
    fn asked(&self) -> bool;

    /// Whether to end by itself, when all has been read once.
    fn until_end(&self) -> bool;
}

/// What became of outputs since the start.
#[derive(Debug, Default)]
pub struct Tally {
    pub kept: AtomicU64,
    /// Of them: without a part that can't be held.
    pub flawed: AtomicU64,
    /// Records that are no outputs.
    pub left_out: AtomicU64,
    /// Tries that came to nothing.
    pub failures: AtomicU64,
    trouble: Mutex<Option<Instant>>,
}

impl Tally {
    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Relaxed);
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
    }

    pub(super) fn went_well(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// For how long nothing could be kept.
    pub fn trouble(&self) -> Duration {
        let since = *self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::Kind;

    #[test]
    fn what_a_release_had_before_is_still_read() {
        let outputs = |release, topics: &[&str], columns: &[(&str, Kind)]| Outputs {
            release,
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            columns: columns.iter().map(|(name, kind)| Column::nullable(*name, *kind)).collect(),
            windows: false,
        };
        let first = outputs(1, &["a", "b"], &[("x", Kind::Int), ("y", Kind::Int)]);
        let later = outputs(2, &["c", "b"], &[("y", Kind::Text), ("z", Kind::Int)]);
        let both = outputs(2, &["c", "b", "a"], &[("y", Kind::Text), ("z", Kind::Int), ("x", Kind::Int)]);
        assert_eq!(first.clone().followed_by(later), both);
        assert_eq!(first.clone().followed_by(first.clone()), first);
    }
}
