//! How a running value follows its window.

use std::ops::Range;

use super::entries::Entries;
use super::lane::{LaneState, Latest};
use super::plan::{Lane, LaneKind, Layout};

/// What makes one window another, both being parts of one list.
#[derive(Debug)]
pub struct Change {
    /// Entries that leave, at the old end and at the new end.
    pub left: [Range<usize>; 2],
    /// Entries that come, at the old end and at the new end.
    pub came: [Range<usize>; 2],
}

impl Change {
    /// None: it is cheaper to begin anew.
    pub fn between(from: &Range<usize>, to: &Range<usize>) -> Option<Self> {
        if from.end <= to.start || to.end <= from.start {
            return None;
        }
        let left = [from.start..to.start.max(from.start), to.end.min(from.end)..from.end];
        let came = [to.start..from.start.max(to.start), from.end.min(to.end)..to.end];
        let steps: usize = left.iter().chain(&came).map(ExactSizeIterator::len).sum();
        (steps <= to.len()).then_some(Self { left, came })
    }

    pub fn is_empty(&self) -> bool {
        self.left.iter().chain(&self.came).all(Range::is_empty)
    }

    pub fn only_grows(&self) -> bool {
        self.left.iter().all(Range::is_empty)
    }
}

/// The entries that a lane runs over.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    pub entries: &'a Entries,
    pub layout: &'a Layout,
    pub lane: &'a Lane,
    /// Whether entries of one time leave the window together.
    pub leave_together: bool,
}

impl Run<'_> {
    /// Moves on in time: nothing leaves at the new end.
    pub fn advance(&self, state: &mut LaneState, from: &Range<usize>, to: &Range<usize>) {
        let Some(Change { left: [left, _], came: [older, newer] }) = Change::between(from, to) else {
            *state = self.fold(to.clone());
            return;
        };
        left.for_each(|index| self.leave(state, index, from.end));
        self.add(state, older);
        self.add(state, newer);
    }

    /// The value over another window than the one that `state` is of.
    pub fn as_of(&self, state: &LaneState, from: &Range<usize>, to: &Range<usize>) -> LaneState {
        let Some(change) = Change::between(from, to) else { return self.fold(to.clone()) };
        let mut state = match state {
            // Mostly, the extreme is not one of the few entries that are too new.
            LaneState::Extremes(extremes) if change.left[0].is_empty() => {
                match extremes.up_to(self.entries.time(self.layout, to.end - 1)) {
                    Some(extremes) => LaneState::Extremes(extremes),
                    None => return self.fold(to.clone()),
                }
            }
            state if change.only_grows() || self.retracts() => state.clone(),
            _ => return self.fold(to.clone()),
        };
        if self.retracts() {
            for entry in change.left.into_iter().flat_map(|left| self.entries.range(self.layout, left)) {
                self.lane.retract(&mut state, self.layout, entry);
            }
        }
        change.came.into_iter().for_each(|came| self.add(&mut state, came));
        state
    }

    /// Whether any entry can be taken away. Where entries do not leave one by one, frequencies are bounded.
    fn retracts(&self) -> bool {
        self.lane.invertible() && !(self.lane.forever && self.lane.kind == LaneKind::Frequencies)
    }

    /// The newest entry of a part of the list, `but` not counted.
    pub fn latest(&self, window: Range<usize>, but: Option<usize>) -> Option<Latest> {
        let mut indices = window.rev().filter(|index| Some(*index) != but);
        indices.find_map(|index| {
            let entry = self.entries.get(self.layout, index);
            let word = self.lane.counts(self.layout, entry)?;
            Some(Latest { time: entry[0].cast_signed(), word })
        })
    }

    /// The value over a window, made of its entries.
    pub fn fold(&self, window: Range<usize>) -> LaneState {
        let mut state = self.lane.fresh();
        self.add(&mut state, window);
        state
    }

    fn add(&self, state: &mut LaneState, part: Range<usize>) {
        for entry in self.entries.range(self.layout, part) {
            self.lane.add(state, self.layout, entry);
        }
    }

    /// Lets go of the oldest entry of a window that ends at `end`.
    fn leave(&self, state: &mut LaneState, index: usize, end: usize) {
        let entry = self.entries.get(self.layout, index);
        let time = entry[0].cast_signed();
        // Extremes and the latest entry go by time, and of one time not all may leave: look at those that stay.
        let ties = || {
            let staying = self.entries.range(self.layout, index + 1..end);
            staying.take_while(|other| other[0].cast_signed() == time && !self.leave_together)
        };
        match state {
            LaneState::Latest(Some(latest)) if latest.time == time => {
                if !ties().any(|other| self.lane.counts(self.layout, other).is_some()) {
                    *state = self.lane.fresh();
                }
            }
            LaneState::Extremes(extremes) if ties().next().is_some() => {
                let word = self.lane.counts(self.layout, entry);
                let same = |other: &[u64]| self.lane.counts(self.layout, other) == word;
                if extremes.least() == self.least(entry) && !ties().any(same) {
                    self.lane.retract(state, self.layout, entry);
                    ties().for_each(|other| self.lane.add(state, self.layout, other));
                }
            }
            state => self.lane.retract(state, self.layout, entry),
        }
    }

    /// What the extremes of one entry are.
    fn least(&self, entry: &[u64]) -> Option<i64> {
        let mut state = self.lane.fresh();
        self.lane.add(&mut state, self.layout, entry);
        match state {
            LaneState::Extremes(extremes) => extremes.least(),
            _ => None,
        }
    }
}
