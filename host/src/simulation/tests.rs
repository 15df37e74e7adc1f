//! The laws of the model, and that the harness finds mistakes.

mod copier;
mod disk;
mod engine;
mod group;
mod oracle;
mod plant;
mod ports;
mod transactions;
mod worlds;

use std::sync::Arc;
use std::time::Duration;

use super::cluster::{Participant, Place, Producer, Refused};
use super::*;
use crate::engine::Words;
use crate::engine::ports::{Limit, Mark, Polled, Source};
use crate::record::{Message, PartitionId};

const IN: &str = "in";
const OUT: &str = "out";
const LIMIT: Limit = Limit { rows: 100, bytes: 1 << 20 };
/// Longer than any delay of the cluster, shorter than its time-outs.
const SOON: Duration = Duration::from_secs(1);

fn cluster(seed: u64) -> Cluster {
    let cluster = Cluster::new(seed, Journal::default(), Timeouts::default(), Faults::default());
    cluster.add_topic(IN, 4);
    cluster.add_topic(OUT, 1);
    for number in 0..40 {
        cluster.produce(IN, Some(number % 4), record("given"));
    }
    cluster
}

fn record(value: &str) -> Stored {
    Stored { value: Some(value.as_bytes().into()), ..Stored::default() }
}

fn id(partition: i32) -> PartitionId {
    PartitionId { source: 0, partition }
}

fn mark(partition: i32, next: i64) -> Mark {
    Mark { of: id(partition), next, commit: 0, last: false, words: Words::default() }
}

fn message(value: &'static str) -> Message<'static> {
    let (key, value, headers) = (None, Some(value.as_bytes()), [].as_slice());
    Message { topic: OUT, partition: None, key, value, timestamp: None, headers, tag: None }
}

fn process(cluster: &Cluster, host: usize) -> Arc<Process> {
    Arc::new(Process::new(host, host, cluster.journal()))
}

fn seat(process: Arc<Process>) -> Seat {
    let id = Some(format!("tx-{}", process.host));
    let topics = vec![IN.to_owned()];
    Seat { process, thread: 0, topics, apart: Vec::new(), transactional_id: id, instance: None, queue: 100 }
}

fn connect(cluster: &Cluster, host: usize) -> Ports {
    let process = process(cluster, host);
    let disk = Arc::new(SimDisk::new(1, Arc::clone(&process)));
    Ports::connect(cluster, seat(process), disk).unwrap()
}

fn committed(ports: &mut Ports, ids: &[PartitionId]) -> Vec<Option<i64>> {
    let found = ports.source.committed(ids).unwrap();
    found.into_iter().map(|one| one.map(|one| one.next)).collect()
}

/// Polls until the group wants nothing more; answers, and gives what is owned in the end.
fn settle(ports: &mut Ports, owned: &mut Vec<i32>) {
    for _ in 0..3 {
        match ports.source.poll(Duration::ZERO, LIMIT).unwrap() {
            Polled::Records(_) => {}
            Polled::Assigned(ids) => {
                let offsets = committed(ports, &ids);
                ports.source.start(&ids.iter().copied().zip(offsets).collect::<Vec<_>>()).unwrap();
                owned.extend(ids.iter().map(|id| id.partition));
            }
            Polled::Revoked { partitions, .. } => {
                ports.source.release(&partitions).unwrap();
                owned.retain(|one| !partitions.contains(&id(*one)));
            }
        }
    }
    owned.sort_unstable();
}

fn values(cluster: &Cluster, topic: &str) -> Vec<String> {
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    let records = (0..cluster.partitions(topic)).flat_map(|partition| cluster.read(topic, partition));
    records.map(|(_, record)| text(record.value.as_deref().unwrap_or_default())).collect()
}
