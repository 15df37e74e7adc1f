//! The log lines and errors of one client, on their way to the host's log.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// That no broker is there is told again only after this long.
const REPEAT_AFTER: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Log {
    client: String,
    trouble: Mutex<Trouble>,
}

#[derive(Debug, Default)]
struct Trouble {
    last: Option<String>,
    told_down: Option<Instant>,
}

impl Log {
    pub(super) fn new(client: &str) -> Self {
        Self { client: client.to_owned(), trouble: Mutex::default() }
    }

    pub(super) fn client(&self) -> &str {
        &self.client
    }

    /// The last error of the client, in librdkafka's words.
    pub(super) fn last(&self) -> Option<String> {
        self.trouble.lock().ok()?.last.clone()
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
