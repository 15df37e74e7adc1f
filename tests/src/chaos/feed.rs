//! The load: rows at a steady rate, until it is stopped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext, PurgeConfig};
use rdkafka::{ClientConfig, ClientContext};

use super::campaign::{Campaign, Given, clock};
use super::random::Random;

/// For what is still to be delivered, once it is stopped.
const FLUSHED_WITHIN: Duration = Duration::from_secs(120);

/// A producer that delivers nothing for so long is of no use any more: librdkafka (2.12) may stay without a leader of a
/// partition for ever that had none for a moment, and says nothing.
const STUCK_AFTER: Duration = Duration::from_secs(20);

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
        let under_way = UnderWay::default();
        let producer = config.create_with_context(under_way.clone()).expect("a producer");
        let topics = campaign.sources().iter().map(|source| format!("{prefix}-{source}")).collect();
        let shared = Arc::<Shared>::default();
        let width = (rate * BURST.as_millis() as u64).div_ceil(1_000);
        let shared_with = Arc::clone(&shared);
        let feeder =
            Feeder { campaign, config, producer, under_way, topics, random, width, shared: shared_with };
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

/// Rows that are not there yet, as far as is known.
#[derive(Clone, Debug, Default)]
struct UnderWay(Arc<Mutex<Waiting>>);

#[derive(Debug)]
struct Waiting {
    rows: BTreeMap<u64, Given>,
    next: u64,
    /// When one arrived last, or the first was sent.
    moved: Instant,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), next: 0, moved: Instant::now() }
    }
}

impl UnderWay {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives what the row is called.
    fn add(&self, row: &Given) -> u64 {
        let mut waiting = self.lock();
        if waiting.rows.is_empty() {
            waiting.moved = Instant::now();
        }
        waiting.next += 1;
        let id = waiting.next;
        waiting.rows.insert(id, row.clone());
        id
    }

    fn is_stuck(&self) -> bool {
        let waiting = self.lock();
        !waiting.rows.is_empty() && waiting.moved.elapsed() > STUCK_AFTER
    }
}

impl ClientContext for UnderWay {}

impl ProducerContext for UnderWay {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, result: &DeliveryResult<'_>, id: Box<u64>) {
        if result.is_ok() {
            let mut waiting = self.lock();
            waiting.rows.remove(&id);
            waiting.moved = Instant::now();
        }
    }
}

struct Feeder {
    campaign: &'static Campaign,
    config: ClientConfig,
    producer: BaseProducer<UnderWay>,
    under_way: UnderWay,
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
            self.go_on(Duration::ZERO);
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
        let began = Instant::now();
        while !self.under_way.lock().rows.is_empty() {
            assert!(began.elapsed() < FLUSHED_WITHIN, "the broker does not take all");
            self.go_on(Duration::from_millis(10));
        }
        sent
    }

    fn send(&mut self, row: &Given) {
        let id = self.under_way.add(row);
        // Full, while the broker is away; a producer that was made anew has it.
        while !self.put(id, row) {
            if self.go_on(Duration::from_millis(10)) {
                break;
            }
        }
    }

    /// False: the queue is full.
    fn put(&self, id: u64, row: &Given) -> bool {
        let record = BaseRecord::with_opaque_to(&self.topics[row.source], Box::new(id));
        let record = record.partition(row.partition).key(&row.key).payload(&row.value);
        let Err((error, _)) = self.producer.send(record) else { return true };
        let is_full = error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::QueueFull);
        assert!(is_full, "the feeder is refused: {error}");
        false
    }

    /// Hears of what arrived. If nothing does any more, all that has not is given to another producer: says whether it is.
    fn go_on(&mut self, wait: Duration) -> bool {
        self.producer.poll(wait);
        if !self.under_way.is_stuck() {
            return false;
        }
        println!("      the feeder is stuck: its producer is made anew");
        self.producer.purge(PurgeConfig::default().queue().inflight());
        self.producer.poll(Duration::ZERO);
        let rows: Vec<(u64, Given)> = {
            let mut waiting = self.under_way.lock();
            waiting.moved = Instant::now();
            waiting.rows.iter().map(|(id, row)| (*id, row.clone())).collect()
        };
        self.producer = self.config.create_with_context(self.under_way.clone()).expect("a producer");
        for (id, row) in rows {
            while !self.put(id, &row) {
                self.producer.poll(Duration::from_millis(10));
            }
        }
        true
    }
}
