use std::collections::BTreeMap;

use super::*;
use crate::columns::{Builder, Column};
use crate::record::PartitionId;
use crate::store::Outputs;

fn outputs(columns: &[Column], windows: bool) -> Outputs {
    Outputs { release: 1, topics: vec!["out".to_owned()], columns: columns.into(), windows }
}

/// Rows of these identities, each with what `fill` puts into the outputs' columns.
fn rows(layout: &Layout, identities: &[(&str, [i64; 3])], fill: impl Fn(&mut Builder, usize)) -> Rows {
    let mut builder = Builder::new(layout.schema.clone());
    let from = PartitionId { source: 0, partition: 0 };
    for (row, (text, numbers)) in identities.iter().enumerate() {
        builder.column(0).push_bytes(text.as_bytes());
        (0..3).for_each(|n| builder.column(n + 1).push_int(numbers[n]));
        builder.column(4).push_bytes(b"1-a");
        builder.column(5).push_null();
        fill(&mut builder, row);
        builder.column(layout.flaw()).push_null();
        builder.finish_row();
    }
    let places = (0..identities.len()).map(|row| (from, row as i64)).collect();
    Rows { batch: builder.seal(), places, next: BTreeMap::new(), left_out: Vec::new(), newest: 1 }
}

/// The fields of each row, as PostgreSQL reads them.
fn fields(copy: &Copy) -> Vec<Vec<Option<Vec<u8>>>> {
    let mut rest = copy.bytes().strip_prefix(HEAD).unwrap();
    let take = |rest: &mut &[u8], count: usize| {
        let (taken, behind) = rest.split_at(count);
        *rest = behind;
        taken.to_vec()
    };
    let mut rows = Vec::new();
    loop {
        let count = i16::from_be_bytes(take(&mut rest, 2).try_into().unwrap());
        if count < 0 {
            assert!(rest.is_empty());
            return rows;
        }
        let field = |_| {
            let length = i32::from_be_bytes(take(&mut rest, 4).try_into().unwrap());
            (length >= 0).then(|| take(&mut rest, length as usize))
        };
        rows.push((0..count).map(field).collect());
    }
}

#[test]
fn every_kind_is_written_as_its_type_has_it() {
    let kinds = [
        Kind::Boolean,
        Kind::Int,
        Kind::Float,
        Kind::Single,
        Kind::Time,
        Kind::Text,
        Kind::Bytes,
        Kind::Floats,
    ];
    let columns: Vec<_> = kinds.iter().map(|kind| Column::new(kind.name(), *kind)).collect();
    let layout = Layout::new(&outputs(&columns, false)).unwrap();
    let rows = rows(&layout, &[("tx", [1, 2, 0])], |builder, _| {
        builder.column(6).push_boolean(true);
        builder.column(7).push_int(-2);
        builder.column(8).push_float(0.5);
        builder.column(9).push_single(-1.5);
        builder.column(10).push_int(EPOCH + 1);
        builder.column(11).push_bytes("ä".as_bytes());
        builder.column(12).push_bytes(&[0, 255]);
        builder.column(13).push_floats([1.0, f32::NAN]);
    });
    let mut copy = Copy::new(&layout);
    assert!(copy.fill(&rows).flawed.is_empty());
    let row = fields(&copy).pop().unwrap();
    assert_eq!(row[0].as_deref(), Some(b"tx".as_slice()));
    assert_eq!(row[2].as_deref(), Some(2i64.to_be_bytes().as_slice()));
    assert_eq!(row[5], None);
    let value = |n: usize| row[n + 6].clone().unwrap();
    assert_eq!(value(0), [1]);
    assert_eq!(value(1), (-2i64).to_be_bytes());
    assert_eq!(value(2), 0.5f64.to_be_bytes());
    assert_eq!(value(3), (-1.5f32).to_be_bytes());
    assert_eq!(value(4), 1_000i64.to_be_bytes());
    assert_eq!(value(5), "ä".as_bytes());
    assert_eq!(value(6), [0, 255]);
    let array: Vec<u8> = [1i32, 1, REAL, 2, 1, 4].iter().flat_map(|n| n.to_be_bytes()).collect();
    assert_eq!(value(7), [&array[..], &1f32.to_be_bytes(), &NULL].concat());
    assert_eq!(row[14], None, "nothing is wrong with it");
}

#[test]
fn an_empty_array_has_no_dimension() {
    let layout = Layout::new(&outputs(&[Column::new("v", Kind::Floats)], false)).unwrap();
    let rows = rows(&layout, &[("tx", [1, 2, 0])], |builder, _| builder.column(6).push_floats([]));
    let mut copy = Copy::new(&layout);
    copy.fill(&rows);
    let array: Vec<u8> = [0i32, 0, REAL].iter().flat_map(|n| n.to_be_bytes()).collect();
    assert_eq!(fields(&copy)[0][6], Some(array));
}

#[test]
fn of_one_identity_the_last_is_taken() {
    let layout = Layout::new(&outputs(&[Column::new("n", Kind::Int)], false)).unwrap();
    let of = [("tx", [1, 2, 0]), ("tx", [1, 3, 0]), ("tx", [1, 2, 0]), ("yx", [1, 2, 0])];
    let rows = rows(&layout, &of, |builder, row| builder.column(6).push_int(row as i64));
    let mut copy = Copy::new(&layout);
    copy.fill(&rows);
    let mut taken: Vec<_> = fields(&copy).into_iter().map(|row| row[6].as_ref().unwrap()[7]).collect();
    taken.sort_unstable();
    assert_eq!(taken, [1, 2, 3]);
}

#[test]
fn what_postgresql_can_not_hold_is_told_in_the_row() {
    let columns = [Column::new("t", Kind::Time), Column::new("s", Kind::Text)];
    let layout = Layout::new(&outputs(&columns, false)).unwrap();
    let rows = rows(&layout, &[("tx", [1, 2, 0]), ("tx", [1, 3, 0])], |builder, row| {
        builder.column(6).push_int(if row == 0 { FIRST - 1 } else { FIRST });
        builder.column(7).push_bytes(b"a\0b");
    });
    let mut copy = Copy::new(&layout);
    assert_eq!(copy.fill(&rows).flawed.len(), 2);
    let mut rows = fields(&copy);
    // The last comes first.
    let first = rows.pop().unwrap();
    let flaw = b"column t: a time before the year 4714 BC; column s: zero characters are left out";
    assert_eq!(first[6..], [None, Some(b"ab".to_vec()), Some(flaw.to_vec())]);
    let earliest = -211_813_488_000_000_000i64;
    assert_eq!(rows.pop().unwrap()[6].as_deref(), Some(earliest.to_be_bytes().as_slice()));
}

#[test]
fn a_row_whose_identity_can_not_be_held_is_left_out() {
    let layout = Layout::new(&outputs(&[], true)).unwrap();
    let long = "x".repeat(LONGEST_KEY + 1);
    let of = [("a\0", [0, 1, 0]), (&*long, [0, 1, 0]), ("a", [FIRST - 1, 1, 0]), ("a", [FIRST, 1, -1])];
    let rows = rows(&layout, &of, |_, _| {});
    let mut copy = Copy::new(&layout);
    let taken = copy.fill(&rows);
    assert_eq!(taken.left_out.iter().map(|one| one.offset).collect::<Vec<_>>(), [2, 1, 0]);
    assert_eq!(fields(&copy).len(), 1);
    assert!(!copy.is_empty());
}
