//! Records there and back.

use super::*;
use crate::record::Header;

#[test]
fn a_record_comes_back_as_it_was_sent() {
    let broker = EmbeddedBroker::start(&[("a", 1), ("b", 1)]).unwrap();
    let mut sink = sink(&broker);
    let headers = [
        Header { name: "empty", value: Some(b"") },
        Header { name: "null", value: None },
        Header { name: "twice", value: Some(b"1") },
        Header { name: "twice", value: Some(b"\xff\x00") },
    ];
    let full =
        Message { timestamp: Some(1_700_000_000_123), headers: &headers, ..message("b", Some(b"k"), b"v") };
    let bare = message("a", None, b"");
    let tombstone = Message { value: None, ..message("a", Some(b""), b"") };
    deliver(&mut sink, &[full, bare, tombstone]);

    let mut source = source(&broker, &["a", "b"]);
    assert_eq!(join(&mut source), [id(0, 0), id(1, 0)]);
    let mut seen = read(&mut source, 3);
    seen.sort_by_key(|seen| (seen.from, seen.offset));

    assert_eq!((seen[0].key.as_deref(), seen[0].value.as_deref()), (None, Some(&b""[..])));
    assert_eq!((seen[1].key.as_deref(), seen[1].value.as_deref()), (Some(&b""[..]), None));
    assert!(seen[0].timestamp.is_some_and(|time| time > 1_700_000_000_000), "the producer's clock");
    assert!(seen[0].headers.is_empty());
    let full = Seen {
        from: id(1, 0),
        offset: 0,
        timestamp: Some(1_700_000_000_123),
        key: Some(b"k".to_vec()),
        value: Some(b"v".to_vec()),
        headers: vec![
            ("empty".to_owned(), Some(Vec::new())),
            ("null".to_owned(), None),
            ("twice".to_owned(), Some(b"1".to_vec())),
            ("twice".to_owned(), Some(b"\xff\x00".to_vec())),
        ],
    };
    assert_eq!(seen[2], full);
}

/// The hashes stand in the tests of Kafka's Java client; a producer there takes the lower 31 bits.
#[test]
fn a_key_lands_where_a_java_producer_puts_it() {
    const PARTITIONS: i32 = 97;
    let hashes: [(&str, i32); 7] = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
        ("", 275_646_681),
    ];
    let broker = EmbeddedBroker::start(&[("a", PARTITIONS as usize)]).unwrap();
    let messages: Vec<_> =
        hashes.iter().map(|(key, _)| message("a", Some(key.as_bytes()), key.as_bytes())).collect();
    deliver(&mut sink(&broker), &messages);
    let mut source = source(&broker, &["a"]);
    join(&mut source);
    for seen in read(&mut source, hashes.len()) {
        let key = String::from_utf8(seen.key.unwrap()).unwrap();
        let (_, hash) = hashes.iter().find(|(known, _)| *known == key).unwrap();
        assert_eq!(seen.from.partition, (hash & 0x7fff_ffff) % PARTITIONS, "{key}");
    }
}

#[test]
fn a_poll_keeps_its_limits_and_loses_nothing() {
    let broker = EmbeddedBroker::start(&[("a", 1)]).unwrap();
    let values: Vec<Vec<u8>> = (0..100u8).map(|n| vec![n; 100]).collect();
    let mut large = vec![message("a", None, &[7; 5_000])];
    large.extend(values.iter().map(|value| message("a", None, value)));
    deliver(&mut sink(&broker), &large);

    let mut source = source(&broker, &["a"]);
    join(&mut source);
    let (mut offsets, mut sizes) = (Vec::new(), Vec::new());
    let began = Instant::now();
    while offsets.len() < 101 {
        assert!(began.elapsed() < GUARD);
        // At first by bytes, then by rows.
        let limit = match offsets.len() {
            0..50 => Limit { rows: 1_000, bytes: 1_050 },
            _ => Limit { rows: 7, bytes: 1 << 20 },
        };
        match poll(&mut source, limit) {
            Got::Records(records) if records.is_empty() => {}
            Got::Records(records) => {
                sizes.push(records.len());
                offsets.extend(records.iter().map(|seen| seen.offset));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(offsets, (0..101).collect::<Vec<_>>());
    assert_eq!(sizes[0], 1, "the first is admitted though it is larger than the limit");
    assert!(sizes.iter().all(|&size| size <= 10), "{sizes:?}");
    assert!(sizes.contains(&10) && sizes.contains(&7), "{sizes:?}");
}

#[test]
fn an_empty_topic_gives_no_records_in_time() {
    let broker = EmbeddedBroker::start(&[("a", 1)]).unwrap();
    let mut source = source(&broker, &["a"]);
    join(&mut source);
    assert!(matches!(poll(&mut source, MANY), Got::Records(records) if records.is_empty()));
}

#[test]
fn a_full_queue_is_no_error_and_drains() {
    let broker = EmbeddedBroker::start(&[("a", 1)]).unwrap();
    let mut sink = sink_of(&broker, 100_000);
    let value = [1; 10_000];
    let (mut taken, mut refused) = (0, 0);
    while taken < 100 {
        match sink.send(message("a", None, &value)).unwrap() {
            Sent::Taken => taken += 1,
            Sent::Full => {
                refused += 1;
                assert!(sink.work(Duration::from_millis(1)).unwrap().all <= 10);
            }
        }
        assert!(refused < 30_000);
    }
    assert!(refused > 0, "1 MB went through a queue of 100 kB without waiting");
    drain(&mut sink);
    let mut source = source(&broker, &["a"]);
    join(&mut source);
    assert_eq!(read(&mut source, 100).len(), 100);
}

#[test]
fn keys_and_headers_fill_the_queue_too() {
    let broker = EmbeddedBroker::start(&[("a", 1)]).unwrap();
    let (key, header) = ([1; 10_000], [2; 10_000]);
    let headers = [Header { name: "h", value: Some(&header) }];
    let full = Message { headers: &headers, ..message("a", Some(&key), b"v") };
    let mut sink = sink_of(&broker, 50_000);
    // Nothing is worked, so what has arrived counts as well.
    for _ in 0..2 {
        assert_eq!(sink.send(full).unwrap(), Sent::Taken);
    }
    assert_eq!(sink.send(full).unwrap(), Sent::Full);
    drain(&mut sink);
    assert_eq!(sink.send(full).unwrap(), Sent::Taken);
}

#[test]
fn what_was_sent_before_the_mark_is_counted_apart() {
    let broker = EmbeddedBroker::start(&[("a", 1)]).unwrap();
    let mut sink = sink(&broker);
    let send = |sink: &mut KafkaSink, count| {
        (0..count).for_each(|_| assert_eq!(sink.send(message("a", None, b"v")).unwrap(), Sent::Taken));
    };
    send(&mut sink, 3);
    sink.mark();
    send(&mut sink, 2);
    let began = Instant::now();
    loop {
        let UnderWay { all, marked } = sink.work(Duration::from_millis(1)).unwrap();
        assert!(marked <= all && (marked > 0 || all <= 2), "{marked} of {all}");
        if all == 0 {
            break;
        }
        assert!(began.elapsed() < GUARD);
    }
    sink.mark();
    assert_eq!(sink.work(Duration::ZERO).unwrap(), UnderWay::default());
}
