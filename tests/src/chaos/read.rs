//! Reading topics to their end, committed records only, one after the other: a campaign's may be too many to be kept.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::campaign::PARTITIONS;
use crate::program::PATIENCE;

/// A consumer of topics from their beginning that belongs to no group.
pub fn consumer(brokers: &str, topics: &[String]) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "chaos-reader");
    config.set("enable.auto.commit", "false").set("isolation.level", "read_committed");
    config.set("enable.partition.eof", "true").set("reconnect.backoff.max.ms", "500");
    config.set("fetch.wait.max.ms", "20").set("auto.offset.reset", "error");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    for topic in topics {
        for partition in 0..PARTITIONS {
            list.add_partition_offset(topic, partition, Offset::Beginning).expect("a valid offset");
        }
    }
    consumer.assign(&list).expect("assigned");
    consumer
}

/// Hands out each record of a topic, those of one partition in order.
pub fn each(brokers: &str, topic: &str, mut take: impl FnMut(&BorrowedMessage<'_>)) {
    let consumer = consumer(brokers, &[topic.to_owned()]);
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

/// Says what a reader met; librdkafka goes on by itself.
pub fn note(error: &KafkaError) {
    let away = [RDKafkaErrorCode::BrokerTransportFailure, RDKafkaErrorCode::AllBrokersDown];
    let is_away = error.rdkafka_error_code().is_some_and(|code| away.contains(&code));
    if !is_away && !matches!(error, KafkaError::PartitionEOF(_)) {
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
