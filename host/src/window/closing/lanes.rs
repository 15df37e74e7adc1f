//! The running values of a pane, a session or a window.

use super::super::lane::LaneState;
use super::super::plan::Plan;
use crate::bytes::Reader;

/// A state a lane of the plan.
#[derive(Clone, Debug)]
pub struct Lanes(Box<[LaneState]>);

impl Lanes {
    pub fn new(plan: &Plan) -> Self {
        Self(plan.lanes.iter().map(|lane| lane.fresh()).collect())
    }

    pub fn states(&self) -> &[LaneState] {
        &self.0
    }

    /// Takes an entry of an input in.
    pub fn add(&mut self, plan: &Plan, input: usize, entry: &[u64]) {
        for (lane, state) in plan.lanes.iter().zip(&mut self.0) {
            if plan.spans[lane.span].input == input {
                lane.add(state, plan.layout_of(lane), entry);
            }
        }
    }

    pub fn merge(&mut self, other: &Self) {
        count_merge();
        self.0.iter_mut().zip(&other.0).for_each(|(state, other)| state.merge(other));
    }

    /// Steps that it takes to merge this into another, about.
    pub fn steps(&self) -> usize {
        self.0.iter().map(LaneState::steps).sum()
    }

    /// But for extremes, which leave by time or are made anew.
    pub fn unmerge(&mut self, other: &Self) {
        count_merge();
        self.0.iter_mut().zip(&other.0).for_each(|(state, other)| state.unmerge(other));
    }

    /// Extremes let go of all before a time.
    pub fn expire_extremes(&mut self, before: i64) {
        for state in &mut self.0 {
            if let LaneState::Extremes(extremes) = state {
                extremes.expire(before - 1);
            }
        }
    }

    /// Extremes are made anew of parts.
    pub fn remake_extremes<'a>(&mut self, plan: &Plan, parts: impl Iterator<Item = &'a Self> + Clone) {
        for (index, state) in self.0.iter_mut().enumerate() {
            if let LaneState::Extremes(_) = state {
                *state = plan.lanes[index].fresh();
                parts.clone().for_each(|part| state.merge(&part.0[index]));
            }
        }
    }

    /// Of entries that come and go together one extreme is enough.
    pub fn keep_least(&mut self) {
        for state in &mut self.0 {
            if let LaneState::Extremes(extremes) = state {
                extremes.keep_least();
            }
        }
    }

    pub fn freeze(&self, into: &mut Vec<u8>) {
        self.0.iter().for_each(|state| state.freeze(into));
    }

    pub fn thaw(plan: &Plan, reader: &mut Reader<'_>) -> Option<Self> {
        let states = plan.lanes.iter().map(|lane| lane.thaw(plan.layout_of(lane), reader));
        states.collect::<Option<_>>().map(Self)
    }

    /// What they weigh before anything is in.
    pub fn fresh_weight(plan: &Plan) -> usize {
        plan.lanes.len() * size_of::<LaneState>()
    }

    pub fn bytes(&self) -> Bytes {
        let fixed = size_of_val(&*self.0);
        self.0.iter().fold(Bytes { held: fixed, weight: fixed }, |Bytes { held, weight }, state| Bytes {
            held: held + state.size(),
            weight: weight + state.weight(),
        })
    }
}

/// What lanes take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// In memory, beside their struct.
    pub held: usize,
    /// By lengths alone: the same for all that took in the same.
    pub weight: usize,
}

impl std::ops::Add for Bytes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { held: self.held + other.held, weight: self.weight + other.weight }
    }
}

impl std::ops::Sub for Bytes {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { held: self.held - other.held, weight: self.weight - other.weight }
    }
}

impl std::iter::Sum for Bytes {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |one, other| one + other)
    }
}

#[cfg(test)]
thread_local! {
    /// Merges and unmerges so far.
    pub static MERGES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

fn count_merge() {
    #[cfg(test)]
    MERGES.set(MERGES.get() + 1);
}
