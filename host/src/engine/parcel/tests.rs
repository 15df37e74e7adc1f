use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::columns::Kind;

fn layout() -> Layout {
    let columns = [
        Column::new("id", Kind::Int),
        Column::nullable("country", Kind::Text),
        Column::nullable("at", Kind::Time),
        Column::new("vector", Kind::Floats),
        Column::new("is_online", Kind::Boolean),
        Column::nullable("amount", Kind::Float),
    ];
    Layout::new(columns.into(), 2, [Column::nullable("bin", Kind::Bytes)].into())
}

/// One row in each, and the features.
fn cells(layout: &Layout, country: Option<&str>) -> (Batch, Batch) {
    let mut rows = Builder::new(Arc::clone(&layout.columns));
    rows.column(0).push_int(-5);
    match country {
        Some(country) => rows.column(1).push_bytes(country.as_bytes()),
        None => rows.column(1).push_null(),
    }
    rows.column(2).push_int(1_700_000_000_000);
    rows.column(3).push_floats([1.5, -2.0]);
    rows.column(4).push_boolean(true);
    rows.column(5).push_null();
    rows.finish_row();
    let mut ids = Builder::new(Arc::clone(&layout.ids));
    ids.column(0).push_bytes(&[0xff]);
    ids.finish_row();
    (rows.seal(), ids.seal())
}

fn head() -> Head<'static> {
    Head {
        is_update: false,
        is_muted: false,
        release: "0123456789abcdef",
        origin: Origin { from: PartitionId { source: 1, partition: 7 }, offset: 1 << 40, index: 3 },
        time: 42,
        timestamp: None,
        key: Some(b"k"),
        value: Some(b"{}"),
        headers: vec![Header { name: "trace", value: Some(b"x") }, Header { name: "empty", value: None }],
        layout: 0,
    }
}

fn packed(country: Option<&str>) -> Vec<u8> {
    let layout = layout();
    let (rows, ids) = cells(&layout, country);
    let mut bytes = Vec::new();
    let cells = Cells { rows: &rows, row: 0, features: &[0.25, f32::NAN], ids: Some(&ids) };
    layout.pack(&head(), cells, &mut bytes);
    bytes
}

#[test]
fn what_was_packed_comes_out() {
    for country in [Some("dé"), None] {
        let (bytes, layout) = (packed(country), layout());
        let Read::Row(read, rest) = read(&bytes).expect("sound") else { panic!("a row") };
        assert_eq!(Head { layout: 0, ..read.clone() }, head());
        let mut out = layout.unpacked();
        layout.unpack(&read, rest, &mut out).expect("sound");
        let (rows, ids) = cells(&layout, country);
        assert_eq!((out.rows.seal(), out.ids.seal()), (rows, ids));
        assert!(out.features[0] == 0.25 && out.features[1].is_nan());
    }
}

#[test]
fn watermarks_too() {
    let (of, progress) = (PartitionId { source: 2, partition: 9 }, Progress { watermark: -3, idle: true });
    let (told, mut bytes) = (Told { of, progress, run: 77, quiet: Some(5) }, Vec::new());
    pack_watermark(told, &mut bytes);
    assert_eq!(read(&bytes), Ok(Read::Watermark(told)));
}

#[test]
fn rows_of_other_columns_are_refused_by_name() {
    let bytes = packed(None);
    let Read::Row(head, rest) = read(&bytes).expect("sound") else { panic!("a row") };
    let other = Layout::new(layout().columns, 3, layout().ids);
    let refusal = other.unpack(&head, rest, &mut other.unpacked()).expect_err("other columns");
    assert_eq!(refusal.code, Code::OtherRelease);
    assert!(refusal.message.contains("0123456789abcdef"), "{}", refusal.message);
}

proptest! {
    /// Cut, changed or made up: refused or read, never a panic, and nothing stays behind.
    #[test]
    fn damage_is_found(cut in 0usize..200, at in 0usize..200, byte: u8) {
        let mut bytes = packed(Some("de"));
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(cut);
        let layout = layout();
        if let Ok(Read::Row(head, rest)) = read(&bytes) {
            let mut out = layout.unpacked();
            let whole = layout.unpack(&head, rest, &mut out).is_ok();
            prop_assert_eq!(out.rows.rows(), usize::from(whole));
            prop_assert_eq!(out.features.len(), if whole { 2 } else { 0 });
            prop_assert_eq!(out.rows.seal().rows(), usize::from(whole));
        }
    }
}
