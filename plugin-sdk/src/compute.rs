//! Feature vectors row by row.

use std::borrow::Cow;

use crate::batch::{Batch, Blob, ColumnWriter, Flaw};
use crate::column::Column;
use crate::describe::{FeaturesDescription, Trigger};
use crate::rejection::{Rejected, Rejection};
use crate::row::{Fields, Row};
use crate::settings::{Settings, Table};
use crate::windows::{Plan, Windows, check_closing, check_lookups};
use crate::world::{Computed, Features};

/// A feature vector. Derive it:
///
/// ```
/// # use tailwater_sdk::prelude::*;
/// #[derive(Features)]
/// struct F<'a> {
///     n7: f32,
///     ratio: Option<f64>,     // None becomes NaN
///     #[id]
///     country: &'a str,       // a column beside the vector, for models that take it by name
/// }
/// ```
///
/// Fields are features, called as they are, unless `#[name("...")]` renames them. Types: see
/// [`Number`]; of `#[id]` fields: see [`Field`](crate::Field).
pub trait Vector: Sized {
    /// Of the numbers, in order.
    const NAMES: &'static [&'static str];
    /// Columns beside the vector.
    const IDS: &'static [Column];

    /// Appends the numbers, and the ids: one writer an id.
    fn write(&self, matrix: &mut Vec<f32>, ids: &mut [ColumnWriter]);
}

/// A type of a feature: `f32`, `f64`, `i64`, `i32`, `u32`, `bool` (0 or 1), and `Option` of these
/// (`None` becomes NaN, which tree models take for a missing value).
pub trait Number {
    /// As models take it.
    fn number(&self) -> f32;
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Number for $type {
            #[inline(always)]
            fn number(&self) -> f32 {
                *self as f32
            }
        }
    )*};
}

number!(f32, f64, i64, i32, u32);

impl Number for bool {
    #[inline(always)]
    fn number(&self) -> f32 {
        f32::from(u8::from(*self))
    }
}

impl<T: Number> Number for Option<T> {
    #[inline(always)]
    fn number(&self) -> f32 {
        self.as_ref().map_or(f32::NAN, Number::number)
    }
}

/// What [`features`](macro@crate::features) makes of a function.
///
/// # Closed windows
///
/// With `on_close = Tx` there is a vector for each window that closes, and none for a row. The attributes of
/// [`Windows`] name columns of `Tx`; the function takes a row of the closed window's own columns:
///
/// ```
/// use tailwater_sdk::prelude::*;
/// use tailwater_sdk::testing;
///
/// #[derive(Row)]
/// struct Tx<'a> { amount: f64, merchant: &'a str }
///
/// #[derive(Row)]
/// struct Hour {
///     card_id: i64,               // of the stage's key, as in the cleaned record
///     #[column("@start")]
///     start: Time,
///     #[column("@end")]
///     end: Time,
///     #[column("@revision")]
///     revision: i64,
/// }
///
/// #[derive(Windows)]
/// struct Card {
///     #[sum("amount", tumbling("1h"))]
///     amount: f64,
///     #[distinct("merchant", tumbling("1h"))]
///     merchants: i64,
/// }
///
/// #[derive(Features)]
/// struct Vector { amount: f32, merchants: i64, night: bool }
///
/// #[features(on_close = Tx<'_>)]
/// fn features(hour: &Hour, card: &Card) -> Vector {
///     let night = hour.start.hour_of_day() < 6;
///     Vector { amount: card.amount as f32, merchants: card.merchants, night }
/// }
///
/// # fn main() -> Result<(), String> {
/// let mut running = testing::start(plugin(), &[])?;
/// let hour = Hour { card_id: 7, start: Time(0), end: Time(3_600_000), revision: 0 };
/// let vectors = running.compute_closed::<Tx<'_>, _, _>(&[hour], &[Card { amount: 9.5, merchants: 2 }]);
/// assert_eq!(vectors.vector(0), [9.5, 2.0, 1.0]);
/// # Ok(())
/// # }
/// ```
///
/// All fields have one and the same window: `tumbling`, `hopping` or `session`; and none is `latest`,
/// `since_latest` or a `fold` of the plugin's own. A window closes when no more rows of it are expected. That
/// of a key in which nothing happened never comes out. `@start` and `@end` of a session are the times of its
/// first and last entry. A row that is late, but not too late, makes a window that came out already come out
/// again, with `@revision` 1 and so on. A lookup's key is a column of the closed window.
///
/// ```compile_fail
/// # use tailwater_sdk::prelude::*;
/// # #[derive(Row)]
/// # struct Tx { amount: f64 }
/// # #[derive(Row)]
/// # struct Hour { #[column("@start")] start: Time }
/// #[derive(Windows)]
/// struct Card {
///     // error: Card::amount: closed windows are all one tumbling, hopping or session window
///     #[sum("amount", "1h")]
///     amount: f64,
/// }
/// # #[derive(Features)]
/// # struct Vector { amount: f32 }
///
/// #[features(on_close = Tx)]
/// fn features(_: &Hour, card: &Card) -> Vector { Vector { amount: card.amount as f32 } }
/// # let _ = plugin();
/// ```
pub trait Compute: 'static {
    /// Of the pipeline's file.
    type Settings: Settings + 'static;
    /// What the windows' entries are made of.
    type Record: Row;
    /// What the function is given: a record, or a closed window.
    type Row: Row;
    /// Values of windows, as of the row.
    type Windows: Windows;
    /// What comes out.
    type Vector: Vector;
    /// Whether the rows are closed windows.
    const ON_CLOSE: bool;

    /// Works on one row.
    fn compute<'b>(
        row: &<Self::Row as Fields>::Of<'b>,
        windows: &<Self::Windows as Windows>::Of<'b>,
        settings: &Self::Settings,
        out: &mut Computation<'_>,
    );
}

