//! librdkafka's own functions, where the wrapper has none or costs too much. All `unsafe` of this
//! room is here and below.

mod inbox;
mod reports;
mod topics;

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as rd;
use rdkafka::client::ClientContext;

pub(super) use inbox::{Fetched, Inbox};
pub(super) use reports::{Failure, Report, Reports};
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
