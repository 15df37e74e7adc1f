//! Testing a plugin the way the host calls it: structs become batches, and batches structs.
//!
//! Most logic is best tested by calling the function itself. This finds what such a test can't:
//! settings that don't fit, columns called otherwise than thought, nulls.
//!
//! ```
//! use tailwater_sdk::prelude::*;
//! use tailwater_sdk::testing;
//!
//! #[derive(Row)]
//! struct Payment<'a> { id: i64, country: &'a str, amount: f64 }
//!
//! #[derive(Settings)]
//! struct Limits { most: f64 }
//!
//! #[preprocessor]
//! fn clean<'a>(raw: &Payment<'a>, limits: &Limits) -> Result<Payment<'a>, Rejection> {
//!     if raw.amount > limits.most { Err("too much")? }
//!     Ok(Payment { ..*raw })
//! }
//!
//! # fn main() -> Result<(), String> {
//! let mut running = testing::start(plugin(), &[("most", 50.0.into())])?;
//! let cleaned = running.process(&[
//!     Payment { id: 1, country: "fr", amount: 20.0 },
//!     Payment { id: 2, country: "de", amount: 70.0 },
//! ]);
//! let rows: Vec<Payment> = cleaned.rows::<Payment>();
//! assert_eq!((rows[0].id, rows[0].country), (1, "fr"));
//! assert_eq!(cleaned.rejected[0].row, 1);
//! assert!(testing::start(plugin(), &[]).unwrap_err().contains("`most` is missing"));
//! # Ok(())
//! # }
//! ```
//!
//! A batch that does not fit panics: here it is the test's mistake.

mod batch;
mod tape;

pub use batch::{Owned, rows_as_batch};
pub use tape::Tape;

use crate::column::{Column, Kind};
use crate::describe::Description;
use crate::fold::Register;
use crate::native::{Instance, Plugin};
use crate::rejection::Rejected;
use crate::row::{Fields, Row};
use crate::settings::Value;
use crate::time::Time;
use crate::windows::{Windows, entry_columns};
use crate::world::NO_ROUTE;

/// Starts a plugin with these settings. The error is that of `describe`.
pub fn start(plugin: Plugin, settings: &[(&str, Value)]) -> Result<Running, String> {
    let columns: Vec<Column> =
        settings.iter().map(|(name, value)| Column::new(name.to_string(), kind(value))).collect();
    let row = batch::settings(&columns, settings.iter().map(|(_, value)| value));
    Ok(Running { instance: plugin.start(&columns, &row.as_batch())? })
}

/// What a counter stands at that the plugin counted in this thread.
#[cfg(not(target_arch = "wasm32"))]
pub fn counted(name: &str) -> u64 {
    crate::log::host::counted(name)
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Boolean(_) => Kind::Boolean,
        Value::Int(_) => Kind::Int,
        Value::Float(_) => Kind::Float,
        Value::Text(_) => Kind::Text,
        Value::Floats(_) => Kind::Floats,
    }
}

/// A plugin that was started.
#[derive(Debug)]
pub struct Running {
    instance: Instance,
}

impl Running {
    /// What it said about itself.
    pub fn description(&self) -> &Description {
        self.instance.description()
    }

    /// Gives rows to a preprocessor.
    pub fn process<R: Row>(&mut self, rows: &[R]) -> Cleaned {
        let out = self.instance.process(&rows_as_batch(rows).as_batch()).unwrap_or_else(give_up);
        Cleaned { rows: Owned::copy(&out.rows), origin: out.origin.to_vec(), rejected: out.rejected.to_vec() }
    }

    /// Gives rows and the values of their windows to a features plugin.
    pub fn compute<R: Row, W: Windows>(&mut self, rows: &[R], windows: &[W]) -> Vectors {
        self.compute_batch(&batch::rows_and_windows::<R, R, W>(rows, windows))
    }

    /// Gives closed windows and their values to a features plugin. `E` is the row that `on_close` names:
    /// `running.compute_closed::<Tx, _, _>(&hours, &values)`.
    pub fn compute_closed<E: Row, R: Row, W: Windows>(&mut self, closed: &[R], values: &[W]) -> Vectors {
        self.compute_batch(&batch::rows_and_windows::<E, R, W>(closed, values))
    }

