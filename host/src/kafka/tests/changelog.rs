//! Changelogs, read back. What is trimmed, and what is not committed, the embedded broker can't judge.

use super::*;
use crate::engine::ports::Changelog;
use crate::error::Code;

fn changelog(broker: &EmbeddedBroker) -> KafkaChangelog {
    let (group, client_id) = ("group".to_owned(), "test".to_owned());
    let options = ChangelogOptions { cluster: broker.cluster(), group, client_id, fetch_bytes: 1 << 20 };
    KafkaChangelog::connect(options).unwrap()
}

fn write(broker: &EmbeddedBroker, partition: i32, blocks: &[&[u8]]) {
    let of = |block| Message { partition: Some(partition), ..message("log", None, block) };
    deliver(&mut sink(broker), &blocks.iter().map(|block| of(block)).collect::<Vec<_>>());
}

/// All that is there.
fn rest(log: &mut KafkaChangelog) -> Vec<(i64, Vec<u8>)> {
    let mut blocks = Vec::new();
    while let Some((offset, block)) = log.next(Duration::ZERO).unwrap() {
        blocks.push((offset, block.to_vec()));
    }
    blocks
}

#[test]
fn blocks_come_in_order_to_the_end_and_later_more() {
    let broker = EmbeddedBroker::start(&[("log", 2)]).unwrap();
    write(&broker, 0, &[b"a", b"b", b"c"]);
    write(&broker, 1, &[b"d"]);
    let mut log = changelog(&broker);
    assert_eq!(log.first("log", 0).unwrap(), 0);
    for _ in 0..3 {
        log.open("log", 0, 1).unwrap();
        assert_eq!(rest(&mut log), [(1, b"b".to_vec()), (2, b"c".to_vec())]);
        log.open("log", 1, 0).unwrap();
        assert_eq!(rest(&mut log), [(0, b"d".to_vec())]);
        // What waits of one partition never comes for another, nor for itself from elsewhere.
        log.open("log", 0, 0).unwrap();
        assert_eq!(log.next(Duration::ZERO).unwrap(), Some((0, &b"a"[..])));
        log.open("log", 0, 2).unwrap();
        assert_eq!(log.next(Duration::ZERO).unwrap(), Some((2, &b"c"[..])));
    }
    log.open("log", 1, 1).unwrap();
    assert_eq!(rest(&mut log), []);
    write(&broker, 1, &[b"e"]);
    let began = Instant::now();
    while log.next(Duration::from_millis(20)).unwrap().is_none() {
        assert!(began.elapsed() < GUARD);
    }
}

#[test]
fn an_offset_that_is_not_there_is_lost() {
    let broker = EmbeddedBroker::start(&[("log", 1)]).unwrap();
    write(&broker, 0, &[b"a"]);
    let mut log = changelog(&broker);
    log.open("log", 0, 7).unwrap();
    let error = log.next(GUARD).unwrap_err();
    assert_eq!(error.code, Code::OffsetLost);
    assert!(error.message.starts_with("log/0: ") && !error.message.contains("GROUP"), "{}", error.message);
    assert_eq!(log.first("nowhere", 0).unwrap_err().code, Code::BrokerUnreachable);
}
