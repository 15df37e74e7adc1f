//! Rules row by row.

use std::borrow::Cow;

use crate::batch::{Batch, Flaw};
use crate::column::Kind;
use crate::describe::{Origin, RulesDescription, Wanted};
use crate::field::Field;
use crate::rejection::{Rejected, Rejection};
use crate::row::{Fields, Output, Row};
use crate::settings::{Settings, Table};
use crate::world::{Decided, NO_ROUTE, Rules};

/// What rules want to see. Derive it:
///
/// ```
/// # use tailwater_sdk::prelude::*;
/// #[derive(View)]
/// struct Seen<'a> {
///     transaction_id: i64,     // a column of the cleaned record
///     #[features]
///     amount: f32,             // a feature, by its name
///     #[features]
///     all: &'a [f32],          // the whole vector
///     #[score]
///     fraud: f32,              // an output of the model, by its name
/// }
/// ```
///
/// `#[column("...")]` gives another name. Features and scores are `f32` or `f64`.
pub trait View: Fields {
    /// Where each column comes from.
    const ORIGINS: &'static [Origin];
}

/// What rules call a feature: lists of floats are the whole vector.
#[doc(hidden)]
pub const fn feature_name<T: Field>(name: &'static str) -> &'static str {
    if T::KIND.is(Kind::Floats) { "*" } else { name }
}

/// The ways out. Derive it for an enum of variants without fields:
///
/// ```
/// # use tailwater_sdk::prelude::*;
/// #[derive(Routes)]
/// enum Route {
///     Decisions,          // the route `decisions`
///     ForReview,          // the route `for-review`
///     #[name("alarm")]
///     Alert,              // the route `alarm`
/// }
/// ```
pub trait Routes {
    /// In the order of the variants.
    const NAMES: &'static [&'static str];

    /// Which one this is.
    fn index(&self) -> u8;
}

/// The only route of rules that return no route: `output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnlyRoute;

impl Routes for OnlyRoute {
    const NAMES: &'static [&'static str] = &["output"];

    fn index(&self) -> u8 {
        0
    }
}

/// What [`rules`](macro@crate::rules) makes of a function.
pub trait Decide: 'static {
    /// Of the pipeline's file.
    type Settings: Settings + 'static;
    /// A row in.
    type Seen: View;
    /// A row out.
    type Row: Row;
    /// The ways out.
    type Routes: Routes;

    /// Works on one row.
    fn decide<'b>(
        seen: &<Self::Seen as Fields>::Of<'b>,
        settings: &Self::Settings,
        out: &mut Choice<'_, <Self::Row as Fields>::Writers>,
    );
}

/// Where the decision on one row goes.
#[derive(Debug)]
pub struct Choice<'s, W> {
    writers: &'s mut W,
    route: &'s mut Vec<u8>,
    rejected: &'s mut Vec<Rejected>,
    row: u32,
    written: bool,
}

/// What a function of rules may return: a [`Row`] (for the one route `output`), a pair of
/// [`Routes`] and a row, an `Option` of these (`None`: goes nowhere), or a `Result` of any of these
/// (`Err`: rejected).
pub trait Decision {
    /// The row inside.
    type Row: Row;
    /// The ways out.
    type Routes: Routes;

    /// Hands it over.
    fn put(self, out: &mut Choice<'_, <Self::Row as Fields>::Writers>);
}

impl<R: Row> Decision for R {
    type Row = R;
    type Routes = OnlyRoute;

    #[inline(always)]
    fn put(self, out: &mut Choice<'_, R::Writers>) {
        (OnlyRoute, self).put(out);
    }
}

impl<T: Routes, R: Row> Decision for (T, R) {
    type Row = R;
    type Routes = T;

    #[inline(always)]
    fn put(self, out: &mut Choice<'_, R::Writers>) {
        self.1.write(out.writers);
        out.route.push(self.0.index());
        out.written = true;
    }
}

impl<T: Decision> Decision for Option<T> {
    type Row = T::Row;
    type Routes = T::Routes;

    #[inline(always)]
    fn put(self, out: &mut Choice<'_, <T::Row as Fields>::Writers>) {
        match self {
            Some(decision) => decision.put(out),
            None => out.route.push(NO_ROUTE),
        }
    }
}

impl<T: Decision, E: Into<Rejection>> Decision for Result<T, E> {
    type Row = T::Row;
    type Routes = T::Routes;

    #[inline(always)]
    fn put(self, out: &mut Choice<'_, <T::Row as Fields>::Writers>) {
        match self {
            Ok(decision) => decision.put(out),
            Err(why) => {
                out.rejected.push(Rejected { row: out.row, why: why.into() });
                out.route.push(NO_ROUTE);
            }
        }
    }
}

/// Rules made of a function over rows.
#[derive(Debug)]
pub struct RowRules<T: Decide> {
    settings: T::Settings,
    output: Output<T::Row>,
    route: Vec<u8>,
    rejected: Vec<Rejected>,
}

impl<T: Decide> Rules for RowRules<T> {
    fn describe(settings: &Table) -> Result<(Self, RulesDescription), String> {
        let settings = T::Settings::from_table(settings)?;
        let wanted = T::Seen::COLUMNS.iter().zip(T::Seen::ORIGINS);
        let description = RulesDescription {
            input: wanted.map(|(column, from)| Wanted { column: column.clone(), from: *from }).collect(),
            output: T::Row::COLUMNS.to_vec(),
            routes: T::Routes::NAMES.iter().copied().map(Cow::Borrowed).collect(),
        };
        let output = Output::new();
        Ok((Self { settings, output, route: Vec::new(), rejected: Vec::new() }, description))
    }

    fn decide(&mut self, rows: &Batch<'_>) -> Result<Decided<'_>, Flaw> {
        let readers = T::Seen::open_first(rows)?;
        self.output.restart();
        self.route.clear();
        self.rejected.clear();
        for row in 0..rows.rows() {
            // SAFETY: the readers were opened from this batch.
            let seen = unsafe { T::Seen::read(&readers, row) };
            let out = &mut Choice {
                writers: &mut self.output.writers,
                route: &mut self.route,
                rejected: &mut self.rejected,
                row: row as u32,
                written: false,
            };
            T::decide(&seen, &self.settings, out);
            match out.written {
                true => self.output.rows += 1,
                false => self.output.push_blank(),
            }
        }
        Ok(Decided { rows: self.output.seal(), route: &self.route, rejected: &self.rejected })
    }
}
