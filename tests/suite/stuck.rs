//! A sink that takes nothing: reading stops, memory stays, and nothing is lost.

use std::collections::HashSet;

use rdkafka::mocking::{MockCluster, MockCoordinator};
use tailwater_tests::broker;
use tailwater_tests::program::Program;

/// Of a kilobyte each: far more than may wait on the way, and no more than the broker keeps of a partition.
const RECORDS: i64 = 34_000;
const PARTITIONS: i32 = 8;

#[test]
fn a_stuck_sink_stops_reading_and_memory_stays() {
    // The first broker has the input and the group, the second the output; so one can be away alone.
    let cluster = MockCluster::new(2).expect("a cluster in this process");
    for (topic, leader) in [("in", 1), ("dead", 1), ("out", 2)] {
        cluster.create_topic(topic, PARTITIONS, 1).expect("a new topic");
        for partition in 0..PARTITIONS {
            cluster.partition_leader(topic, partition, Some(leader)).expect("it exists");
        }
    }
    cluster.coordinator(MockCoordinator::Group("stuck".to_owned()), 1).expect("it exists");
    let brokers = cluster.bootstrap_servers();

    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("pipeline.toml");
    let text = format!(
        r#"
        name = "stuck"
        threads = 2
        routes.output.topic = "out"
        dead_letters.topic = "dead"
        # This broker makes no topics.
        releases.enabled = false
        limits = {{ memory = "12MiB", batch_bytes = "1MiB" }}
        [kafka]
        brokers = "{brokers}"
        # This broker wakes no fetch that waits.
        properties = {{ "fetch.wait.max.ms" = "5" }}
        [[source]]
        topic = "in"
        columns = {{ n = "int", text = "text" }}
        "#
    );
    std::fs::write(&file, text).expect("writable");
    let mut running = Program::run(&file, &[]);
    let record =
        |n: i64| (n.to_string(), format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(1_000)).into_bytes());
    let ids =
        |got: &[broker::Got]| got.iter().filter_map(|got| got.json()["n"].as_i64()).collect::<HashSet<_>>();

    broker::produce_at(&brokers, "in", (0..1_000).map(record));
    broker::read_until_at(&brokers, "out", |got| got.len() >= 1_000);
    cluster.broker_down(2).expect("it exists");
    broker::produce_at(&brokers, "in", (1_000..8_000).map(record));
    let first = running.settled_memory();
    broker::produce_at(&brokers, "in", (8_000..RECORDS).map(record));
    let then = running.settled_memory();
    // 26 megabytes more wait at the broker, not here.
    assert!(then < first + (6 << 20), "{first} bytes, then {then}");

    cluster.broker_up(2).expect("it exists");
    // Some may come twice.
    let all = |got: &[broker::Got]| got.len() as i64 >= RECORDS && ids(got).len() as i64 >= RECORDS;
    broker::read_until_at(&brokers, "out", all);
    assert!(running.terminate().success());
}
