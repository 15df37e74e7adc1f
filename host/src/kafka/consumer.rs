//! What all consumers need.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::events::{ConsumerEvents, denied, verdict};
use super::native::{Inbox, look_after};
use super::rights::denial;
use crate::error::{Code, Error, Result};

/// Closing a consumer may hang in librdkafka. Then the group waits for the session to time out, which
/// is sooner than this.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);

/// One call of librdkafka, before what else is to be done is looked at.
const ASKED_FOR: Duration = Duration::from_secs(1);

/// Takes notice of everything but records.
pub(super) fn serve(consumer: &BaseConsumer<ConsumerEvents>, inbox: &Inbox) -> Result<()> {
    let log = &consumer.context().log;
    look_after(consumer.client(), log);
    if log.is_outdated() {
        let words = log.last().unwrap_or_default();
        return Err(Error::new(
            Code::OwnCertificate,
            format!("{words}\nA new client takes what the files have now."),
        ));
    }
    loop {
        match consumer.poll(Duration::ZERO) {
            Some(Err(error)) => {
                if let Some(code) = verdict(&error) {
                    if let Some((code, words)) = consumer.client().fatal_error() {
                        return Err(fatal(code, words));
                    }
                    let words = consumer.context().log.last().unwrap_or_else(|| error.to_string());
                    return Err(match error.rdkafka_error_code() {
                        Some(why) if code == Code::Denied => denial(why, &words),
                        _ => Error::new(code, words),
                    });
                }
            }
            Some(Ok(_)) => {
                return Err(Error::new(Code::Internal, "a record came past the inbox"));
            }
            None => {}
        }
        if !inbox.has_events() {
            return Ok(());
        }
    }
}

/// What a group committed last. The coordinator answers in milliseconds; it may be away `within` that time. `alive`
/// is called now and then, and may end the wait.
pub(super) fn committed(
    consumer: &BaseConsumer<ConsumerEvents>,
    partitions: &TopicPartitionList,
    within: Duration,
    mut alive: impl FnMut() -> Result<()>,
) -> Result<TopicPartitionList> {
    let began = Instant::now();
    loop {
        alive()?;
        let left = within.saturating_sub(began.elapsed());
        match consumer.committed_offsets(partitions.clone(), left.min(ASKED_FOR)) {
            Ok(found) => return Ok(found),
            Err(error) if is_late(&error) && began.elapsed() < within => {}
            Err(error) => {
                let text = format!("the group's committed offsets did not come within {within:?}: {error}");
                return Err(Error::new(Code::Consuming, text));
            }
        }
    }
}

fn is_late(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as E;
    let code = error.rdkafka_error_code();
    matches!(code, Some(E::OperationTimedOut | E::RequestTimedOut | E::WaitingForCoordinator))
}

/// Leaves the group, if it is in one.
pub(super) fn close(consumer: BaseConsumer<ConsumerEvents>, inbox: Inbox) -> Result<()> {
    drop(inbox);
    consumer.context().close();
    // A revocation that nobody answered would make closing wait for ever.
    let gone = match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => {
            consumer.assignment().and_then(|all| consumer.incremental_unassign(&all))
        }
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
    };
    if let Err(error) = gone {
        tracing::warn!(target: "kafka", "giving partitions up: {error}");
    }
    let (done, finished) = mpsc::channel();
    let closing = thread::Builder::new().name("kafka-leave".to_owned()).spawn(move || {
        drop(consumer);
        // Nobody listens any more if it took too long.
        let _ = done.send(());
    });
    closing.map_err(|error| Error::new(Code::Internal, format!("no thread to leave the group: {error}")))?;
    finished.recv_timeout(CLOSED_WITHIN).map_err(|_| {
        let text = format!(
            "the consumer did not close within {CLOSED_WITHIN:?}; the group finds out by its session time-out"
        );
        Error::new(Code::Consuming, text)
    })
}

/// Why a consumer is of no use any more.
fn fatal(code: RDKafkaErrorCode, words: String) -> Error {
    use RDKafkaErrorCode as E;
    match code {
        E::FencedInstanceId | E::UnreleasedInstanceId => {
            let message = format!(
                "{words}\nTwo processes have the same group instance id, or one that died is still waited for: \
                 give each an id of its own, or start this one again when the other's session has timed out."
            );
            Error::new(Code::Fenced, message)
        }
        code if denied(code) => denial(code, &words),
        _ => Error::new(Code::Consuming, words),
    }
}

pub(super) fn consuming(error: &KafkaError) -> Error {
    Error::new(Code::Consuming, error.to_string())
}
