//! The load: rows at a steady rate, until it is stopped.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::campaign::{Campaign, Given, clock};
use super::random::Random;

/// For what is still to be delivered, once it is stopped.
const FLUSHED_WITHIN: Duration = Duration::from_secs(120);

/// Rows are fed that often.
const BURST: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
struct Shared {
    steps: AtomicU64,
    stop: AtomicBool,
    /// Nobody waits for what is still to be delivered.
    abandoned: AtomicBool,
    /// When each burst began.
    bursts: Mutex<Vec<Instant>>,
}

/// A feeder on a thread of its own. Its producer never gives up, whatever becomes of the broker, so that each row is
/// there; over a broker's death, perhaps twice.
#[derive(Debug)]
pub struct Feed {
    shared: Arc<Shared>,
    /// Steps of a burst.
    width: u64,
    thread: Option<JoinHandle<u64>>,
}

impl Feed {
    /// Begins at once, with `rate` purchases a second.
    pub fn start(
        campaign: &'static Campaign,
        brokers: &str,
        prefix: &str,
        rate: u64,
        random: Random,
    ) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("enable.idempotence", "true").set("linger.ms", "5");
        config.set("message.timeout.ms", "0").set("reconnect.backoff.max.ms", "500");
        let producer: BaseProducer = config.create().expect("a producer");
        let topics = campaign.sources().iter().map(|source| format!("{prefix}-{source}")).collect();
        let shared = Arc::<Shared>::default();
        let width = (rate * BURST.as_millis() as u64).div_ceil(1_000);
        let feeder = Feeder { campaign, producer, topics, random, width, shared: Arc::clone(&shared) };
        Self { shared, width, thread: Some(std::thread::spawn(move || feeder.run())) }
    }

    /// When the purchase of this step was fed. None: it was not yet.
    pub fn fed_at(&self, step: u64) -> Option<Instant> {
        let bursts = self.shared.bursts.lock().unwrap_or_else(PoisonError::into_inner);
        bursts.get((step / self.width) as usize).copied()
    }

    /// Event time of what was fed last.
    pub fn clock(&self) -> i64 {
        clock(self.shared.steps.load(Relaxed))
    }

    /// Feeds the last rows, and waits until the broker has all. Gives how many it was given.
    pub fn finish(mut self) -> u64 {
        self.shared.stop.store(true, Relaxed);
        let thread = self.thread.take().expect("it was not finished");
        thread.join().expect("the feeder does not panic")
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.shared.abandoned.store(self.thread.is_some(), Relaxed);
        self.shared.stop.store(true, Relaxed);
    }
}

struct Feeder {
    campaign: &'static Campaign,
    producer: BaseProducer,
    topics: Vec<String>,
    random: Random,
    width: u64,
    shared: Arc<Shared>,
}

impl Feeder {
    fn run(mut self) -> u64 {
        let mut sent = 0;
        let mut due = Instant::now();
        let mut step = 0;
        while !self.shared.stop.load(Relaxed) {
            self.shared.bursts.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
            for _ in 0..self.width {
                for row in self.campaign.rows(step, &mut self.random) {
                    self.send(&row);
                    sent += 1;
                }
                step += 1;
            }
            self.shared.steps.store(step, Relaxed);
            self.producer.poll(Duration::ZERO);
            // After a hold-up, what was missed is not made up for.
            due = (due + BURST).max(Instant::now() - BURST);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        if self.shared.abandoned.load(Relaxed) {
            return sent;
        }
        for row in self.campaign.last_rows(step) {
            self.send(&row);
            sent += 1;
        }
        self.producer.flush(FLUSHED_WITHIN).expect("the broker takes all");
        sent
    }

    fn send(&self, row: &Given) {
        let record = BaseRecord::to(&self.topics[row.source]).partition(row.partition);
        let mut record = record.key(&row.key).payload(&row.value);
        // Full, while the broker is away.
        while let Err((error, back)) = self.producer.send(record) {
            assert!(
                error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::QueueFull),
                "the feeder is refused: {error}"
            );
            record = back;
            self.producer.poll(Duration::from_millis(10));
        }
    }
}
