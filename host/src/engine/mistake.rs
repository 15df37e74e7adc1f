//! Mistakes that the simulator plants, to see them found.

/// What is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Offsets are committed beside the transaction.
    OffsetsApart,
    /// The transaction ends before all of it has arrived.
    CommitsEarly,
    /// Membership is proved as of the first transaction.
    StaleMember,
    /// The state stays as it is when a transaction is taken back.
    KeepsState,
    /// Reading goes on from where it is when a transaction is taken back.
    KeepsPlace,
    /// A checkpoint says that it is of a later commit than it is.
    CheckpointAhead,
    /// A journal forgets each tenth op.
    LosesOps,
    /// The changelog is trimmed further than the image reaches.
    TrimsFar,
    /// A task that comes back is not waited for until it reaches the group.
    RestoresHalf,
    /// Partitions are released before the last transaction.
    ReleasesEarly,
    /// What was lost is gone on with.
    IgnoresLoss,
    /// Rows that wait are not written down.
    ForgetsHeld,
}
