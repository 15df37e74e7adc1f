//! What this client may do, as brokers tell it who are asked for a topic or a group.

use std::ffi::{CStr, CString, c_char};
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use super::inbox::{c_string, queue};
use super::millis;
use super::reports::Event;
use crate::error::{Code, Error, Result};

/// Operations of access control, each with its bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::kafka) struct Allowed(u32);

impl Allowed {
    #[cfg(test)]
    pub(in crate::kafka) fn of(operations: &[rd::rd_kafka_AclOperation_t]) -> Self {
        Self(operations.iter().fold(0, |all, operation| all | 1 << *operation as u32))
    }

    pub(in crate::kafka) fn has(self, operation: rd::rd_kafka_AclOperation_t) -> bool {
        self.0 & 1 << operation as u32 != 0
    }
}

/// What brokers say of one topic or group. None of all rights: they don't say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::kafka) struct Answer {
    pub name: String,
    pub outcome: Result<Option<Allowed>, RDKafkaErrorCode>,
}

/// Both kinds of question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kafka) enum About {
    Topics,
    Group,
}

struct Options(NonNull<rd::rd_kafka_AdminOptions_t>);

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: ours, and given back once.
        unsafe { rd::rd_kafka_AdminOptions_destroy(self.0.as_ptr()) }
    }
}

/// Asks for topics, or for one group.
pub(in crate::kafka) fn rights<C: ClientContext>(
    client: &Client<C>,
    about: About,
    names: &[&str],
    within: Duration,
) -> Result<Vec<Answer>> {
    let names = names.iter().map(|name| c_string(name)).collect::<Result<Vec<CString>>>()?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let options = options(client, about, within)?;
    // SAFETY: handle, names, options and queue are alive until the answer, or until the call was given up; librdkafka copies
    // what it keeps. The collection is ours, and given back once.
    let event = unsafe {
        let answers = queue(rd::rd_kafka_queue_new(client.native_ptr()))?;
        let (handle, count) = (client.native_ptr(), pointers.len());
        match about {
            About::Topics => {
                let topics = rd::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), count);
                rd::rd_kafka_DescribeTopics(handle, topics, options.0.as_ptr(), answers.raw());
                rd::rd_kafka_TopicCollection_destroy(topics);
            }
            About::Group => {
                let (groups, options) = (pointers.as_mut_ptr(), options.0.as_ptr());
                rd::rd_kafka_DescribeConsumerGroups(handle, groups, count, options, answers.raw());
            }
        }
        // It has a time of its own, which ends before.
        rd::rd_kafka_queue_poll(answers.raw(), millis(within + Duration::from_secs(5)))
    };
    let event = NonNull::new(event).map(Event).ok_or_else(|| late("no broker answered"))?;
    // SAFETY: the event is alive, and read by the functions of its own type, if it has that; what it gives lives as long.
    unsafe {
        let raw = event.0.as_ptr();
        if rd::rd_kafka_event_error(raw) != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(late(&text(rd::rd_kafka_event_error_string(raw))));
        }
        let mut count = 0;
        match about {
            About::Topics => {
                let result = rd::rd_kafka_event_DescribeTopics_result(raw);
                let topics = rd::rd_kafka_DescribeTopics_result_topics(result, &mut count);
                Ok((0..count).map(|at| topic(*topics.add(at))).collect())
            }
            About::Group => {
                let result = rd::rd_kafka_event_DescribeConsumerGroups_result(raw);
                let groups = rd::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
                Ok((0..count).map(|at| group(*groups.add(at))).collect())
            }
        }
    }
}

fn options<C: ClientContext>(client: &Client<C>, about: About, within: Duration) -> Result<Options> {
    let kind = match about {
        About::Topics => rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        About::Group => rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
    };
    // SAFETY: handle and options are alive; there is no room for words of an error. That one is null if there is none.
    unsafe {
        let options = NonNull::new(rd::rd_kafka_AdminOptions_new(client.native_ptr(), kind)).map(Options);
        let options = options.ok_or_else(|| Error::new(Code::Internal, "librdkafka gave no options"))?;
        rd::rd_kafka_AdminOptions_set_request_timeout(options.0.as_ptr(), millis(within), ptr::null_mut(), 0);
        let error = rd::rd_kafka_AdminOptions_set_include_authorized_operations(options.0.as_ptr(), 1);
        if !error.is_null() {
            rd::rd_kafka_error_destroy(error);
        }
        Ok(options)
    }
}

/// # Safety
///
/// It is a description that is alive.
unsafe fn topic(description: *const rd::rd_kafka_TopicDescription_t) -> Answer {
    // SAFETY: by the contract above.
    unsafe {
        let mut count = 0;
        let operations = rd::rd_kafka_TopicDescription_authorized_operations(description, &mut count);
        let error = rd::rd_kafka_TopicDescription_error(description);
        let name = text(rd::rd_kafka_TopicDescription_name(description));
        Answer { name, outcome: outcome(error, operations, count) }
    }
}

/// # Safety
///
/// It is a description that is alive.
unsafe fn group(description: *const rd::rd_kafka_ConsumerGroupDescription_t) -> Answer {
    // SAFETY: by the contract above.
    unsafe {
        let mut count = 0;
        let operations = rd::rd_kafka_ConsumerGroupDescription_authorized_operations(description, &mut count);
        let error = rd::rd_kafka_ConsumerGroupDescription_error(description);
        let name = text(rd::rd_kafka_ConsumerGroupDescription_group_id(description));
        Answer { name, outcome: outcome(error, operations, count) }
    }
}

/// # Safety
///
/// Both are null, or alive; there are so many operations.
unsafe fn outcome(
    error: *const rd::rd_kafka_error_t,
    operations: *const rd::rd_kafka_AclOperation_t,
    count: usize,
) -> Result<Option<Allowed>, RDKafkaErrorCode> {
    // SAFETY: by the contract above. Operations are read as numbers: there may be some that are not known here.
    unsafe {
        let code = if error.is_null() {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
        } else {
            rd::rd_kafka_error_code(error)
        };
        if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(code.into());
        }
        if operations.is_null() || count == 0 {
            return Ok(None);
        }
        let numbers = std::slice::from_raw_parts(operations.cast::<u32>(), count);
        let bits = numbers.iter().filter(|number| **number < u32::BITS).map(|number| 1 << number);
        Ok(Some(Allowed(bits.fold(0, |all, bit: u32| all | bit))))
    }
}

/// # Safety
///
/// It is null, or a text that ends in zero.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: by the contract above.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

fn late(why: &str) -> Error {
    Error::new(Code::BrokerUnreachable, format!("what this client may do can't be asked: {why}"))
}
