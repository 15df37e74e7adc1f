use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn encode(batch: &Batch, row: usize) -> String {
    let mut bytes = b"before".to_vec();
    json_encoder(batch.schema()).expect("columns fit").encode(batch, row, &mut bytes);
    String::from_utf8(bytes).expect("UTF-8").strip_prefix("before").expect("appended").to_owned()
}

#[test]
fn columns_come_in_order_and_objects_together() {
    let columns = ["a", "c.x", "b\"", "c.d.y", "c.z", "c.d.w"].map(|name| Column::new(name, Kind::Int));
    let mut builder = Builder::new(columns.as_slice().into());
    (0..6).for_each(|n| builder.column(n).push_int(n as i64));
    builder.finish_row();
    let expected = r#"{"a":0,"c":{"x":1,"d":{"y":3,"w":5},"z":4},"b\"":2}"#;
    assert_eq!(encode(&builder.seal(), 0), expected);
    let mut builder = Builder::new([].into());
    builder.finish_row();
    assert_eq!(encode(&builder.seal(), 0), "{}");
}

#[test]
fn what_json_can_not_say_is_null() {
    let columns =
        [Column::nullable("f", Kind::Float), Column::new("s", Kind::Single), Column::new("v", Kind::Floats)];
    let mut builder = Builder::new(columns.as_slice().into());
    for (float, single) in [(f64::NAN, f32::INFINITY), (f64::NEG_INFINITY, -0.0)] {
        builder.column(0).push_float(float);
        builder.column(1).push_single(single);
        builder.column(2).push_floats([0.1, f32::NAN]);
        builder.finish_row();
    }
    let batch = builder.seal();
    assert_eq!(encode(&batch, 0), r#"{"f":null,"s":null,"v":[0.1,null]}"#);
    assert_eq!(encode(&batch, 1), r#"{"f":null,"s":-0.0,"v":[0.1,null]}"#);
}

#[derive(Clone, Debug)]
struct Row {
    boolean: bool,
    int: Option<i64>,
    float: f64,
    single: f32,
    time: i64,
    text: Option<String>,
    bytes: Vec<u8>,
    floats: Vec<f32>,
}

fn columns() -> [Column; 8] {
    [
        Column::new("boolean", Kind::Boolean),
        Column::nullable("nested.int", Kind::Int),
        Column::new("nested.float", Kind::Float),
        Column::new("single", Kind::Single),
        Column::new("nested.deep.time", Kind::Time),
        Column::nullable("text", Kind::Text),
        Column::new("bytes", Kind::Bytes),
        Column::new("floats", Kind::Floats),
    ]
}

impl Row {
    fn any() -> impl Strategy<Value = Self> {
        let single = || any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |n| n.is_finite());
        let float = any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |n| n.is_finite());
        let text = prop::option::of("(\\PC|[\\x00-\\x7f]){0,20}");
        let bytes = prop::collection::vec(any::<u8>(), 0..20);
        let floats = prop::collection::vec(single(), 0..5);
        let values = (
            any::<bool>(),
            any::<Option<i64>>(),
            float,
            single(),
            crate::columns::TIMES,
            text,
            bytes,
            floats,
        );
        values.prop_map(|(boolean, int, float, single, time, text, bytes, floats)| Self {
            boolean,
            int,
            float,
            single,
            time,
            text,
            bytes,
            floats,
        })
    }

    fn push(&self, builder: &mut Builder) {
        builder.column(0).push_boolean(self.boolean);
        match self.int {
            Some(int) => builder.column(1).push_int(int),
            None => builder.column(1).push_null(),
        }
        builder.column(2).push_float(self.float);
        builder.column(3).push_single(self.single);
        builder.column(4).push_int(self.time);
        match &self.text {
            Some(text) => builder.column(5).push_bytes(text.as_bytes()),
            None => builder.column(5).push_null(),
        }
        builder.column(6).push_bytes(&self.bytes);
        builder.column(7).push_floats(self.floats.iter().copied());
        builder.finish_row();
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(rows in prop::collection::vec(Row::any(), 1..12)) {
        let mut builder = Builder::new(columns().as_slice().into());
        rows.iter().for_each(|row| row.push(&mut builder));
        let batch = builder.seal();
        let (mut decoder, mut encoder) = (decoder(&columns()), json_encoder(&columns()).expect("columns fit"));
        for (index, row) in rows.iter().enumerate() {
            let mut text = Vec::new();
            encoder.encode(&batch, index, &mut text);
            let value: Value = serde_json::from_slice(&text).expect("JSON");
            prop_assert_eq!(&value["nested"]["int"], &json!(row.int));
            prop_assert_eq!(value["nested"]["float"].as_f64().map(f64::to_bits), Some(row.float.to_bits()));
            prop_assert_eq!(&value["nested"]["deep"]["time"], &json!(row.time));
            prop_assert_eq!(&value["text"], &json!(row.text));
            decoder.decode("topic", &record(Some(&text)), &mut builder).expect("it was written by us");
        }
        prop_assert_eq!(builder.seal(), batch);
    }

    #[test]
    fn texts_and_numbers_look_as_serde_json_writes_them(text in "(\\PC|[\\x00-\\x7f]){0,40}", row in Row::any()) {
        let columns = [Column::new("t", Kind::Text), Column::new("f", Kind::Float), Column::new("s", Kind::Single)];
        let mut builder = Builder::new(columns.as_slice().into());
        builder.column(0).push_bytes(text.as_bytes());
        builder.column(1).push_float(row.float);
        builder.column(2).push_single(row.single);
        builder.finish_row();
        let [text, float, single] =
            [serde_json::to_string(&text), serde_json::to_string(&row.float), serde_json::to_string(&row.single)]
                .map(|written| written.expect("JSON"));
        let expected = format!("{{\"t\":{text},\"f\":{float},\"s\":{single}}}");
        prop_assert_eq!(encode(&builder.seal(), 0), expected);
    }
}

#[test]
fn base64_is_that_of_the_standard() {
    for (bytes, text) in
        [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("\u{3ff}", "z78=")]
    {
        let mut encoded = Vec::new();
        base64::encode(bytes.as_bytes(), &mut encoded);
        assert_eq!(encoded, text.as_bytes());
    }
}
