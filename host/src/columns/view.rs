//! Reading a column.

use super::Kind;

/// One column of a sound batch. Reading a row beyond the last panics.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    kind: Kind,
    rows: usize,
    validity: &'a [u8],
    offsets: &'a [u8],
    values: &'a [u8],
}

impl<'a> View<'a> {
    pub(super) fn new(
        kind: Kind,
        rows: usize,
        validity: &'a [u8],
        offsets: &'a [u8],
        values: &'a [u8],
    ) -> Self {
        Self { kind, rows, validity, offsets, values }
    }

    /// Validity, offsets, values.
    pub(super) fn parts(self) -> [&'a [u8]; 3] {
        [self.validity, self.offsets, self.values]
    }

    pub fn kind(self) -> Kind {
        self.kind
    }

    pub fn rows(self) -> usize {
        self.rows
    }

    /// Whether every row has a value.
    pub fn all_valid(self) -> bool {
        self.validity.is_empty()
    }

    pub fn is_valid(self, row: usize) -> bool {
        self.validity.is_empty() || self.validity[row / 8] >> (row % 8) & 1 == 1
    }

    /// A boolean.
    pub fn boolean(self, row: usize) -> bool {
        self.values[row] != 0
    }

    /// An int or a time.
    pub fn int(self, row: usize) -> i64 {
        i64::from_le_bytes(self.fixed(row))
    }

    /// A float.
    pub fn float(self, row: usize) -> f64 {
        f64::from_le_bytes(self.fixed(row))
    }

    /// A single.
    pub fn single(self, row: usize) -> f32 {
        f32::from_le_bytes(self.fixed(row))
    }

    /// A text or bytes; of floats the elements' bytes.
    pub fn bytes(self, row: usize) -> &'a [u8] {
        let width = self.kind.width();
        &self.values[self.offset(row) * width..self.offset(row + 1) * width]
    }

    /// Floats.
    pub fn floats(self, row: usize) -> impl ExactSizeIterator<Item = f32> + 'a {
        self.bytes(row).as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes))
    }

    /// The whole column of values, as bytes.
    pub fn values(self) -> &'a [u8] {
        self.values
    }

    fn offset(self, row: usize) -> usize {
        u32::from_le_bytes(self.offsets.as_chunks().0[row]) as usize
    }

    fn fixed<const WIDTH: usize>(self, row: usize) -> [u8; WIDTH] {
        self.values.as_chunks().0[row]
    }
}
