//! Columns of the record itself.

use super::*;
use crate::error::Code;

fn of_record(columns: &[Column], record: &Record<'_>) -> Result<Batch, Refusal> {
    let mut builder = Builder::new(columns.into());
    decoder(columns).decode("orders", record, &mut builder).map(|()| builder.seal())
}

#[test]
fn everything_of_a_record_without_parsing_it() {
    let columns = [
        Column::new("@key", Kind::Text),
        Column::new("@value", Kind::Bytes),
        Column::new("@timestamp", Kind::Time),
        Column::new("@topic", Kind::Text),
        Column::new("@partition", Kind::Int),
        Column::new("@offset", Kind::Int),
    ];
    let batch = of_record(&columns, &record(Some(b"no {json\xff"))).expect("a row");
    assert_eq!(batch.column(0).bytes(0), b"k");
    assert_eq!(batch.column(1).bytes(0), b"no {json\xff");
    assert_eq!([2, 4, 5].map(|n| batch.column(n).int(0)), [1_000, 3, 42]);
    assert_eq!(batch.column(3).bytes(0), b"orders");
}

#[test]
fn what_a_record_lacks_is_null_or_refused() {
    let bare = Record { timestamp: None, key: None, ..record(Some(b"{}")) };
    for (name, kind) in [("@key", Kind::Bytes), ("@timestamp", Kind::Time)] {
        let batch = of_record(&[Column::nullable(name, kind)], &bare).expect("a row");
        assert!(!batch.column(0).is_valid(0));
        let message = refused(of_record(&[Column::new(name, kind)], &bare), Code::Missing);
        assert!(message.starts_with(&format!("column {name}: the record has no ")), "{message}");
    }
    let key = Record { key: Some(b"\xff"), ..record(None) };
    assert!(of_record(&[Column::new("@key", Kind::Bytes)], &key).is_ok());
    refused(of_record(&[Column::new("@key", Kind::Text)], &key), Code::WrongType);
}

#[test]
fn tombstones_have_no_value() {
    let tombstone = record(None);
    assert!(of_record(&[Column::new("@key", Kind::Text)], &tombstone).is_ok());
    assert!(of_record(&[Column::nullable("@value", Kind::Bytes)], &tombstone).is_ok());
    refused(of_record(&[Column::new("@value", Kind::Bytes)], &tombstone), Code::Tombstone);
    refused(of_record(&[Column::nullable("a", Kind::Int)], &tombstone), Code::Tombstone);
}

#[test]
fn a_refused_record_leaves_no_trace_among_others() {
    let columns =
        [Column::new("@key", Kind::Text), Column::nullable("a", Kind::Text), Column::new("b", Kind::Int)];
    let values =
        [r#"{"a":"x","b":1}"#, r#"{"a":"y"}"#, r#"{"b":3}"#, r#"{"a":null,"b":"#, r#"{"a":"\n","b":5}"#];
    let mut decoder = decoder(&columns);
    let mut builder = Builder::new(decoder.schema().clone());
    let taken =
        values.map(|value| decoder.decode("topic", &record(Some(value.as_bytes())), &mut builder).is_ok());
    assert_eq!(taken, [true, false, true, false, true]);
    let batch = builder.seal();
    assert_eq!([0, 1, 2].map(|row| batch.column(2).int(row)), [1, 3, 5]);
    assert_eq!([0, 1, 2].map(|row| batch.column(1).bytes(row)), [b"x", &b""[..], b"\n"]);
    assert_eq!([0, 1, 2].map(|row| batch.column(1).is_valid(row)), [true, false, true]);
}

#[test]
fn unknown_names_and_wrong_kinds_are_refused() {
    let why = |columns: &[Column]| {
        let error = json_decoder(columns, OPTIONS).err().expect("an error");
        assert_eq!(error.code, Code::Mismatch);
        error.message
    };
    assert_eq!(why(&[Column::new("@key", Kind::Int)]), "column @key: it is text or bytes, not int");
    assert_eq!(why(&[Column::new("@offset", Kind::Text)]), "column @offset: it is int, not text");
    assert!(
        why(&[Column::new("@keys", Kind::Text)]).starts_with("column @keys: a record has only @key, @value")
    );
    let key = Column::new("@key", Kind::Text);
    assert_eq!(why(&[key.clone(), key]), "column @key: is named twice");
}
