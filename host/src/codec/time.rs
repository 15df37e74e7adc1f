//! Times, as numbers and as texts. What is finer than a millisecond is rounded down in both.

use crate::columns::TIMES;
use crate::config::TimeUnit;

pub(super) use crate::time::parse;

impl TimeUnit {
    /// `None` if it is no time that we can tell.
    pub(super) fn millis(self, number: i64) -> Option<i64> {
        let millis = match self {
            Self::Seconds => number.checked_mul(1_000)?,
            Self::Milliseconds => number,
            Self::Microseconds => number.div_euclid(1_000),
            Self::Nanoseconds => number.div_euclid(1_000_000),
        };
        TIMES.contains(&millis).then_some(millis)
    }
}
