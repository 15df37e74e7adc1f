use super::*;

fn schema(columns: &[Column]) -> Schema {
    columns.into()
}

fn sample() -> Batch {
    let mut builder = Builder::new(schema(&[
        Column::new("id", Kind::Int),
        Column::nullable("name", Kind::Text),
        Column::nullable("flag", Kind::Boolean),
        Column::new("vector", Kind::Floats),
    ]));
    for row in 0..20i64 {
        builder.column(0).push_int(row);
        if row % 3 == 1 {
            builder.column(1).push_null();
        } else {
            builder.column(1).push_bytes(format!("né{row}").as_bytes());
        }
        if row < 9 {
            builder.column(2).push_boolean(row % 2 == 0);
        } else {
            builder.column(2).push_null();
        }
        builder.column(3).push_floats((0..row % 4).map(|n| n as f32));
        builder.finish_row();
    }
    builder.seal()
}

fn recheck(batch: &Batch) -> Result<Batch, Flaw> {
    check(batch, |_, _| {})
}

/// Checks the batch after something was done to its spans and data.
fn check(batch: &Batch, spoil: impl FnOnce(&mut Vec<u32>, &mut Vec<u8>)) -> Result<Batch, Flaw> {
    let (mut spans, mut data) = (batch.spans.clone(), batch.data.clone());
    spoil(&mut spans, &mut data);
    let limits = Limits { rows: 100, bytes: 10_000 };
    Batch::check(Arc::clone(&batch.schema), batch.rows as u32, spans, data, limits)
}

#[test]
fn what_is_built_reads_back_and_passes_the_check() {
    let batch = sample();
    assert_eq!(recheck(&batch).as_ref(), Ok(&batch));
    assert_eq!(batch.column(0).int(19), 19);
    assert!(!batch.column(1).is_valid(1) && batch.column(1).is_valid(2));
    assert_eq!(batch.column(1).bytes(2), "né2".as_bytes());
    assert!(batch.column(2).is_valid(8) && batch.column(2).boolean(8) && !batch.column(2).is_valid(9));
    assert_eq!(batch.column(3).floats(3).collect::<Vec<_>>(), [0.0, 1.0, 2.0]);
}

#[test]
fn an_abandoned_row_leaves_no_trace() {
    let mut builder =
        Builder::new(schema(&[Column::nullable("a", Kind::Text), Column::nullable("b", Kind::Int)]));
    let row = |builder: &mut Builder, value: Option<i64>| match value {
        Some(value) => {
            builder.column(0).push_bytes(b"x");
            builder.column(1).push_int(value);
        }
        None => (0..2).for_each(|n| builder.column(n).push_null()),
    };
    for value in [Some(1), None, Some(3)] {
        row(&mut builder, Some(7));
        builder.abandon_row();
        builder.column(0).push_null();
        builder.abandon_row();
        row(&mut builder, value);
        builder.finish_row();
    }
    let batch = builder.seal();
    assert!(recheck(&batch).is_ok());
    let read = |n: usize| batch.column(1).is_valid(n).then(|| batch.column(1).int(n));
    assert_eq!([read(0), read(1), read(2)], [Some(1), None, Some(3)]);
    assert_eq!(builder.seal(), Batch::empty(Arc::clone(batch.schema())));
}

#[test]
fn gathering_picks_rows_in_order() {
    let batch = sample();
    let picked = batch.gather(&[5, 1, 5]);
    assert!(recheck(&picked).is_ok());
    assert_eq!([0, 1, 2].map(|row| picked.column(0).int(row)), [5, 1, 5]);
    assert!(!picked.column(1).is_valid(1));
    assert_eq!(picked.column(3).floats(0).len(), 1);
}

#[test]
fn assembling_copies_whole_columns() {
    let batch = sample();
    let schema = schema(&[batch.schema[1].clone(), batch.schema[0].clone()]);
    let turned = Batch::assemble(schema, batch.rows(), &[batch.column(1), batch.column(0)]);
    assert!(recheck(&turned).is_ok());
    assert_eq!(turned.column(0).bytes(3), "né3".as_bytes());
    assert_eq!(turned.column(1).int(3), 3);
}

