//! librdkafka's own functions, where the wrapper has none or costs too much. All `unsafe` of this
//! room is here and below.

mod inbox;
mod reports;
mod rights;
mod topics;

use std::ffi::{CStr, CString};
use std::ptr;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as rd;
use rdkafka::client::ClientContext;

use super::log::Log;
use super::security;
use crate::config::Secret;

pub(super) use inbox::{Fetched, Inbox};
pub(super) use reports::{Failure, Report, Reports};
pub(super) use rights::{About, Allowed, Answer, rights};
pub(super) use topics::{Refused, Topics};

/// Rounded up, so that a short wait is no busy loop.
fn millis(wait: Duration) -> i32 {
    i32::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(i32::MAX)
}

/// The metadata of committed offsets, of each; what is no text is empty.
pub(super) fn metadata(list: &TopicPartitionList) -> Vec<String> {
    // SAFETY: the list is alive and has that many elements; metadata is null, or of the size that is told.
    unsafe {
        let list = &*list.ptr();
        let elements = (0..usize::try_from(list.cnt).unwrap_or(0)).map(|at| &*list.elems.add(at));
        let texts = elements.map(|element| {
            let bytes = inbox::bytes(element.metadata, element.metadata_size).unwrap_or_default();
            std::str::from_utf8(bytes).unwrap_or_default().to_owned()
        });
        texts.collect()
    }
}

/// What a client that is in trouble does not do by itself: it looks for brokers, and reads its password again.
pub(super) fn look_after<C: ClientContext>(client: &rdkafka::client::Client<C>, log: &Log) {
    if log.has_lost_all() {
        look_for_brokers(client);
    }
    if let Some(sasl) = log.must_log_in() {
        match security::password(sasl) {
            Ok(password) => log_in_with(client, &sasl.username, &password),
            Err(error) => tracing::warn!(target: "kafka", client = log.client(), "{error}"),
        }
    }
}

/// From the next connection on.
fn log_in_with<C: ClientContext>(client: &rdkafka::client::Client<C>, username: &str, password: &Secret) {
    let (Ok(username), Ok(password)) = (CString::new(username), CString::new(password.reveal())) else {
        return;
    };
    // SAFETY: handle and texts are alive, and the texts are copied. An error is ours, and null if there is none, which it
    // is with a name and a password.
    unsafe {
        let error =
            rd::rd_kafka_sasl_set_credentials(client.native_ptr(), username.as_ptr(), password.as_ptr());
        if !error.is_null() {
            rd::rd_kafka_error_destroy(error);
        }
    }
}

/// Adds the bootstrap servers once more, as far as they are not there. Where all brokers are fenced for a moment, librdkafka
/// (2.12) drops them and then stops what would find them again: without this the client stays alone for ever.
fn look_for_brokers<C: ClientContext>(client: &rdkafka::client::Client<C>) {
    // SAFETY: the handle is alive, its configuration is as long, and the name ends in zero. Asked with no buffer, the
    // needed size is told; the buffer is as large as that, and ends in zero.
    unsafe {
        let (handle, name) = (client.native_ptr(), c"bootstrap.servers");
        let mut size = 0;
        let config = rd::rd_kafka_conf(handle);
        let found = rd::rd_kafka_conf_get(config, name.as_ptr(), ptr::null_mut(), &mut size);
        if found != rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK || size == 0 {
            return;
        }
        let mut servers = vec![0_u8; size];
        rd::rd_kafka_conf_get(config, name.as_ptr(), servers.as_mut_ptr().cast(), &mut size);
        if let Ok(servers) = CStr::from_bytes_until_nul(&servers) {
            rd::rd_kafka_brokers_add(handle, servers.as_ptr());
        }
    }
}

/// The offset behind the last record of a partition that a consumer reads, as it was told with what it fetched last.
pub(super) fn known_end<C: ClientContext>(
    consumer: &rdkafka::client::Client<C>,
    topic: &str,
    partition: i32,
) -> Option<i64> {
    let topic = CString::new(topic).ok()?;
    let (mut first, mut end) = (-1, -1);
    // SAFETY: the handle is alive, the name ends in zero, and both numbers are there to be written.
    let found = unsafe {
        let handle = consumer.native_ptr();
        rd::rd_kafka_get_watermark_offsets(handle, topic.as_ptr(), partition, &mut first, &mut end)
    };
    (found == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && end >= 0).then_some(end)
}

/// Sends what lingers, now; takes as long as `wait` unless nothing is under way. Reports are not served.
pub(super) fn flush<C: ClientContext>(producer: &rdkafka::client::Client<C>, wait: Duration) {
    // SAFETY: the handle is alive. That something is still under way is no error.
    unsafe { rd::rd_kafka_flush(producer.native_ptr(), millis(wait)) };
}

/// How the mock cluster of `client` treats groups: how long it waits for more members when one is new; and with the
/// consumer protocol how often members are heard, and after which silence they are missed.
pub(super) fn set_mock_groups<C: ClientContext>(
    client: &rdkafka::client::Client<C>,
    [join_delay, heartbeats, session]: [Duration; 3],
) {
    // SAFETY: the handle is alive as long as `client`; the mock cluster may be null, if the client
    // has none, and is used only if not.
    unsafe {
        let cluster = rd::rd_kafka_handle_mock_cluster(client.native_ptr());
        if !cluster.is_null() {
            rd::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, millis(join_delay));
            rd::rd_kafka_mock_set_group_consumer_heartbeat_interval_ms(cluster, millis(heartbeats));
            rd::rd_kafka_mock_set_group_consumer_session_timeout_ms(cluster, millis(session));
        }
    }
}
