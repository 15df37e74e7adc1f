//! What the derive says of a struct of [`Windows`](super::Windows).

use super::{Migrate, Run};
use crate::column::{Column, Kind};
use crate::describe;
use crate::field::Field;
use crate::fold::{Fold, Register as _};
use crate::row::Fields;

/// An input beside the rows themselves.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    /// Name of the source.
    pub source: &'static str,
    /// Of its rows.
    pub columns: &'static [Column],
}

/// What a field asks for that is made of a window's entries.
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
    /// What to tell the author.
    pub mistakes: Mistakes,
}

/// What the compiler shows if something does not fit the row that is used.
#[derive(Clone, Copy, Debug)]
pub struct Mistakes {
    /// There is no such column, or not one for the fold's entries.
    pub column: &'static str,
    /// The fold can't be made of the column's kind.
    pub kind: &'static str,
    /// There is no such boolean column.
    pub filter: &'static str,
    /// The field has another type than the value.
    pub field: &'static str,
    /// It can't be had of closed windows.
    pub closing: &'static str,
}

/// What fields ask for that is looked up in a table, by one key.
#[derive(Clone, Copy, Debug)]
pub struct Lookup {
    /// As the pipeline calls it.
    pub table: &'static str,
    /// Of the row.
    pub key: &'static str,
    /// A column a field, all nullable.
    pub columns: &'static [Column],
    /// What to tell the author if the row has no such key.
    pub mistake: &'static str,
}

/// The column that a field of type `T` is looked up as. A panic is a compile error.
#[doc(hidden)]
pub const fn looked_up<T: Field>(column: &'static str, mistake: &'static str) -> Column {
    assert!(T::NULLABLE, "{}", mistake);
    Column::constant(column, T::KIND, true)
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
    pub(crate) migrate: Migrate,
}

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
            migrate: crate::fold::migrate::<F>,
        }
    }
}
