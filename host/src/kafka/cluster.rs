//! Which cluster, and what its clients are told. A user's properties go to librdkafka as they are,
//! but for those that would break a promise of ours.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use super::security;
use crate::config::Security;
use crate::error::{Code, Error, Result};

/// A Kafka cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// `host:port`, several with commas between.
    pub brokers: String,
    /// Properties of librdkafka, for all clients.
    pub properties: BTreeMap<String, String>,
    /// How clients and brokers know each other.
    pub security: Security,
}

/// Properties that are not the user's, and why.
const REFUSED: &[(&[&str], &str)] = &[
    (&["bootstrap.servers", "metadata.broker.list"], "the brokers stand in `brokers`"),
    (&["client.id", "group.id"], "they follow from the pipeline's name"),
    (&["group.instance.id"], "each stream thread is a member of its own; `kafka.instance` names the process"),
    (
        &["group.protocol", "group.remote.assignor", "partition.assignment.strategy"],
        "topics of one pipeline must come co-partitioned to each thread",
    ),
    (
        &["enable.auto.commit", "auto.commit.enable", "enable.auto.offset.store", "auto.commit.interval.ms"],
        "an offset is committed when the outputs of its record were delivered, not before",
    ),
    (&["auto.offset.reset"], "a lost offset must not go unnoticed; `start` says where a new group begins"),
    (&["isolation.level"], "records of aborted transactions must not be scored"),
    (&["enable.partition.eof"], "it tells when a partition was read to its end"),
    (&["allow.auto.create.topics"], "no topic is created silently"),
    (
        &["transactional.id", "enable.idempotence", "enable.gapless.guarantee"],
        "they follow from the delivery guarantee of the pipeline",
    ),
    (
        &["max.in.flight.requests.per.connection", "max.in.flight", "queuing.strategy"],
        "a partition's order must survive a second try",
    ),
    (&["partitioner", "partitioner_cb"], "a key must land in the same partition as from a producer in Java"),
    (
        &[
            "queued.max.messages.kbytes",
            "fetch.max.bytes",
            "fetch.message.max.bytes",
            "max.partition.fetch.bytes",
            "queue.buffering.max.kbytes",
            "queue.buffering.max.messages",
            "message.max.bytes",
        ],
        "memory is bounded by the pipeline's limits",
    ),
    (
        &["delivery.report.only.error", "log.queue", "enabled_events", "test.mock.num.brokers"],
        "the host itself depends on it",
    ),
];

/// A broker that came back is found again within this, instead of the usual 10 s.
const RECONNECT_AT_MOST_MS: u32 = 1_000;

impl Cluster {
    /// Without properties, and open to everybody.
    pub fn at(brokers: impl Into<String>) -> Self {
        Self { brokers: brokers.into(), ..Self::default() }
    }

    /// The configuration of a client: `defaults`, then the user's properties, then what is fixed. Certificates and secrets
    /// are those that their files have now.
    pub(super) fn client(&self, defaults: &[(&str, &str)], fixed: &[(&str, &str)]) -> Result<ClientConfig> {
        self.check()?;
        let mut config = ClientConfig::new();
        config.set("reconnect.backoff.max.ms", RECONNECT_AT_MOST_MS.to_string());
        for (name, value) in defaults {
            config.set(*name, *value);
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.brokers);
        config.set("allow.auto.create.topics", "false");
        security::secure(&self.security, &mut config)?;
        for (name, value) in fixed {
            config.set(*name, *value);
        }
        let fine = tracing::enabled!(target: "kafka", tracing::Level::DEBUG);
        config.set_log_level(if fine { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info });
        Ok(config)
    }

    /// Whether the user has set this property, under any of its names.
    pub(super) fn sets(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.properties.contains_key(*name))
    }

    fn check(&self) -> Result<()> {
        if self.brokers.trim().is_empty() {
            return Err(Error::new(Code::ConfigValue, "`brokers` is empty: name at least one `host:port`"));
        }
        for (name, value) in &self.properties {
            if let Some((_, why)) = REFUSED.iter().find(|(names, _)| names.contains(&name.as_str())) {
                let message = format!("the Kafka property `{name}` can't be set: {why}");
                return Err(Error::new(Code::ConfigValue, message));
            }
            if matches!(name.as_str(), "acks" | "request.required.acks") && value != "all" && value != "-1" {
                let message = format!(
                    "the Kafka property `{name}` can't be `{value}`: \
                     an output must survive the loss of a broker; only `all` is allowed"
                );
                return Err(Error::new(Code::ConfigValue, message));
            }
        }
        Ok(())
    }
}

/// What librdkafka had against a configuration. Of what others must not see the value is not told.
pub(super) fn refused(error: &KafkaError) -> Error {
    let message = match error {
        KafkaError::ClientConfig(_, reason, name, _) if security::is_secret(name) => {
            format!("the Kafka property `{name}` was refused: {reason}")
        }
        KafkaError::ClientConfig(_, reason, name, value) => {
            format!("the Kafka property `{name}` = `{value}` was refused: {reason}")
        }
        KafkaError::ClientCreation(reason) => format!("the Kafka properties were refused: {reason}"),
        other => format!("the Kafka properties were refused: {other}"),
    };
    Error::new(Code::ConfigValue, message)
}
