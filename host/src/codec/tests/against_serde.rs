//! What `serde_json` makes of a text is the law.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::columns::{TIMES, View};
use crate::error::Code;

/// A cell as it should be, comparable bit for bit.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Null,
    Boolean(bool),
    Int(i64),
    Float(u64),
    Single(u32),
    Bytes(Vec<u8>),
    Floats(Vec<u32>),
}

impl Cell {
    fn read(view: View<'_>, row: usize) -> Self {
        if !view.is_valid(row) {
            return Self::Null;
        }
        match view.kind() {
            Kind::Boolean => Self::Boolean(view.boolean(row)),
            Kind::Int | Kind::Time => Self::Int(view.int(row)),
            Kind::Float => Self::Float(view.float(row).to_bits()),
            Kind::Single => Self::Single(view.single(row).to_bits()),
            Kind::Text | Kind::Bytes => Self::Bytes(view.bytes(row).to_vec()),
            Kind::Floats => Self::Floats(view.floats(row).map(f32::to_bits).collect()),
        }
    }

    /// The same from a tree of values, or the code of the refusal.
    fn expected(column: &Column, record: &Value) -> Result<Self, Code> {
        let mut value = record;
        for segment in column.name.split('.') {
            value = match value {
                Value::Object(fields) => fields.get(segment).unwrap_or(&Value::Null),
                Value::Null => &Value::Null,
                _ => return Err(Code::WrongType),
            };
        }
        if value.is_null() {
            return if column.nullable { Ok(Self::Null) } else { Err(Code::Missing) };
        }
        Self::of_kind(column.kind, value).ok_or(Code::WrongType)
    }

    fn of_kind(kind: Kind, value: &Value) -> Option<Self> {
        let single =
            |value: &Value| value.as_f64().map(|n| n as f32).filter(|n| n.is_finite()).map(f32::to_bits);
        Some(match kind {
            Kind::Boolean => Self::Boolean(value.as_bool()?),
            Kind::Int => Self::Int(value.as_i64()?),
            Kind::Float => Self::Float(value.as_f64()?.to_bits()),
            Kind::Single => Self::Single(single(value)?),
            Kind::Text => Self::Bytes(value.as_str()?.into()),
            Kind::Floats => Self::Floats(value.as_array()?.iter().map(single).collect::<Option<_>>()?),
            Kind::Time => Self::Int(match value {
                Value::String(text) => time::parse(text.as_bytes())?,
                _ => value.as_i64().filter(|time| TIMES.contains(time))?,
            }),
            Kind::Bytes => {
                let mut bytes = Vec::new();
                base64::decode(value.as_str()?.as_bytes(), &mut bytes)?;
                Self::Bytes(bytes)
            }
        })
    }
}

/// The row as it should be, or the code of the refusal.
fn expected(columns: &[Column], text: &[u8]) -> Result<Vec<Cell>, Code> {
    match serde_json::from_slice(text) {
        Ok(record @ Value::Object(_)) => {
            columns.iter().map(|column| Cell::expected(column, &record)).collect()
        }
        _ => Err(Code::Undecodable),
    }
}

fn check(decoder: &mut dyn Decoder, text: &[u8]) -> Result<(), TestCaseError> {
    let columns = decoder.schema().clone();
    let decoded = decode_by(decoder, text);
    let cells = decoded.map(|batch| batch.columns().map(|view| Cell::read(view, 0)).collect::<Vec<_>>());
    let shown = String::from_utf8_lossy(text);
    let cells = cells.map_err(|refusal| refusal.code);
    prop_assert_eq!(cells, expected(&columns, text), "{}", shown);
    Ok(())
}

fn kind() -> impl Strategy<Value = Kind> {
    use Kind::{Boolean, Bytes, Float, Floats, Int, Single, Text, Time};
    prop::sample::select(&[Boolean, Int, Float, Single, Time, Text, Bytes, Floats][..])
}

/// Columns whose names the documents use, at several depths.
fn columns() -> impl Strategy<Value = Vec<Column>> {
    let names = vec![
        &["a", "b", "c", "é"][..],
        &["a"],
        &["a.a", "b", "a.b", "c.a"],
        &["c", "b", "a"],
        &["a.b.c", "a.b.a", "a.a", "b.b", "b.name of more than eight"],
        &["name of more than eight", "a", "absent"],
    ];
    let cell = (kind(), prop::bool::weighted(0.9));
    (prop::sample::select(names), prop::collection::vec(cell, 5)).prop_map(|(names, cells)| {
        let column =
            |(name, (kind, nullable)): (&&str, _)| Column { name: (*name).to_owned(), kind, nullable };
        names.iter().zip(cells).map(column).collect()
    })
}

/// Something that happens to a text on its way.
#[derive(Clone, Debug)]
enum Harm {
    Cut,
    Remove,
    Insert(u8),
    Replace(u8),
    Repeat(usize),
}

impl Harm {
    fn any() -> impl Strategy<Value = Self> {
        let byte = || prop_oneof![3 => prop::sample::select(&b"{}[]\",:\\ue+-.019 \n\x00\x1f\xc3\xff"[..]), 1 => any::<u8>()];
        prop_oneof![
            1 => Just(Self::Cut),
            3 => Just(Self::Remove),
            3 => byte().prop_map(Self::Insert),
            3 => byte().prop_map(Self::Replace),
            1 => (1..20usize).prop_map(Self::Repeat),
        ]
    }

    fn act(&self, text: &mut Vec<u8>, place: prop::sample::Index) {
        if text.is_empty() {
            return;
        }
        let at = place.index(text.len());
        match *self {
            Self::Cut => text.truncate(at),
            Self::Remove => drop(text.remove(at)),
            Self::Insert(byte) => text.insert(at, byte),
            Self::Replace(byte) => text[at] = byte,
            Self::Repeat(length) => {
                let piece = text[at..(at + length).min(text.len())].to_vec();
                drop(text.splice(at..at, piece));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn documents_read_alike(columns in columns(), texts in prop::collection::vec(documents::document(), 1..4)) {
        let mut decoder = decoder(&columns);
        for text in texts {
            check(&mut *decoder, text.as_bytes())?;
        }
    }

    #[test]
    fn harmed_documents_read_alike(
        columns in columns(),
        text in documents::document(),
        harms in prop::collection::vec((Harm::any(), any::<prop::sample::Index>()), 1..4),
    ) {
        let mut decoder = decoder(&columns);
        let mut text = text.into_bytes();
        for (harm, place) in harms {
            harm.act(&mut text, place);
            check(&mut *decoder, &text)?;
        }
    }

    #[test]
    fn any_bytes_read_alike(columns in columns(), text in prop::collection::vec(any::<u8>(), 0..40)) {
        check(&mut *decoder(&columns), &text)?;
    }

    #[test]
    fn scraps_of_json_read_alike(columns in columns(), text in "[{}\\[\\]\",:abc\\\\u0-9.e+\\- \n-]{0,24}") {
        check(&mut *decoder(&columns), text.as_bytes())?;
        check(&mut *decoder(&columns), format!("{{\"a\":{text}}}").as_bytes())?;
    }

    #[test]
    fn numbers_read_alike(text in documents::number()) {
        for kind in [Kind::Int, Kind::Float, Kind::Single] {
            let columns = [Column::new("a", kind)];
            check(&mut *decoder(&columns), format!("{{\"a\":{text}}}").as_bytes())?;
            check(&mut *decoder(&columns), format!("{{\"a\":{text}    ,   \"b\":1}}").as_bytes())?;
        }
    }
}
