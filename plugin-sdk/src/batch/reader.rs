//! Reading a column.

use crate::column::{Column, Kind};

/// What is wrong with a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw(String);

impl Flaw {
    pub(crate) fn new(column: &Column, what: &str) -> Self {
        Self(format!("column {} ({}): {what}", column.name, column.kind))
    }

    pub(super) fn missing(column: &Column) -> Self {
        Self::new(column, "the batch has too few columns")
    }

    pub(crate) fn of_batch(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Flaw {}

/// An open column. Its lengths have been checked against the number of rows, so the unchecked
/// reads below are sound for every row of the batch.
#[derive(Clone, Copy, Debug)]
pub struct ColumnReader<'a> {
    validity: &'a [u8],
    offsets: &'a [u8],
    values: &'a [u8],
}

impl<'a> ColumnReader<'a> {
    pub(super) fn open(
        column: &Column,
        rows: usize,
        validity: &'a [u8],
        offsets: &'a [u8],
        values: &'a [u8],
    ) -> Result<Self, Flaw> {
        let reader = Self { validity, offsets, values };
        if !validity.is_empty() && (!column.nullable || validity.len() != rows.div_ceil(8)) {
            return Err(Flaw::new(column, "its validity bits don't fit"));
        }
        if !column.kind.is_list() {
            let fits = offsets.is_empty() && values.len() == rows * column.kind.width();
            return if fits { Ok(reader) } else { Err(Flaw::new(column, "its values don't fit")) };
        }
        if offsets.len() != 4 * (rows + 1) {
            return Err(Flaw::new(column, "its offsets don't fit"));
        }
        // SAFETY: there are rows + 1 offsets.
        let end = unsafe { reader.offset(rows) };
        if values.len() != end * column.kind.width() {
            return Err(Flaw::new(column, "its values don't fit its offsets"));
        }
        if column.kind == Kind::Floats && end > 0 && !values.as_ptr().cast::<f32>().is_aligned() {
            return Err(Flaw::new(column, "its values are not aligned"));
        }
        Ok(reader)
    }

    /// What a host vouches for.
    pub(super) fn check(&self, column: &Column, rows: usize) -> Result<(), Flaw> {
        if !column.kind.is_list() {
            return Ok(());
        }
        // SAFETY: `open` saw rows + 1 offsets.
        let mut offsets = (0..=rows).map(|row| unsafe { self.offset(row) });
        if offsets.next() != Some(0) || !(0..=rows).map(|row| unsafe { self.offset(row) }).is_sorted() {
            return Err(Flaw::new(column, "its offsets don't rise from 0"));
        }
        // SAFETY: the offsets rise, and `open` saw that the last one is the end.
        let text = |row| unsafe { self.bytes(row) };
        if column.kind == Kind::Text && (0..rows).any(|row| std::str::from_utf8(text(row)).is_err()) {
            return Err(Flaw::new(column, "a text is not UTF-8"));
        }
        Ok(())
    }

    /// Whether the row has a value.
    ///
    /// # Safety
    /// The row must be one of the batch.
    #[inline(always)]
    pub unsafe fn is_valid(&self, row: usize) -> bool {
        // SAFETY: there is a bit for each row if there are any.
        self.validity.is_empty() || unsafe { *self.validity.get_unchecked(row / 8) } >> (row % 8) & 1 == 1
    }

    /// A boolean.
    ///
    /// # Safety
    /// The row must be one of the batch, and the column one of booleans.
    #[inline(always)]
    pub unsafe fn boolean(&self, row: usize) -> bool {
        // SAFETY: there is a byte for each row.
        unsafe { *self.values.get_unchecked(row) != 0 }
    }

    /// An int or a time.
    ///
    /// # Safety
    /// The row must be one of the batch, and the column one of ints or times.
    #[inline(always)]
    pub unsafe fn int(&self, row: usize) -> i64 {
        // SAFETY: there are 8 bytes for each row.
        i64::from_le_bytes(unsafe { self.fixed(row) })
    }

    /// A float.
    ///
    /// # Safety
    /// The row must be one of the batch, and the column one of floats of 64 bits.
    #[inline(always)]
    pub unsafe fn float(&self, row: usize) -> f64 {
        // SAFETY: there are 8 bytes for each row.
        f64::from_le_bytes(unsafe { self.fixed(row) })
    }

    /// A single.
    ///
    /// # Safety
    /// The row must be one of the batch, and the column one of singles.
    #[inline(always)]
    pub unsafe fn single(&self, row: usize) -> f32 {
        // SAFETY: there are 4 bytes for each row.
        f32::from_le_bytes(unsafe { self.fixed(row) })
    }

    /// A text.
    ///
    /// # Safety
    /// The row must be one of the batch, and the column one of texts.
    #[inline(always)]
    pub unsafe fn text(&self, row: usize) -> &'a str {
        // SAFETY: either the host vouches for UTF-8, or `check` saw it.
        unsafe { std::str::from_utf8_unchecked(self.bytes(row)) }
    }

    /// Bytes, or a text's.
    ///
    /// # Safety
    /// The row must be one of the batch, and the column one of texts or bytes.
    #[inline(always)]
    pub unsafe fn bytes(&self, row: usize) -> &'a [u8] {
        // SAFETY: there are rows + 1 offsets, rising, and the last is the length of the values.
        unsafe { self.values.get_unchecked(self.offset(row)..self.offset(row + 1)) }
    }

    /// Floats.
    ///
    /// # Safety
    /// The row must be one of the batch, and the column one of lists of floats.
    #[inline(always)]
    pub unsafe fn floats(&self, row: usize) -> &'a [f32] {
        if self.values.is_empty() {
            return &[];
        }
        // SAFETY: as in `bytes`; `open` saw that the values are aligned, and any bits are a float.
        unsafe {
            let (start, end) = (self.offset(row), self.offset(row + 1));
            std::slice::from_raw_parts(self.values.as_ptr().cast::<f32>().add(start), end - start)
        }
    }

    /// Validity, offsets, values.
    pub(super) fn parts(&self) -> [&'a [u8]; 3] {
        [self.validity, self.offsets, self.values]
    }

    /// # Safety
    /// There must be an offset for the row.
    #[inline(always)]
    unsafe fn offset(&self, row: usize) -> usize {
        // SAFETY: the caller's promise.
        u32::from_le_bytes(unsafe { self.offsets.as_ptr().cast::<[u8; 4]>().add(row).read() }) as usize
    }

    /// # Safety
    /// There must be `WIDTH` bytes for the row.
    #[inline(always)]
    unsafe fn fixed<const WIDTH: usize>(&self, row: usize) -> [u8; WIDTH] {
        // SAFETY: the caller's promise; bytes need no alignment.
        unsafe { self.values.as_ptr().cast::<[u8; WIDTH]>().add(row).read() }
    }
}

#[cfg(target_endian = "big")]
compile_error!("lists of floats are read in place, which needs a little-endian machine");
