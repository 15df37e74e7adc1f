use super::*;
use crate::error::Refusal;
use crate::record::{Header, ORIGIN, RELEASE, WINDOW};

/// Values are integers in decimal.
struct Decimal(Schema);

impl Decoder for Decimal {
    fn schema(&self) -> &Schema {
        &self.0
    }

    fn decode(&mut self, _topic: &str, record: &Record<'_>, into: &mut Builder) -> Result<(), Refusal> {
        let value = std::str::from_utf8(record.value.unwrap_or_default()).unwrap_or_default();
        let number = value.parse().map_err(|_| Refusal::new(Code::WrongType, "no number"))?;
        into.column(0).push_int(number);
        into.finish_row();
        Ok(())
    }
}

fn layout(windows: bool) -> Layout {
    let columns = [Column::new("n", Kind::Int)];
    Layout::new(&Outputs { release: 1, topics: vec!["out".to_owned()], columns: columns.into(), windows })
        .unwrap()
}

/// Records of partition 0, at offsets 0, 2, 4 and so on: headers and value of each.
fn read(windows: bool, given: &[(&[(&str, &str)], &str)]) -> Rows {
    let layout = layout(windows);
    let mut reader = Reader::new(&layout, Box::new(Decimal(Reader::columns(&layout).into())));
    let mut records = Records::default();
    for (n, (headers, value)) in given.iter().enumerate() {
        let first = records.headers.len() as u32;
        let headers = headers.iter().map(|(name, value)| Header { name, value: Some(value.as_bytes()) });
        records.headers.extend(headers);
        records.rows.push(Record {
            from: PartitionId { source: 0, partition: 0 },
            offset: 2 * n as i64,
            timestamp: Some(n as i64),
            key: Some(b"k"),
            value: Some(value.as_bytes()),
            headers: first..records.headers.len() as u32,
            is_muted: false,
        });
    }
    reader.read(&records, &["out".to_owned()])
}

#[test]
fn a_row_has_its_identity_what_made_it_and_its_columns() {
    let rows = read(false, &[(&[(ORIGIN, "tx/1/42/0"), (RELEASE, "3-abc"), ("trace", "x")], "7")]);
    let batch = &rows.batch;
    let names: Vec<&str> = batch.schema().iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names[..IDENTITY], OF_ROWS.map(|(name, _)| name));
    assert_eq!(names[IDENTITY..], ["tailwater_release", "tailwater_time", "n", "tailwater_flaw"]);
    assert_eq!(batch.column(0).bytes(0), b"tx");
    assert_eq!([1, 2, 3, 5, 6].map(|column| batch.column(column).int(0)), [1, 42, 0, 0, 7]);
    assert_eq!(batch.column(4).bytes(0), b"3-abc");
    assert!(!batch.column(7).is_valid(0));
    assert_eq!((rows.newest, rows.left_out.len()), (3, 0));
}

#[test]
fn a_window_has_its_key() {
    let rows = read(true, &[(&[(WINDOW, "60000/120000/1"), (RELEASE, "3-abc")], "7")]);
    assert_eq!(rows.batch.column(0).bytes(0), b"k");
    assert_eq!([1, 2, 3].map(|column| rows.batch.column(column).int(0)), [60_000, 120_000, 1]);
}

#[test]
fn what_can_not_be_read_is_there_all_the_same_and_what_is_no_output_is_not() {
    let ours = [(RELEASE, "3-abc"), (ORIGIN, "tx/1/42/0")];
    let rows = read(
        false,
        &[(&ours, "seven"), (&[], "8"), (&[(ORIGIN, "tx/1/43/0")], "9"), (&ours[..1], "10"), (&ours, "11")],
    );
    let (from, batch) = (PartitionId { source: 0, partition: 0 }, &rows.batch);
    assert_eq!(rows.places, [(from, 0), (from, 8)]);
    assert_eq!(rows.next, BTreeMap::from([(from, 9)]));
    assert_eq!(rows.left_out.iter().map(|one| one.offset).collect::<Vec<_>>(), [2, 4, 6]);
    assert!(!batch.column(6).is_valid(0) && batch.column(6).int(1) == 11);
    assert_eq!(batch.column(7).bytes(0), b"TW403 no number");
    assert!(!batch.column(7).is_valid(1));
}

#[test]
fn names_of_our_own_are_refused() {
    let columns = [Column::new("tailwater_offset", Kind::Int)];
    let outputs = Outputs { release: 1, topics: Vec::new(), columns: columns.into(), windows: false };
    assert_eq!(Layout::new(&outputs).unwrap_err().code, Code::Mismatch);
}
