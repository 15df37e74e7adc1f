//! What a plugin may do beside answering: write to the log, and count.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tracing::Level;

/// Bytes that are kept of a line.
pub(super) const LINE_LIMIT: usize = 4 << 10;
/// Lines of one call that reach the log.
pub(super) const LINES_LIMIT: u32 = 100;
/// Bytes of a counter's name.
pub(super) const NAME_LIMIT: usize = 64;
/// Counters of one stage.
pub(super) const NAMES_LIMIT: usize = 64;

/// The counters of a stage, summed over its instances. Of a call that fails nothing is counted.
#[derive(Debug, Default)]
pub struct Counters(Mutex<BTreeMap<Box<str>, u64>>);

impl Counters {
    /// Every counter, by name.
    pub fn read(&self) -> Vec<(String, u64)> {
        let counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counters.iter().map(|(name, value)| (name.to_string(), *value)).collect()
    }
}

/// What one instance counted since its last call ended.
#[derive(Debug, Default)]
pub(super) struct Tally(Vec<(Box<str>, u64)>);

impl Tally {
    /// Names beyond the limits are dropped.
    pub(super) fn add(&mut self, name: &str, by: u64) {
        if let Some((_, count)) = self.0.iter_mut().find(|(known, _)| **known == *name) {
            *count = count.saturating_add(by);
        } else if !name.is_empty() && name.len() <= NAME_LIMIT && self.0.len() < NAMES_LIMIT {
            self.0.push((name.into(), by));
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Moves what was counted, keeping the names and their memory.
    pub(super) fn flush(&mut self, into: &Counters) {
        if self.0.iter().all(|(_, count)| *count == 0) {
            return;
        }
        let mut counters = into.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, count) in &mut self.0 {
            let by = std::mem::take(count);
            if let Some(counter) = counters.get_mut(name) {
                *counter = counter.saturating_add(by);
            } else if by > 0 && counters.len() < NAMES_LIMIT {
                counters.insert(name.clone(), by);
            }
        }
    }
}

/// The lines of one call.
#[derive(Debug)]
pub(super) struct Logbook {
    stage: String,
    lines: u32,
    last_error: Option<String>,
}

impl Logbook {
    pub(super) fn new(stage: String) -> Self {
        Self { stage, lines: 0, last_error: None }
    }

    /// Whether anything will be made of a line. One that is not is counted only.
    pub(super) fn admits(&mut self, level: Level) -> bool {
        let admitted = self.lines < LINES_LIMIT || level == Level::ERROR;
        self.lines = self.lines.saturating_add(u32::from(!admitted));
        admitted
    }

    /// `line` was admitted.
    pub(super) fn write(&mut self, level: Level, line: String) {
        self.lines = self.lines.saturating_add(1);
        if self.lines <= LINES_LIMIT {
            emit(&self.stage, level, &line);
        }
        if level == Level::ERROR {
            self.last_error = Some(line);
        }
    }

    /// The last error of this call: a panic's message, where the plugin trapped.
    pub(super) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Ends the call.
    pub(super) fn close(&mut self) {
        let dropped = self.lines.saturating_sub(LINES_LIMIT);
        if dropped > 0 {
            emit(&self.stage, Level::WARN, &format!("{dropped} more lines of this call were dropped"));
        }
        self.lines = 0;
        self.last_error = None;
    }
}

fn emit(stage: &str, level: Level, line: &str) {
    match level {
        Level::ERROR => tracing::error!(target: "plugin", stage, "{line}"),
        Level::WARN => tracing::warn!(target: "plugin", stage, "{line}"),
        Level::INFO => tracing::info!(target: "plugin", stage, "{line}"),
        _ => tracing::debug!(target: "plugin", stage, "{line}"),
    }
}

/// The first bytes of a text, up to a whole character.
pub(super) fn clip(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}
