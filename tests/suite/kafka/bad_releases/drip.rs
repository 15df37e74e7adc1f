//! A steady load, of records that hostile plugins and models get along with, or of those that they don't.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tailwater_tests::broker::Producer;

/// Records come so many at once, that often.
const BURST: i64 = 5;
const PAUSE: Duration = Duration::from_millis(10);
const CARDS: i64 = 20;

#[derive(Debug, Default)]
struct Shared {
    fed: AtomicI64,
    stop: AtomicBool,
    guilty: AtomicBool,
    /// To be fed at once.
    more: AtomicI64,
}

/// A feeder on a thread of its own.
#[derive(Debug)]
pub struct Drip {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Drip {
    pub fn start(topic: &str, guilty: bool) -> Self {
        let shared = Arc::<Shared>::default();
        shared.guilty.store(guilty, Relaxed);
        let (own, producer) = (Arc::clone(&shared), Producer::open(topic));
        let thread = std::thread::spawn(move || own.feed(&producer));
        Self { shared, thread: Some(thread) }
    }

    /// Whether records are from now on such that hostile plugins misbehave.
    pub fn turn(&self, guilty: bool) {
        self.shared.guilty.store(guilty, Relaxed);
    }

    /// Feeds so many at once.
    pub fn pour(&self, more: i64) {
        self.shared.more.fetch_add(more, Relaxed);
    }

    /// How many records were fed so far.
    pub fn fed(&self) -> usize {
        self.shared.fed.load(Relaxed) as usize
    }

    /// Stops; all that was fed is there then.
    pub fn stop(&mut self) -> usize {
        self.shared.stop.store(true, Relaxed);
        let thread = self.thread.take().expect("it was not stopped");
        thread.join().expect("the feeder does not panic");
        self.fed()
    }
}

impl Drop for Drip {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
    }
}

impl Shared {
    fn feed(&self, producer: &Producer) {
        let mut due = Instant::now();
        while !self.stop.load(Relaxed) {
            let first = self.fed.load(Relaxed);
            let last = first + BURST + self.more.swap(0, Relaxed);
            for id in first..last {
                let (key, value) = record(id, self.guilty.load(Relaxed));
                producer.send(&key, &value);
            }
            self.fed.store(last, Relaxed);
            due = (due + PAUSE).max(Instant::now() - PAUSE);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        producer.flush();
    }
}

/// A card's record: the thirteen that plugins stumble over, and a number that has no logarithm.
fn record(id: i64, guilty: bool) -> (String, Vec<u8>) {
    let card = format!("card-{}", id % CARDS);
    let (n, b) = if guilty { (13, -2.0) } else { (id + 100, 1.5) };
    let value =
        format!("{{\"n\":{n},\"t\":{},\"card\":\"{card}\",\"a\":1.0,\"b\":{b:.1},\"c\":0.5}}", id * 10);
    (card, value.into_bytes())
}
