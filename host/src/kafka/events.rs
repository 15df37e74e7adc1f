//! What librdkafka tells beside the data: errors of the client, rebalances, failed deliveries. All of
//! it arrives on the thread that polls the client.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Message, TopicPartitionList};

use super::log::Log;
use crate::error::{Code, Error, Result};

/// What an error of a client means for the run. `None`: librdkafka goes on by itself.
pub(super) fn verdict(error: &KafkaError) -> Option<Code> {
    use RDKafkaErrorCode as E;
    match error.rdkafka_error_code()? {
        E::UnknownTopicOrPartition | E::UnknownTopic | E::UnknownTopicId => Some(Code::TopicMissing),
        E::AutoOffsetReset | E::OffsetOutOfRange => Some(Code::OffsetLost),
        E::Fatal
        | E::Authentication
        | E::SaslAuthenticationFailed
        | E::TopicAuthorizationFailed
        | E::GroupAuthorizationFailed
        | E::ClusterAuthorizationFailed
        | E::InconsistentGroupProtocol
        | E::InvalidGroupId
        | E::InvalidSessionTimeout
        | E::GroupMaxSizeReached => Some(Code::Consuming),
        _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => Some(Code::Consuming),
        _ => None,
    }
}

/// Partitions by topic.
pub(super) type Partitions = Vec<(String, i32)>;

/// A rebalance that waits for its answer.
#[derive(Debug)]
pub(super) enum Rebalance {
    Assign(Partitions),
    Revoke { lost: bool },
}

/// Ear of a consumer.
#[derive(Debug)]
pub(super) struct ConsumerEvents {
    pub(super) log: Log,
    rebalances: Mutex<Vec<Rebalance>>,
    closing: AtomicBool,
}

impl ConsumerEvents {
    pub(super) fn new(client: &str) -> Self {
        Self { log: Log::new(client), rebalances: Mutex::default(), closing: AtomicBool::new(false) }
    }

    /// From now on a rebalance is answered at once: nobody polls any more.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Moves what has come since the last time.
    pub(super) fn rebalances(&self, into: &mut impl Extend<Rebalance>) {
        if let Ok(mut waiting) = self.rebalances.lock() {
            into.extend(waiting.drain(..));
        }
    }
}

impl ClientContext for ConsumerEvents {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.log.line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(&error, reason);
    }

    fn stats_raw(&self, _: &[u8]) {}
}

impl ConsumerContext for ConsumerEvents {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, kind: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assign = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Relaxed) {
            if let Err(error) = consumer.unassign() {
                tracing::warn!(target: "kafka", "giving partitions up: {error}");
            }
            return;
        }
        let rebalance = if assign {
            Rebalance::Assign(
                list.elements().iter().map(|one| (one.topic().to_owned(), one.partition())).collect(),
            )
        } else {
            Rebalance::Revoke { lost: consumer.assignment_lost() }
        };
        if let Ok(mut waiting) = self.rebalances.lock() {
            waiting.push(rebalance);
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            // The next one covers it: it has the same partitions or newer owners.
            tracing::warn!(target: "kafka", client = self.log.client(), "a commit failed: {error}");
        }
    }
}

/// Ear of a producer.
#[derive(Debug)]
pub(super) struct ProducerEvents {
    pub(super) log: Log,
    failed: AtomicBool,
    failure: Mutex<Option<Error>>,
}

impl ProducerEvents {
    pub(super) fn new(client: &str) -> Self {
        Self { log: Log::new(client), failed: AtomicBool::new(false), failure: Mutex::default() }
    }

    /// The first failure since the last call.
    pub(super) fn failure(&self) -> Result<()> {
        if !self.failed.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.failed.store(false, Ordering::Relaxed);
        self.failure.lock().ok().and_then(|mut failure| failure.take()).map_or(Ok(()), Err)
    }

    fn fail(&self, code: Code, message: String) {
        if let Ok(mut failure) = self.failure.lock() {
            failure.get_or_insert_with(|| Error::new(code, message));
            self.failed.store(true, Ordering::Relaxed);
        }
    }
}

impl ClientContext for ProducerEvents {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.log.line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(&error, reason);
        if verdict(&error) == Some(Code::Consuming) {
            self.fail(Code::Delivery, format!("the broker refuses the producer: {reason}"));
        }
    }

    fn stats_raw(&self, _: &[u8]) {}
}

impl ProducerContext for ProducerEvents {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let Err((error, message)) = result else { return };
        let reason = error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string());
        let (topic, partition) = (message.topic(), message.partition());
        self.fail(Code::Delivery, format!("topic `{topic}`, partition {partition}: {reason}"));
    }
}
