//! Write Tailwater plugins: plain structs in, plain structs out.
//!
//! A pipeline is a line of stages: a *preprocessor* cleans the records of a Kafka topic, a
//! *features* plugin makes vectors of them and of windows that the host keeps, a model scores the
//! vectors, and *rules* say what is to be done. Each plugin is one function and a few structs.
//!
//! # A first plugin
//!
//! Features of card payments, in full:
//!
//! ```
//! use tailwater_sdk::prelude::*;
//!
//! #[derive(Row)]
//! struct Payment {
//!     event_time: Time,
//!     amount: f64,
//! }
//!
//! #[derive(Windows)]
//! struct Card {
//!     #[count("7d")]
//!     payments: f64,
//!     #[mean("amount", "7d")]
//!     mean: Option<f64>,
//! }
//!
//! #[derive(Features)]
//! struct Vector {
//!     payments_7d: f32,
//!     ratio: f32,
//!     night: bool,
//! }
//!
//! #[features]
//! fn features(payment: &Payment, card: &Card) -> Vector {
//!     Vector {
//!         payments_7d: card.payments as f32,
//!         ratio: (payment.amount / card.mean.unwrap_or(1.0)) as f32,
//!         night: payment.event_time.hour_of_day() < 6,
//!     }
//! }
//!
//! let card = Card { payments: 3.0, mean: Some(20.0) };
//! let vector = features(&Payment { event_time: Time(0), amount: 40.0 }, &card);
//! assert_eq!((vector.ratio, vector.night), (2.0, true));
//! ```
//!
//! Its `Cargo.toml`, but for the name:
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib", "rlib"]
//!
//! [dependencies]
//! tailwater-sdk = { path = "PATH/TO/tailwater/plugin-sdk" }
//!
//! [profile.release]
//! lto = true
//! codegen-units = 1
//! ```
//!
//! `cargo test` tests it like any crate. `cargo build --release --target wasm32-unknown-unknown` makes
//! the file that a pipeline names, `target/wasm32-unknown-unknown/release/NAME.wasm`; the host turns it
//! into a component itself.
//!
//! # What there is
//!
//! | plugin | attribute | takes | gives |
//! | --- | --- | --- | --- |
//! | preprocessor | [`preprocessor`](macro@preprocessor) | a [`Row`] | rows: [`Outcome`] |
//! | features | [`features`](macro@features) | a [`Row`], or a closed window, and [`Windows`] | a [`Vector`]: [`Vectored`] |
//! | rules | [`rules`](macro@rules) | a [`View`] | a row and its [`Routes`]: [`Decision`] |
//!
//! Each also takes [`Settings`], if it has any. Rows that make no sense are refused with a
//! [`Rejection`]. [`Fold`] is for windows' values that are not ready-made. [`mod@log`] talks to the
//! host's log and counters. [`testing`] and [`native`] run plugins without a host.
//!
//! [`Windows`] says what the host keeps for a features plugin: values of windows over rows of the row's key,
//! or of another source such as labels; and what it looks up in tables of reference data. A vector is made
//! for each row, or for each window when it [closes](Compute#closed-windows). A pipeline may have
//! several features stages, each with a key of its own: a feature of one is a column, of type `f32`, for
//! those behind it. Which column is the key, which the event time, and how late rows may be says the
//! pipeline's file.
//!
//! # Laws
//!
//! - A plugin is pure: the same settings and rows give the same bytes. It has no clock, no randomness,
//!   no files and no network. All state is the host's: an instance may be replaced between any two
//!   batches, so what a `static` remembers may be gone.
//! - One plugin a crate. (Natively one a module, so that tests may have several.)
//! - A panic ends the instance; its message goes to the host's log. The host finds the row that did it
//!   and puts it to the dead letters, but slowly: refuse rows by a [`Rejection`].
//! - The host calls once a batch, and the SDK reads columns where they lie. `&str` and slices borrow;
//!   owned types allocate for each row. What that costs `cargo xtask bench` measures: `cleaning`, `features`
//!   and `rules` of `examples/fraud` together took 150 to 230 ns a record in the sandbox, in batches of 256 to 1,024,
//!   which is 1.3 to 1.4 times what they took natively.

#![warn(missing_docs)]

extern crate self as tailwater_sdk;

#[doc(hidden)]
pub mod abi;
pub mod batch;
mod column;
#[doc(hidden)]
pub mod component_type;
mod compute;
mod decide;
pub mod describe;
mod field;
mod fold;
pub mod log;
pub mod native;
mod preprocess;
mod rejection;
mod row;
mod settings;
pub mod testing;
mod time;
mod windows;
pub mod world;

pub use column::{Column, Kind, position};
pub use compute::{Computation, Compute, Number, RowFeatures, Vector, Vectored};
pub use decide::{Choice, Decide, Decision, OnlyRoute, Routes, RowRules, View, feature_name};
pub use field::Field;
pub use fold::{Fold, Register};
pub use preprocess::{Clean, Cleaned, Outcome, RowPreprocessor};
pub use rejection::{Rejected, Rejection};
pub use row::{Fields, Row};
pub use settings::{Setting, Settings, Table, Value};
pub use time::Time;
pub use windows::{
    Aggregate, Cell, CustomFold, Lookup, Mistakes, Side, Windows, cell_writer, check_closing, check_lookups,
    kind_of, looked_up, open_cell,
};

pub use tailwater_sdk_macros::{
    Features, Register, Routes, Row, Settings, View, Windows, features, preprocessor, rules,
};

/// The first plugin that people see compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// All that a plugin needs: `use tailwater_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::log::count;
    pub use crate::{
        Features, Fold, Register, Rejection, Routes, Row, Settings, Time, View, Windows, features, log,
        preprocessor, rules,
    };
}
