//! One member of the group, and its answers to it.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use super::options::SourceOptions;
use crate::config::Protocol;
use crate::error::{Code, Error, Result};
use crate::kafka::cluster::refused;
use crate::kafka::consumer::consuming;
use crate::kafka::events::ConsumerEvents;
use crate::kafka::native::Inbox;
use crate::record::SourceId;

/// Another thread of librdkafka answers at once.
const SOUGHT_WITHIN: Duration = Duration::from_secs(10);

pub(super) struct Open {
    pub(super) inbox: Inbox,
    pub(super) consumer: BaseConsumer<ConsumerEvents>,
}

impl Open {
    /// Joins the group.
    pub(super) fn new(options: &SourceOptions) -> Result<Self> {
        let SourceOptions { cluster, client_id, topics, tables, .. } = options;
        let events = ConsumerEvents::new(cluster, client_id);
        let consumer = options.config()?.create_with_context(events);
        let consumer: BaseConsumer<_> = consumer.map_err(|error| refused(&error))?;
        let inbox = Inbox::new(consumer.client())?;
        let topics = topics.iter().enumerate().filter(|(source, _)| !tables.contains(&(*source as SourceId)));
        let names: Vec<&str> = topics.map(|(_, topic)| topic.as_str()).collect();
        consumer.subscribe(&names).map_err(|error| consuming(&error))?;
        Ok(Self { inbox, consumer })
    }

    pub(super) fn is_incremental(&self) -> bool {
        matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Cooperative)
    }

    /// Answers an assignment: these are read from now on.
    pub(super) fn assign(&self, list: &TopicPartitionList) -> Result<()> {
        let Self { consumer, .. } = self;
        done(if self.is_incremental() { consumer.incremental_assign(list) } else { consumer.assign(list) })
    }

    /// Answers a revocation.
    pub(super) fn unassign(&self, list: &TopicPartitionList) -> Result<()> {
        let Self { consumer, .. } = self;
        done(if self.is_incremental() { consumer.incremental_unassign(list) } else { consumer.unassign() })
    }

    /// Reads from elsewhere. What was fetched before never comes out of the inbox.
    pub(super) fn seek(&self, list: TopicPartitionList) -> Result<()> {
        let sought = self.consumer.seek_partitions(list, SOUGHT_WITHIN).map_err(|error| unsought(&error))?;
        sought.elements().iter().try_for_each(|one| one.error().map_err(|error| unsought(&error)))
    }

    /// Whether the brokers do not have the protocol that was tried, and another may be.
    pub(super) fn must_fall_back(&self, protocol: Protocol) -> bool {
        use RDKafkaErrorCode as E;
        let fatal = || self.consumer.client().fatal_error();
        protocol == Protocol::Auto
            && matches!(
                fatal(),
                Some((E::UnsupportedFeature | E::UnsupportedVersion | E::UnsupportedAssignor, _))
            )
    }
}

/// A partition that is not being read, mostly since its broker is away: whoever joins anew begins where it has to.
fn unsought(error: &KafkaError) -> Error {
    Error::new(Code::Fenced, format!("a partition can't be read from where it has to be: {error}"))
}

fn done(answer: KafkaResult<()>) -> Result<()> {
    answer.map_err(|error| consuming(&error))
}
