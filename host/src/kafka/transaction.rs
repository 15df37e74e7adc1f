//! What librdkafka says against the steps of a transaction, and what it means.
//!
//! ```text
//!             begin               commit
//!   ready ───────────> open ───────────────────> ready
//!                        │ failed        abort
//!                        └────────> doomed ────> ready
//! ```
//!
//! From each of them a fatal error leads out: the producer is of no use any more.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};

use super::events::{ProducerEvents, denied};
use super::native::{Reports, look_after};
use crate::engine::ports::Asked;
use crate::error::{Code, Error, Result};

/// A call of librdkafka may take this long before what the producer has to tell is looked at.
pub(super) const STEP: Duration = Duration::from_millis(500);

/// Beyond the time that a call was given.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(2);

/// Before a call is tried again that was refused at once.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// What the broker, or librdkafka, has against a call.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub code: RDKafkaErrorCode,
    pub text: String,
    /// The producer is of no use any more.
    pub fatal: bool,
    /// The transaction must be aborted; the producer goes on.
    pub abort: bool,
    /// The same call, again.
    pub again: bool,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Again,
    Abort,
    Over(Code),
}

impl Refusal {
    pub(super) fn of(error: &KafkaError) -> Self {
        match error {
            KafkaError::Transaction(native) => Self {
                code: native.code(),
                text: native.string(),
                fatal: native.is_fatal(),
                abort: native.txn_requires_abort(),
                again: native.is_retriable(),
            },
            other => Self {
                code: other.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail),
                text: other.to_string(),
                fatal: false,
                abort: false,
                again: false,
            },
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        use RDKafkaErrorCode as E;
        match self.code {
            code if denied(code) => Verdict::Over(Code::Denied),
            E::InvalidTransactionTimeout | E::UnsupportedFeature => Verdict::Over(Code::ConfigValue),
            E::Fenced | E::ProducerFenced | E::InvalidProducerEpoch => Verdict::Over(Code::Fenced),
            _ if self.fatal => Verdict::Over(Code::Fenced),
            _ if self.abort => Verdict::Abort,
            // Who belongs to the group has changed, and with it who may commit for it.
            E::IllegalGeneration
            | E::UnknownMemberId
            | E::FencedInstanceId
            | E::RebalanceInProgress
            | E::StaleMemberEpoch => Verdict::Abort,
            _ if self.again => Verdict::Again,
            _ => Verdict::Over(Code::Internal),
        }
    }

    pub(super) fn error(&self, code: Code, transactional_id: &str, doing: &str) -> Error {
        let Self { text, .. } = self;
        let what_now = match code {
            Code::Fenced => {
                "\nAnother process has begun to write under this id, or the broker gave the transaction up because \
                 it was open for too long."
            }
            Code::Denied => {
                "\nThis client needs the permissions Write and Describe on the transactional id, Read on the group, \
                 and Write on the topics."
            }
            Code::ConfigValue => {
                "\nThe broker's `transaction.max.timeout.ms` bounds the Kafka property `transaction.timeout.ms`; \
                 brokers before 2.5 are too old for exactly-once."
            }
            _ => "",
        };
        Error::new(code, format!("{doing} (transactional id `{transactional_id}`): {text}{what_now}"))
    }
}

/// Adds offsets to the transaction. None: librdkafka (2.12) does not come back, which happens where it drops a broker with
/// the request on its way, whatever time the call was given. Then the producer is left to the thread that waits for it.
pub(super) fn add_offsets(
    producer: &Arc<BaseProducer<ProducerEvents>>,
    offsets: &TopicPartitionList,
    member: &Arc<ConsumerGroupMetadata>,
    within: Duration,
) -> Option<KafkaResult<()>> {
    let (done, answer) = mpsc::channel();
    let (producer, offsets, member) = (Arc::clone(producer), offsets.clone(), Arc::clone(member));
    let call = move || {
        // Nobody listens any more if it took too long.
        let _ = done.send(producer.send_offsets_to_transaction(&offsets, &member, within));
    };
    match thread::Builder::new().name("kafka-offsets".to_owned()).spawn(call) {
        Ok(_) => answer.recv_timeout(within + COMES_BACK_WITHIN).ok(),
        Err(error) => {
            tracing::warn!(target: "kafka", "no thread to add offsets: {error}");
            None
        }
    }
}

