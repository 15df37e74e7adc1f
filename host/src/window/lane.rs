//! One running value over the entries of a span.

use super::exact::ExactSum;
use super::extremes::{Extremes, ordered};
use super::plan::{Lane, LaneKind, Layout, is_float};

/// State of a lane. Adding what was added before and retracting are each other's inverse.
#[derive(Clone, Debug)]
pub enum LaneState {
    Count(u64),
    IntSum(Box<i128>),
    Float(ExactSum),
    Extremes(Extremes),
    Latest(Option<Latest>),
}

/// The newest entry so far, and when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latest {
    pub time: i64,
    pub word: u64,
}

impl LaneState {
    /// Bytes held beside this struct.
    pub fn size(&self) -> usize {
        match self {
            Self::IntSum(_) => size_of::<i128>(),
            Self::Float(sum) => sum.size(),
            Self::Extremes(extremes) => extremes.size(),
            Self::Count(_) | Self::Latest(_) => 0,
        }
    }
}

impl Lane {
    pub fn fresh(&self) -> LaneState {
        match self.kind {
            LaneKind::Count => LaneState::Count(0),
            LaneKind::IntSum => LaneState::IntSum(Box::default()),
            LaneKind::FloatSum | LaneKind::Squares => LaneState::Float(ExactSum::default()),
            LaneKind::Least | LaneKind::Greatest => LaneState::Extremes(Extremes::default()),
            LaneKind::Latest => LaneState::Latest(None),
            _ => LaneState::Count(0),
        }
    }

    /// Takes an entry in, if it counts here.
    pub fn add(&self, state: &mut LaneState, layout: &Layout, entry: &[u64]) {
        let Some(word) = self.counts(layout, entry) else { return };
        let time = entry[0].cast_signed();
        match state {
            LaneState::Count(count) => *count += 1,
            LaneState::IntSum(sum) => **sum += i128::from(word.cast_signed()),
            LaneState::Float(sum) if self.kind == LaneKind::Squares => {
                sum.add_square(self.float(layout, word))
            }
            LaneState::Float(sum) => sum.add(self.float(layout, word)),
            LaneState::Extremes(extremes) if self.forever => {
                extremes.add_forever(time, self.order(layout, word));
            }
            LaneState::Extremes(extremes) => extremes.add(time, self.order(layout, word)),
            LaneState::Latest(latest) => {
                if latest.is_none_or(|latest| latest.time <= time) {
                    *latest = Some(Latest { time, word });
                }
            }
        }
    }

    /// Lets go of an entry; entries leave in order of time.
    pub fn retract(&self, state: &mut LaneState, layout: &Layout, entry: &[u64]) {
        let Some(word) = self.counts(layout, entry) else { return };
        match state {
            LaneState::Count(count) => *count -= 1,
            LaneState::IntSum(sum) => **sum -= i128::from(word.cast_signed()),
            LaneState::Float(sum) if self.kind == LaneKind::Squares => {
                sum.retract_square(self.float(layout, word));
            }
            LaneState::Float(sum) => sum.retract(self.float(layout, word)),
            LaneState::Extremes(extremes) => extremes.expire(entry[0].cast_signed()),
            LaneState::Latest(_) => {} // its time tells whether it still counts
        }
    }

    /// Whether retract of any entry, not only of the oldest, is exact.
    pub fn invertible(&self) -> bool {
        !matches!(self.kind, LaneKind::Least | LaneKind::Greatest | LaneKind::Latest)
    }

    /// The word that the lane sees of an entry, if it counts here.
    pub(super) fn counts(&self, layout: &Layout, entry: &[u64]) -> Option<u64> {
        if self.filter.is_some_and(|filter| layout.value(entry, filter) != Some(1)) {
            return None;
        }
        self.column.map_or(Some(0), |column| layout.value(entry, column))
    }

    fn is_float(&self, layout: &Layout) -> bool {
        self.column.is_some_and(|column| is_float(layout.kept[column].kind))
    }

    fn float(&self, layout: &Layout, word: u64) -> f64 {
        if self.is_float(layout) { f64::from_bits(word) } else { word.cast_signed() as f64 }
    }

    /// A number whose minimum is what the lane looks for. `!` turns the order around and never overflows.
    fn order(&self, layout: &Layout, word: u64) -> i64 {
        let order = if self.is_float(layout) { ordered(f64::from_bits(word)) } else { word.cast_signed() };
        if self.kind == LaneKind::Greatest { !order } else { order }
    }
}
