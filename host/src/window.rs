//! Windows over kept entries: pure, no clock, no I/O.
//!
//! One list of entries a key and input serves windows of all kinds; a running value (a lane) a window and
//! fold takes in what comes and lets go of what leaves. A row sees the rows of its key that were admitted
//! before it and are no later than it, and itself:
//!
//! - sliding: those in (t - size, t];
//! - hopping, tumbling: of the oldest window that holds t, the part up to t. Windows start at multiples of
//!   the slide since the epoch;
//! - session: back from t, as long as neighbours are no further apart than the gap;
//! - last n: the newest n, itself included;
//! - forever: all that were admitted before it, whatever their time.
//!
//! Rows of other inputs see nothing. Of one time, those that were admitted before are before. What a row
//! sees never depends on batches, nor on when entries are forgotten that nothing can see any more.

mod cells;
mod closing;
mod cursor;
mod decayed;
mod describe;
mod distinct;
mod entries;
mod exact;
mod extremes;
mod frequencies;
mod frozen;
mod hash;
mod history;
mod lane;
mod moves;
mod plan;
mod quantile;
mod registers;
mod script;

pub use cells::Cells;
pub use closing::{Closed, Closing};
pub use hash::{hash, mix};
pub use history::{Conversion, History, Scratch};
#[cfg(test)]
pub use lane::lose_retracts;
pub use plan::{
    Ancestor, Cell, Counterparts, Custom, InputPlan, Lane, LaneKind, Layout, Plan, Runs, Span, SpanKind,
    is_float,
};
pub use script::{Item, Old, Operation, Script, Scripts, Step};

#[cfg(test)]
mod tests;
