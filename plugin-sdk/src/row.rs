//! Structs as rows.

use crate::batch::{Batch, Blob, ColumnWriter, Flaw};
use crate::column::Column;

/// A struct whose fields are columns. Comes from the derives.
pub trait Fields: Sized {
    /// In the order of the fields.
    const COLUMNS: &'static [Column];
    /// The struct with another lifetime.
    type Of<'b>: Fields<Writers = Self::Writers>;
    /// A reader for each field.
    type Readers<'b>: Copy;
    /// A writer for each field.
    type Writers: AsMut<[ColumnWriter]> + std::fmt::Debug;

    /// Opens the columns; `at` has the index of each in the batch.
    fn open<'b>(batch: &Batch<'b>, at: &[usize]) -> Result<Self::Readers<'b>, Flaw>;

    /// Reads a row.
    ///
    /// # Safety
    /// The row must be one of the batch that the readers were opened from.
    unsafe fn read<'b>(readers: &Self::Readers<'b>, row: usize) -> Self::Of<'b>;

    /// New writers.
    fn writers() -> Self::Writers;

    /// Appends the row.
    fn write(&self, writers: &mut Self::Writers);

    /// Opens columns that lie in the order of the fields, from the first on.
    #[doc(hidden)]
    fn open_first<'b>(batch: &Batch<'b>) -> Result<Self::Readers<'b>, Flaw> {
        let at: Vec<usize> = (0..Self::COLUMNS.len()).collect();
        Self::open(batch, &at)
    }
}

/// What goes into or comes out of a plugin. Derive it:
///
/// ```
/// # use tailwater_sdk::prelude::*;
/// #[derive(Row)]
/// struct Raw<'a> {
///     transaction_id: i64,
///     event_time: Time,
///     #[column("card.country")]
///     country: Option<&'a str>,
/// }
/// ```
///
/// A column is called as its field is, unless `#[column("...")]` names it. A dot leads into a
/// nested object of the record. A preprocessor's input may ask for parts of the Kafka record:
/// `@key`, `@value`, `@timestamp`, `@topic`, `@partition`, `@offset`. Types: see
/// [`Field`](crate::Field). The struct may have one lifetime, and no type parameters.
pub trait Row: Fields {}

/// Rows on their way out.
#[derive(Debug)]
pub(crate) struct Output<R: Fields> {
    pub(crate) writers: R::Writers,
    pub(crate) rows: usize,
    blob: Blob,
}

impl<R: Fields> Output<R> {
    pub(crate) fn new() -> Self {
        Self { writers: R::writers(), rows: 0, blob: Blob::default() }
    }

    /// A row whose values are ignored.
    pub(crate) fn push_blank(&mut self) {
        self.writers.as_mut().iter_mut().for_each(ColumnWriter::push_null);
        self.rows += 1;
    }

    /// Drops rows that a call left behind which panicked.
    pub(crate) fn restart(&mut self) {
        self.writers.as_mut().iter_mut().for_each(ColumnWriter::clear);
        self.rows = 0;
    }

    pub(crate) fn seal(&mut self) -> Batch<'_> {
        let rows = std::mem::take(&mut self.rows);
        self.blob.seal(rows, self.writers.as_mut())
    }
}
