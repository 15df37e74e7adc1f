//! What a producer tells: what was delivered, what was not, errors and log lines.

use std::ffi::{CStr, c_char};
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use super::inbox::{Queue, queue};
use super::millis;
use crate::error::Result;

/// How a message ended.
pub(in crate::kafka) struct Report<'a> {
    /// As it was given to [`Topics::produce`](super::Topics::produce).
    pub tag: usize,
    /// Where it lies; negative where the broker did not say so.
    pub offset: i64,
    pub failure: Option<Failure<'a>>,
}

/// Why a message was not delivered.
pub(in crate::kafka) struct Failure<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub why: RDKafkaErrorCode,
}

/// The queue of a producer's events. Must be dropped before it.
#[derive(Debug)]
pub(in crate::kafka) struct Reports(Queue);

pub(super) struct Event(pub(super) NonNull<rd::rd_kafka_event_t>);

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is ours and given back once.
        unsafe { rd::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

impl Reports {
    pub(in crate::kafka) fn new<C: ClientContext>(producer: &Client<C>) -> Result<Self> {
        // SAFETY: the producer's handle is alive; the reference is our own.
        queue(unsafe { rd::rd_kafka_queue_get_main(producer.native_ptr()) }).map(Self)
    }

    /// Hands out all that is there, having waited for the first one if there is none. Errors and log
    /// lines go to the producer's context.
    pub(in crate::kafka) fn serve<C: ClientContext>(
        &self,
        producer: &Client<C>,
        wait: Duration,
        mut report: impl FnMut(Report<'_>),
    ) {
        let mut wait = millis(wait);
        loop {
            // SAFETY: the queue is alive.
            let event = unsafe { rd::rd_kafka_queue_poll(self.0.raw(), wait) };
            let Some(event) = NonNull::new(event).map(Event) else { return };
            wait = 0;
            // SAFETY: the event is alive, and read by the functions of its own type.
            unsafe {
                match rd::rd_kafka_event_type(event.0.as_ptr()) {
                    rd::RD_KAFKA_EVENT_DR => event.deliveries(&mut report),
                    rd::RD_KAFKA_EVENT_ERROR => event.error(&**producer.context()),
                    rd::RD_KAFKA_EVENT_LOG => event.log(&**producer.context()),
                    _ => {}
                }
            }
        }
    }
}

impl Event {
    /// # Safety
    ///
    /// It is a delivery report.
    unsafe fn deliveries(&self, report: &mut impl FnMut(Report<'_>)) {
        // SAFETY: the messages and their topics live as long as the event.
        unsafe {
            loop {
                let message = rd::rd_kafka_event_message_next(self.0.as_ptr());
                let Some(message) = message.as_ref() else { return };
                let failure = (message.err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| Failure {
                    topic: text(rd::rd_kafka_topic_name(message.rkt)),
                    partition: message.partition,
                    why: message.err.into(),
                });
                report(Report { tag: message._private as usize, offset: message.offset, failure });
            }
        }
    }

    /// # Safety
    ///
    /// It is an error.
    unsafe fn error(&self, context: &impl ClientContext) {
        // SAFETY: the text lives as long as the event.
        let (code, reason) = unsafe {
            let code = rd::rd_kafka_event_error(self.0.as_ptr());
            (code, text(rd::rd_kafka_event_error_string(self.0.as_ptr())))
        };
        context.error(KafkaError::Global(code.into()), reason.trim());
    }

    /// # Safety
    ///
    /// It is a log line.
    unsafe fn log(&self, context: &impl ClientContext) {
        let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the texts live as long as the event.
        unsafe {
            if rd::rd_kafka_event_log(self.0.as_ptr(), &mut facility, &mut line, &mut level) == 0 {
                let level = LEVELS[usize::try_from(level).unwrap_or(0).min(LEVELS.len() - 1)];
                context.log(level, text(facility).trim(), text(line).trim());
            }
        }
    }
}

/// By syslog's numbers.
const LEVELS: [RDKafkaLogLevel; 8] = [
    RDKafkaLogLevel::Emerg,
    RDKafkaLogLevel::Alert,
    RDKafkaLogLevel::Critical,
    RDKafkaLogLevel::Error,
    RDKafkaLogLevel::Warning,
    RDKafkaLogLevel::Notice,
    RDKafkaLogLevel::Info,
    RDKafkaLogLevel::Debug,
];

/// # Safety
///
/// `start` is null or a text that ends in zero and lives as long as `'a`.
unsafe fn text<'a>(start: *const c_char) -> &'a str {
    if start.is_null() {
        return "";
    }
    // SAFETY: by the contract above.
    unsafe { CStr::from_ptr(start) }.to_str().unwrap_or("")
}
