//! What the brokers know of topics: the check before a run.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;

use super::cluster::{Cluster, refused};
use super::events::ConsumerEvents;
use crate::error::{Code, Error, Result};

/// A topic that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    pub name: String,
    pub partitions: usize,
}

/// Asks the brokers for these topics, all within `timeout`. An error names each one that is
/// missing, and how to create it.
pub fn topics(cluster: &Cluster, names: &[&str], timeout: Duration) -> Result<Vec<TopicInfo>> {
    let client_id = "tailwater-check";
    // A consumer, even for topics that are written: it never creates a topic by asking.
    let config = cluster.client(&[], &[("client.id", client_id)])?;
    let consumer: BaseConsumer<ConsumerEvents> =
        config.create_with_context(ConsumerEvents::new(client_id)).map_err(|error| refused(&error))?;
    let deadline = Instant::now() + timeout;
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for &name in names {
        let left = deadline.saturating_duration_since(Instant::now());
        let metadata = consumer
            .fetch_metadata(Some(name), left)
            .map_err(|error| unreachable(cluster, &consumer, timeout, &error))?;
        match partitions(&metadata, name) {
            Ok(partitions) => found.push(TopicInfo { name: name.to_owned(), partitions }),
            Err(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                missing.push(name);
            }
            Err(other) => return Err(Error::new(Code::Consuming, format!("topic `{name}`: {other}"))),
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(absent(cluster, &missing)) }
}

fn partitions(metadata: &Metadata, name: &str) -> Result<usize, RDKafkaErrorCode> {
    let topic = metadata.topics().iter().find(|topic| topic.name() == name);
    let topic = topic.ok_or(RDKafkaErrorCode::UnknownTopicOrPartition)?;
    match topic.error() {
        Some(error) => Err(error.into()),
        None => Ok(topic.partitions().len()),
    }
}

fn absent(cluster: &Cluster, missing: &[&str]) -> Error {
    let mut message = String::new();
    for name in missing {
        message += &format!("topic `{name}` does not exist at {}\n", cluster.brokers);
    }
    message += "Tailwater creates no topics. To create them:";
    for name in missing {
        let brokers = &cluster.brokers;
        message += &format!("\n  kafka-topics.sh --bootstrap-server {brokers} --create --topic {name}");
    }
    Error::new(Code::TopicMissing, message)
}

fn unreachable(
    cluster: &Cluster,
    consumer: &BaseConsumer<ConsumerEvents>,
    timeout: Duration,
    error: &KafkaError,
) -> Error {
    // The reasons wait in the client's queue, one behind the other.
    let (mut reason, brief) = (None, Duration::from_millis(1));
    for _ in 0..32 {
        consumer.poll(brief);
        reason = reason.or_else(|| consumer.context().log.last());
    }
    let reason = reason.unwrap_or_else(|| error.to_string());
    let brokers = &cluster.brokers;
    Error::new(
        Code::BrokerUnreachable,
        format!("no broker of `{brokers}` answered within {timeout:?}: {reason}"),
    )
}
