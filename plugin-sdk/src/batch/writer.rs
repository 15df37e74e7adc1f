//! Writing columns.

use super::{Batch, ColumnReader, SPANS_PER_COLUMN};
use crate::column::{Column, Kind};

/// Collects the values of one column; its memory is kept from batch to batch.
#[derive(Debug)]
pub struct ColumnWriter {
    kind: Kind,
    nullable: bool,
    rows: usize,
    /// Empty until the first null.
    validity: Vec<u8>,
    /// Ends of the values so far, the first being 0, where the kind is a list.
    offsets: Vec<u32>,
    values: Vec<u8>,
}

impl ColumnWriter {
    /// A column without rows.
    pub fn new(column: &Column) -> Self {
        let offsets = if column.kind.is_list() { vec![0] } else { Vec::new() };
        let (kind, nullable) = (column.kind, column.nullable);
        Self { kind, nullable, rows: 0, validity: Vec::new(), offsets, values: Vec::new() }
    }

    /// How many values were pushed.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// A boolean.
    #[inline(always)]
    pub fn push_boolean(&mut self, value: bool) {
        debug_assert_eq!(self.kind, Kind::Boolean);
        self.values.push(u8::from(value));
        self.valid();
    }

    /// An int or a time.
    #[inline(always)]
    pub fn push_int(&mut self, value: i64) {
        debug_assert!(matches!(self.kind, Kind::Int | Kind::Time));
        self.values.extend_from_slice(&value.to_le_bytes());
        self.valid();
    }

    /// A float.
    #[inline(always)]
    pub fn push_float(&mut self, value: f64) {
        debug_assert_eq!(self.kind, Kind::Float);
        self.values.extend_from_slice(&value.to_le_bytes());
        self.valid();
    }

    /// A single.
    #[inline(always)]
    pub fn push_single(&mut self, value: f32) {
        debug_assert_eq!(self.kind, Kind::Single);
        self.values.extend_from_slice(&value.to_le_bytes());
        self.valid();
    }

    /// A text.
    #[inline(always)]
    pub fn push_text(&mut self, value: &str) {
        debug_assert_eq!(self.kind, Kind::Text);
        self.push_list(value.as_bytes());
    }

    /// Bytes.
    #[inline(always)]
    pub fn push_bytes(&mut self, value: &[u8]) {
        debug_assert_eq!(self.kind, Kind::Bytes);
        self.push_list(value);
    }

    /// Floats.
    #[inline]
    pub fn push_floats(&mut self, values: &[f32]) {
        debug_assert_eq!(self.kind, Kind::Floats);
        // SAFETY: any float is four bytes without padding.
        let bytes = unsafe { std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), 4 * values.len()) };
        self.push_list(bytes);
    }

    /// A row without a value. Of a column that is not nullable: zero, or empty.
    pub fn push_null(&mut self) {
        if self.nullable && self.validity.is_empty() {
            self.validity.resize(self.rows.div_ceil(8), 0xff);
            if !self.rows.is_multiple_of(8) {
                self.validity[self.rows / 8] = (1 << (self.rows % 8)) - 1;
            }
        }
        if self.nullable && self.rows.is_multiple_of(8) {
            self.validity.push(0);
        }
        if self.kind.is_list() {
            self.close();
        } else {
            self.values.extend_from_slice(&[0; 8][..self.kind.width()]);
        }
        self.rows += 1;
    }

    /// All rows of a column of the same kind. This writer must be empty; and nullable, if the other
    /// column is.
    pub fn copy(&mut self, column: &ColumnReader<'_>, rows: usize) {
        assert_eq!(self.rows, 0, "a column is copied into an empty one");
        let [validity, offsets, values] = column.parts();
        self.validity.extend_from_slice(validity);
        self.offsets.clear();
        self.offsets.extend(offsets.as_chunks().0.iter().map(|offset| u32::from_le_bytes(*offset)));
        self.values.extend_from_slice(values);
        self.rows = rows;
    }

    #[inline(always)]
    fn push_list(&mut self, value: &[u8]) {
        append(&mut self.values, value);
        self.close();
        self.valid();
    }

    #[inline(always)]
    fn close(&mut self) {
        // Memory of a guest ends at 4 GiB, and a host's batches far below.
        self.offsets.push((self.values.len() / self.kind.width()) as u32);
    }

    #[inline(always)]
    fn valid(&mut self) {
        if !self.validity.is_empty() {
            self.set_valid();
        }
        self.rows += 1;
    }

    fn set_valid(&mut self) {
        if self.rows.is_multiple_of(8) {
            self.validity.push(0);
        }
        self.validity[self.rows / 8] |= 1 << (self.rows % 8);
    }

    pub(crate) fn clear(&mut self) {
        self.rows = 0;
        self.validity.clear();
        self.offsets.truncate(usize::from(self.kind.is_list()));
        self.values.clear();
    }

    fn parts(&self) -> [&[u8]; 3] {
        // SAFETY: a u32 is four bytes without padding.
        let offsets =
            unsafe { std::slice::from_raw_parts(self.offsets.as_ptr().cast::<u8>(), 4 * self.offsets.len()) };
        [&self.validity, offsets, &self.values]
    }
}

