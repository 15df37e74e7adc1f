//! The kinds of windows, and which times they hold.

use std::fmt;

use crate::contract::Window;

/// In milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpanKind {
    Sliding(u64),
    /// Tumbling, where the slide is the size.
    Hopping {
        size: u64,
        slide: u64,
    },
    Session(u64),
    Last(u32),
    Forever,
}

impl SpanKind {
    pub(super) fn of(window: Window) -> Self {
        match window {
            Window::Sliding(size) => Self::Sliding(size),
            Window::Tumbling(size) => Self::Hopping { size, slide: size },
            Window::Hopping { size, slide } => Self::Hopping { size, slide },
            Window::Session(gap) => Self::Session(gap),
            Window::Last(rows) => Self::Last(rows),
            Window::Forever => Self::Forever,
        }
    }

    /// The last moment that the window of a row at `time` no longer holds, where time alone tells.
    pub fn bound(self, time: i64) -> Option<i64> {
        match self {
            Self::Sliding(size) => Some(time.saturating_sub_unsigned(size)),
            // The oldest window that holds the row is the first one that starts behind this moment.
            Self::Hopping { size, slide } => {
                Some(floor(time.saturating_sub_unsigned(size), slide).saturating_add_unsigned(slide) - 1)
            }
            Self::Session(_) | Self::Last(_) | Self::Forever => None,
        }
    }

    /// The last moment of a row that sees an entry at `time`, if nothing comes in between; none: there is
    /// no such moment.
    pub fn last_seen(self, time: i64) -> Option<i64> {
        match self {
            Self::Sliding(size) => Some(time.saturating_add_unsigned(size) - 1),
            Self::Hopping { size, slide } => Some(floor(time, slide).saturating_add_unsigned(size) - 1),
            Self::Session(gap) => Some(time.saturating_add_unsigned(gap)),
            Self::Last(_) | Self::Forever => None,
        }
    }
}

/// Never changes: [`super::Plan::fingerprint`] has it.
impl fmt::Display for SpanKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sliding(size) => write!(f, "sliding {size} ms"),
            Self::Hopping { size, slide } if size == slide => write!(f, "tumbling {size} ms"),
            Self::Hopping { size, slide } => write!(f, "hopping {size} ms by {slide} ms"),
            Self::Session(gap) => write!(f, "session {gap} ms"),
            Self::Last(rows) => write!(f, "last {rows}"),
            Self::Forever => write!(f, "forever"),
        }
    }
}

/// The last multiple of `slide` at or before a time.
fn floor(time: i64, slide: u64) -> i64 {
    let slide = i64::try_from(slide).unwrap_or(i64::MAX);
    time.div_euclid(slide).saturating_mul(slide)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_oldest_hopping_window(time in -99i64..99, size in 1i64..20, slide in 1i64..20) {
            prop_assume!(slide <= size);
            let kind = SpanKind::Hopping { size: size as u64, slide: slide as u64 };
            let holds = |start: i64| start % slide == 0 && start <= time && time < start + size;
            let start = (-200..200).find(|start| holds(*start));
            prop_assert_eq!(kind.bound(time).map(|bound| bound + 1), start);
        }

        #[test]
        fn what_is_seen_last_is_seen_no_longer(time in -99i64..99, size in 1u64..20, slide in 1u64..20) {
            for kind in [SpanKind::Sliding(size), SpanKind::Hopping { size: size.max(slide), slide }] {
                let last = (-200..200).rfind(|row| kind.bound(*row).is_some_and(|bound| bound < time));
                prop_assert_eq!(kind.last_seen(time), last);
            }
        }
    }
}
