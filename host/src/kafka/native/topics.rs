//! Handing messages to the producer.

use std::ffi::{CStr, c_void};
use std::ptr::{self, NonNull};

use rdkafka::bindings as rd;
use rdkafka::bindings::rd_kafka_vtype_t as Part;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use super::inbox::c_string;
use crate::error::{Code, Error, Result};
use crate::record::{Header, Message};

/// As the key decides.
const ANY_PARTITION: i32 = -1;

/// Why a message was not taken.
pub(in crate::kafka) type Refused = RDKafkaErrorCode;

/// Topics by name, so that librdkafka need not look them up. Must be dropped before its producer.
#[derive(Debug, Default)]
pub(in crate::kafka) struct Topics(Vec<(String, Topic)>);

#[derive(Debug)]
struct Topic(NonNull<rd::rd_kafka_topic_t>);

// SAFETY: librdkafka's topics may be used from any thread.
unsafe impl Send for Topic {}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: a reference of our own, given back once.
        unsafe { rd::rd_kafka_topic_destroy(self.0.as_ptr()) }
    }
}

impl Topics {
    /// Copies the message into the producer's queue; its report will bear the tag.
    pub(in crate::kafka) fn produce<C: ClientContext>(
        &mut self,
        producer: &Client<C>,
        message: &Message<'_>,
        tag: usize,
    ) -> Result<Result<(), Refused>> {
        let topic = self.find(producer, message.topic)?;
        let headers = headers(message.headers);
        let (key, key_size) = parts(message.key);
        let (value, value_size) = parts(message.value);
        // SAFETY: the arguments are of the types that their tags ask for, in C's widths, and the end
        // is marked. Key and value are copied. The headers are librdkafka's if it took the message,
        // and ours if not.
        let refused = unsafe {
            let outcome = rd::rd_kafka_producev(
                producer.native_ptr(),
                Part::RD_KAFKA_VTYPE_RKT,
                topic.as_ptr(),
                Part::RD_KAFKA_VTYPE_PARTITION,
                message.partition.unwrap_or(ANY_PARTITION),
                Part::RD_KAFKA_VTYPE_MSGFLAGS,
                rd::RD_KAFKA_MSG_F_COPY,
                Part::RD_KAFKA_VTYPE_KEY,
                key,
                key_size,
                Part::RD_KAFKA_VTYPE_VALUE,
                value,
                value_size,
                Part::RD_KAFKA_VTYPE_TIMESTAMP,
                message.timestamp.unwrap_or(0),
                Part::RD_KAFKA_VTYPE_HEADERS,
                headers,
                Part::RD_KAFKA_VTYPE_OPAQUE,
                tag as *mut c_void,
                Part::RD_KAFKA_VTYPE_END,
            );
            if outcome != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && !headers.is_null() {
                rd::rd_kafka_headers_destroy(headers);
            }
            outcome
        };
        Ok(match refused {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            code => Err(code.into()),
        })
    }

    fn find<C: ClientContext>(
        &mut self,
        producer: &Client<C>,
        name: &str,
    ) -> Result<NonNull<rd::rd_kafka_topic_t>> {
        if let Some((_, topic)) = self.0.iter().find(|(known, _)| known == name) {
            return Ok(topic.0);
        }
        let text = c_string(name)?;
        // SAFETY: handle and name are alive; no configuration of its own; the last error is this
        // thread's, and its text static.
        let topic = unsafe {
            let raw = rd::rd_kafka_topic_new(producer.native_ptr(), text.as_ptr(), ptr::null_mut());
            NonNull::new(raw).ok_or_else(|| CStr::from_ptr(rd::rd_kafka_err2str(rd::rd_kafka_last_error())))
        };
        let topic = topic.map_err(|why| {
            Error::new(Code::Delivery, format!("topic `{name}`: {}", why.to_string_lossy()))
        })?;
        self.0.push((name.to_owned(), Topic(topic)));
        Ok(topic)
    }
}

fn parts(bytes: Option<&[u8]>) -> (*const c_void, usize) {
    bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr().cast(), bytes.len()))
}

/// A copy of the headers; null if there are none.
fn headers(list: &[Header<'_>]) -> *mut rd::rd_kafka_headers_t {
    if list.is_empty() {
        return ptr::null_mut();
    }
    // SAFETY: names and values are alive and copied, with the sizes given. Adding to a list of one's
    // own always succeeds.
    unsafe {
        let headers = rd::rd_kafka_headers_new(list.len());
        for header in list {
            let (value, size) = parts(header.value);
            let (name, name_size) = (header.name.as_ptr().cast(), header.name.len() as isize);
            rd::rd_kafka_header_add(headers, name, name_size, value, size as isize);
        }
        headers
    }
}
