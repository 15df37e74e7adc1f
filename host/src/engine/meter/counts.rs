//! What one thread has counted of rows of which is not decided yet whether they are done.

use std::collections::BTreeMap;

use super::spread::{ROWS, SCORES, Spread};
use crate::error::Code;
use crate::pipeline::Stage;
use crate::record::{PartitionId, Record};

/// Messages, and bytes of their keys and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    pub messages: u64,
    pub bytes: u64,
}

impl Volume {
    pub(super) fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

/// Of one flow.
#[derive(Debug, Default)]
pub(in crate::engine) struct Counts {
    pub batches: usize,
    pub records: usize,
    pub tombstones: usize,
    pub dropped: usize,
    pub decisions: usize,
    pub(super) dead_letters: BTreeMap<(&'static str, Code), u64>,
    pub(super) late: BTreeMap<String, u64>,
    pub(super) read: BTreeMap<PartitionId, Volume>,
    /// Rows of each batch that a stage was given. Few stages.
    pub(super) calls: Vec<(Stage, Spread)>,
    /// By route.
    pub(super) sent: Vec<Volume>,
    /// By score.
    pub(super) scores: Vec<Spread>,
    /// Of records of which decisions were made: when they came to be, in milliseconds since the epoch.
    pub(super) times: Vec<i64>,
}

impl Counts {
    pub fn dead_letter(&mut self, stage: Stage, code: Code) {
        *self.dead_letters.entry((stage.name(), code)).or_default() += 1;
    }

    /// All dead letters.
    pub fn refused(&self) -> u64 {
        self.dead_letters.values().sum()
    }

    pub fn late(&mut self, source: &str) {
        match self.late.get_mut(source) {
            Some(count) => *count += 1,
            None => drop(self.late.insert(source.to_owned(), 1)),
        }
    }

    /// Records as they were read.
    pub fn read(&mut self, records: &[Record<'_>]) {
        for run in records.chunk_by(|one, next| one.from == next.from) {
            let bytes = |record: &Record<'_>| {
                (record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len)) as u64
            };
            let volume = Volume { messages: run.len() as u64, bytes: run.iter().map(bytes).sum() };
            self.read.entry(run[0].from).or_default().add(volume);
        }
    }

    /// A stage is given so many rows at once.
    pub fn call(&mut self, stage: Stage, rows: usize) {
        if rows == 0 {
            return;
        }
        match self.calls.iter_mut().find(|(one, _)| *one == stage) {
            Some((_, calls)) => calls.see(rows as f64),
            None => {
                let mut calls = Spread::new(ROWS);
                calls.see(rows as f64);
                self.calls.push((stage, calls));
            }
        }
    }

    /// A decision goes to a route, one of so many. `time`: when its record came to be.
    pub fn decide(&mut self, route: usize, bytes: usize, time: Option<i64>) {
        self.decisions += 1;
        if self.sent.len() <= route {
            self.sent.resize(route + 1, Volume::default());
        }
        self.sent[route].add(Volume { messages: 1, bytes: bytes as u64 });
        self.times.extend(time);
    }

    /// Scores of rows, row after row, so many each.
    pub fn score(&mut self, scores: &[f32], each: usize) {
        self.scores.resize(each, Spread::new(SCORES));
        for row in scores.chunks_exact(each.max(1)) {
            row.iter().zip(&mut self.scores).for_each(|(score, seen)| seen.see(f64::from(*score)));
        }
    }
}
