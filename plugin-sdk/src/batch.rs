//! Rows by column, in one blob: how they cross the border. The layout is that of `batch` in
//! `wit/tailwater.wit`.
//!
//! A plugin made with the derives never sees this. It is here for plugins whose columns are known
//! only from their settings, and for running plugins without a sandbox.

mod reader;
mod writer;

pub use reader::{ColumnReader, Flaw};
pub(crate) use writer::Blob;
pub use writer::{BatchWriter, ColumnWriter};

use crate::column::Column;

/// Numbers that `spans` holds for a column.
pub const SPANS_PER_COLUMN: usize = 6;

/// A batch that lies elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    rows: u32,
    spans: &'a [u32],
    data: &'a [u8],
    trusted: bool,
}

impl<'a> Batch<'a> {
    /// A batch from anywhere: every column is checked, value for value, when it is opened.
    pub fn new(rows: u32, spans: &'a [u32], data: &'a [u8]) -> Self {
        Self { rows, spans, data, trusted: false }
    }

    /// A batch of which only the lengths are checked when a column is opened.
    ///
    /// # Safety
    /// Each column's offsets must rise and start with 0, and texts must be UTF-8: a Tailwater host
    /// gives such batches only.
    pub unsafe fn trusted(rows: u32, spans: &'a [u32], data: &'a [u8]) -> Self {
        Self { rows, spans, data, trusted: true }
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.rows as usize
    }

    /// Position and length of each part of each column.
    pub fn spans(&self) -> &'a [u32] {
        self.spans
    }

    /// All parts of all columns.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Opens column `index`, which must look like `column`.
    pub fn column(&self, index: usize, column: &Column) -> Result<ColumnReader<'a>, Flaw> {
        let spans = self.spans.as_chunks::<SPANS_PER_COLUMN>().0.get(index);
        let spans = spans.ok_or_else(|| Flaw::missing(column))?;
        let parts = [
            part(self.data, spans[0], spans[1]),
            part(self.data, spans[2], spans[3]),
            part(self.data, spans[4], spans[5]),
        ];
        let [Some(validity), Some(offsets), Some(values)] = parts else {
            return Err(Flaw::new(column, "a part lies outside of the data"));
        };
        let reader = ColumnReader::open(column, self.rows(), validity, offsets, values)?;
        if !self.trusted {
            reader.check(column, self.rows())?;
        }
        Ok(reader)
    }
}

fn part(data: &[u8], position: u32, length: u32) -> Option<&[u8]> {
    data.get(position as usize..)?.get(..length as usize)
}

#[cfg(test)]
mod tests;