    fn compute_batch(&mut self, rows: &Owned) -> Vectors {
        let Description::Features(description) = self.instance.description() else {
            panic!("only a features plugin can compute")
        };
        let width = description.features.len();
        let out = self.instance.compute(&rows.as_batch()).unwrap_or_else(give_up);
        let (ids, rejected) = (Owned::copy(&out.ids), out.rejected.to_vec());
        Vectors { width, matrix: out.matrix.to_vec(), ids, rejected }
    }

    /// Executes a tape of one of the plugin's folds over registers, in place; gives what it emitted.
    /// The entries are whole rows of the fold's input: only what is kept is handed over.
    pub fn fold<E: Row, C: crate::Field>(
        &mut self,
        custom: u32,
        entries: &[(E, Time)],
        tape: &Tape,
        registers: &mut [u8],
    ) -> Vec<C::Of<'static>> {
        let Description::Features(description) = self.instance.description() else {
            panic!("only a features plugin can fold")
        };
        let names: Vec<_> = E::COLUMNS.iter().map(|column| &column.name).collect();
        let same = |columns: &[Column]| columns.iter().map(|column| &column.name).eq(names.iter().copied());
        let input = description.inputs.iter().find(|input| same(&input.columns));
        let at = entry_columns(input.expect("entries are rows of an input"));
        let batch = batch::entries(entries, &at);
        let cells = self.instance.fold(custom, &batch.as_batch(), tape.words(), registers);
        batch::values::<C>(Owned::copy(&cells.unwrap_or_else(give_up)))
    }

    /// Makes registers of one of the plugin's folds of those that an older version left, of which `O` was the
    /// register. The error is what the host is told: the release would be refused.
    pub fn migrate<O: Register, N: Register>(
        &mut self,
        custom: u32,
        version: u32,
        old: &[O],
    ) -> Result<Vec<N>, String> {
        let mut registers = vec![0; old.len() * O::BYTES];
        old.iter().zip(registers.chunks_exact_mut(O::BYTES)).for_each(|(one, bytes)| one.store(bytes));
        let new = self.instance.migrate(custom, version, old.len(), &registers)?;
        assert_eq!(new.len(), old.len() * N::BYTES, "as many registers of the type that was asked for");
        Ok(new.chunks_exact(N::BYTES).map(N::load).collect())
    }

    /// Gives rows to rules.
    pub fn decide<V: Fields>(&mut self, seen: &[V]) -> Decisions {
        let Description::Rules(description) = self.instance.description() else {
            panic!("only rules can decide")
        };
        let routes: Vec<String> = description.routes.iter().map(|name| name.to_string()).collect();
        let out = self.instance.decide(&rows_as_batch(seen).as_batch()).unwrap_or_else(give_up);
        let name = |index: &u8| (*index != NO_ROUTE).then(|| routes[usize::from(*index)].clone());
        let route = out.route.iter().map(name).collect();
        Decisions { rows: Owned::copy(&out.rows), route, rejected: out.rejected.to_vec() }
    }
}

fn give_up<T>(flaw: crate::batch::Flaw) -> T {
    panic!("{flaw}")
}

/// What a preprocessor made of rows.
#[derive(Clone, Debug)]
pub struct Cleaned {
    rows: Owned,
    /// For each row out the index of its row in.
    pub origin: Vec<u32>,
    /// Rows that it refused.
    pub rejected: Vec<Rejected>,
}

impl Cleaned {
    /// The rows out.
    pub fn rows<R: Row>(&self) -> Vec<R::Of<'_>> {
        self.rows.rows::<R>()
    }
}

/// What a features plugin made of rows.
#[derive(Clone, Debug)]
pub struct Vectors {
    width: usize,
    matrix: Vec<f32>,
    ids: Owned,
    /// Rows that it refused.
    pub rejected: Vec<Rejected>,
}

impl Vectors {
    /// Of a row.
    pub fn vector(&self, row: usize) -> &[f32] {
        &self.matrix[row * self.width..][..self.width]
    }

    /// The columns beside the vectors, as a struct of the same columns.
    pub fn ids<R: Row>(&self) -> Vec<R::Of<'_>> {
        self.ids.rows::<R>()
    }
}

/// What rules made of rows.
#[derive(Clone, Debug)]
pub struct Decisions {
    rows: Owned,
    /// For each row the name of its route; `None`: it goes nowhere.
    pub route: Vec<Option<String>>,
    /// Rows that they refused.
    pub rejected: Vec<Rejected>,
}

impl Decisions {
    /// As many as were given. What goes nowhere is 0 or empty.
    pub fn rows<R: Row>(&self) -> Vec<R::Of<'_>> {
        self.rows.rows::<R>()
    }
}
