//! Write Tailwater plugins: plain structs in, plain structs out.
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
pub use windows::{Aggregate, Cell, CustomFold, Side, Windows, cell_writer, kind_of, open_cell};

pub use tailwater_sdk_macros::{
    Features, Register, Routes, Row, Settings, View, Windows, features, preprocessor, rules,
};

/// All that a plugin needs: `use tailwater_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::log::count;
    pub use crate::{
        Features, Fold, Register, Rejection, Routes, Row, Settings, Time, View, Windows, features, log,
        preprocessor, rules,
    };
}
