//! The log lines and errors of one client, on their way to the host's log.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::Cluster;
use super::security::Trouble;
use crate::config::Sasl;

/// That no broker is there is told again only after this long.
const REPEAT_AFTER: Duration = Duration::from_secs(5);

/// After all brokers were lost, it is looked for them anew: what is being taken away is gone by then.
const LOOKED_FOR_AFTER: Duration = Duration::from_secs(1);
/// From one look to the next: librdkafka keeps a note of each for ever.
const BETWEEN_LOOKS: Duration = Duration::from_secs(30);

/// A password that was refused is read again this often,
const READ_EVERY: Duration = Duration::from_secs(1);
/// and for so long: that it is refused still, librdkafka says every 30 s.
const READ_FOR: Duration = Duration::from_secs(35);

#[derive(Debug)]
pub(super) struct Log {
    client: String,
    sasl: Option<Sasl>,
    lost: AtomicBool,
    refused: AtomicBool,
    outdated: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    last: Option<String>,
    told_down: Option<Instant>,
    lost: Option<Instant>,
    looked: Option<Instant>,
    /// All brokers were away at some time.
    was_down: bool,
    trouble: Option<(Trouble, String, Instant)>,
    /// When the user or the password was refused last, and when the password was read again.
    refused: Option<(Instant, Instant)>,
}

impl Log {
    pub(super) fn new(cluster: &Cluster, client: &str) -> Self {
        let (sasl, client) = (cluster.security.sasl.clone(), client.to_owned());
        let (lost, refused, outdated) = (false.into(), false.into(), false.into());
        Self { client, sasl, lost, refused, outdated, seen: Mutex::default() }
    }

    pub(super) fn client(&self) -> &str {
        &self.client
    }

    /// The last error of the client, in librdkafka's words.
    pub(super) fn last(&self) -> Option<String> {
        self.seen.lock().ok()?.last.clone()
    }

    /// What no time heals, in librdkafka's words, if that is all that brokers have to say: none is left to be tried, or
    /// others had `patience` to answer.
    pub(super) fn trouble(&self, patience: Duration) -> Option<(Trouble, String)> {
        let seen = self.seen.lock().ok()?;
        let (trouble, words, since) = seen.trouble.as_ref()?;
        (seen.was_down || since.elapsed() >= patience).then(|| (*trouble, words.clone()))
    }

    /// Whether brokers have refused the client's certificate: only another client can have another one.
    pub(super) fn is_outdated(&self) -> bool {
        self.outdated.load(Relaxed)
    }

    /// How to log in, if the password was refused and it is time to read it again.
    pub(super) fn must_log_in(&self) -> Option<&Sasl> {
        // Asked all the time: to read is cheap.
        if !self.refused.load(Relaxed) {
            return None;
        }
        let mut seen = self.seen.lock().ok()?;
        let (refused, read) = seen.refused.as_mut()?;
        if refused.elapsed() > READ_FOR {
            seen.refused = None;
            self.refused.store(false, Relaxed);
            return None;
        }
        if read.elapsed() < READ_EVERY {
            return None;
        }
        *read = Instant::now();
        self.sasl.as_ref()
    }

