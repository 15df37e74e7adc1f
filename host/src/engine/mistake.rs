//! Mistakes that the simulator plants, to see each of them found. Outside of tests there are none.

/// What is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Offsets are committed beside the transaction.
    OffsetsApart,
    /// The transaction ends before all of it has arrived.
    CommitsEarly,
    /// The state stays as it is when a transaction is taken back.
    KeepsState,
    /// Reading goes on from where it is when a transaction is taken back.
    KeepsPlace,
    /// A checkpoint says that it is of a later commit than it is.
    CheckpointAhead,
    /// Some changes do not go to the changelog.
    LosesChanges,
    /// The changelog is trimmed further than the image reaches.
    TrimsFar,
    /// A task that comes back is not waited for until it reaches the group.
    RestoresHalf,
    /// Partitions are released before the last transaction.
    ReleasesEarly,
    #[cfg(test)]
    /// Membership is proved as of the first transaction.
    StaleMember,
    #[cfg(test)]
    /// Windows forget to let go of some entries.
    LosesRetracts,
    /// Rows that wait are not written down.
    ForgetsHeld,
    /// Registers of custom folds are not written down.
    LosesRegisters,
    /// Nor which entries a custom fold leaves out.
    ForgetsLeftOut,
    /// Rows in flight are finished by the release that runs, whichever began them.
    FinishesAnew,
    /// It is not written down by which plan windows are kept from now on.
    ForgetsPlans,
    /// Rows in flight do not wait for a release that the thread lacks.
    LacksRelease,
    /// Folds of another release take in nothing.
    StarvesFormers,
    /// What an older version of a fold left is not taken over.
    LosesOldRegisters,
    /// Partitions that wait for their task are begun anywhere, and set to its place later.
    BeginsAnywhere,
    /// Of a task only its first input is read again when a transaction is taken back.
    KeepsOtherPlaces,
}

#[cfg(test)]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Mistake>> = const { std::cell::Cell::new(None) };
}

/// Plants a mistake in all that this thread does from now on; or none.
#[cfg(test)]
pub fn plant(mistake: Option<Mistake>) {
    PLANTED.set(mistake);
    crate::window::lose_retracts(mistake == Some(Mistake::LosesRetracts));
}

/// Whether this is to be done wrong.
pub fn planted(mistake: Mistake) -> bool {
    #[cfg(test)]
    return PLANTED.get() == Some(mistake);
    #[cfg(not(test))]
    {
        let _ = mistake;
        false
    }
}
