//! What every kind of store does, and what it does it with.

use std::time::Instant;

use super::rows::Rows;
use crate::engine::ports::Mark;
use crate::error::Result;
use crate::record::PartitionId;

/// Where a partition goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// None: at its beginning.
    pub next: Option<i64>,
    /// What was begun there is to end before this offset.
    pub before: Option<i64>,
}

/// The group that a store reads in.
pub(super) trait Group {
    /// Keeps the place in it while the store is busy. An error: it is time to let go.
    fn alive(&self) -> Result<()>;

    /// All before these offsets is kept. The group may hear of it later.
    fn kept(&mut self, next: &[(PartitionId, i64)]);

    /// Commits at once, with what the marks say beside. False: the group went on without this member.
    fn commit(&mut self, marks: &[Mark]) -> Result<bool>;
}

/// A kind of store. After an error all that it holds back is [forgotten](Keeper::forget), and comes again.
pub(super) trait Keeper {
    /// These are read from now on.
    fn begin(&mut self, partitions: &[(PartitionId, Place)]);

    /// Takes what a poll brought: keeps it, or holds it back until more is there.
    fn take(&mut self, rows: &Rows, group: &mut dyn Group) -> Result<Taken>;

    /// Keeps of what is held back that which has waited long enough.
    fn look(&mut self, now: Instant, group: &mut dyn Group) -> Result<()>;

    /// Keeps all that is held back of these.
    fn finish(&mut self, partitions: &[PartitionId], group: &mut dyn Group) -> Result<()>;

    /// Drops what is held back of these.
    fn forget(&mut self, partitions: &[PartitionId]);
}

/// What became of rows.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Those without a part that can't be held.
    pub flawed: Vec<String>,
    /// Those that can't be kept at all.
    pub left_out: Vec<super::rows::LeftOut>,
}
