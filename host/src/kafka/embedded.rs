//! A broker within this process, for demonstrations and tests: librdkafka's mock cluster, which
//! speaks Kafka's protocol over TCP on a port of its own.
//!
//! It keeps the last 5 MiB of a partition, silently; knows no retention, no compaction and no access
//! control; takes no commit while a group rebalances, so that a record may come twice then; and
//! can't judge exactly-once: transactions are accepted without effect.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer};

use super::Cluster;
use super::events::ProducerEvents;
use super::native::set_mock_groups;
use crate::error::{Code, Error, Result};

/// Threads that start together join together.
const JOIN_DELAY: Duration = Duration::from_millis(100);

/// With the consumer protocol, where clients have no say.
const HEARTBEATS: Duration = Duration::from_millis(100);
const SESSION: Duration = Duration::from_secs(2);

/// What its clients should set.
const CLIENT_PROPERTIES: &[(&str, &str)] = &[
    // It does not wake a fetch that waits for records.
    ("fetch.wait.max.ms", "5"),
    // It waits for the members of a group that rebalances until 1 s before this is over.
    ("session.timeout.ms", "2000"),
    ("heartbeat.interval.ms", "100"),
];

/// Stops when dropped; all records are gone then.
pub struct EmbeddedBroker {
    /// Its host in librdkafka.
    _host: BaseProducer<ProducerEvents>,
    brokers: String,
}

impl fmt::Debug for EmbeddedBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedBroker").field("brokers", &self.brokers).finish_non_exhaustive()
    }
}

impl EmbeddedBroker {
    /// Starts one with these topics, each with that many partitions.
    pub fn start(topics: &[(&str, usize)]) -> Result<Self> {
        let mut config = ClientConfig::new();
        config.set("test.mock.num.brokers", "1");
        let events = ProducerEvents::new(&Cluster::default(), "embedded-broker");
        let host: BaseProducer<ProducerEvents> =
            config.create_with_context(events).map_err(|e| failed(&e))?;
        set_mock_groups(host.client(), [JOIN_DELAY, HEARTBEATS, SESSION]);
        let cluster = host.client().mock_cluster().ok_or_else(|| {
            Error::new(Code::Internal, "the embedded broker did not start: librdkafka has no mock cluster")
        })?;
        for (name, partitions) in topics {
            let partitions = i32::try_from(*partitions).unwrap_or(i32::MAX);
            cluster.create_topic(name, partitions, 1).map_err(|e| failed(&e).at(name))?;
        }
        let brokers = cluster.bootstrap_servers();
        drop(cluster);
        Ok(Self { _host: host, brokers })
    }

    /// `host:port`.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// For clients, with the properties that they need here.
    pub fn cluster(&self) -> Cluster {
        let properties: BTreeMap<_, _> =
            CLIENT_PROPERTIES.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Cluster { properties, ..Cluster::at(&self.brokers) }
    }
}

fn failed(error: &KafkaError) -> Error {
    Error::new(Code::Internal, format!("the embedded broker did not start: {error}"))
}
