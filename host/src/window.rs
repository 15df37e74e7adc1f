//! Windows over kept entries: pure, no clock, no I/O.
//!
//! One list of entries a key serves sliding windows of all sizes; a running value (a lane) a size and fold
//! takes in what comes and lets go of what leaves. A row at t sees (t - size, t], itself included.
//! What a row sees depends on the rows of its key that were admitted before it, never on batches.

mod cells;
mod decayed;
mod distinct;
mod entries;
mod exact;
mod extremes;
mod frequencies;
mod hash;
mod history;
mod lane;
mod plan;
mod quantile;
mod script;

pub use cells::Cells;
pub use hash::hash;
pub use history::{History, Scratch};
pub use plan::{Custom, Layout, Plan, is_float};
pub use script::{Operation, Script, Scripts, Step, entry_schema};

#[cfg(test)]
mod tests;
