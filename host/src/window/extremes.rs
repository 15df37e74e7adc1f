//! The smallest or largest of a sliding window: candidates only, those that may still become it.

use std::collections::VecDeque;

use super::frozen::{Rising, count};
use crate::bytes::{Reader, Write};

/// Candidates, rising in time and in value; the first is the minimum. Maxima negate their values.
/// Amortised O(1) a value in order of time; a straggler costs the candidates behind it.
#[derive(Clone, Debug, Default)]
pub struct Extremes {
    /// (time, value)
    candidates: VecDeque<(i64, i64)>,
}

impl Extremes {
    /// Of values of one time, the order does not matter.
    pub fn add(&mut self, time: i64, value: i64) {
        let after = self.candidates.partition_point(|candidate| candidate.0 <= time);
        if self.candidates.get(after).is_some_and(|later| later.1 <= value) {
            return; // a later one is smaller, and leaves later
        }
        let mut keep = after;
        while keep > 0 && self.candidates[keep - 1].1 >= value {
            keep -= 1;
        }
        if keep < after {
            self.candidates.drain(keep + 1..after);
            self.candidates[keep] = (time, value);
        } else {
            self.candidates.insert(after, (time, value));
        }
    }

    /// Of values that are never let go: only the best one counts.
    pub fn add_forever(&mut self, time: i64, value: i64) {
        if self.least().is_none_or(|least| value < least) {
            self.candidates.clear();
            self.candidates.push_back((time, value));
        }
    }

    /// Takes in what another one may still become.
    pub fn merge(&mut self, other: &Self) {
        other.candidates.iter().for_each(|(time, value)| self.add(*time, *value));
    }

    /// Keeps the minimum alone: of values that leave all at once.
    pub fn keep_least(&mut self) {
        self.candidates.truncate(1);
    }

    /// The minimum of those up to `time`; none: it can't be told from the candidates.
    pub fn up_to(&self, time: i64) -> Option<Self> {
        let least = self.candidates.front();
        least
            .is_none_or(|least| least.0 <= time)
            .then(|| Self { candidates: least.into_iter().copied().collect() })
    }

    /// Lets go of all up to `time`, that included.
    pub fn expire(&mut self, time: i64) {
        while self.candidates.front().is_some_and(|candidate| candidate.0 <= time) {
            self.candidates.pop_front();
        }
        if self.candidates.capacity() > 64 && self.candidates.len() < self.candidates.capacity() / 4 {
            self.candidates.shrink_to(self.candidates.len() * 2);
        }
    }

    /// Bytes held beside this struct.
    pub fn size(&self) -> usize {
        self.candidates.capacity() * size_of::<(i64, i64)>()
    }

    /// Candidates held.
    pub fn len(&self) -> usize {
        self.candidates.len()
    }

    pub fn freeze(&self, into: &mut Vec<u8>) {
        into.number(self.candidates.len() as u64);
        let mut times = Rising::default();
        for (time, value) in &self.candidates {
            times.freeze(*time, into);
            into.word(value.cast_unsigned());
        }
    }

    /// `fits`: which values there may be.
    pub fn thaw(reader: &mut Reader<'_>, fits: impl Fn(i64) -> bool) -> Option<Self> {
        let (count, mut times) = (count(reader, 9)?, Rising::default());
        let mut candidates: VecDeque<(i64, i64)> = VecDeque::with_capacity(count);
        for _ in 0..count {
            let (time, value) = (times.thaw(reader)?, reader.word()?.cast_signed());
            if !fits(value) || candidates.back().is_some_and(|before| before.1 >= value) {
                return None;
            }
            candidates.push_back((time, value));
        }
        Some(Self { candidates })
    }

    pub fn least(&self) -> Option<i64> {
        self.candidates.front().map(|candidate| candidate.1)
    }
}

/// Maps floats to integers of the same order; [`unordered`] is its inverse. -0 is below 0.
pub fn ordered(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

pub fn unordered(order: i64) -> f64 {
    let bits = order ^ ((order >> 63).cast_unsigned() >> 1).cast_signed();
    f64::from_bits(bits.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_scan(values in prop::collection::vec((0i64..30, -5i64..5), 1..60), size in 1i64..20) {
            let (mut extremes, mut all, mut newest) = (Extremes::default(), Vec::new(), i64::MIN);
            for (time, value) in values {
                newest = newest.max(time);
                extremes.expire(newest - size);
                if time > newest - size {
                    extremes.add(time, value);
                }
                all.push((time, value));
                let scan = all.iter().filter(|entry| entry.0 > newest - size).map(|entry| entry.1).min();
                prop_assert_eq!(extremes.least(), scan);
                let middle = newest - size / 2;
                if let Some(part) = extremes.up_to(middle) {
                    let old = all.iter().filter(|entry| entry.0 > newest - size && entry.0 <= middle);
                    prop_assert_eq!(part.least(), old.map(|entry| entry.1).min());
                }
            }
        }

        #[test]
        fn forever_keeps_one(values in prop::collection::vec(-5i64..5, 1..60)) {
            let mut extremes = Extremes::default();
            for (time, value) in values.iter().enumerate() {
                extremes.add_forever(time as i64, *value);
                prop_assert_eq!(extremes.least(), values[..=time].iter().copied().min());
                prop_assert_eq!(extremes.candidates.len(), 1);
            }
        }

        #[test]
        fn parts_make_the_whole(values in prop::collection::vec((0i64..30, -5i64..5), 1..60), alone: bool) {
            let (mut whole, mut parts) = (Extremes::default(), vec![Extremes::default(); 3]);
            for (time, value) in &values {
                whole.add(*time, *value);
                let part = &mut parts[*time as usize / 10];
                part.add(*time, *value);
                if alone {
                    part.keep_least();
                }
            }
            let mut merged = Extremes::default();
            [1, 2, 0].iter().for_each(|part| merged.merge(&parts[*part]));
            for bound in [-1, 9, 19] {
                whole.expire(bound);
                merged.expire(bound);
                prop_assert_eq!(merged.least(), whole.least());
            }
        }

        #[test]
        fn order_is_kept(a: f64, b: f64) {
            prop_assume!(!a.is_nan() && !b.is_nan() && a != b);
            prop_assert_eq!(ordered(a) < ordered(b), a < b);
            prop_assert_eq!(unordered(ordered(a)).to_bits(), a.to_bits());
        }
    }
}
