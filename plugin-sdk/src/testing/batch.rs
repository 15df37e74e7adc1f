//! Structs to batches and back.

use crate::batch::{Batch, BatchWriter, Blob, ColumnWriter};
use crate::column::{Column, Kind};
use crate::field::Field;
use crate::row::{Fields, Output, Row};
use crate::settings::Value;
use crate::time::Time;
use crate::windows::Windows;

/// A batch with memory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    rows: u32,
    spans: Vec<u32>,
    data: Vec<u8>,
}

impl Owned {
    /// A copy.
    pub fn copy(batch: &Batch<'_>) -> Self {
        Self { rows: batch.rows() as u32, spans: batch.spans().to_vec(), data: batch.data().to_vec() }
    }

    /// As plugins take it.
    pub fn as_batch(&self) -> Batch<'_> {
        Batch::new(self.rows, &self.spans, &self.data)
    }

    /// The rows, as structs of these columns.
    ///
    /// # Panics
    /// If the columns don't fit.
    pub fn rows<R: Fields>(&self) -> Vec<R::Of<'_>> {
        let batch = self.as_batch();
        assert_eq!(batch.spans().len() / 6, R::COLUMNS.len(), "the struct has a field for each column");
        let readers = R::open_first(&batch).unwrap_or_else(super::give_up);
        // SAFETY: the readers were opened from this batch.
        (0..batch.rows()).map(|row| unsafe { R::read(&readers, row) }).collect()
    }
}

/// Structs to a batch.
pub fn rows_as_batch<R: Fields>(rows: &[R]) -> Owned {
    let mut output = Output::<R>::new();
    rows.iter().for_each(|row| row.write(&mut output.writers));
    output.rows = rows.len();
    Owned::copy(&output.seal())
}

pub(super) fn settings<'a>(columns: &[Column], values: impl Iterator<Item = &'a Value>) -> Owned {
    let mut writer = BatchWriter::new(columns);
    for (index, value) in values.enumerate() {
        let column = writer.column(index);
        match value {
            Value::Boolean(value) => column.push_boolean(*value),
            Value::Int(value) => column.push_int(*value),
            Value::Float(value) => column.push_float(*value),
            Value::Text(value) => column.push_text(value),
            Value::Floats(value) => column.push_floats(value),
        }
    }
    Owned::copy(&writer.seal(1))
}

/// `E`: what the windows' entries are made of.
pub(super) fn rows_and_windows<E: Row, R: Row, W: Windows>(rows: &[R], windows: &[W]) -> Owned {
    assert_eq!(rows.len(), windows.len(), "each row has values of windows");
    let (mut columns, mut cells) = (R::writers(), W::writers::<E>());
    rows.iter().for_each(|row| row.write(&mut columns));
    windows.iter().for_each(|values| values.write::<E>(&mut cells));
    let mut all: Vec<_> = columns.as_mut().iter_mut().map(take).collect();
    all.append(&mut cells);
    Owned::copy(&Blob::default().seal(rows.len(), &mut all))
}

pub(super) fn entries<E: Row>(entries: &[(E, Time)], at: &[usize]) -> Owned {
    let mut columns = E::writers();
    let mut times = time_writer();
    for (entry, time) in entries {
        entry.write(&mut columns);
        time.write(&mut times);
    }
    let columns = columns.as_mut();
    let mut all: Vec<_> = at.iter().map(|index| take(&mut columns[*index])).collect();
    all.push(times);
    Owned::copy(&Blob::default().seal(entries.len(), &mut all))
}

/// A batch of one column.
pub(super) fn values<C: Field>(batch: Owned) -> Vec<C::Of<'static>> {
    // Tests are short: what the values may borrow stays for ever.
    let batch: &'static Owned = Box::leak(Box::new(batch));
    let column = Column::constant("value", C::KIND, C::NULLABLE);
    let batch = batch.as_batch();
    let reader = batch.column(0, &column).unwrap_or_else(super::give_up);
    // SAFETY: the reader was opened from this batch.
    (0..batch.rows()).map(|row| unsafe { C::read(&reader, row) }).collect()
}

fn time_writer() -> ColumnWriter {
    ColumnWriter::new(&Column::constant("time", Kind::Time, false))
}

fn take(writer: &mut ColumnWriter) -> ColumnWriter {
    std::mem::replace(writer, time_writer())
}
