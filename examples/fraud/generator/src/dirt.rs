//! Records that are not as they should be.

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dirt {
    /// It ends in the middle.
    BrokenJson,
    /// It has no amount.
    MissingField,
    /// Its amount is a text.
    WrongType,
    NegativeAmount,
    UnknownCurrency,
    /// It is of a terminal's test; there is nothing wrong with it otherwise.
    TestCard,
}

impl Dirt {
    pub const ALL: [Self; 6] = [
        Self::BrokenJson,
        Self::MissingField,
        Self::WrongType,
        Self::NegativeAmount,
        Self::UnknownCurrency,
        Self::TestCard,
    ];

    /// Whether it should end among the dead letters. Test cards are dropped silently.
    pub fn is_refused(self) -> bool {
        self != Self::TestCard
    }
}
