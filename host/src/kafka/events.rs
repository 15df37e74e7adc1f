//! What librdkafka tells beside the data: errors of the client, rebalances, failed deliveries. All of
//! it arrives on the thread that polls the client.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use super::Cluster;
use super::log::Log;
use crate::error::{Code, Error};

/// What an error of a client means for the run. `None`: librdkafka goes on by itself. So it does while a broker's
/// certificate or this client's password is refused: both were fine at the start, and are changed one side after the other.
pub(super) fn verdict(error: &KafkaError) -> Option<Code> {
    use RDKafkaErrorCode as E;
    match error.rdkafka_error_code()? {
        E::UnknownTopicOrPartition | E::UnknownTopic | E::UnknownTopicId => Some(Code::TopicMissing),
        E::AutoOffsetReset | E::OffsetOutOfRange => Some(Code::OffsetLost),
        code if denied(code) => Some(Code::Denied),
        E::Fatal
        | E::InconsistentGroupProtocol
        | E::InvalidGroupId
        | E::InvalidSessionTimeout
        | E::GroupMaxSizeReached => Some(Code::Consuming),
        _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => Some(Code::Consuming),
        _ => None,
    }
}

/// The cluster knows this client, and does not let it.
pub(super) fn denied(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as E;
    matches!(
        code,
        E::TopicAuthorizationFailed
            | E::GroupAuthorizationFailed
            | E::ClusterAuthorizationFailed
            | E::TransactionalIdAuthorizationFailed
    )
}

/// Partitions by topic.
pub(super) type Partitions = Vec<(String, i32)>;

/// A rebalance that waits for its answer. `whole`: it is about all that the consumer has, and not about what changes.
#[derive(Debug)]
pub(super) enum Rebalance {
    Assign { partitions: Partitions, whole: bool },
    Revoke { partitions: Partitions, whole: bool, lost: bool },
}

/// Ear of a consumer.
#[derive(Debug)]
pub(super) struct ConsumerEvents {
    pub(super) log: Log,
    rebalances: Mutex<Vec<Rebalance>>,
    commits: Mutex<Vec<Committed>>,
    closing: AtomicBool,
}

/// How an asynchronous commit ended.
#[derive(Debug)]
pub(super) enum Committed {
    Done(Vec<(String, i32, i64)>),
    Failed(KafkaError),
}

impl ConsumerEvents {
    pub(super) fn new(cluster: &Cluster, client: &str) -> Self {
        Self {
            log: Log::new(cluster, client),
            rebalances: Mutex::default(),
            commits: Mutex::default(),
            closing: AtomicBool::new(false),
        }
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

    /// What has come since the last time.
    pub(super) fn commits(&self) -> Vec<Committed> {
        self.commits.lock().map_or_else(|_| Vec::new(), |mut commits| std::mem::take(&mut *commits))
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
        let whole = !matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        if self.closing.load(Ordering::Relaxed) {
            let gone = if whole { consumer.unassign() } else { consumer.incremental_unassign(list) };
            if let Err(error) = gone {
                tracing::warn!(target: "kafka", "giving partitions up: {error}");
            }
            return;
        }
        let named = list.elements();
        let partitions = named.iter().map(|one| (one.topic().to_owned(), one.partition())).collect();
        let rebalance = if kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            Rebalance::Assign { partitions, whole }
        } else {
            Rebalance::Revoke { partitions, whole, lost: consumer.assignment_lost() }
        };
        if let Ok(mut waiting) = self.rebalances.lock() {
            waiting.push(rebalance);
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, list: &TopicPartitionList) {
        let committed = match result {
            Ok(()) => Committed::Done(
                list.elements()
                    .iter()
                    .filter_map(|one| Some((one.topic().to_owned(), one.partition(), one.offset().to_raw()?)))
                    .collect(),
            ),
            Err(error) => {
                tracing::warn!(target: "kafka", client = self.log.client(), "a commit failed: {error}");
                Committed::Failed(error)
            }
        };
        if let Ok(mut commits) = self.commits.lock() {
            commits.push(committed);
        }
    }
}

/// Ear of a producer: its log and its errors. Deliveries are reported beside it.
#[derive(Debug)]
pub(super) struct ProducerEvents {
    pub(super) log: Log,
    refused: AtomicBool,
    refusal: Mutex<Option<Error>>,
}

impl ProducerEvents {
    pub(super) fn new(cluster: &Cluster, client: &str) -> Self {
        let (log, refused) = (Log::new(cluster, client), AtomicBool::new(false));
        Self { log, refused, refusal: Mutex::default() }
    }

    /// That the broker refuses this producer; told once.
    pub(super) fn refusal(&self) -> Option<Error> {
        // Asked at each message: to read is cheap.
        if !self.refused.load(Ordering::Relaxed) {
            return None;
        }
        self.refused.store(false, Ordering::Relaxed);
        self.refusal.lock().ok()?.take()
    }
}

impl ClientContext for ProducerEvents {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.log.line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(&error, reason);
        let code = verdict(&error).filter(|code| matches!(code, Code::Consuming | Code::Denied));
        if let Some(code) = code
            && let Ok(mut refusal) = self.refusal.lock()
        {
            let code = if code == Code::Consuming { Code::Delivery } else { code };
            refusal.get_or_insert_with(|| {
                Error::new(code, format!("the broker refuses the producer: {reason}"))
            });
            self.refused.store(true, Ordering::Relaxed);
        }
    }

    fn stats_raw(&self, _: &[u8]) {}
}

impl ProducerContext for ProducerEvents {
    type DeliveryOpaque = ();

    /// Never called: see [`Reports`](super::native::Reports).
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}
