//! Reads what windows keep of a row.

use crate::columns::{Batch, Kind, View};
use crate::pipeline::InputNode;
use crate::state::{KeyColumns, MissingKey};
use crate::window::{Layout, hash};

/// Rows of one input of a stage.
pub(super) struct RowReader<'a> {
    time: View<'a>,
    key: Vec<View<'a>>,
    kept: Vec<View<'a>>,
    layout: &'a Layout,
}

impl<'a> RowReader<'a> {
    pub fn new(input: &InputNode, layout: &'a Layout, rows: &'a Batch) -> Self {
        let kept = input.kept.iter().map(|column| rows.column(*column)).collect();
        Self { time: rows.column(input.time), key: input.key.views(rows), kept, layout }
    }

    pub fn key(&self, row: usize, into: &mut Vec<u8>) -> Result<(), MissingKey> {
        KeyColumns::write(&self.key, row, into)
    }

    pub fn time(&self, row: usize) -> i64 {
        self.time.int(row)
    }

    /// The words of an entry.
    pub fn read(&self, row: usize, words: &mut Vec<u64>) {
        words.clear();
        words.push(self.time(row).cast_unsigned());
        let mut flags = 0;
        for (index, view) in self.kept.iter().enumerate() {
            let valid = view.is_valid(row);
            flags |= u64::from(valid) << index;
            words.push(if valid { word(*view, row) } else { f64::NAN.to_bits() });
        }
        if self.layout.flags.is_some() {
            words.push(flags);
        }
        words.resize(self.layout.stride, 0);
    }
}

fn word(view: View<'_>, row: usize) -> u64 {
    match view.kind() {
        Kind::Boolean => u64::from(view.boolean(row)),
        Kind::Float => view.float(row).to_bits(),
        Kind::Single => f64::from(view.single(row)).to_bits(),
        Kind::Text | Kind::Bytes | Kind::Floats => hash(view.bytes(row)),
        Kind::Int | Kind::Time => view.int(row).cast_unsigned(),
    }
}
