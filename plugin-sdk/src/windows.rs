//! Values of windows as a struct.

mod cell;
mod check;
mod declared;
mod plan;

pub use cell::Cell;
pub use check::{check_closing, check_lookups};
pub use declared::{Aggregate, CustomFold, Lookup, Mistakes, Side, looked_up};
pub(crate) use plan::{Plan, entry_columns};

use crate::batch::{Batch, ColumnReader, ColumnWriter, Flaw};
use crate::column::{Column, Kind};
use crate::row::Fields;

/// Values that the host keeps of windows, or looks up. Derive it:
///
/// ```
/// # use tailwater_sdk::prelude::*;
/// #[derive(Windows)]
/// struct W<'a> {
///     #[count("7d")]
///     n: i64,
///     #[mean("amount", "7d")]
///     m: Option<f64>,
///     #[sum("amount", "forever", filter = "declined")]
///     s: f64,
///     #[latest("country_code")]
///     before: Option<i64>,
///     #[lookup("merchants", "merchant_id", "trade")]
///     trade: Option<&'a str>,
/// }
/// ```
///
/// A wrong name or type does not compile:
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
/// # Values of windows
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
/// | `#[distinct("column", window)]` | int: number of different values, estimated |
/// | `#[quantile("column", 0.9, window)]` | float within 1 % of the quantile, or null |
/// | `#[decayed_mean("column", "1h", window)]` | float: weights halve in that time; or null |
/// | `#[top_k("column", 3, window)]` | text: the most frequent values as a JSON array, `[7,12]`, or null |
/// | `#[fold(Type, window)]` | what a [`Fold`](crate::Fold) of your own emits |
///
/// Sums, minima, maxima and latest of floats and singles are floats; minima, maxima and latest of
/// times are times; all others are ints, `true` being 1. NaN in a column is no value. Of texts and bytes
/// there are `count` and `distinct` only, of lists of floats nothing. Over `"forever"`, `top_k` tells no more
/// than 65,536 different values apart. `filter = "column"` takes only entries
/// where that boolean column is true.
///
/// # What they cost and how exact they are
///
/// All cost the same whatever the size of the window is, and what is in it. Entries that came and went leave
/// no trace. The host keeps 8 bytes an entry and kept column, and 8 for its time, while a window of rows may
/// need it; beside that, for each key:
///
/// | value | bytes | an entry in or out | error |
/// | --- | --- | --- | --- |
/// | count, sum, mean, variance, latest | 32 to 100 | some ns | none: rounded once |
/// | min, max | 16 for each entry that may still become it | some ns | none |
/// | distinct | 8 to 16 a value, 246 KB at 10 million | 5 to 100 ns; read 2 us | 1 % (standard error) |
/// | quantile | 12 to 24 a bucket, 116 buckets a power of ten | 30 ns; read 1 us | 1 % of the value |
/// | decayed mean | 128 to 250 for each 64 half lives with entries | 100 ns | 2e-15 |
/// | top k | 50 to 80 a different value | 60 to 500 ns | none, but over `"forever"` |
///
/// Few values are distinct exactly, mostly. The quantile is that of rank floor(q (n - 1)). For a decayed mean
/// what is 1,024 half lives old does not count. Over `"forever"` counts of top k may be too high by n / 65,536.
///
/// A straggler costs as many steps as there are newer entries of its key; for min and max a look through
/// its window if the extreme is among those; a [`Fold`](crate::Fold) that can't retract always.
///
/// A field that is no `Option` reads 0 (or empty) where there is no value. `f64` and `f32` read any
/// number; else the type is that of the value. Columns are those of the row given to the function.
///
/// # Windows
///
/// | window | a row at t sees |
/// | --- | --- |
/// | `"7d"`, or another duration: `"500ms"`, `"30s"`, `"15m"`, `"1h"` | the time before it, exact: (t - 7d, t] |
/// | `hopping("1d", "1h")` | days that begin with each hour since the epoch: the oldest that holds it, up to t |
/// | `tumbling("1h")` | the same, one after another: since the hour began |
/// | `session("30m")` | back from it, until there is a gap of more than that |
/// | `last(10)` | the newest 10 entries, itself included |
/// | `"forever"` | all that came before it, in order of arrival |
///
/// A row sees entries of its key that came before it, and itself. A straggler, a row older than the newest
/// of its key, sees its window as of its own time, whole, and changes only what rows after it see. How late
/// it may be at most says the pipeline file (the allowed lateness); what is later goes to a topic of its own.
/// Of `"forever"` alone the order is that of arrival; there `latest` and `since_latest` give a row none that
/// is older than the newest entry. Vectors of windows as they close: see
/// [`Compute`](crate::Compute#closed-windows).
///
/// # Other inputs
///
/// Entries may also come from another source of the pipeline, whose rows change windows and get no vectors:
/// `#[input("labels", Label)]` at the struct names it and its row, and `from = "labels"` in an attribute
/// takes entries from it. Their key and event time the pipeline file names.
///
/// ```
/// use tailwater_sdk::prelude::*;
///
/// #[derive(Row)]
/// struct Payment { amount: f64 }
///
/// #[derive(Row)]
/// struct Label { fraud: bool }
///
/// #[derive(Windows)]
/// #[input("labels", Label)]
/// struct Card {
///     #[count("30d")]
///     payments: i64,
///     #[sum("fraud", "30d", from = "labels")]
///     frauds: i64,
///     #[since_latest(from = "labels", filter = "fraud")]
///     since_fraud: Option<i64>,
/// }
///
/// #[derive(Features)]
/// struct Vector { share: f32, hours: Option<f64> }
///
/// #[features]
/// fn features(_: &Payment, card: &Card) -> Vector {
///     let hours = card.since_fraud.map(|millis| millis as f64 / 3_600_000.0);
///     Vector { share: card.frauds as f32 / card.payments as f32, hours }
/// }
/// # let _ = plugin();
/// ```
///
/// # Reference data
///
/// `#[lookup("terminals", "terminal_id", "risk")]` reads the column `risk` of the table `terminals`, which is
/// a compacted topic that the pipeline names, where the row's column `terminal_id` (`i64`, text or bytes) is
/// the key of the table's record. The field is an `Option` of any [`Field`](crate::Field): it is `None` where
/// the table has no such record.
///
/// ```
/// use tailwater_sdk::prelude::*;
/// use tailwater_sdk::testing;
///
/// #[derive(Row)]
/// struct Payment { terminal_id: i64, amount: f64 }
///
/// #[derive(Windows)]
/// struct Terminal<'a> {
///     #[count("1d")]
///     payments: i64,
///     #[lookup("terminals", "terminal_id", "risk")]
///     risk: Option<f64>,
///     #[lookup("terminals", "terminal_id", "country")]
///     country: Option<&'a str>,
/// }
///
/// #[derive(Features)]
/// struct Vector { risk: Option<f64>, abroad: bool }
///
/// #[features]
/// fn features(_: &Payment, terminal: &Terminal<'_>) -> Vector {
///     Vector { risk: terminal.risk, abroad: terminal.country.is_some_and(|country| country != "fr") }
/// }
///
/// # fn main() -> Result<(), String> {
/// let mut running = testing::start(plugin(), &[])?;
/// let known = Terminal { payments: 1, risk: Some(0.5), country: Some("de") };
/// let vectors = running.compute(&[Payment { terminal_id: 7, amount: 40.0 }], &[known]);
/// assert_eq!(vectors.vector(0), [0.5, 1.0]);
/// # Ok(())
/// # }
/// ```
///
/// A table's key must be a column of the row:
///
/// ```compile_fail
/// # use tailwater_sdk::prelude::*;
/// #[derive(Row)]
/// struct Payment { amount: f64 }
///
/// #[derive(Windows)]
/// struct W {
///     // error: W::risk: the row has no column `terminal_id` of kind int, text or bytes
///     #[lookup("terminals", "terminal_id", "risk")]
///     risk: Option<f64>,
/// }
///
/// #[derive(Features)]
/// struct F { risk: Option<f64> }
///
/// #[features]
/// fn features(_: &Payment, w: &W) -> F { F { risk: w.risk } }
/// # let _ = plugin();
/// ```
pub trait Windows: Sized {
    /// Inputs beside the rows themselves.
    const SIDES: &'static [Side];
    /// One a field, in their order: those that are made of entries.
    const AGGREGATES: &'static [Aggregate];
    /// Folds of the plugin's own.
    const FOLDS: &'static [CustomFold];
    /// The other fields, those of one table and key together.
    const LOOKUPS: &'static [Lookup];
    /// The struct with another lifetime.
    type Of<'b>;
    /// A reader for each field.
    type Readers<'b>: Copy;