/// Longer values are copied by the host's own loop.
const LONG: usize = 256;
const BLOCK: usize = 16;

/// Most values are short, and in a guest a copy of unknown length is a call into the host: so they
/// are moved by moves of known length, of which two may overlap.
#[inline(always)]
fn append(to: &mut Vec<u8>, value: &[u8]) {
    let length = value.len();
    if length > LONG {
        return to.extend_from_slice(value);
    }
    to.reserve(length);
    // SAFETY: there is room; each move reads within the value and writes within its length.
    unsafe {
        let (from, end) = (value.as_ptr(), to.as_mut_ptr().add(to.len()));
        match length {
            BLOCK.. => blocks(from, end, length),
            8.. => overlapping::<8>(from, end, length),
            4.. => overlapping::<4>(from, end, length),
            2.. => overlapping::<2>(from, end, length),
            1 => *end = *from,
            0 => {}
        }
        to.set_len(to.len() + length);
    }
}

/// # Safety
/// `length` must be a block at least, and that many bytes be readable and writable.
#[inline(always)]
unsafe fn blocks(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: the caller's promise.
    let copy = |at: usize| unsafe {
        let block = from.add(at).cast::<[u64; 2]>().read_unaligned();
        to.add(at).cast::<[u64; 2]>().write_unaligned(block);
    };
    let last = length - BLOCK;
    let mut at = 0;
    while at < last {
        copy(at);
        at += BLOCK;
    }
    copy(last);
}

/// # Safety
/// `length` must be in `HALF..=2 * HALF`, and that many bytes be readable and writable.
#[inline(always)]
unsafe fn overlapping<const HALF: usize>(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let head = from.cast::<[u8; HALF]>().read();
        let tail = from.add(length - HALF).cast::<[u8; HALF]>().read();
        to.cast::<[u8; HALF]>().write(head);
        to.add(length - HALF).cast::<[u8; HALF]>().write(tail);
    }
}

/// Where columns are laid one behind the other. Its memory is kept from batch to batch.
#[derive(Debug, Default)]
pub(crate) struct Blob {
    spans: Vec<u32>,
    data: Vec<u8>,
}

impl Blob {
    /// Lays the columns down and empties the writers.
    pub(crate) fn seal(&mut self, rows: usize, columns: &mut [ColumnWriter]) -> Batch<'_> {
        self.spans.clear();
        self.data.clear();
        self.spans.reserve(columns.len() * SPANS_PER_COLUMN);
        let parts = || columns.iter().flat_map(|column| column.parts());
        self.data.reserve(parts().map(|part| part.len().next_multiple_of(8)).sum());
        for part in parts() {
            self.spans.extend([self.data.len() as u32, part.len() as u32]);
            self.data.extend_from_slice(part);
            self.data.resize(self.data.len().next_multiple_of(8), 0);
        }
        for column in columns {
            assert_eq!(column.rows, rows, "every column of a batch has a value for each row");
            column.clear();
        }
        Batch::new(rows as u32, &self.spans, &self.data)
    }
}

/// Builds batches of a schema that is known at run time only. Its memory is kept from batch to
/// batch.
#[derive(Debug)]
pub struct BatchWriter {
    columns: Vec<ColumnWriter>,
    blob: Blob,
}

impl BatchWriter {
    /// For batches of these columns.
    pub fn new(columns: &[Column]) -> Self {
        Self { columns: columns.iter().map(ColumnWriter::new).collect(), blob: Blob::default() }
    }

    /// Column `index` of the schema.
    pub fn column(&mut self, index: usize) -> &mut ColumnWriter {
        &mut self.columns[index]
    }

    /// The batch; afterwards the writer is empty and may be used again.
    ///
    /// # Panics
    /// If a column did not get a value for each of the rows.
    pub fn seal(&mut self, rows: usize) -> Batch<'_> {
        self.blob.seal(rows, &mut self.columns)
    }
}
