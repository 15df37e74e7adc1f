//! A whole topic, beside any group.

use super::*;

fn table(broker: &EmbeddedBroker, topic: &str, partitions: i32) -> KafkaTable {
    KafkaTable::connect(TableOptions {
        cluster: broker.cluster(),
        group: "group".to_owned(),
        client_id: "test".to_owned(),
        topic: topic.to_owned(),
        partitions,
        fetch_bytes: 4 << 20,
    })
    .unwrap()
}

/// Keys that come until `enough`, in order.
fn keys(table: &mut KafkaTable, mut enough: impl FnMut(&KafkaTable, usize) -> bool) -> Vec<String> {
    let (mut keys, began) = (Vec::new(), Instant::now());
    while !enough(table, keys.len()) {
        assert!(began.elapsed() < GUARD, "{keys:?} in time");
        let count = table.poll(Duration::from_millis(20), MANY).unwrap();
        let records = table.records();
        assert_eq!(records.rows.len(), count);
        let key = |key: &[u8]| String::from_utf8(key.to_vec()).unwrap();
        keys.extend(records.rows.iter().map(|row| key(row.key.unwrap())));
    }
    keys.sort_unstable();
    keys
}

#[test]
fn a_table_is_read_to_its_ends_and_on() {
    let broker = EmbeddedBroker::start(&[("a", 3), ("empty", 2)]).unwrap();
    let mut sink = sink(&broker);
    let own: Vec<String> = (0..200).map(|n| format!("{n:03}")).collect();
    let messages: Vec<_> = own.iter().map(|key| message("a", Some(key.as_bytes()), b"1")).collect();
    deliver(&mut sink, &messages);
    // Two processes, each of which gets all.
    for _ in 0..2 {
        let mut first = table(&broker, "a", 3);
        assert!(!first.is_loaded());
        assert_eq!(keys(&mut first, |table, _| table.is_loaded()), own);
    }
    let mut second = table(&broker, "a", 3);
    keys(&mut second, |table, _| table.is_loaded());
    let deletion = Message { value: None, ..message("a", Some(b"gone"), b"") };
    deliver(&mut sink, &[message("a", Some(b"more"), b"2"), deletion]);
    assert_eq!(keys(&mut second, |_, count| count == 2), ["gone", "more"]);
    assert!(second.is_loaded());
    assert!(keys(&mut table(&broker, "empty", 2), |table, _| table.is_loaded()).is_empty());
}

#[test]
fn the_group_does_not_read_tables() {
    let broker = EmbeddedBroker::start(&[("a", 1), ("t", 2)]).unwrap();
    let mut source = KafkaSource::connect(SourceOptions {
        cluster: broker.cluster(),
        tables: vec![1],
        ..options(&["a", "t"])
    })
    .unwrap();
    assert_eq!(join(&mut source), [id(0, 0)]);
}
