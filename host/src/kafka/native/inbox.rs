//! The queue into which the records of all assigned partitions come, and the records taken from it.

use std::ffi::{CStr, CString, c_void};
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use super::millis;
use crate::error::{Code, Error, Result};
use crate::record::Header;

/// A queue of librdkafka.
#[derive(Debug)]
pub(super) struct Queue(NonNull<rd::rd_kafka_queue_t>);

impl Queue {
    pub(super) fn raw(&self) -> *mut rd::rd_kafka_queue_t {
        self.0.as_ptr()
    }
}

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for Queue {}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: a reference of our own, given back once.
        unsafe { rd::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

pub(super) fn queue(raw: *mut rd::rd_kafka_queue_t) -> Result<Queue> {
    NonNull::new(raw).map(Queue).ok_or_else(|| Error::new(Code::Internal, "librdkafka gave no queue"))
}

/// Must be dropped before its consumer.
#[derive(Debug)]
pub(in crate::kafka) struct Inbox {
    records: Queue,
    events: Queue,
}

impl Inbox {
    pub(in crate::kafka) fn new<C: ClientContext>(consumer: &Client<C>) -> Result<Self> {
        // SAFETY: the consumer's handle is alive; both give a reference of our own.
        let (records, events) = unsafe {
            let handle = consumer.native_ptr();
            (rd::rd_kafka_queue_new(handle), rd::rd_kafka_queue_get_consumer(handle))
        };
        Ok(Self { records: queue(records)?, events: queue(events)? })
    }

    /// Lets the records of a partition come here. Before each assignment: the end of the last one
    /// has undone it.
    pub(in crate::kafka) fn adopt<C: ClientContext>(
        &self,
        consumer: &Client<C>,
        topic: &str,
        partition: i32,
    ) -> Result<()> {
        let name = c_string(topic)?;
        // SAFETY: handle, name and queues are alive. Our reference to the partition's queue may be
        // given back: the partition keeps its own.
        unsafe {
            let from = rd::rd_kafka_queue_get_partition(consumer.native_ptr(), name.as_ptr(), partition);
            rd::rd_kafka_queue_forward(queue(from)?.raw(), self.records.raw());
        }
        Ok(())
    }

    /// Lets the records of a partition wait where they are; [`Inbox::adopt`] lets them come again. What is here
    /// already stays.
    pub(in crate::kafka) fn hold<C: ClientContext>(
        &self,
        consumer: &Client<C>,
        topic: &str,
        partition: i32,
    ) -> Result<()> {
        let name = c_string(topic)?;
        // SAFETY: as above; without a queue to forward to, the partition's own keeps them.
        unsafe {
            let from = rd::rd_kafka_queue_get_partition(consumer.native_ptr(), name.as_ptr(), partition);
            rd::rd_kafka_queue_forward(queue(from)?.raw(), ptr::null_mut());
        }
        Ok(())
    }

    /// Whether the consumer has something to tell beside records.
    pub(in crate::kafka) fn has_events(&self) -> bool {
        // SAFETY: the queue is alive.
        unsafe { rd::rd_kafka_queue_length(self.events.raw()) > 0 }
    }

    /// Appends up to `most` messages, waiting until there are that many or the time is over.
    pub(in crate::kafka) fn take(&self, wait: Duration, most: usize, into: &mut Vec<Fetched>) {
        into.reserve(most);
        // SAFETY: there is room for `most` pointers behind the last element; `Fetched` is one
        // pointer; librdkafka says how many it wrote, none of them null, all of them ours.
        unsafe {
            let room = into.as_mut_ptr().add(into.len()).cast();
            let taken = rd::rd_kafka_consume_batch_queue(self.records.raw(), millis(wait), room, most);
            into.set_len(into.len() + usize::try_from(taken).unwrap_or(0));
        }
    }
}

/// One message of the inbox: a record, or an error in its place.
#[repr(transparent)]
#[derive(Debug)]
pub(in crate::kafka) struct Fetched(NonNull<rd::rd_kafka_message_t>);

// SAFETY: a message may be read and given back on any thread.
unsafe impl Send for Fetched {}

impl Drop for Fetched {
    fn drop(&mut self) {
        // SAFETY: the message is ours and given back once.
        unsafe { rd::rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}

impl Fetched {
    fn raw(&self) -> &rd::rd_kafka_message_t {
        // SAFETY: valid until it is given back in drop; nothing writes to these fields.
        unsafe { self.0.as_ref() }
    }

    /// What stands here instead of a record, with librdkafka's words.
    pub(in crate::kafka) fn error(&self) -> Option<(RDKafkaErrorCode, String)> {
        let code = self.raw().err;
        if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        // SAFETY: a static text, or one that lives as long as the message.
        let text = unsafe { CStr::from_ptr(rd::rd_kafka_message_errstr(self.0.as_ptr())) };
        Some((code.into(), text.to_string_lossy().into_owned()))
    }

    pub(in crate::kafka) fn partition(&self) -> i32 {
        self.raw().partition
    }

    pub(in crate::kafka) fn offset(&self) -> i64 {
        self.raw().offset
    }

    /// Equal for two living messages if their topics are.
    pub(in crate::kafka) fn topic_handle(&self) -> usize {
        self.raw().rkt as usize
    }

    pub(in crate::kafka) fn topic(&self) -> &str {
        if self.raw().rkt.is_null() {
            return "";
        }
        // SAFETY: the message holds its topic, and the topic its name.
        unsafe { CStr::from_ptr(rd::rd_kafka_topic_name(self.raw().rkt)) }.to_str().unwrap_or("")
    }

    pub(in crate::kafka) fn key(&self) -> Option<&[u8]> {
        // SAFETY: the bytes live as long as the message.
        unsafe { bytes(self.raw().key, self.raw().key_len) }
    }

    pub(in crate::kafka) fn value(&self) -> Option<&[u8]> {
        // SAFETY: as above.
        unsafe { bytes(self.raw().payload, self.raw().len) }
    }

    /// Bytes of key and value.
    pub(in crate::kafka) fn size(&self) -> usize {
        self.raw().key_len + self.raw().len
    }

    pub(in crate::kafka) fn timestamp(&self) -> Option<i64> {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive.
        let time = unsafe { rd::rd_kafka_message_timestamp(self.0.as_ptr(), &mut kind) };
        (kind != rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE).then_some(time)
    }

    /// Appends the headers. One whose name is not UTF-8 is left out, and all if they are no
    /// headers.
    pub(in crate::kafka) fn headers<'a>(&'a self, into: &mut Vec<Header<'a>>) {
        let mut list = ptr::null_mut();
        // SAFETY: the list belongs to the message and lives as long. Names and values point into it.
        // The first call parses it into the message, which no other thread sees meanwhile.
        unsafe {
            let found = rd::rd_kafka_message_headers(self.0.as_ptr(), &mut list);
            if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return;
            }
            for index in 0.. {
                let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
                let got = rd::rd_kafka_header_get_all(list, index, &mut name, &mut value, &mut size);
                if got != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    return;
                }
                if let Ok(name) = CStr::from_ptr(name).to_str() {
                    into.push(Header { name, value: bytes(value, size) });
                }
            }
        }
    }
}

pub(super) fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| {
        Error::new(Code::ConfigValue, format!("{text:?} is no name of a topic: it has a zero byte"))
    })
}

/// # Safety
///
/// `start` is null, or `size` bytes from it are readable as long as `'a`.
pub(super) unsafe fn bytes<'a>(start: *const c_void, size: usize) -> Option<&'a [u8]> {
    let start = NonNull::new(start.cast_mut().cast::<u8>())?;
    // SAFETY: by the contract above.
    Some(unsafe { std::slice::from_raw_parts(start.as_ptr(), size) })
}
