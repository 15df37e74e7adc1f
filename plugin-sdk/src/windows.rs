//! Values of windows as a struct.

mod cell;
mod plan;

pub use cell::Cell;
pub(crate) use plan::Plan;

use crate::batch::{Batch, ColumnReader, ColumnWriter, Flaw};
use crate::column::{Column, Kind};
use crate::describe;
use crate::field::Field as _;
use crate::fold::{Fold, Register as _};
use crate::row::Fields;

/// Values of windows that the host keeps. Derive it:
///
/// ```
/// # use tailwater_sdk::prelude::*;
/// #[derive(Windows)]
/// struct W {
///     #[count("7d")]
///     n: i64,
///     #[mean("amount", "7d")]
///     m: Option<f64>,
///     #[sum("amount", "forever", filter = "declined")]
///     s: f64,
///     #[latest("country_code")]
///     before: Option<i64>,
/// }
/// ```
///
/// | attribute | value |
/// | --- | --- |
/// | `#[count(window)]`, `#[count("column", window)]` | int: entries, or those with a value |
/// | `#[sum("column", window)]` | 0 if there are none |
/// | `#[mean("column", window)]` | float, or null |
/// | `#[variance("column", window)]` | float, or null; of the population |
/// | `#[min("column", window)]`, `#[max(...)]` | or null |
/// | `#[latest("column")]`, `#[latest("column", window)]` | of the newest entry before this row, or null |
/// | `#[since_latest]`, `#[since_latest(window)]` | int: milliseconds since the newest entry before this row, or null |
/// | `#[fold(Type, window)]` | what a [`Fold`] of your own emits |
/// | `#[distinct("column", window)]` | int: estimated number of different values. *Not served yet* |
/// | `#[quantile("column", 0.9, window)]` | float, estimated, or null. *Not served yet* |
/// | `#[decayed_mean("column", "1h", window)]` | float: weights halve in that time, or null. *Not served yet* |
/// | `#[top_k("column", 3, window)]` | text: the most frequent values. *Not served yet* |
///
/// Sums, minima, maxima and latest of floats and singles are floats; minima, maxima and latest of
/// times are times; all others are ints, `true` being 1. NaN in a column is no value. Texts, bytes and
/// lists of floats can't be kept in windows yet.
///
/// A window is a duration (`"500ms"`, `"30s"`, `"15m"`, `"1h"`, `"7d"`: the time before each row,
/// exact, the row itself included) or `"forever"`. *Not served yet*: `tumbling("1h")`,
/// `hopping("1d", "1h")`, `session("30m")`, `last(10)`. `filter = "column"` takes only entries where that
/// boolean column is true.
///
/// A straggler, a row older than the newest one of its key, sees of its window what is still kept: entries
/// live only as long as the newest row's windows need them. `"forever"` is all that came before the row, in
/// order of arrival; but of `latest` and `since_latest` a row older than the newest entry gets none.
///
/// A plugin that asks for what is not served yet compiles and can be tested natively; the host refuses it
/// when it loads it (TW104).
///
/// A field that is no `Option` reads 0 (or empty) where there is no value. `f64` and `f32` read any
/// number; else the type is that of the value. Columns are those of the row given to the function;
/// a wrong name or type does not compile:
///
/// ```compile_fail
/// # use tailwater_sdk::prelude::*;
/// #[derive(Row)]
/// struct Payment { amount: f64 }
///
/// #[derive(Windows)]
/// struct W {
///     #[sum("amuont", "7d")]      // error: W::s: the row has no column `amuont`
///     s: f64,
/// }
///
/// #[derive(Features)]
/// struct F { s: f32 }
///
/// #[features]
/// fn features(_: &Payment, w: &W) -> F { F { s: w.s as f32 } }
/// # let _ = plugin();
/// ```
///
/// *Not served yet*: entries may also come from another source or stage of the pipeline, whose rows get
/// no vectors: `#[input("labels", Label)]` at the struct names it and its row, and `from = "labels"` in
/// an attribute takes entries from it.
pub trait Windows: Sized {
    /// Inputs beside the rows themselves.
    const SIDES: &'static [Side];
    /// One a field, in their order.
    const AGGREGATES: &'static [Aggregate];
    /// Folds of the plugin's own.
    const FOLDS: &'static [CustomFold];
    /// The struct with another lifetime.
    type Of<'b>;
    /// A reader for each field.
    type Readers<'b>: Copy;

