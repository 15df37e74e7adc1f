//! Writing columns.

use std::sync::Arc;

use super::{Batch, Kind, SPANS_PER_COLUMN, Schema, View};

/// Collects values by column and seals them into a [`Batch`]; afterwards it is empty and may be
/// used again, its memory kept.
#[derive(Debug)]
pub struct Builder {
    schema: Schema,
    columns: Vec<ColumnBuilder>,
    rows: usize,
}

impl Builder {
    pub fn new(schema: Schema) -> Self {
        let columns = schema.iter().map(|column| ColumnBuilder::new(column.kind)).collect();
        Self { schema, columns, rows: 0 }
    }

    /// Rows finished so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn column(&mut self, index: usize) -> &mut ColumnBuilder {
        &mut self.columns[index]
    }

    /// To be called when every column got one value more.
    pub fn finish_row(&mut self) {
        self.finish_rows(1);
    }

    /// To be called when every column got `count` values more.
    pub fn finish_rows(&mut self, count: usize) {
        self.rows += count;
        debug_assert!(self.columns.iter().all(|column| column.rows == self.rows), "a column lacks a value");
    }

    /// Drops what was pushed since the last finished row.
    pub fn abandon_row(&mut self) {
        let rows = self.rows;
        self.columns.iter_mut().for_each(|column| column.truncate(rows));
    }

    pub fn seal(&mut self) -> Batch {
        let parts = self.columns.iter().map(ColumnBuilder::parts);
        let batch = assemble(Arc::clone(&self.schema), self.rows, parts);
        self.clear();
        batch
    }

    /// Forgets all rows, and what of the next one is there.
    pub fn clear(&mut self) {
        self.rows = 0;
        self.columns.iter_mut().for_each(|column| column.truncate(0));
    }
}

/// Collects the values of one column. A value of another kind than the column's is a mistake in the
/// caller, caught in debug builds.
#[derive(Debug)]
pub struct ColumnBuilder {
    kind: Kind,
    rows: usize,
    /// Empty until the first null.
    validity: Vec<u8>,
    /// Little-endian u32; rows + 1 of them where the kind is a list, else none.
    offsets: Vec<u8>,
    values: Vec<u8>,
}

