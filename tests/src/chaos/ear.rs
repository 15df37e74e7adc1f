//! Listens to the outputs live: how far they are, and how long they were silent. What came out is for [`super::check`]
//! to say: a listener may miss something when the broker is killed.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::message::{BorrowedMessage, Message};

use super::campaign::PARTITIONS;
use super::read::{consumer_from, header, is_passing, json, note};

/// After so long without an output it listens anew: librdkafka (2.12) can lose its brokers for ever.
const DEAF: Duration = Duration::from_secs(10);
/// Shorter silences are the ordinary pace of transactions.
const SILENCE: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Lane {
    /// Event time of the newest output.
    reached: i64,
    last: Instant,
    /// Silences, as they ended.
    silences: Vec<(Instant, Instant)>,
}

#[derive(Debug)]
struct State {
    lanes: Vec<Lane>,
    heard: u64,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    news: Condvar,
    stop: AtomicBool,
}

/// A reader of the outputs on a thread of its own. Outputs have the partition of their input, by its key.
#[derive(Debug)]
pub struct Ear {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Ear {
    pub fn open(brokers: &str, out: &str) -> Self {
        let lane = || Lane { reached: i64::MIN, last: Instant::now(), silences: Vec::new() };
        let state = Mutex::new(State { lanes: (0..PARTITIONS).map(|_| lane()).collect(), heard: 0 });
        let shared = Arc::new(Shared { state, news: Condvar::new(), stop: AtomicBool::new(false) });
        let (own, brokers, out) = (Arc::clone(&shared), brokers.to_owned(), out.to_owned());
        Self { shared, thread: Some(std::thread::spawn(move || own.listen(&brokers, &out))) }
    }

    /// Waits until outputs of all partitions have reached an event time. False: they did not in time.
    pub fn wait_until(&self, reached: i64, patience: Duration) -> bool {
        self.wait(patience, |state| state.lanes.iter().all(|lane| lane.reached >= reached))
    }

    /// How many outputs it heard so far.
    pub fn heard(&self) -> u64 {
        self.shared.state().heard
    }

    fn wait(&self, patience: Duration, enough: impl Fn(&State) -> bool) -> bool {
        let (began, mut state) = (Instant::now(), self.shared.state());
        while !enough(&state) {
            let Some(left) = patience.checked_sub(began.elapsed()) else { return false };
            let waited = self.shared.news.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// The longest silence of a partition since a moment: when it began, not before the moment, and when it ended.
    pub fn silence(&self, since: Instant) -> Option<(Instant, Instant)> {
        let state = self.shared.state();
        let all = state.lanes.iter().flat_map(|lane| lane.silences.iter().rev());
        let recent = all.filter(|(_, end)| *end > since).map(|(start, end)| ((*start).max(since), *end));
        recent.max_by_key(|(start, end)| *end - *start)
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // It panicked: that was said.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn listen(&self, brokers: &str, out: &str) {
        let mut next = [None; PARTITIONS as usize];
        while !self.stop.load(Relaxed) {
            let consumer = consumer_from(brokers, out, &next);
            let mut last = Instant::now();
            while !self.stop.load(Relaxed) && last.elapsed() < DEAF {
                match consumer.poll(Duration::from_millis(100)) {
                    Some(Ok(message)) => {
                        let partition = message.partition() as usize;
                        (next[partition], last) = (Some(message.offset() + 1), Instant::now());
                        self.state().hear(partition, time(&message));
                        self.news.notify_all();
                    }
                    Some(Err(error)) if is_passing(&error) => {}
                    Some(Err(error)) => {
                        // A consumer stops at a partition whose log it holds for cut.
                        note(&error);
                        break;
                    }
                    None => {}
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn hear(&mut self, partition: usize, at: i64) {
        self.heard += 1;
        let lane = &mut self.lanes[partition];
        let now = Instant::now();
        if now - lane.last >= SILENCE {
            lane.silences.push((lane.last, now));
        }
        (lane.last, lane.reached) = (now, lane.reached.max(at));
    }
}

/// Event time of an output: of a window, its end.
fn time(message: &BorrowedMessage<'_>) -> i64 {
    let window = header(message, "tailwater-window");
    let end = window.as_deref().and_then(|window| window.split('/').nth(1)?.parse().ok());
    end.or_else(|| json(message)["at"].as_i64()).unwrap_or(i64::MIN)
}
