//! The releases that a pipeline had, as its control topic told them: followed live, so that none is missed that is taken
//! away later. The law is that of the topic: of one number the first counts, and numbers rise.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::message::Message;

use crate::chaos::read::{consumer_from, is_passing, json, note};

/// A release.
#[derive(Clone, Debug)]
pub struct Release {
    pub id: String,
    pub how: String,
    /// Sha256 by file name.
    pub files: HashMap<String, String>,
    pub configuration: String,
}

#[derive(Debug, Default)]
struct State {
    releases: BTreeMap<u64, Release>,
    tickets: HashSet<String>,
    refused: Vec<String>,
    /// Generations that are not run any more.
    ended: HashSet<String>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    news: Condvar,
    stop: AtomicBool,
}

/// A reader on a thread of its own.
#[derive(Debug)]
pub struct Ledger {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Ledger {
    /// The topic must be there.
    pub fn open(brokers: &str, prefix: &str) -> Self {
        let shared = Arc::<Shared>::default();
        let (own, brokers, topic) = (Arc::clone(&shared), brokers.to_owned(), format!("{prefix}.releases"));
        Self { shared, thread: Some(std::thread::spawn(move || own.follow(&brokers, &topic))) }
    }

    /// The current one's number; 0: there is none.
    pub fn current(&self) -> u64 {
        self.shared.state().releases.keys().next_back().copied().unwrap_or_default()
    }

    /// Waits for a release behind this one; gives its number.
    pub fn wait_beyond(&self, number: u64, patience: Duration) -> Option<u64> {
        let (began, mut state) = (Instant::now(), self.shared.state());
        loop {
            let last = state.releases.keys().next_back().copied().unwrap_or_default();
            if last > number {
                return Some(last);
            }
            let left = patience.checked_sub(began.elapsed())?;
            state = self.shared.news.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How many generations have ended.
    pub fn ended(&self) -> usize {
        self.shared.state().ended.len()
    }

    /// Waits until more of them have than so many.
    pub fn wait_ended_beyond(&self, ended: usize, patience: Duration) -> bool {
        let state = self.shared.state();
        let is_waiting = |state: &mut State| state.ended.len() <= ended;
        let waited = self.shared.news.wait_timeout_while(state, patience, is_waiting);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    pub fn releases(&self) -> BTreeMap<u64, Release> {
        self.shared.state().releases.clone()
    }

    /// Why proposals came to nothing.
    pub fn refused(&self) -> Vec<String> {
        self.shared.state().refused.clone()
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // It panicked: that was said.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self, brokers: &str, topic: &str) {
        let consumer = consumer_from(brokers, topic, &[None]);
        while !self.stop.load(Relaxed) {
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let key = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
                    if message.payload().is_some() {
                        self.state().take(&key, &json(&message));
                        self.news.notify_all();
                    }
                }
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => note(&error),
                None => {}
            }
        }
    }
}

impl State {
    fn take(&mut self, key: &str, facts: &serde_json::Value) {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let parts: Vec<&str> = key.split('/').collect();
        match parts[..] {
            ["release", number, ticket, _] => {
                let number = number.parse().unwrap_or_default();
                let is_next = self.releases.keys().next_back().is_none_or(|last| number > *last);
                if !is_next || !self.tickets.insert(ticket.to_owned()) {
                    return;
                }
                let artifacts = facts["artifacts"].as_array().map(Vec::as_slice).unwrap_or_default();
                let files = artifacts.iter().map(|one| (text(&one["file"]), text(&one["sha256"])));
                let release = Release {
                    id: text(&facts["id"]),
                    how: text(&facts["how"]),
                    files: files.collect(),
                    configuration: text(&facts["configuration"]),
                };
                self.releases.insert(number, release);
            }
            ["generation", number, "ended", _] => drop(self.ended.insert(number.to_owned())),
            ["refusal", ticket, _] => {
                self.refused.push(format!("{ticket}: {} {}", text(&facts["code"]), text(&facts["message"])));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_number_the_first_counts_and_numbers_rise() {
        let mut state = State::default();
        let facts =
            |id: &str| serde_json::json!({ "id": id, "how": "file", "configuration": "", "artifacts": [] });
        for (key, id) in [
            ("release/1/a/w", "first"),
            ("release/2/b/w", "second"),
            ("release/2/c/w", "loser"),
            ("release/1/d/w", "late"),
            ("release/3/b/w", "answered"),
            ("proposal/e", "nothing"),
            ("release/3/c/x", "third"),
            ("generation/0/speaks/w", "it runs"),
            ("generation/0/ended/w", "it has ended"),
            ("generation/0/ended/x", "said twice"),
        ] {
            state.take(key, &facts(id));
        }
        let ids: Vec<_> = state.releases.values().map(|release| release.id.as_str()).collect();
        assert_eq!((ids, state.ended.len()), (vec!["first", "second", "third"], 1));
    }
}