impl ColumnBuilder {
    pub fn new(kind: Kind) -> Self {
        let offsets = if kind.is_list() { vec![0; 4] } else { Vec::new() };
        Self { kind, rows: 0, validity: Vec::new(), offsets, values: Vec::new() }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// A value of a kind of fixed width, as a state keeps it: the bits of an `f64` for float and
    /// single, else an integer.
    pub fn push_word(&mut self, word: u64) {
        match self.kind {
            Kind::Boolean => self.push_boolean(word == 1),
            Kind::Float => self.push_float(f64::from_bits(word)),
            Kind::Single => self.push_single(f64::from_bits(word) as f32),
            _ => self.push_int(word.cast_signed()),
        }
    }

    pub fn push_boolean(&mut self, value: bool) {
        debug_assert_eq!(self.kind, Kind::Boolean);
        self.values.push(u8::from(value));
        self.valid();
    }

    /// An int or a time.
    pub fn push_int(&mut self, value: i64) {
        debug_assert!(matches!(self.kind, Kind::Int | Kind::Time));
        self.values.extend_from_slice(&value.to_le_bytes());
        self.valid();
    }

    pub fn push_float(&mut self, value: f64) {
        debug_assert_eq!(self.kind, Kind::Float);
        self.values.extend_from_slice(&value.to_le_bytes());
        self.valid();
    }

    pub fn push_single(&mut self, value: f32) {
        debug_assert_eq!(self.kind, Kind::Single);
        self.values.extend_from_slice(&value.to_le_bytes());
        self.valid();
    }

    /// A text (the caller vouches for UTF-8), bytes, or the bytes of floats.
    pub fn push_bytes(&mut self, value: &[u8]) {
        debug_assert!(self.kind.is_list());
        self.values.extend_from_slice(value);
        self.close();
        self.valid();
    }

    pub fn push_floats(&mut self, values: impl IntoIterator<Item = f32>) {
        debug_assert_eq!(self.kind, Kind::Floats);
        values.into_iter().for_each(|value| self.values.extend_from_slice(&value.to_le_bytes()));
        self.close();
        self.valid();
    }

    /// A row without a value. The column must be nullable.
    pub fn push_null(&mut self) {
        if self.validity.is_empty() {
            self.validity.resize(self.rows / 8 + 1, 0xff);
            let last = self.validity.len() - 1;
            self.validity[last] = (1 << (self.rows % 8)) - 1;
        } else if self.rows.is_multiple_of(8) {
            self.validity.push(0);
        }
        if self.kind.is_list() {
            self.close();
        } else {
            self.values.extend_from_slice(&[0; 8][..self.kind.width()]);
        }
        self.rows += 1;
    }

    /// Whatever stands where nobody looks: a null if it may, else zero or empty.
    pub fn push_filler(&mut self, nullable: bool) {
        match self.kind {
            _ if nullable => self.push_null(),
            kind if kind.is_list() => self.push_bytes(&[]),
            _ => self.push_word(0),
        }
    }

    /// Row `row` of another column of the same kind.
    pub fn push_from(&mut self, view: View<'_>, row: usize) {
        debug_assert_eq!(self.kind, view.kind());
        if !view.is_valid(row) {
            return self.push_null();
        }
        if self.kind.is_list() {
            return self.push_bytes(view.bytes(row));
        }
        let width = self.kind.width();
        self.values.extend_from_slice(&view.values()[row * width..][..width]);
        self.valid();
    }

    pub fn extend_rows(&mut self, view: View<'_>, rows: &[u32]) {
        rows.iter().for_each(|row| self.push_from(view, *row as usize));
    }

    fn close(&mut self) {
        let end = u32::try_from(self.values.len() / self.kind.width());
        let end = end.expect("batches are bounded far below 4 GiB");
        self.offsets.extend_from_slice(&end.to_le_bytes());
    }

    fn valid(&mut self) {
        if !self.validity.is_empty() {
            if self.rows.is_multiple_of(8) {
                self.validity.push(0);
            }
            self.validity[self.rows / 8] |= 1 << (self.rows % 8);
        }
        self.rows += 1;
    }

    fn truncate(&mut self, rows: usize) {
        if rows >= self.rows {
            return;
        }
        self.rows = rows;
        if self.kind.is_list() {
            self.offsets.truncate(4 * (rows + 1));
            let end = u32::from_le_bytes(self.offsets.as_chunks().0[rows]) as usize;
            self.values.truncate(end * self.kind.width());
        } else {
            self.values.truncate(rows * self.kind.width());
        }
        if rows == 0 {
            self.validity.clear();
        } else if !self.validity.is_empty() {
            self.validity.truncate(rows.div_ceil(8));
            if !rows.is_multiple_of(8) {
                self.validity[rows / 8] &= (1 << (rows % 8)) - 1;
            }
        }
    }

    fn parts(&self) -> [&[u8]; 3] {
        [&self.validity, &self.offsets, &self.values]
    }
}

/// Lays parts one behind the other, each at a multiple of 8.
pub(super) fn assemble<'a>(
    schema: Schema,
    rows: usize,
    columns: impl Iterator<Item = [&'a [u8]; 3]> + Clone,
) -> Batch {
    let size = columns.clone().flatten().map(|part| part.len().next_multiple_of(8)).sum();
    let mut data = Vec::with_capacity(size);
    let mut spans = Vec::with_capacity(schema.len() * SPANS_PER_COLUMN);
    for part in columns.flatten() {
        let position = u32::try_from(data.len()).expect("batches are bounded far below 4 GiB");
        spans.extend([position, part.len() as u32]);
        data.extend_from_slice(part);
        data.resize(data.len().next_multiple_of(8), 0);
    }
    Batch { schema, rows, spans, data }
}
