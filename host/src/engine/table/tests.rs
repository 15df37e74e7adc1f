use super::*;
use crate::columns::{Batch, Column};
use crate::record::PartitionId;

/// A table with a column of each kind, and keys in a column of their own.
fn columns() -> Schema {
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
    let column = |(index, kind): (usize, &Kind)| Column {
        name: kind.name().to_owned(),
        kind: *kind,
        nullable: index % 2 == 1,
    };
    kinds.iter().enumerate().map(column).collect()
}

/// Decodes a number into a row of which all columns are made.
struct Rows(Schema);

impl Decoder for Rows {
    fn schema(&self) -> &Schema {
        &self.0
    }

    fn decode(&mut self, _: &str, record: &Record<'_>, into: &mut Builder) -> Result<(), Refusal> {
        let number = std::str::from_utf8(record.value.unwrap()).unwrap().parse::<i64>();
        let number = number.map_err(|_| Refusal::new(Code::Undecodable, "no number"))?;
        fill(number, into);
        Ok(())
    }
}

/// Columns that may be null are so in rows of odd numbers.
fn fill(n: i64, into: &mut Builder) {
    for (index, column) in columns().iter().enumerate() {
        let to = into.column(index);
        match column.kind {
            _ if column.nullable && n % 2 == 1 => to.push_null(),
            Kind::Boolean => to.push_boolean(n % 3 == 0),
            Kind::Int | Kind::Time => to.push_int(n),
            Kind::Float => to.push_float(n as f64 / 4.0),
            Kind::Single => to.push_single(n as f32 / 8.0),
            Kind::Text | Kind::Bytes => to.push_bytes(n.to_string().as_bytes()),
            Kind::Floats => to.push_floats((0..n % 5).map(|n| n as f32)),
        }
    }
    into.finish_row();
}

struct House {
    table: Table,
    loader: Loader,
    meter: Meter,
    next: i64,
}

impl House {
    fn new() -> Self {
        let loader = Loader::new("t".to_owned(), Box::new(Rows(columns())));
        Self { table: Table::new(columns()), loader, meter: Meter::default(), next: 0 }
    }

    fn take(&mut self, changes: &[(Option<&str>, Option<&str>)]) -> Vec<PassedOver> {
        let mut records = Records::default();
        for (key, value) in changes {
            records.rows.push(Record {
                from: PartitionId { source: 0, partition: 3 },
                offset: self.next,
                timestamp: None,
                key: key.map(str::as_bytes),
                value: value.map(str::as_bytes),
                headers: 0..0,
                is_muted: false,
            });
            self.next += 1;
        }
        self.loader.take(&records, &self.table, &self.meter)
    }

    fn set(&mut self, key: &str, value: &str) {
        assert!(self.take(&[(Some(key), Some(value))]).is_empty());
    }

    /// Asks for columns, in this order.
    fn look_up(&self, keys: &Batch, wanted: &[usize]) -> Batch {
        let mut places = vec![None; columns().len()];
        wanted.iter().enumerate().for_each(|(place, column)| places[*column] = Some(place));
        let lookup = LookupNode { source: 0, key: 0, places, own: 0..wanted.len() };
        let column = |column: &usize| Column { nullable: true, ..columns()[*column].clone() };
        let mut found = Builder::new(wanted.iter().map(column).collect());
        let all = 0..keys.rows();
        self.table.look_up(keys.column(0), all, &lookup, &mut { usize::MAX }, &mut found).unwrap();
        found.finish_rows(keys.rows());
        found.seal()
    }

    /// The column of kind int.
    fn ints(&self, keys: &[&str]) -> Vec<Option<i64>> {
        let found = self.look_up(&texts(keys), &[1]);
        let column = found.column(0);
        (0..keys.len()).map(|row| column.is_valid(row).then(|| column.int(row))).collect()
    }
}

fn texts(keys: &[&str]) -> Batch {
    let mut builder = Builder::new([Column::nullable("key", Kind::Text)].into());
    keys.iter().for_each(|key| builder.column(0).push_bytes(key.as_bytes()));
    builder.finish_rows(keys.len());
    builder.seal()
}

#[test]
fn the_newest_record_of_a_key_counts() {
    let mut house = House::new();
    assert_eq!(house.ints(&["a", "b"]), [None, None]);
    let changes = [("a", Some("2")), ("b", Some("4")), ("a", Some("6")), ("c", Some("8")), ("c", None)];
    house.take(&changes.map(|(key, value)| (Some(key), value)));
    assert_eq!(house.ints(&["b", "a", "c", "a"]), [Some(4), Some(6), None, Some(6)]);
    house.take(&[(Some("a"), None), (Some("nobody"), None)]);
    house.set("c", "10");
    assert_eq!(house.ints(&["a", "b", "c"]), [None, Some(4), Some(10)]);
    house.set("", "12");
    assert_eq!(house.ints(&[""]), [Some(12)], "an empty key is one");
}

