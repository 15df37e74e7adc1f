use super::*;
use crate::column::Kind;

#[test]
fn short_and_long_values_arrive_whole() {
    let column = Column::nullable("t", Kind::Text);
    let text = &"0123456789abcdefghijklmnopqrstuvwxyz".repeat(8);
    let mut writer = BatchWriter::new(std::slice::from_ref(&column));
    for length in 0..=text.len() {
        writer.column(0).push_text(&text[..length]);
    }
    let batch = writer.seal(text.len() + 1);
    let reader = batch.column(0, &column).unwrap();
    for length in 0..=text.len() {
        assert_eq!(unsafe { reader.text(length) }, &text[..length]);
    }
}

#[test]
fn nulls_may_start_in_any_row() {
    let column = Column::nullable("n", Kind::Int);
    let mut writer = BatchWriter::new(std::slice::from_ref(&column));
    for first in 0..20 {
        for row in 0..20 {
            match row >= first && row % 3 == first % 3 {
                true => writer.column(0).push_null(),
                false => writer.column(0).push_int(row),
            }
        }
        let batch = writer.seal(20);
        let reader = batch.column(0, &column).unwrap();
        for row in 0..20 {
            let null = row >= first && row % 3 == first % 3;
            assert_eq!(unsafe { reader.is_valid(row as usize) }, !null, "first {first}, row {row}");
        }
    }
}

#[test]
fn a_null_in_a_column_without_nulls_is_zero() {
    let columns = [Column::new("n", Kind::Int), Column::new("t", Kind::Text)];
    let mut writer = BatchWriter::new(&columns);
    writer.column(0).push_null();
    writer.column(1).push_null();
    let batch = writer.seal(1);
    assert_eq!(unsafe { batch.column(0, &columns[0]).unwrap().int(0) }, 0);
    assert_eq!(unsafe { batch.column(1, &columns[1]).unwrap().text(0) }, "");
}

#[test]
fn what_does_not_fit_is_refused() {
    let int = Column::new("n", Kind::Int);
    let text = Column::new("t", Kind::Text);
    let data: Vec<u8> = [0_u32, 2, 1, 0, 0x80ff].iter().flat_map(|n| n.to_le_bytes()).collect();
    let refused = |rows, spans: &[u32], column: &Column| {
        Batch::new(rows, spans, &data).column(0, column).unwrap_err().to_string()
    };
    assert!(refused(1, &[], &int).contains("too few columns"));
    assert!(refused(1, &[0, 0, 0, 0, 16, 8], &int).contains("outside"));
    assert!(refused(1, &[0, 0, 0, 0, u32::MAX, 8], &int).contains("outside"));
    assert!(refused(1, &[0, 0, 0, 0, 0, 16], &int).contains("values"));
    assert!(refused(1, &[0, 1, 0, 0, 0, 8], &int).contains("validity"));
    assert!(refused(2, &[0, 0, 0, 8, 16, 1], &text).contains("offsets"));
    assert!(refused(2, &[0, 0, 0, 12, 16, 2], &text).contains("don't fit its offsets"));
    assert!(refused(2, &[0, 0, 0, 12, 16, 1], &text).contains("rise"));
    assert!(refused(1, &[0, 0, 0, 8, 16, 2], &text).contains("UTF-8"));
    assert_eq!(refused(0, &[0, 0, 0, 0, 0, 8], &int), "column n (int): its values don't fit");
}
