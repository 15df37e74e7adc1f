//! Keys as bytes.

use crate::columns::{Batch, Kind, View};

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
    }
}
