//! Keys as bytes.

use crate::columns::{Batch, ColumnBuilder, Kind, View};

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
}