    /// Whether the client has lost all of its brokers and is to look for them anew; told once each time.
    pub(super) fn has_lost_all(&self) -> bool {
        // Asked all the time: to read is cheap.
        if !self.lost.load(Relaxed) {
            return false;
        }
        let Ok(mut seen) = self.seen.lock() else { return false };
        let is_recent = |at: Option<Instant>, pause| at.is_some_and(|at| at.elapsed() < pause);
        if is_recent(seen.lost, LOOKED_FOR_AFTER) || is_recent(seen.looked, BETWEEN_LOOKS) {
            return false;
        }
        (seen.lost, seen.looked) = (None, Some(Instant::now()));
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
        // Of a broker that hangs up, nothing else tells.
        if facility == "FAIL"
            && !matches!(level, L::Debug)
            && let Ok(mut seen) = self.seen.lock()
        {
            let words = text.split_once("]: ").map_or(text, |(_, words)| words);
            seen.last = Some(words.to_owned());
        }
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
        let Ok(mut seen) = self.seen.lock() else { return };
        let (code, now) = (error.rdkafka_error_code(), Instant::now());
        let down = code == Some(E::AllBrokersDown);
        // That all are down says nothing of why.
        if !down || seen.last.is_none() {
            seen.last = Some(reason.to_owned());
        }
        if let Some(trouble) = code.and_then(|code| Trouble::of(code, reason)) {
            seen.trouble.get_or_insert_with(|| (trouble, reason.to_owned(), now));
            if trouble == Trouble::OwnCertificate {
                self.outdated.store(true, Relaxed);
            }
            if trouble == Trouble::Credentials && self.sasl.is_some() {
                seen.refused = Some((now, now));
                self.refused.store(true, Relaxed);
            }
        }
        match code {
            // A log line has told it.
            Some(
                E::BrokerTransportFailure | E::Resolve | E::OperationTimedOut | E::SSL | E::Authentication,
            ) => return,
            Some(E::Fatal) if is_old_broker(reason) => return,
            Some(E::AllBrokersDown) => {
                seen.was_down = true;
                seen.lost = Some(now);
                self.lost.store(true, Relaxed);
                if seen.told_down.is_some_and(|told| told.elapsed() < REPEAT_AFTER) {
                    return;
                }
                seen.told_down = Some(now);
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

    const GUARD: Duration = Duration::from_secs(3600);

    /// The clock as it was earlier.
    fn pass(at: &mut Option<Instant>, time: Duration) {
        *at = at.and_then(|at| at.checked_sub(time));
    }

    #[test]
    fn lost_brokers_are_looked_for_a_while_later_and_not_all_the_time() {
        let log = Log::new(&Cluster::default(), "test");
        let down = KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);
        assert!(!log.has_lost_all());
        log.error(&down, "1/1 brokers are down");
        assert!(!log.has_lost_all(), "not yet");
        pass(&mut log.seen.lock().expect("nobody panicked").lost, LOOKED_FOR_AFTER);
        assert!(log.has_lost_all() && !log.has_lost_all());
        log.error(&down, "1/1 brokers are down");
        pass(&mut log.seen.lock().expect("nobody panicked").lost, LOOKED_FOR_AFTER);
        assert!(!log.has_lost_all(), "it was looked for them just now");
        pass(&mut log.seen.lock().expect("nobody panicked").looked, BETWEEN_LOOKS);
        assert!(log.has_lost_all());
    }

    #[test]
    fn a_client_whose_certificate_was_refused_is_of_no_use() {
        let log = Log::new(&Cluster::default(), "test");
        let away = KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure);
        log.error(&away, "ssl://b:1/1: Connect to b:1 failed: Connection refused");
        assert!(!log.is_outdated());
        log.error(&away, "ssl://b:1/1: Receive failed: tlsv13 alert certificate expired");
        assert!(log.is_outdated());
    }

    #[test]
    fn a_password_that_was_refused_is_read_again_for_a_while() {
        let mut cluster = Cluster::default();
        cluster.security.sasl = Some(Sasl::default());
        let log = Log::new(&cluster, "test");
        let read = |log: &Log, ago: Duration| {
            let mut seen = log.seen.lock().expect("nobody panicked");
            let (mut refused, mut read) = seen.refused.map_or((None, None), |(a, b)| (Some(a), Some(b)));
            pass(&mut refused, ago);
            pass(&mut read, ago);
            seen.refused = refused.zip(read);
            drop(seen);
            log.must_log_in().is_some()
        };
        assert!(!read(&log, READ_EVERY), "nothing was refused");
        log.error(
            &KafkaError::Global(RDKafkaErrorCode::Authentication),
            "ssl://b:1/1: SASL authentication error",
        );
        assert!(!read(&log, Duration::ZERO), "it was read just now");
        assert!(read(&log, READ_EVERY) && !read(&log, Duration::ZERO) && read(&log, READ_EVERY));
        assert!(!read(&log, READ_FOR) && !read(&log, READ_EVERY), "it is taken, or refused again");
        assert_eq!(log.trouble(GUARD), None, "others may answer");
        log.error(&KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        assert_eq!(log.trouble(GUARD).map(|(trouble, _)| trouble), Some(Trouble::Credentials));
    }
}
