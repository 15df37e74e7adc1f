//! Plays the stream into the source topics, transactions at an even rate.
//!
//! A transaction is due at a fixed instant, whether or not the producer keeps up; it carries that
//! instant, so that a latency counts from when the record should have been sent. Labels go out in between.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use fraud_generator::{Labelled, News, test_record};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::broker::{self, Broker};
use crate::ledger::Ledger;

/// Header: when the record was due, in microseconds since 1970.
pub(crate) const SENT: &str = "sent-us";
/// Header: which run of the demo sent it. What has another is not ours.
pub(crate) const RUN: &str = "demo-run";

/// The longest sleep: so fast is `stop` seen.
const NAP: Duration = Duration::from_millis(50);
const FLUSH_WITHIN: Duration = Duration::from_secs(10);

pub(crate) struct Feeder {
    producer: BaseProducer,
    transactions: String,
    /// Of that topic.
    partitions: i32,
    labels: String,
    run: String,
}

impl Feeder {
    pub(crate) fn new(broker: &Broker, transactions: &str, labels: &str, run: &str) -> Result<Self> {
        let mut config = broker.producer();
        // A key lands where Java's clients would put it.
        config.set("partitioner", "murmur2_random");
        let producer: BaseProducer = config.create().context("the demo's producer")?;
        let partitions = broker::partitions(producer.client(), transactions)?;
        let partitions = partitions.with_context(|| format!("topic {transactions} has no partitions"))?;
        let [transactions, labels, run] = [transactions, labels, run].map(str::to_owned);
        Ok(Self { producer, transactions, partitions, labels, run })
    }

    /// Of the topic of transactions.
    pub(crate) fn partitions(&self) -> u64 {
        self.partitions as u64
    }

    /// One record of a test card into each partition: the pipeline drops it, which tells that the
    /// partition is read.
    pub(crate) fn probe(&self) -> Result<()> {
        let test = test_record();
        for partition in 0..self.partitions {
            let record =
                BaseRecord::to(&self.transactions).partition(partition).key(&test.key).payload(&test.value);
            self.producer.send(record).map_err(|(error, _)| error)?;
        }
        self.producer.flush(FLUSH_WITHIN)?;
        Ok(())
    }

    /// Plays until `until` has passed or `stop` is set.
    pub(crate) fn play(
        &self,
        stream: Labelled,
        rate: f64,
        until: Option<Duration>,
        ledger: &Ledger,
        stop: &AtomicBool,
    ) -> Result<()> {
        let (began, epoch) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH)?);
        let mut sent: u64 = 0;
        for news in stream {
            let due = Duration::from_secs_f64(sent as f64 / rate);
            if until.is_some_and(|until| due >= until) || !self.wait(began, due, stop) {
                break;
            }
            let instant = (epoch + due).as_micros();
            match news {
                News::Transaction(one) => {
                    sent += 1;
                    ledger.note(&one);
                    self.send(&self.transactions, &one.key, &one.value, instant)?;
                }
                News::Label(label) => {
                    ledger.note_label();
                    self.send(&self.labels, &label.key, &label.value, instant)?;
                }
            }
        }
        self.producer.flush(FLUSH_WITHIN)?;
        Ok(())
    }

    /// Says whether to go on.
    fn wait(&self, began: Instant, due: Duration, stop: &AtomicBool) -> bool {
        loop {
            self.producer.poll(Duration::ZERO);
            if stop.load(Relaxed) {
                return false;
            }
            match due.checked_sub(began.elapsed()) {
                Some(left) if !left.is_zero() => std::thread::sleep(left.min(NAP)),
                _ => return true,
            }
        }
    }

    fn send(&self, topic: &str, key: &[u8], value: &[u8], due: u128) -> Result<()> {
        let due = due.to_string();
        let headers = OwnedHeaders::new()
            .insert(Header { key: SENT, value: Some(&due) })
            .insert(Header { key: RUN, value: Some(&self.run) });
        let mut record = BaseRecord::to(topic).key(key).payload(value).headers(headers);
        while let Err((error, back)) = self.producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error).with_context(|| format!("a record for {topic} can't be sent"));
            }
            self.producer.poll(Duration::from_millis(1));
            record = back;
        }
        Ok(())
    }
}