/// Makes the producer the only one of its transactional id: the one before is fenced, and the transaction that
/// it left open is aborted. Several calls are needed: `None`, not yet. Each asks again, if no answer is waited
/// for: of its own, librdkafka asks every 500 ms, where an abort is a matter of milliseconds.
pub(super) fn try_init(
    producer: &BaseProducer<ProducerEvents>,
    wait: Duration,
) -> Option<Result<(), Refusal>> {
    match producer.init_transactions(wait) {
        Ok(()) => Some(Ok(())),
        Err(error) => {
            let refusal = Refusal::of(&error);
            (refusal.verdict() != Verdict::Again).then_some(Err(refusal))
        }
    }
}

/// The same, with all the time that it takes.
pub(super) fn init(
    producer: &BaseProducer<ProducerEvents>,
    reports: &Reports,
    transactional_id: &str,
    within: Duration,
    asked: &Asked,
) -> Result<()> {
    let began = Instant::now();
    loop {
        asked.check()?;
        let tried = try_init(producer, PAUSE);
        look_after(producer.client(), &producer.context().log);
        reports.serve(producer.client(), Duration::ZERO, |_| {});
        match tried {
            Some(Ok(())) => return Ok(()),
            Some(Err(refusal)) => {
                let code = match refusal.verdict() {
                    Verdict::Over(code) => code,
                    Verdict::Again | Verdict::Abort => Code::Internal,
                };
                return Err(refusal.error(code, transactional_id, "no transaction can begin"));
            }
            None if began.elapsed() < within => {}
            None => {
                let reason = producer.context().log.last();
                let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
                let text = format!(
                    "no broker that coordinates transactions answered within {within:?} (transactional id \
                     `{transactional_id}`){reason}"
                );
                return Err(Error::new(Code::BrokerUnreachable, text));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RDKafkaErrorCode as E;

    fn refusal(code: RDKafkaErrorCode, [fatal, abort, again]: [bool; 3]) -> Refusal {
        Refusal { code, text: "why".to_owned(), fatal, abort, again }
    }

    #[test]
    fn what_a_refusal_means() {
        for (code, flags, verdict) in [
            (E::Fenced, [true, false, false], Verdict::Over(Code::Fenced)),
            (E::InvalidTransactionalState, [true, false, false], Verdict::Over(Code::Fenced)),
            (E::TransactionalIdAuthorizationFailed, [true, false, false], Verdict::Over(Code::Denied)),
            (E::GroupAuthorizationFailed, [false, true, false], Verdict::Over(Code::Denied)),
            (E::IllegalGeneration, [false, true, false], Verdict::Abort),
            (E::StaleMemberEpoch, [false, false, false], Verdict::Abort),
            (E::Inconsistent, [false, true, false], Verdict::Abort),
            (E::OperationTimedOut, [false, false, true], Verdict::Again),
            (E::OperationTimedOut, [false, true, true], Verdict::Abort),
            (E::State, [false, false, false], Verdict::Over(Code::Internal)),
        ] {
            assert_eq!(refusal(code, flags).verdict(), verdict, "{code:?}");
        }
    }

    #[test]
    fn an_error_names_the_id_and_what_to_do() {
        let refusal = refusal(E::TransactionalIdAuthorizationFailed, [true, false, false]);
        let error = refusal.error(Code::Denied, "fraud-1", "no transaction can begin");
        for word in ["fraud-1", "why", "permissions"] {
            assert!(error.message.contains(word), "{}", error.message);
        }
    }
}
