//! Reading topics to their end, committed records only, one after the other: a campaign's may be too many to be kept.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::campaign::PARTITIONS;
use crate::program::PATIENCE;

/// For transactions that nobody ends any more: brokers abort them after their time-out.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);

fn config(brokers: &str, isolation: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "chaos-reader");
    config.set("enable.auto.commit", "false").set("isolation.level", isolation);
    config.set("enable.partition.eof", "true").set("reconnect.backoff.max.ms", "500");
    config.set("fetch.wait.max.ms", "20").set("auto.offset.reset", "error");
    config
}

/// A consumer of a topic from these offsets, by partition, that belongs to no group. None: from the beginning.
pub fn consumer_from(brokers: &str, topic: &str, next: &[Option<i64>]) -> BaseConsumer {
    let consumer: BaseConsumer = config(brokers, "read_committed").create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    for (partition, next) in next.iter().enumerate() {
        let from = next.map_or(Offset::Beginning, Offset::Offset);
        list.add_partition_offset(topic, partition as i32, from).expect("a valid offset");
    }
    consumer.assign(&list).expect("assigned");
    consumer
}

/// Hands out each committed record of a topic, those of one partition in order.
pub fn each(brokers: &str, topic: &str, mut take: impl FnMut(&BorrowedMessage<'_>)) {
    let consumer = consumer_from(brokers, topic, &[None; PARTITIONS as usize]);
    let (mut ended, mut last) = (vec![false; PARTITIONS as usize], Instant::now());
    while !ended.iter().all(|ended| *ended) {
        assert!(last.elapsed() < PATIENCE, "{topic}: its end does not come");
        match consumer.poll(Duration::from_millis(100)) {
            None => continue,
            Some(Ok(message)) => take(&message),
            Some(Err(KafkaError::PartitionEOF(partition))) => ended[partition as usize] = true,
            Some(Err(error)) => note(&error),
        }
        last = Instant::now();
    }
}

/// How many committed records a topic has by now.
pub fn count(brokers: &str, topic: &str) -> usize {
    let mut count = 0;
    each(brokers, topic, |_| count += 1);
    count
}

/// Waits until no transaction is open in a topic that nobody writes to: [`each`] gives all of it then.
pub fn settle(brokers: &str, topic: &str) {
    let [all, stable] = ["read_uncommitted", "read_committed"]
        .map(|isolation| config(brokers, isolation).create::<BaseConsumer>().expect("a consumer"));
    let end = |consumer: &BaseConsumer, partition: i32| {
        consumer.fetch_watermarks(topic, partition, PATIENCE).expect("the broker answers").1
    };
    let began = Instant::now();
    while (0..PARTITIONS).any(|partition| end(&stable, partition) < end(&all, partition)) {
        assert!(began.elapsed() < SETTLED_WITHIN, "{topic}: a transaction stays open");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether librdkafka goes on by itself.
pub fn is_passing(error: &KafkaError) -> bool {
    let away = [RDKafkaErrorCode::BrokerTransportFailure, RDKafkaErrorCode::AllBrokersDown];
    let is_away = error.rdkafka_error_code().is_some_and(|code| away.contains(&code));
    is_away || matches!(error, KafkaError::PartitionEOF(_))
}

/// Says what a reader met.
pub fn note(error: &KafkaError) {
    if !is_passing(error) {
        eprintln!("      a reader of ours: {error}");
    }
}

/// The text of a header.
pub fn header(message: &BorrowedMessage<'_>, name: &str) -> Option<String> {
    let found = message.headers()?.iter().find(|header| header.key == name)?;
    Some(String::from_utf8_lossy(found.value?).into_owned())
}

/// What a message says.
pub fn json(message: &BorrowedMessage<'_>) -> serde_json::Value {
    serde_json::from_slice(message.payload().unwrap_or_default()).unwrap_or_default()
}