    /// Opens the columns, of which the first is column `first` of the batch: those of aggregates, then those of
    /// lookups. `R`, here and below, is the row of which entries are made.
    fn open<'b, R: Fields>(batch: &Batch<'b>, first: usize) -> Result<Self::Readers<'b>, Flaw>;

    /// Reads a row.
    ///
    /// # Safety
    /// The row must be one of the batch that the readers were opened from, for the same `R`.
    unsafe fn read<'b, R: Fields>(readers: &Self::Readers<'b>, row: usize) -> Self::Of<'b>;

    /// New writers, one a column.
    fn writers<R: Fields>() -> Vec<ColumnWriter>;

    /// Appends the values: one writer a column.
    fn write<R: Fields>(&self, writers: &mut [ColumnWriter]);
}

/// For plugins without windows.
impl Windows for () {
    const SIDES: &'static [Side] = &[];
    const AGGREGATES: &'static [Aggregate] = &[];
    const FOLDS: &'static [CustomFold] = &[];
    const LOOKUPS: &'static [Lookup] = &[];
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

type Run = fn(&Batch<'_>, &[usize], usize, &[u32], &mut [u8], &mut ColumnWriter) -> Result<usize, Flaw>;
type Migrate = fn(u32, usize, &[u8], &mut Vec<u8>) -> Result<(), String>;

/// Kind of aggregate `index`, whose field has type `T`, for rows `R`. Evaluated at compile time: a panic is a
/// compile error.
#[doc(hidden)]
pub const fn kind_of<W: Windows, R: Fields, T: Cell>(index: usize) -> Kind {
    let aggregate = &W::AGGREGATES[index];
    let kind = check::cell_kind(aggregate, R::COLUMNS, W::SIDES, W::FOLDS);
    let mut n = 0;
    while n < T::ACCEPTS.len() {
        if T::ACCEPTS[n].is(kind) {
            return kind;
        }
        n += 1;
    }
    panic!("{}", aggregate.mistakes.field)
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
