//! What a process logs, followed live: kept in a file, and looked through for the lines that events wait for.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A moment in a process's life that it logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// All of a transaction is produced.
    Flush,
    /// Its offsets and its end are on their way.
    Commit,
    Committed,
    TakenBack,
    /// Partitions came; their state is restored next.
    Assigned,
    /// Partitions are given up: the group waits for the answer.
    Revoked,
    Restored,
    /// A host has all that it needs, and makes its threads.
    Starts,
    /// A broker answers.
    Ready,
    /// Files have changed: a release is tried.
    Tries,
    /// Threads are told to go over to a release.
    GoesOver,
    /// All threads go by it.
    Runs,
    /// Threads of a generation are told to end.
    Ends,
}

const LINES: [(&str, Mark); 13] = [
    ("transactions: flush", Mark::Flush),
    ("transactions: committed", Mark::Committed),
    ("transactions: commit", Mark::Commit),
    ("a transaction is taken back", Mark::TakenBack),
    ("tasks: assigned", Mark::Assigned),
    ("tasks: revoked", Mark::Revoked),
    ("tasks: restored", Mark::Restored),
    ("tailwater::app::crew: starts", Mark::Starts),
    ("Kafka Server started", Mark::Ready),
    ("files have changed: they are tried", Mark::Tries),
    ("threads go over", Mark::GoesOver),
    (" runs pipeline=", Mark::Runs),
    ("tailwater::app::crew: ends", Mark::Ends),
];

/// Last lines that are shown of a process that ended.
const TAIL: usize = 12;

fn mark(line: &str) -> Option<Mark> {
    // A thread that has no part in a rebalance.
    if line.contains("ed 0 partitions") {
        return None;
    }
    LINES.iter().find(|(text, _)| line.contains(text)).map(|(_, mark)| *mark)
}

#[derive(Debug, Default)]
struct State {
    marks: Vec<(Instant, Mark)>,
    tail: VecDeque<String>,
    closed: bool,
}

/// A log that is being read.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<(Mutex<State>, Condvar)>);

impl Log {
    /// Reads to the end, which comes when the process has ended, on a thread of its own.
    pub fn follow(stream: impl Read + Send + 'static, mut file: File) -> Self {
        let log = Self::default();
        let (reader, lines) = (log.clone(), BufReader::new(stream).split(b'\n'));
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                reader.take(&String::from_utf8_lossy(&line));
                // A full disk is told by those that need it more.
                let _ = file.write_all(&line).and_then(|()| file.write_all(b"\n"));
            }
            reader.state().closed = true;
            reader.0.1.notify_all();
        });
        log
    }

    fn take(&self, line: &str) {
        let mut state = self.state();
        if let Some(mark) = mark(line) {
            state.marks.push((Instant::now(), mark));
            self.0.1.notify_all();
        }
        let is_fine = line.contains(" TRACE ") || line.contains("DEBUG");
        if !is_fine && !line.trim().is_empty() {
            state.tail.push_back(line.to_owned());
            if state.tail.len() > TAIL {
                state.tail.pop_front();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many marks there are so far.
    pub fn position(&self) -> usize {
        self.state().marks.len()
    }

    /// Waits for one of these behind a position; gives the position behind it. None: it did not come in time, or the
    /// process ended.
    pub fn wait(&self, from: usize, wanted: &[Mark], patience: Duration) -> Option<usize> {
        let (began, mut state) = (Instant::now(), self.state());
        let mut seen = from;
        loop {
            if let Some(at) = state.marks[seen..].iter().position(|(_, mark)| wanted.contains(mark)) {
                return Some(seen + at + 1);
            }
            seen = state.marks.len();
            let left = patience.checked_sub(began.elapsed())?;
            if state.closed {
                return None;
            }
            state = self.0.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until all is read of a process that has ended.
    pub fn wait_closed(&self) {
        let mut state = self.state();
        while !state.closed {
            state = self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether the process ends, and its log with it, in this time.
    pub fn ends_within(&self, patience: Duration) -> bool {
        let (began, mut state) = (Instant::now(), self.state());
        while !state.closed {
            let Some(left) = patience.checked_sub(began.elapsed()) else { return false };
            state = self.0.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Whether one of these stands behind a position.
    pub fn has_since(&self, from: usize, marks: &[Mark]) -> bool {
        self.state().marks[from..].iter().any(|(_, mark)| marks.contains(mark))
    }

    /// Whether this came after a moment.
    pub fn has_after(&self, moment: Instant, wanted: Mark) -> bool {
        self.first_after(moment, wanted).is_some()
    }

    /// When this came first after a moment.
    pub fn first_after(&self, moment: Instant, wanted: Mark) -> Option<Instant> {
        let state = self.state();
        let recent = state.marks.partition_point(|(at, _)| *at <= moment);
        state.marks[recent..].iter().find(|(_, mark)| *mark == wanted).map(|(at, _)| *at)
    }

    /// The last lines that say something.
    pub fn tail(&self) -> Vec<String> {
        self.state().tail.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_told_apart() {
        let line = |text: &str| mark(&format!("2026-11-24T12:00:00.1Z TRACE transactions: {text}"));
        assert_eq!(line("commit"), Some(Mark::Commit));
        assert_eq!(line("committed"), Some(Mark::Committed));
        assert_eq!(line("flush"), Some(Mark::Flush));
        assert_eq!(mark("DEBUG tasks: revoked 4 partitions"), Some(Mark::Revoked));
        assert_eq!(mark("INFO tasks: restored in 12 ms pipeline=p"), Some(Mark::Restored));
        assert_eq!(mark("DEBUG tasks: assigned 0 partitions"), None);
        assert_eq!(mark("INFO tasks of no kind"), None);
    }

    #[test]
    fn a_wait_ends_with_the_mark_or_with_the_log() {
        let log = Log::default();
        log.take("TRACE transactions: flush");
        log.take("TRACE transactions: commit");
        let patience = Duration::from_secs(60);
        assert_eq!(log.wait(0, &[Mark::Commit], patience), Some(2));
        assert_eq!(log.wait(2, &[Mark::Commit], Duration::ZERO), None);
        log.state().closed = true;
        assert_eq!(log.wait(2, &[Mark::Commit], patience), None);
        assert!(log.has_since(0, &[Mark::Flush]) && !log.has_since(1, &[Mark::Flush]));
    }
}