#[test]
fn what_is_no_row_is_passed_over_and_counted() {
    let mut house = House::new();
    house.set("a", "2");
    let broken = [(Some("b"), Some("4")), (Some("a"), Some("x")), (None, Some("6")), (Some("c"), Some("8"))];
    let passed_over = house.take(&broken);
    let told: Vec<_> = passed_over.iter().map(|one| (one.partition, one.offset, one.why.code)).collect();
    assert_eq!(told, [(3, 2, Code::Undecodable), (3, 3, Code::NoKey)]);
    assert_eq!(house.ints(&["a", "b", "c"]), [Some(2), Some(4), Some(8)], "the row before stays");
    let counted: Vec<_> = house.meter.dead_letters().into_iter().collect();
    assert_eq!(counted, [(("decode", Code::Undecodable), 1), (("decode", Code::NoKey), 1)]);
}

#[test]
fn every_kind_comes_back_in_the_order_that_is_asked_for() {
    let mut house = House::new();
    (0..20).for_each(|n| house.set(&n.to_string(), &n.to_string()));
    let keys: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let keys = texts(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let mut expected = Builder::new(columns());
    (0..20).for_each(|n| fill(n, &mut expected));
    let expected = expected.seal();
    for wanted in
        [vec![0, 1, 2, 3, 4, 5, 6, 7], vec![7, 6, 5, 4, 3, 2, 1, 0], vec![5], vec![6, 1], vec![7, 2, 3]]
    {
        let found = house.look_up(&keys, &wanted);
        for (place, column) in wanted.iter().enumerate() {
            let (found, expected) = (found.column(place), expected.column(*column));
            for row in 0..20 {
                assert_eq!(found.is_valid(row), expected.is_valid(row), "{wanted:?} {column} {row}");
                if !found.is_valid(row) {
                    continue;
                }
                let same = if found.kind().is_list() {
                    found.bytes(row) == expected.bytes(row)
                } else {
                    let width = found.kind().width();
                    found.values()[row * width..][..width] == expected.values()[row * width..][..width]
                };
                assert!(same, "{wanted:?} {column} {row}");
            }
        }
    }
}

#[test]
fn keys_are_compared_as_text() {
    let mut house = House::new();
    house.set("-7", "2");
    house.set("07", "4");
    let mut keys = Builder::new([Column::nullable("key", Kind::Int)].into());
    keys.column(0).push_int(-7);
    keys.column(0).push_int(7);
    keys.column(0).push_null();
    keys.finish_rows(3);
    let found = house.look_up(&keys.seal(), &[1]);
    let valid: Vec<bool> = (0..3).map(|row| found.column(0).is_valid(row)).collect();
    assert_eq!(valid, [true, false, false]);
    let mut keys = Builder::new([Column::nullable("key", Kind::Bytes)].into());
    keys.column(0).push_bytes(b"07");
    keys.column(0).push_bytes(&[0, 0xff]);
    keys.finish_rows(2);
    let found = house.look_up(&keys.seal(), &[1]);
    assert_eq!((found.column(0).int(0), found.column(0).is_valid(1)), (4, false));
}

#[test]
fn a_part_of_the_rows_is_looked_up_as_far_as_there_is_room() {
    let mut house = House::new();
    ["a", "b", "c"].iter().zip(["2", "4", "6"]).for_each(|(key, value)| house.set(key, value));
    let mut places = vec![None; columns().len()];
    places[5] = Some(0);
    let lookup = LookupNode { source: 0, key: 0, places, own: 0..1 };
    let keys = texts(&["a", "b", "nobody", "c"]);
    let look_up = |range: Range<usize>, mut room: usize| {
        let mut found = Builder::new([Column::nullable("text", Kind::Text)].into());
        house.table.look_up(keys.column(0), range.clone(), &lookup, &mut room, &mut found)?;
        found.finish_rows(range.len());
        let (found, column) = (found.seal(), 0);
        let row = |row: usize| String::from_utf8_lossy(found.column(column).bytes(row)).into_owned();
        Some((0..found.rows()).map(row).collect::<Vec<_>>())
    };
    assert_eq!(look_up(1..4, 1 << 10), Some(vec!["4".to_owned(), String::new(), "6".to_owned()]));
    assert_eq!(look_up(0..4, 50), None);
    assert_eq!(look_up(2..3, 0), Some(vec![String::new()]));
}

#[test]
fn memory_goes_back() {
    let mut house = House::new();
    let keys: Vec<String> = (0..50_000).map(|n| format!("key-{n}")).collect();
    keys.iter().for_each(|key| house.set(key, "2"));
    let full = house.table.usage();
    assert_eq!(full.keys, keys.len());
    // The kinds of fixed width, a text and bytes of one byte, and two floats; and the key itself.
    assert!(full.bytes > keys.len() * (1 + 8 + 8 + 4 + 8 + 9) && full.bytes < keys.len() * 250, "{full:?}");
    keys.iter().for_each(|key| house.set(key, "4"));
    assert_eq!(house.table.usage().keys, full.keys, "replaced");
    keys.iter().for_each(|key| drop(house.take(&[(Some(key), None)])));
    let empty = house.table.usage();
    assert!(empty.keys == 0 && empty.bytes < 100_000, "{empty:?}");
}