    /// Opens the columns, of which the first is column `first` of the batch. `R` is the row.
    fn open<'b, R: Fields>(batch: &Batch<'b>, first: usize) -> Result<Self::Readers<'b>, Flaw>;

    /// Reads a row.
    ///
    /// # Safety
    /// The row must be one of the batch that the readers were opened from, for the same `R`.
    unsafe fn read<'b, R: Fields>(readers: &Self::Readers<'b>, row: usize) -> Self::Of<'b>;

    /// New writers, one a field.
    fn writers<R: Fields>() -> Vec<ColumnWriter>;

    /// Appends the values: one writer a field.
    fn write<R: Fields>(&self, writers: &mut [ColumnWriter]);
}

/// For plugins without windows.
impl Windows for () {
    const SIDES: &'static [Side] = &[];
    const AGGREGATES: &'static [Aggregate] = &[];
    const FOLDS: &'static [CustomFold] = &[];
    type Of<'b> = ();
    type Readers<'b> = ();

    fn open<'b, R: Fields>(_: &Batch<'b>, _: usize) -> Result<Self::Readers<'b>, Flaw> {
        Ok(())
    }

    unsafe fn read<'b, R: Fields>(_: &Self::Readers<'b>, _: usize) -> Self::Of<'b> {}

    fn writers<R: Fields>() -> Vec<ColumnWriter> {
        Vec::new()
    }

    fn write<R: Fields>(&self, _: &mut [ColumnWriter]) {}
}

/// An input beside the rows themselves.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    /// Name of the source or stage.
    pub source: &'static str,
    /// Of its rows.
    pub columns: &'static [Column],
}

/// What a field of [`Windows`] asks for.
#[derive(Clone, Copy, Debug)]
pub struct Aggregate {
    /// The field's.
    pub name: &'static str,
    /// 0: the rows themselves; else 1 + index into `SIDES`.
    pub input: usize,
    /// `Custom`: index into `FOLDS`.
    pub fold: describe::Fold,
    /// Of the input.
    pub column: Option<&'static str>,
    /// Of the input, a boolean.
    pub filter: Option<&'static str>,
    /// Which entries.
    pub window: describe::Window,
    /// What to tell the author if the column, the filter, or the field's type won't do.
    pub mistakes: [&'static str; 3],
}

/// A [`Fold`] on one input.
#[derive(Clone, Copy, Debug)]
pub struct CustomFold {
    pub(crate) input: usize,
    pub(crate) name: &'static str,
    pub(crate) version: u32,
    pub(crate) register_bytes: usize,
    pub(crate) invertible: bool,
    pub(crate) entry: &'static [Column],
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
    pub(crate) run: Run,
}

type Run = fn(&Batch<'_>, &[usize], usize, &[u32], &mut [u8], &mut ColumnWriter) -> Result<usize, Flaw>;

impl CustomFold {
    /// Fold `F` over the entries of an input.
    pub const fn new<F: Fold>(input: usize) -> Self {
        Self {
            input,
            name: F::NAME,
            version: F::VERSION,
            register_bytes: F::Register::BYTES,
            invertible: F::INVERTIBLE,
            entry: F::Entry::COLUMNS,
            kind: F::Cell::KIND,
            nullable: F::Cell::NULLABLE,
            run: crate::fold::run::<F>,
        }
    }
}

/// Kind of the value of field `index`, which has type `T`, for rows `R`. Evaluated at compile time:
/// a panic is a compile error.
#[doc(hidden)]
pub const fn kind_of<W: Windows, R: Fields, T: Cell>(index: usize) -> Kind {
    let aggregate = &W::AGGREGATES[index];
    let kind = plan::cell_kind(aggregate, R::COLUMNS, W::SIDES, W::FOLDS);
    let mut n = 0;
    while n < T::ACCEPTS.len() {
        if T::ACCEPTS[n].is(kind) {
            return kind;
        }
        n += 1;
    }
    panic!("{}", aggregate.mistakes[2])
}

/// For the derive.
#[doc(hidden)]
pub fn open_cell<'b>(batch: &Batch<'b>, at: usize, kind: Kind) -> Result<ColumnReader<'b>, Flaw> {
    batch.column(at, &cell(kind))
}

/// For the derive.
#[doc(hidden)]
pub fn cell_writer(kind: Kind) -> ColumnWriter {
    ColumnWriter::new(&cell(kind))
}

fn cell(kind: Kind) -> Column {
    Column::constant("of windows", kind, true)
}