/// Where the vector of one row goes.
#[derive(Debug)]
pub struct Computation<'s> {
    matrix: &'s mut Vec<f32>,
    ids: &'s mut [ColumnWriter],
    rejected: &'s mut Vec<Rejected>,
    row: u32,
}

/// What a features function may return: a [`Vector`], or a `Result` of one (`Err`: rejected).
pub trait Vectored {
    /// The vector inside.
    type Vector: Vector;

    /// Hands it over.
    fn put(self, out: &mut Computation<'_>);
}

impl<V: Vector> Vectored for V {
    type Vector = V;

    #[inline(always)]
    fn put(self, out: &mut Computation<'_>) {
        self.write(out.matrix, out.ids);
    }
}

impl<V: Vector, E: Into<Rejection>> Vectored for Result<V, E> {
    type Vector = V;

    #[inline(always)]
    fn put(self, out: &mut Computation<'_>) {
        match self {
            Ok(vector) => vector.put(out),
            Err(why) => {
                out.rejected.push(Rejected { row: out.row, why: why.into() });
                out.matrix.resize(out.matrix.len() + V::NAMES.len(), 0.0);
                out.ids.iter_mut().for_each(ColumnWriter::push_null);
            }
        }
    }
}

/// A features plugin made of a function over rows.
#[derive(Debug)]
pub struct RowFeatures<T: Compute> {
    settings: T::Settings,
    plan: Plan,
    matrix: Vec<f32>,
    ids: Vec<ColumnWriter>,
    blob: Blob,
    rejected: Vec<Rejected>,
    migrated: Vec<u8>,
}

impl<T: Compute> Features for RowFeatures<T> {
    fn describe(settings: &Table) -> Result<(Self, FeaturesDescription), String> {
        const {
            check_lookups::<T::Windows, T::Row>();
            if T::ON_CLOSE {
                check_closing::<T::Windows, T::Row>();
            }
        }
        let settings = T::Settings::from_table(settings)?;
        let plan = Plan::new::<T::Record, T::Windows>()?;
        let description = FeaturesDescription {
            inputs: plan.inputs.clone(),
            lookups: plan.lookups.clone(),
            aggregates: plan.aggregates.clone(),
            custom_folds: plan.custom_folds.clone(),
            trigger: if T::ON_CLOSE { Trigger::Close(T::Row::COLUMNS.to_vec()) } else { Trigger::Row },
            features: T::Vector::NAMES.iter().copied().map(Cow::Borrowed).collect(),
            ids: T::Vector::IDS.to_vec(),
        };
        let ids = T::Vector::IDS.iter().map(ColumnWriter::new).collect();
        let (matrix, blob, rejected, migrated) = Default::default();
        Ok((Self { settings, plan, matrix, ids, blob, rejected, migrated }, description))
    }

    fn compute(&mut self, rows: &Batch<'_>) -> Result<Computed<'_>, Flaw> {
        let readers = T::Row::open_first(rows)?;
        let cells = T::Windows::open::<T::Record>(rows, T::Row::COLUMNS.len())?;
        self.matrix.clear();
        self.matrix.reserve(rows.rows() * T::Vector::NAMES.len());
        self.ids.iter_mut().for_each(ColumnWriter::clear);
        self.rejected.clear();
        for row in 0..rows.rows() {
            // SAFETY: the readers were opened from this batch, the windows' for this type of records.
            let (values, windows) =
                unsafe { (T::Row::read(&readers, row), T::Windows::read::<T::Record>(&cells, row)) };
            let out = &mut Computation {
                matrix: &mut self.matrix,
                ids: &mut self.ids,
                rejected: &mut self.rejected,
                row: row as u32,
            };
            T::compute(&values, &windows, &self.settings, out);
        }
        let ids = self.blob.seal(rows.rows(), &mut self.ids);
        Ok(Computed { matrix: &self.matrix, ids, rejected: &self.rejected })
    }

    fn fold(
        &mut self,
        custom: u32,
        entries: &Batch<'_>,
        tape: &[u32],
        registers: &mut [u8],
    ) -> Result<Batch<'_>, Flaw> {
        let (emitted, cells) = self.plan.run(custom, entries, tape, registers)?;
        Ok(self.blob.seal(emitted, std::slice::from_mut(cells)))
    }

    fn migrate(
        &mut self,
        custom: u32,
        version: u32,
        count: usize,
        registers: &[u8],
    ) -> Result<&[u8], String> {
        self.migrated.clear();
        self.plan.migrate(custom, version, count, registers, &mut self.migrated)?;
        Ok(&self.migrated)
    }
}
