//! What a source is told, and what it tells librdkafka.

use rdkafka::ClientConfig;

use super::claims::Claims;
use crate::config::{Protocol, Start};
use crate::engine::ports::Asked;
use crate::error::{Code, Error, Result};
use crate::kafka::Cluster;
use crate::record::SourceId;

/// The least that a fetch may bring: what a broker allows a message by default. A larger message comes
/// alone.
const FETCH_AT_LEAST: usize = 1 << 20;

/// The most: it is what tiny records multiply, at about 400 bytes of librdkafka's own for each.
const FETCH_AT_MOST: usize = 4 << 20;

/// librdkafka takes up to twice as much.
const QUEUED_AT_MOST: usize = 1 << 30;

/// What a source needs to know.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    pub cluster: Cluster,
    pub group: String,
    pub client_id: String,
    /// The index is the source's id. No topic twice.
    pub topics: Vec<String>,
    /// Those of them that are not the group's: a [`KafkaTable`](crate::kafka::KafkaTable) reads each.
    pub tables: Vec<SourceId>,
    /// Topics from this index on are internal: what is there is this pipeline's own.
    pub internal_from: usize,
    /// Where to begin a partition of which the group has committed nothing. Internal ones begin at their
    /// beginning.
    pub start: Start,
    /// Values of records that were fetched ahead; 2 MiB at least.
    pub fetch_bytes: usize,
    pub protocol: Protocol,
    /// The member's name, which it keeps when it comes back: the group waits for it meanwhile. None: each start is
    /// a new member.
    pub instance: Option<String>,
    /// With transactions: what former owners left open is ended. None: at least once.
    pub claims: Option<Claims>,
    /// Then a coordinator that is away is not waited for.
    pub asked: Asked,
}

/// Those that brokers decide, with the consumer protocol: with Auto they hold for the other.
const CLASSIC_ONLY: &[&str] = &["session.timeout.ms", "heartbeat.interval.ms"];

impl SourceOptions {
    /// The consumer's configuration.
    pub(in crate::kafka) fn config(&self) -> Result<ClientConfig> {
        let Self { cluster, group, client_id, topics, fetch_bytes, protocol, instance, .. } = self;
        if let Some(twice) = topics.iter().enumerate().find(|(n, topic)| topics[..*n].contains(topic)) {
            let message = format!("topic `{}` is the topic of two sources", twice.1);
            return Err(Error::new(Code::ConfigValue, message));
        }
        let fetch = (fetch_bytes / 2).clamp(FETCH_AT_LEAST, FETCH_AT_MOST);
        // With less than this waiting, one more fetch is asked for.
        let queued = fetch_bytes.saturating_sub(fetch).clamp(FETCH_AT_LEAST, QUEUED_AT_MOST) / 1024;
        let (fetch, queued) = (fetch.to_string(), queued.to_string());
        let mut defaults = vec![
            // A full queue is looked at again after this; the default of 1 s stalls a fast reader.
            ("fetch.queue.backoff.ms", "10"),
            // Fewer, larger fetches than with the default of 100,000.
            ("queued.min.messages", "10000"),
            // As long waits a rebalance for members that are dead where the coordinator lost their session timers, as
            // it can when its broker was killed (Apache Kafka 4.3). Threads are heard of every half second.
            ("max.poll.interval.ms", "60000"),
        ];
        let mut fixed = vec![
            ("client.id", client_id.as_str()),
            ("group.id", group),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "error"),
            ("isolation.level", "read_committed"),
            ("enable.partition.eof", "true"),
            ("queued.max.messages.kbytes", &queued),
            ("fetch.max.bytes", &fetch),
        ];
        // Both give topics of equal partition count out co-partitioned.
        if *protocol == Protocol::Classic {
            fixed.extend([("group.protocol", "classic"), ("partition.assignment.strategy", "range")]);
            // The shortest that brokers allow: a thread that was killed is missed for this long.
            defaults.extend([("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "1000")]);
        } else {
            fixed.extend([("group.protocol", "consumer"), ("group.remote.assignor", "range")]);
        }
        if let Some(instance) = instance {
            fixed.push(("group.instance.id", instance));
        }
        let mut config = cluster.client(&defaults, &fixed)?;
        if *protocol == Protocol::Auto {
            CLASSIC_ONLY.iter().for_each(|name| {
                config.remove(name);
            });
        }
        Ok(config)
    }
}
