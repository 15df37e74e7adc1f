//! The worlds of the contract, as traits over batches.
//!
//! The attributes [`preprocessor`](macro@crate::preprocessor), [`features`](macro@crate::features)
//! and [`rules`](macro@crate::rules) implement them for you. Implement one by hand where the
//! columns are known only from the settings, and hand it to [`export!`](crate::export).

use crate::batch::{Batch, Flaw};
use crate::describe::{FeaturesDescription, PreprocessorDescription, RulesDescription};
use crate::rejection::Rejected;
use crate::settings::Table;

/// Rows in, clean rows out.
pub trait Preprocessor: 'static {
    /// Says what it wants and gives, and becomes ready to work.
    fn describe(settings: &Table) -> Result<(Self, PreprocessorDescription), String>
    where
        Self: Sized;

    /// Works on a batch of the described input columns.
    fn process(&mut self, rows: &Batch<'_>) -> Result<Processed<'_>, Flaw>;
}

/// Answer of a [`Preprocessor`].
#[derive(Clone, Copy, Debug)]
pub struct Processed<'a> {
    /// Of the described output columns.
    pub rows: Batch<'a>,
    /// For each row out the index of its row in; none smaller than the one before.
    pub origin: &'a [u32],
    /// Rows that came to nothing.
    pub rejected: &'a [Rejected],
}

/// Feature vectors.
pub trait Features: 'static {
    /// Says what it wants and gives, and becomes ready to work.
    fn describe(settings: &Table) -> Result<(Self, FeaturesDescription), String>
    where
        Self: Sized;

    /// Works on a batch of the first input's columns and a column for each aggregate.
    fn compute(&mut self, rows: &Batch<'_>) -> Result<Computed<'_>, Flaw>;

    /// Executes a tape over registers, in place. `entries` has the columns that the input keeps,
    /// and last the time of each.
    fn fold(
        &mut self,
        custom: u32,
        entries: &Batch<'_>,
        tape: &[u32],
        registers: &mut [u8],
    ) -> Result<Batch<'_>, Flaw>;

    /// Makes registers of a fold of `count` that an older version of it left, one behind the other; or says why not.
    fn migrate(
        &mut self,
        custom: u32,
        version: u32,
        count: usize,
        registers: &[u8],
    ) -> Result<&[u8], String> {
        let _ = (count, registers);
        Err(format!("nothing is made of registers that version {version} of fold {custom} left"))
    }
}

/// Answer of [`Features`].
#[derive(Clone, Copy, Debug)]
pub struct Computed<'a> {
    /// rows x features, row after row.
    pub matrix: &'a [f32],
    /// As many rows as were given.
    pub ids: Batch<'a>,
    /// What stands in the matrix for these rows is ignored.
    pub rejected: &'a [Rejected],
}

/// What is to be done.
pub trait Rules: 'static {
    /// Says what it wants and gives, and becomes ready to work.
    fn describe(settings: &Table) -> Result<(Self, RulesDescription), String>
    where
        Self: Sized;

    /// Works on a batch of the wanted columns.
    fn decide(&mut self, rows: &Batch<'_>) -> Result<Decided<'_>, Flaw>;
}

/// The route of a row that goes nowhere.
pub const NO_ROUTE: u8 = 255;

/// Answer of [`Rules`].
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    /// As many rows as were given, of the described output columns.
    pub rows: Batch<'a>,
    /// For each row an index into the routes, or [`NO_ROUTE`].
    pub route: &'a [u8],
    /// What stands in these rows is ignored.
    pub rejected: &'a [Rejected],
}
