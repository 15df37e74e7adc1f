//! Keys as bytes.

use crate::columns::{Batch, ColumnBuilder, Kind, View};
use crate::time;

/// The columns that make a key, each with its index in the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumns(Vec<usize>);

/// Which column of a key has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingKey(pub usize);

impl KeyColumns {
    pub fn new(columns: Vec<usize>) -> Self {
        Self(columns)
    }

    pub fn columns(&self) -> &[usize] {
        &self.0
    }

    pub fn views<'a>(&self, rows: &'a Batch) -> Vec<View<'a>> {
        self.0.iter().map(|column| rows.column(*column)).collect()
    }

    /// Writes the key of a row; different values give different bytes.
    pub fn write(views: &[View<'_>], row: usize, into: &mut Vec<u8>) -> Result<(), MissingKey> {
        into.clear();
        for (index, view) in views.iter().enumerate() {
            if !view.is_valid(row) {
                return Err(MissingKey(index));
            }
            match view.kind() {
                Kind::Boolean => into.push(u8::from(view.boolean(row))),
                Kind::Int | Kind::Time => into.extend(view.int(row).to_le_bytes()),
                // -0 and 0 are one key.
                Kind::Float => into.extend((view.float(row) + 0.0).to_le_bytes()),
                Kind::Single => into.extend((view.single(row) + 0.0).to_le_bytes()),
                Kind::Text | Kind::Bytes | Kind::Floats => {
                    let bytes = view.bytes(row);
                    into.extend((bytes.len() as u32).to_le_bytes());
                    into.extend(bytes);
                }
            }
        }
        Ok(())
    }
}

/// Parts the values of a key that is written as a text.
const BETWEEN: char = '|';

/// The bytes of a key that is given as a text: its values as [`KeyReader::text`] gives them, `|` between; times may
/// be written as such too. An error says what is wrong.
pub fn parse_key(kinds: &[Kind], text: &str) -> Result<Vec<u8>, String> {
    let values: Vec<&str> = if kinds.len() == 1 { vec![text] } else { text.split(BETWEEN).collect() };
    if values.len() != kinds.len() {
        return Err(format!(
            "it has {} values, where {} are wanted, with | between",
            values.len(),
            kinds.len()
        ));
    }
    let mut key = Vec::new();
    for (kind, value) in kinds.iter().zip(values) {
        write_text(*kind, value, &mut key).ok_or_else(|| format!("{value:?} is no {}", kind.name()))?;
    }
    Ok(key)
}

fn write_text(kind: Kind, text: &str, into: &mut Vec<u8>) -> Option<()> {
    match kind {
        Kind::Boolean => into.push(u8::from(text.parse::<bool>().ok()?)),
        Kind::Int => into.extend(text.parse::<i64>().ok()?.to_le_bytes()),
        Kind::Time => {
            let millis = text.parse().ok().or_else(|| time::parse(text.as_bytes()))?;
            into.extend(i64::to_le_bytes(millis));
        }
        Kind::Float => into.extend((text.parse::<f64>().ok()? + 0.0).to_le_bytes()),
        Kind::Single => into.extend((text.parse::<f32>().ok()? + 0.0).to_le_bytes()),
        Kind::Text | Kind::Bytes => {
            into.extend(u32::try_from(text.len()).ok()?.to_le_bytes());
            into.extend(text.as_bytes());
        }
        Kind::Floats => return None,
    }
    Some(())
}

/// Reads a key back, value by value.
#[derive(Clone, Copy, Debug)]
pub struct KeyReader<'a>(&'a [u8]);

impl<'a> KeyReader<'a> {
    /// Of what [`KeyColumns::write`] wrote.
    pub fn new(key: &'a [u8]) -> Self {
        Self(key)
    }

    /// The next value into a column of its kind.
    pub fn read(&mut self, column: &mut ColumnBuilder) {
        match column.kind() {
            Kind::Boolean => column.push_boolean(self.take(1) == [1]),
            Kind::Int | Kind::Time => column.push_int(i64::from_le_bytes(self.fixed())),
            Kind::Float => column.push_float(f64::from_le_bytes(self.fixed())),
            Kind::Single => column.push_single(f32::from_le_bytes(self.fixed())),
            Kind::Text | Kind::Bytes | Kind::Floats => column.push_bytes(self.list()),
        }
    }

