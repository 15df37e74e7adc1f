//! The log lines and errors of one client, on their way to the host's log.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// That no broker is there is told again only after this long.
const REPEAT_AFTER: Duration = Duration::from_secs(5);

/// After all brokers were lost, it is looked for them anew: what is being taken away is gone by then.
const LOOKED_FOR_AFTER: Duration = Duration::from_secs(1);
/// From one look to the next: librdkafka keeps a note of each for ever.
const BETWEEN_LOOKS: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Log {
    client: String,
    lost: AtomicBool,
    trouble: Mutex<Trouble>,
}

#[derive(Debug, Default)]
struct Trouble {
    last: Option<String>,
    told_down: Option<Instant>,
    lost: Option<Instant>,
    looked: Option<Instant>,
}

impl Log {
    pub(super) fn new(client: &str) -> Self {
        Self { client: client.to_owned(), lost: AtomicBool::new(false), trouble: Mutex::default() }
    }

    pub(super) fn client(&self) -> &str {
        &self.client
    }

    /// The last error of the client, in librdkafka's words.
    pub(super) fn last(&self) -> Option<String> {
        self.trouble.lock().ok()?.last.clone()
    }

    /// Whether the client has lost all of its brokers and is to look for them anew; told once each time.
    pub(super) fn has_lost_all(&self) -> bool {
        // Asked all the time: to read is cheap.
        if !self.lost.load(Relaxed) {
            return false;
        }
        let Ok(mut trouble) = self.trouble.lock() else { return false };
        let is_recent = |at: Option<Instant>, pause| at.is_some_and(|at| at.elapsed() < pause);
        if is_recent(trouble.lost, LOOKED_FOR_AFTER) || is_recent(trouble.looked, BETWEEN_LOOKS) {
            return false;
        }
        (trouble.lost, trouble.looked) = (None, Some(Instant::now()));
        self.lost.store(false, Relaxed);
        true
    }

    pub(super) fn line(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        use RDKafkaLogLevel as L;
        // A property of producers is passed to consumers too, and the other way round.
        if facility == "CONFWARN" && text.contains("will be ignored by this") {
            return;
        }
        // That a transaction is still being ended, mostly: it takes a few tries.
        let fine = facility == "GETPID" && text.ends_with("retrying") || is_old_broker(text);
        let level = if fine { RDKafkaLogLevel::Debug } else { level };
        let client = self.client();
        match level {
            L::Emerg | L::Alert | L::Critical => {
                tracing::error!(target: "kafka", client, facility, "{text}");
            }
            // Mostly a connection that librdkafka will try again.
            L::Error | L::Warning => tracing::warn!(target: "kafka", client, facility, "{text}"),
            L::Notice | L::Info => tracing::info!(target: "kafka", client, facility, "{text}"),
            L::Debug => tracing::debug!(target: "kafka", client, facility, "{text}"),
        }
    }

    pub(super) fn error(&self, error: &KafkaError, reason: &str) {
        use RDKafkaErrorCode as E;
        let Ok(mut trouble) = self.trouble.lock() else { return };
        trouble.last = Some(reason.to_owned());
        match error.rdkafka_error_code() {
            // A log line has told it.
            Some(E::BrokerTransportFailure | E::Resolve | E::OperationTimedOut) => return,
            Some(E::Fatal) if is_old_broker(reason) => return,
            Some(E::AllBrokersDown) => {
                trouble.lost = Some(Instant::now());
                self.lost.store(true, Relaxed);
                if trouble.told_down.is_some_and(|told| told.elapsed() < REPEAT_AFTER) {
                    return;
                }
                trouble.told_down = Some(Instant::now());
            }
            _ => {}
        }
        tracing::warn!(target: "kafka", client = self.client(), "{reason}");
    }
}

/// The protocol `consumer` was tried: whoever did says what follows.
fn is_old_broker(text: &str) -> bool {
    text.contains("ConsumerGroupHeartbeat") && text.contains("not supported")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The clock as it was earlier.
    fn pass(at: &mut Option<Instant>, time: Duration) {
        *at = at.and_then(|at| at.checked_sub(time));
    }

    #[test]
    fn lost_brokers_are_looked_for_a_while_later_and_not_all_the_time() {
        let log = Log::new("test");
        let down = KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);
        assert!(!log.has_lost_all());
        log.error(&down, "1/1 brokers are down");
        assert!(!log.has_lost_all(), "not yet");
        pass(&mut log.trouble.lock().expect("nobody panicked").lost, LOOKED_FOR_AFTER);
        assert!(log.has_lost_all() && !log.has_lost_all());
        log.error(&down, "1/1 brokers are down");
        pass(&mut log.trouble.lock().expect("nobody panicked").lost, LOOKED_FOR_AFTER);
        assert!(!log.has_lost_all(), "it was looked for them just now");
        pass(&mut log.trouble.lock().expect("nobody panicked").looked, BETWEEN_LOOKS);
        assert!(log.has_lost_all());
    }
}
