//! Feature vectors row by row.

use std::borrow::Cow;

use crate::batch::{Batch, Blob, ColumnWriter, Flaw};
use crate::column::Column;
use crate::describe::{FeaturesDescription, Trigger};
use crate::rejection::{Rejected, Rejection};
use crate::row::{Fields, Row};
use crate::settings::{Settings, Table};
use crate::windows::{Plan, Windows};
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
pub trait Compute: 'static {
    /// Of the pipeline's file.
    type Settings: Settings + 'static;
    /// A row in.
    type Row: Row;
    /// Values of windows, as of the row.
    type Windows: Windows;
    /// What comes out.
    type Vector: Vector;

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
}

impl<T: Compute> Features for RowFeatures<T> {
    fn describe(settings: &Table) -> Result<(Self, FeaturesDescription), String> {
        let settings = T::Settings::from_table(settings)?;
        let plan = Plan::new::<T::Row, T::Windows>()?;
        let description = FeaturesDescription {
            inputs: plan.inputs.clone(),
            aggregates: plan.aggregates.clone(),
            custom_folds: plan.custom_folds.clone(),
            trigger: Trigger::Row,
            features: T::Vector::NAMES.iter().copied().map(Cow::Borrowed).collect(),
            ids: T::Vector::IDS.to_vec(),
        };
        let ids = T::Vector::IDS.iter().map(ColumnWriter::new).collect();
        let (matrix, blob, rejected) = (Vec::new(), Blob::default(), Vec::new());
        Ok((Self { settings, plan, matrix, ids, blob, rejected }, description))
    }

    fn compute(&mut self, rows: &Batch<'_>) -> Result<Computed<'_>, Flaw> {
        let readers = T::Row::open_first(rows)?;
        let cells = T::Windows::open::<T::Row>(rows, T::Row::COLUMNS.len())?;
        self.matrix.clear();
        self.matrix.reserve(rows.rows() * T::Vector::NAMES.len());
        self.ids.iter_mut().for_each(ColumnWriter::clear);
        self.rejected.clear();
        for row in 0..rows.rows() {
            // SAFETY: the readers were opened from this batch, the windows' for this row type.
            let (values, windows) =
                unsafe { (T::Row::read(&readers, row), T::Windows::read::<T::Row>(&cells, row)) };
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
}
