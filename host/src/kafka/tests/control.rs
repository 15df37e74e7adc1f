//! The topics of releases. What a compaction leaves, the embedded broker can't show.

use super::*;
use crate::error::{Code, Error, Result};

fn at(broker: &EmbeddedBroker, topic: &str) -> ControlOptions {
    let (group, client_id) = ("group".to_owned(), "test".to_owned());
    ControlOptions { cluster: broker.cluster(), group, client_id, topic: topic.to_owned() }
}

fn record(key: &str, value: Option<&[u8]>) -> Result<(Option<String>, Option<Vec<u8>>)> {
    Ok((Some(key.to_owned()), value.map(<[u8]>::to_vec)))
}

type Got = (i64, Option<Vec<u8>>, Option<Vec<u8>>);

fn owned(record: ControlRecord<'_>) -> Got {
    (record.offset, record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec))
}

fn got(offset: i64, key: &str, value: Option<&[u8]>) -> Got {
    (offset, Some(key.as_bytes().to_vec()), value.map(<[u8]>::to_vec))
}

#[test]
fn what_was_written_is_read_by_all_and_what_is_written_later() {
    let broker = EmbeddedBroker::start(&[("p.releases", 1)]).unwrap();
    let options = at(&broker, "p.releases");
    let mut empty = ControlReader::connect(&options).unwrap();
    empty.load(GUARD, &Asked::default(), |record| panic!("{record:?}")).unwrap();
    let mut writer = ControlWriter::connect(&options).unwrap();
    writer.write([record("a", Some(b"1")), record("b", Some(b"2")), record("a", None)]).unwrap();
    let mut reader = ControlReader::connect(&options).unwrap();
    let mut all = Vec::new();
    reader.load(GUARD, &Asked::default(), |record| all.push(owned(record))).unwrap();
    assert_eq!(all, [got(0, "a", Some(b"1")), got(1, "b", Some(b"2")), got(2, "a", None)]);
    writer.write([record("c", Some(b"3"))]).unwrap();
    for (reader, count) in [(&mut reader, 1), (&mut empty, 4)] {
        let (mut more, began) = (Vec::new(), Instant::now());
        while more.len() < count {
            assert!(began.elapsed() < GUARD, "{more:?}");
            reader.poll(Duration::from_millis(20), |record| more.push(owned(record))).unwrap();
        }
        assert_eq!(more.last(), Some(&got(3, "c", Some(b"3"))));
    }
}

#[test]
fn pieces_are_fetched_by_their_offsets() {
    let broker = EmbeddedBroker::start(&[("p.releases", 1)]).unwrap();
    let options = at(&broker, "p.releases");
    let pieces: Vec<Vec<u8>> = (0..6).map(|n| vec![n; 512 << 10]).collect();
    // What lies in the embedded broker is bounded: four of these fit.
    let records = pieces.iter().take(4).map(|piece| record("piece", Some(piece)));
    ControlWriter::connect(&options).unwrap().write(records).unwrap();
    let mut fetcher = ControlFetcher::connect(&options).unwrap();
    for offset in [0, 1, 2, 3, 2, 0, 3] {
        assert!(fetcher.get(offset).unwrap() == pieces[offset as usize], "{offset}");
    }
    for offset in [4, 9] {
        assert_eq!(fetcher.get(offset).unwrap_err().code, Code::ArtifactMissing, "{offset}");
    }
    assert!(fetcher.get(1).unwrap() == pieces[1]);
}

#[test]
fn what_can_not_be_written_is_an_error() {
    let broker = EmbeddedBroker::start(&[("p.releases", 1)]).unwrap();
    let mut writer = ControlWriter::connect(&at(&broker, "p.releases")).unwrap();
    let error = writer.write([record("a", Some(&vec![0; CONTROL_RECORD]))]).unwrap_err();
    assert_eq!(error.code, Code::TooLarge);
    let cut = writer.write([record("a", Some(b"1")), Err(Error::new(Code::StateDisk, "gone"))]);
    assert_eq!(cut.unwrap_err().code, Code::StateDisk);
}
