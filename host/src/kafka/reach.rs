//! The first question to the brokers: whether they are there, and let this client in.
//!
//! What no time heals ends the wait at once, and is told apart: certificates and passwords that are refused. Later in a run
//! nothing of that is an end: librdkafka tries again, and is given a new password where there is one.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::metadata::Metadata;

use super::Cluster;
use super::cluster::refused;
use super::events::ConsumerEvents;
use super::security::{explained, looked_into};
use crate::error::{Code, Error, Result};

/// The first look at what a client has to tell, and the longest time between two.
const LOOK: Duration = Duration::from_millis(100);
const LOOK_AT_MOST: Duration = Duration::from_secs(2);

/// One broker has refused: others may still answer within this.
const OTHERS_WITHIN: Duration = Duration::from_secs(3);

/// Asks brokers, all that is asked within one time. It is a consumer: that never makes a topic by asking.
pub(super) struct Asker<'a> {
    cluster: &'a Cluster,
    consumer: BaseConsumer<ConsumerEvents>,
    began: Instant,
    within: Duration,
}

impl<'a> Asker<'a> {
    pub(super) fn new(cluster: &'a Cluster, within: Duration) -> Result<Self> {
        let client_id = "tailwater-check";
        let config = cluster.client(&[], &[("client.id", client_id)])?;
        let consumer = config.create_with_context(ConsumerEvents::new(cluster, client_id));
        let consumer = consumer.map_err(|error| refused(&error))?;
        Ok(Self { cluster, consumer, began: Instant::now(), within })
    }

    pub(super) fn consumer(&self) -> &BaseConsumer<ConsumerEvents> {
        &self.consumer
    }

    /// What they know of a topic.
    pub(super) fn ask(&self, topic: &str) -> Result<Metadata> {
        let mut step = LOOK;
        loop {
            let left = self.within.saturating_sub(self.began.elapsed());
            let error = match self.consumer.fetch_metadata(Some(topic), step.min(left)) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => error,
            };
            self.hear();
            let log = &self.consumer.context().log;
            if let Some((trouble, words)) = log.trouble(OTHERS_WITHIN) {
                return Err(explained(self.cluster, trouble, &words));
            }
            if left <= step {
                return Err(self.late(&error));
            }
            step = (2 * step).min(LOOK_AT_MOST);
        }
    }

    /// The reasons wait in the client's queue, one behind the other.
    fn hear(&self) {
        let brief = Duration::from_millis(1);
        for _ in 0..32 {
            self.consumer.poll(brief);
        }
    }

    fn late(&self, error: &KafkaError) -> Error {
        let Self { cluster, consumer, within, .. } = self;
        let words = consumer.context().log.last().unwrap_or_else(|| error.to_string());
        looked_into(cluster, &words).unwrap_or_else(|| {
            let brokers = &cluster.brokers;
            let text = format!("no broker of `{brokers}` answered within {within:?}: {words}");
            Error::new(Code::BrokerUnreachable, text)
        })
    }
}