    /// The next value as text, as it stands in the key of a message.
    pub fn text(&mut self, kind: Kind, into: &mut Vec<u8>) {
        use std::io::Write as _;
        // Writing to memory can't fail.
        let _ = match kind {
            Kind::Boolean => write!(into, "{}", self.take(1) == [1]),
            Kind::Int | Kind::Time => write!(into, "{}", i64::from_le_bytes(self.fixed())),
            Kind::Float => write!(into, "{}", f64::from_le_bytes(self.fixed())),
            Kind::Single => write!(into, "{}", f32::from_le_bytes(self.fixed())),
            Kind::Text | Kind::Bytes | Kind::Floats => into.write_all(self.list()),
        };
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn list(&mut self) -> &'a [u8] {
        let length = u32::from_le_bytes(self.fixed());
        self.take(length as usize)
    }

    fn fixed<const WIDTH: usize>(&mut self) -> [u8; WIDTH] {
        self.take(WIDTH).try_into().expect("as many as were asked for")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{Builder, Column};
    use proptest::prelude::*;

    #[test]
    fn neighbours_do_not_run_into_each_other() {
        let columns = [Column::nullable("a", Kind::Text), Column::new("b", Kind::Text)];
        let mut builder = Builder::new(columns.as_slice().into());
        for (a, b) in [(Some("x"), "yz"), (Some("xy"), "z"), (None, "xyz")] {
            match a {
                Some(a) => builder.column(0).push_bytes(a.as_bytes()),
                None => builder.column(0).push_null(),
            }
            builder.column(1).push_bytes(b.as_bytes());
            builder.finish_row();
        }
        let rows = builder.seal();
        let key = KeyColumns::new(vec![0, 1]);
        let views = key.views(&rows);
        let write = |row| {
            let mut bytes = Vec::new();
            KeyColumns::write(&views, row, &mut bytes).map(|()| bytes)
        };
        assert_ne!(write(0), write(1));
        assert_eq!(write(2), Err(MissingKey(0)));
        let key = write(1).expect("it has a value");
        let mut column = ColumnBuilder::new(Kind::Text);
        let (mut reader, mut text) = (KeyReader::new(&key), Vec::new());
        reader.read(&mut column);
        reader.text(Kind::Text, &mut text);
        assert_eq!((column.rows(), text.as_slice()), (1, b"z".as_slice()));
    }

    #[test]
    fn texts_that_are_no_key() {
        let two = [Kind::Int, Kind::Text];
        for (kinds, text) in [
            (&two[..], "7"),
            (&two, "7|a|b"),
            (&two, "x|a"),
            (&[Kind::Boolean], "1"),
            (&[Kind::Time], "noon"),
            (&[Kind::Floats], "1"),
        ] {
            assert!(parse_key(kinds, text).is_err(), "{text}");
        }
        assert_eq!(parse_key(&two[1..], "a|b").map(|key| key.len()), Ok(4 + 3), "one value needs no parting");
        let time = parse_key(&[Kind::Time], "1970-01-01T00:00:01Z");
        assert_eq!(time, parse_key(&[Kind::Time], "1000"));
    }

    proptest! {
        #[test]
        fn a_key_is_found_by_its_text(
            boolean: bool,
            int: i64,
            float: f64,
            single: f32,
            text in "[^|]*",
        ) {
            const KINDS: [Kind; 6] =
                [Kind::Boolean, Kind::Int, Kind::Float, Kind::Single, Kind::Text, Kind::Time];
            let columns = KINDS.map(|kind| Column::new(kind.name(), kind));
            let mut builder = Builder::new(columns.as_slice().into());
            builder.column(0).push_boolean(boolean);
            builder.column(1).push_int(int);
            builder.column(2).push_float(float);
            builder.column(3).push_single(single);
            builder.column(4).push_bytes(text.as_bytes());
            builder.column(5).push_int(int);
            builder.finish_row();
            let rows = builder.seal();
            let (mut key, mut written) = (Vec::new(), Vec::new());
            let views = KeyColumns::new((0..KINDS.len()).collect()).views(&rows);
            KeyColumns::write(&views, 0, &mut key).expect("all have a value");
            let mut reader = KeyReader::new(&key);
            for (index, kind) in KINDS.into_iter().enumerate() {
                if index > 0 {
                    written.push(b'|');
                }
                reader.text(kind, &mut written);
            }
            let written = String::from_utf8(written).expect("texts");
            prop_assert_eq!(parse_key(&KINDS, &written), Ok(key), "{}", written);
        }
    }
}
