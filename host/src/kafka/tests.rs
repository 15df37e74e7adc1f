//! Against the embedded broker. Deadlines are guards: no test waits for one to pass.

mod changelog;
mod clients;
mod control;
mod exactly;
mod fenced;
mod group;
mod table;
mod trip;

use std::time::{Duration, Instant};

use super::*;
use crate::config::{Protocol, Start};
use crate::engine::Budget;
use crate::engine::ports::{Asked, Limit, Polled, Sent, Sink, Source, UnderWay};
use crate::record::{Message, PartitionId};

/// A record, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    from: PartitionId,
    offset: i64,
    timestamp: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

const GUARD: Duration = Duration::from_secs(30);
const MANY: Limit = Limit { rows: 1_000, bytes: 1 << 20 };

fn options(topics: &[&str]) -> SourceOptions {
    SourceOptions {
        cluster: Cluster::default(),
        group: "group".to_owned(),
        client_id: "test".to_owned(),
        topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
        tables: Vec::new(),
        internal_from: usize::MAX,
        start: Start::Earliest,
        fetch_bytes: 4 << 20,
        protocol: Protocol::Classic,
        instance: None,
        claims: None,
        asked: Asked::default(),
    }
}

fn source(broker: &EmbeddedBroker, topics: &[&str]) -> KafkaSource {
    KafkaSource::connect(SourceOptions { cluster: broker.cluster(), ..options(topics) }).unwrap()
}

fn sink(broker: &EmbeddedBroker) -> KafkaSink {
    sink_of(broker, 16 << 20)
}

fn sink_of(broker: &EmbeddedBroker, queue_bytes: usize) -> KafkaSink {
    let (cluster, client_id) = (broker.cluster(), "test".to_owned());
    KafkaSink::connect(SinkOptions {
        cluster,
        client_id,
        budget: Budget::new(queue_bytes),
        message_bytes: 100_000,
        transactions: None,
        asked: Asked::default(),
    })
    .unwrap()
}

fn message<'a>(topic: &'a str, key: Option<&'a [u8]>, value: &'a [u8]) -> Message<'a> {
    Message { topic, partition: None, key, value: Some(value), timestamp: None, headers: &[], tag: None }
}

/// Sends all and waits until all are delivered.
fn deliver(sink: &mut KafkaSink, messages: &[Message<'_>]) {
    for message in messages {
        assert_eq!(sink.send(*message).unwrap(), Sent::Taken);
    }
    drain(sink);
}

fn drain(sink: &mut KafkaSink) {
    let began = Instant::now();
    while sink.work(Duration::from_millis(1)).unwrap().all > 0 {
        assert!(began.elapsed() < GUARD, "not delivered in time");
    }
}

/// What a poll brought, owned.
#[derive(Debug)]
enum Got {
    Records(Vec<Seen>),
    Assigned(Vec<PartitionId>),
    Revoked(Vec<PartitionId>, bool),
}

fn poll(source: &mut KafkaSource, limit: Limit) -> Got {
    match source.poll(Duration::from_millis(50), limit).unwrap() {
        Polled::Assigned(partitions) => Got::Assigned(partitions),
        Polled::Revoked { partitions, lost } => Got::Revoked(partitions, lost),
        Polled::Records(count) => {
            let records = source.records();
            assert_eq!(records.rows.len(), count);
            Got::Records(
                records
                    .rows
                    .iter()
                    .map(|row| Seen {
                        from: row.from,
                        offset: row.offset,
                        timestamp: row.timestamp,
                        key: row.key.map(<[u8]>::to_vec),
                        value: row.value.map(<[u8]>::to_vec),
                        headers: records
                            .headers_of(row)
                            .iter()
                            .map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)))
                            .collect(),
                    })
                    .collect(),
            )
        }
    }
}

/// Starts where the group stands.
fn begin(source: &mut KafkaSource, partitions: &[PartitionId]) {
    let committed = source.committed(partitions).unwrap().into_iter();
    let committed = committed.map(|one| one.map(|one| one.next));
    let from: Vec<_> = partitions.iter().copied().zip(committed).collect();
    source.start(&from).unwrap();
}

/// Joins and starts whatever is assigned first.
fn join(source: &mut KafkaSource) -> Vec<PartitionId> {
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < GUARD, "no assignment in time");
        if let Got::Assigned(partitions) = poll(source, MANY) {
            begin(source, &partitions);
            return partitions;
        }
    }
}

/// Reads until that many records came.
fn read(source: &mut KafkaSource, count: usize) -> Vec<Seen> {
    let (mut seen, began) = (Vec::new(), Instant::now());
    while seen.len() < count {
        assert!(began.elapsed() < GUARD, "{} of {count} records in time", seen.len());
        match poll(source, MANY) {
            Got::Records(records) => seen.extend(records),
            other => panic!("{other:?}"),
        }
    }
    seen
}

fn id(source: u16, partition: i32) -> PartitionId {
    PartitionId { source, partition }
}
