//! Preprocessors row by row.

use crate::batch::{Batch, Flaw};
use crate::describe::PreprocessorDescription;
use crate::rejection::{Rejected, Rejection};
use crate::row::{Fields, Output, Row};
use crate::settings::{Settings, Table};
use crate::world::{Preprocessor, Processed};

/// What [`preprocessor`](macro@crate::preprocessor) makes of a function.
pub trait Clean: 'static {
    /// Of the pipeline's file.
    type Settings: Settings + 'static;
    /// A row in.
    type Raw: Row;
    /// A row out.
    type Row: Row;

    /// Works on one row.
    fn clean<'b>(
        raw: &<Self::Raw as Fields>::Of<'b>,
        settings: &Self::Settings,
        out: &mut Cleaned<'_, <Self::Row as Fields>::Writers>,
    );
}

/// Where the rows go that come of one row.
#[derive(Debug)]
pub struct Cleaned<'s, W> {
    writers: &'s mut W,
    rows: &'s mut usize,
    origin: &'s mut Vec<u32>,
    rejected: &'s mut Vec<Rejected>,
    row: u32,
}

/// What a preprocessor's function may return: a [`Row`], an `Option` of one (`None`: dropped), a
/// `Vec` of them (split, into 256 at most), or a `Result` of any of these (`Err`: rejected).
pub trait Outcome {
    /// The row inside.
    type Row: Row;

    /// Hands it over.
    fn put(self, out: &mut Cleaned<'_, <Self::Row as Fields>::Writers>);
}

impl<R: Row> Outcome for R {
    type Row = R;

    #[inline(always)]
    fn put(self, out: &mut Cleaned<'_, R::Writers>) {
        self.write(out.writers);
        *out.rows += 1;
        out.origin.push(out.row);
    }
}

impl<T: Outcome> Outcome for Option<T> {
    type Row = T::Row;

    #[inline(always)]
    fn put(self, out: &mut Cleaned<'_, <T::Row as Fields>::Writers>) {
        if let Some(row) = self {
            row.put(out);
        }
    }
}

impl<R: Row> Outcome for Vec<R> {
    type Row = R;

    #[inline]
    fn put(self, out: &mut Cleaned<'_, R::Writers>) {
        self.into_iter().for_each(|row| row.put(out));
    }
}

impl<T: Outcome, E: Into<Rejection>> Outcome for Result<T, E> {
    type Row = T::Row;

    #[inline(always)]
    fn put(self, out: &mut Cleaned<'_, <T::Row as Fields>::Writers>) {
        match self {
            Ok(rows) => rows.put(out),
            Err(why) => out.rejected.push(Rejected { row: out.row, why: why.into() }),
        }
    }
}

/// A preprocessor made of a function over rows.
#[derive(Debug)]
pub struct RowPreprocessor<T: Clean> {
    settings: T::Settings,
    output: Output<T::Row>,
    origin: Vec<u32>,
    rejected: Vec<Rejected>,
}

impl<T: Clean> Preprocessor for RowPreprocessor<T> {
    fn describe(settings: &Table) -> Result<(Self, PreprocessorDescription), String> {
        let settings = T::Settings::from_table(settings)?;
        let description =
            PreprocessorDescription { input: T::Raw::COLUMNS.to_vec(), output: T::Row::COLUMNS.to_vec() };
        let output = Output::new();
        Ok((Self { settings, output, origin: Vec::new(), rejected: Vec::new() }, description))
    }

    fn process(&mut self, rows: &Batch<'_>) -> Result<Processed<'_>, Flaw> {
        let readers = T::Raw::open_first(rows)?;
        self.output.restart();
        self.origin.clear();
        self.rejected.clear();
        for row in 0..rows.rows() {
            // SAFETY: the readers were opened from this batch.
            let raw = unsafe { T::Raw::read(&readers, row) };
            let out = &mut Cleaned {
                writers: &mut self.output.writers,
                rows: &mut self.output.rows,
                origin: &mut self.origin,
                rejected: &mut self.rejected,
                row: row as u32,
            };
            T::clean(&raw, &self.settings, out);
        }
        Ok(Processed { rows: self.output.seal(), origin: &self.origin, rejected: &self.rejected })
    }
}