#[test]
fn every_way_to_lie_is_found() {
    let batch = sample();
    let at = |column: usize, n: usize| column * SPANS_PER_COLUMN + n;
    let flaw =
        |spoil: &dyn Fn(&mut Vec<u32>, &mut Vec<u8>)| check(&batch, spoil).expect_err("a flaw").to_string();
    let wrong = |part: usize, value: u32| flaw(&|spans, _| spans[part] = value);

    assert_eq!(flaw(&|spans, _| spans.truncate(23)), "23 spans for 4 columns: 24 are needed");
    assert!(wrong(at(0, 4), 8_000).contains("outside of"));
    assert!(wrong(at(0, 5), u32::MAX).contains("outside of"));
    assert!(wrong(at(0, 4), 4).contains("no multiple of 8"));
    assert!(wrong(at(0, 5), 8).contains("have 8 bytes, where 160 are needed"));
    assert!(wrong(at(0, 1), 3).contains("not nullable"));
    assert!(wrong(at(1, 1), 2).contains("validity bits have 2 bytes, where 3"));
    assert!(wrong(at(1, 3), 80).contains("offsets have 80 bytes, where 84"));
    assert!(wrong(at(0, 3), 8).contains("offsets have 8 bytes, where 0"));
    let offsets = batch.spans[at(1, 2)] as usize;
    assert!(flaw(&|_, data| data[offsets] = 1).contains("do not rise at row 0"));
    assert!(flaw(&|_, data| data[offsets + 8] = 0).contains("do not rise at row 2"));
    assert!(flaw(&|_, data| data[offsets + 80] = 200).contains("values have"));
    let flags = batch.spans[at(2, 4)] as usize;
    assert!(flaw(&|_, data| data[flags + 3] = 2).contains("row 3 is no boolean"));
    let text = batch.spans[at(1, 4)] as usize;
    assert!(flaw(&|_, data| data[text + 1] = b'x').contains("not UTF-8 near row 0"));
    let few = Limits { rows: 19, bytes: 10_000 };
    let checked = Batch::check(Arc::clone(&batch.schema), 20, batch.spans.clone(), batch.data.clone(), few);
    assert_eq!(checked, Err(Flaw::Rows { rows: 20, limit: 19 }));
    let small = Limits { rows: 20, bytes: 10 };
    let checked = Batch::check(Arc::clone(&batch.schema), 20, batch.spans.clone(), batch.data.clone(), small);
    assert!(matches!(checked, Err(Flaw::Bytes { limit: 10, .. })));
}

#[test]
fn columns_may_not_share_bytes() {
    let schema = schema(&[Column::new("a", Kind::Bytes), Column::new("b", Kind::Bytes)]);
    let data = [&0u32.to_le_bytes()[..], &8u32.to_le_bytes(), b"12345678"].concat();
    let limits = Limits { rows: 1, bytes: 1_000 };
    let checked = Batch::check(schema, 1, [0, 0, 0, 8, 8, 8].repeat(2), data, limits);
    assert_eq!(checked, Err(Flaw::Overlap { spanned: 32, bytes: 16 }));
}

#[test]
fn times_have_an_end() {
    let schema = schema(&[Column::nullable("t", Kind::Time)]);
    let check = |time: i64, validity: &[u8]| {
        let spans = vec![8, validity.len() as u32, 0, 0, 0, 8];
        let data = [&time.to_le_bytes()[..], validity].concat();
        Batch::check(Arc::clone(&schema), 1, spans, data, Limits { rows: 1, bytes: 100 })
    };
    assert!(check(*TIMES.start(), &[]).is_ok() && check(*TIMES.end(), &[]).is_ok());
    for time in [i64::MIN, TIMES.start() - 1, TIMES.end() + 1] {
        assert_eq!(check(time, &[]), Err(Flaw::Time { column: "t".to_owned(), row: 0, time }));
        assert!(check(time, &[0]).is_ok(), "there is no value");
    }
}
