//! Quantiles: how many values lie in each of a row of buckets that widen with the values.
//!
//! The sketch is DDSketch (Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
//! relative-error guarantees", 2019), its buckets never collapsed: bucket i holds the values in
//! (1.02^(i-1), 1.02^i], and is read as the number that is as far, relatively, from both of its ends.
//!
//! The quantile q of n values is the one of rank floor(q (n - 1)), counted from 0 by rising value: never
//! between two values. Error: it is read at most 1 % (1 / 101) off, whatever the values and however
//! many. Zero is exact, so are infinities; below 2.3e-308 a number counts as zero.
//!
//! Cost: some 30 ns to add or retract and a step of 0.5 ns a bucket in use to read. Bytes: 12 to 24 a
//! bucket in use, 116 buckets for each power of ten that the values span; at most 71,000 buckets.

use super::frozen::{Rising, count};
use crate::bytes::{Reader, Write};

/// The buckets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quantiles {
    /// Rising, each with at least one value.
    buckets: Vec<i32>,
    /// Of each bucket.
    counts: Vec<u64>,
    total: u64,
}

/// ln 1.02
const WIDTH: f64 = 0.019_802_627_296_179_712;
/// ln 1.01
const MIDDLE: f64 = 0.009_950_330_853_168_083;
/// Above all exponents of 1.02 that a number has: so positive numbers have buckets above zero.
const OFFSET: i32 = 40_000;

impl Quantiles {
    /// NaN may not be added.
    pub fn add(&mut self, value: f64) {
        self.raise(bucket(value), 1);
    }

    pub fn retract(&mut self, value: f64) {
        self.lower(bucket(value), 1);
    }

    pub fn merge(&mut self, other: &Self) {
        other.each(|bucket, count| self.raise(bucket, count));
    }

    pub fn unmerge(&mut self, other: &Self) {
        other.each(|bucket, count| self.lower(bucket, count));
    }

    /// The quantile `q` in [0, 1].
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let last = self.total.checked_sub(1)?;
        let rank = ((q * last as f64) as u64).min(last);
        let mut up_to = 0u64;
        let place = self.counts.iter().position(|count| {
            up_to = count.saturating_add(up_to);
            up_to > rank
        })?;
        Some(middle(self.buckets[place]))
    }

    /// Bytes held beside this struct.
    pub fn size(&self) -> usize {
        self.buckets.capacity() * size_of::<i32>() + self.counts.capacity() * size_of::<u64>()
    }

    /// Buckets in use.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    pub fn freeze(&self, into: &mut Vec<u8>) {
        into.number(self.buckets.len() as u64);
        let mut buckets = Rising::default();
        self.each(|bucket, count| {
            buckets.freeze(i64::from(bucket), into);
            into.number(count);
        });
    }

    pub fn thaw(reader: &mut Reader<'_>) -> Option<Self> {
        let (count, mut rising) = (count(reader, 2)?, Rising::default());
        let (mut buckets, mut counts) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut total = 0u64;
        for _ in 0..count {
            let bucket =
                i32::try_from(rising.thaw_above(reader)?).ok().filter(|bucket| *bucket > i32::MIN)?;
            let count = reader.number()?;
            buckets.push(bucket);
            counts.push((count > 0).then_some(count)?);
            total = total.checked_add(count)?;
        }
        Some(Self { buckets, counts, total })
    }

    fn raise(&mut self, bucket: i32, by: u64) {
        self.total = self.total.saturating_add(by);
        match self.buckets.binary_search(&bucket) {
            Ok(place) => self.counts[place] = self.counts[place].saturating_add(by),
            Err(place) => {
                self.buckets.insert(place, bucket);
                self.counts.insert(place, by);
            }
        }
    }

    fn lower(&mut self, bucket: i32, by: u64) {
        let Ok(place) = self.buckets.binary_search(&bucket) else { return };
        let by = by.min(self.counts[place]);
        self.total = self.total.saturating_sub(by);
        self.counts[place] -= by;
        if self.counts[place] == 0 {
            self.buckets.remove(place);
            self.counts.remove(place);
            if self.buckets.capacity() > 64 && self.buckets.len() < self.buckets.capacity() / 4 {
                self.buckets.shrink_to(self.buckets.len() * 2);
                self.counts.shrink_to(self.counts.len() * 2);
            }
        }
    }

    fn each(&self, mut visit: impl FnMut(i32, u64)) {
        self.buckets.iter().zip(&self.counts).for_each(|(bucket, count)| visit(*bucket, *count));
    }
}

/// Buckets rise with the values: those of negative numbers are the negative ones.
fn bucket(value: f64) -> i32 {
    let size = value.abs();
    let bucket = if size.is_infinite() {
        i32::MAX
    } else if size < f64::MIN_POSITIVE {
        0
    } else {
        (libm::log(size) / WIDTH).ceil() as i32 + OFFSET
    };
    if value < 0.0 { -bucket } else { bucket }
}

/// 1.02^i / 1.01: a 101st part below the upper end of the bucket, and as large a part above the lower.
fn middle(bucket: i32) -> f64 {
    let size = match bucket.abs() {
        0 => 0.0,
        i32::MAX => f64::INFINITY,
        bucket => libm::exp(f64::from(bucket - OFFSET) * WIDTH - MIDDLE).min(f64::MAX),
    };
    if bucket < 0 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QS: [f64; 7] = [0.0, 0.01, 0.25, 0.5, 0.9, 0.999, 1.0];

    fn of(values: &[f64]) -> Quantiles {
        let mut quantiles = Quantiles::default();
        values.iter().for_each(|value| quantiles.add(*value));
        quantiles
    }

    /// All of `QS` against the sorted values.
    fn check(values: &[f64]) -> Result<(), TestCaseError> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let quantiles = of(values);
        for q in QS {
            let exact = sorted[(q * (sorted.len() - 1) as f64).floor() as usize];
            let got = quantiles.quantile(q).unwrap();
            let close = got == exact || (got - exact).abs() <= exact.abs() / 100.0;
            prop_assert!(close, "q {q}: {got}, exact {exact}");
        }
        Ok(())
    }

    #[test]
    fn the_ends_of_the_numbers() {
        for value in [0.0, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(of(&[value]).quantile(0.5), Some(value));
        }
        let ends = [f64::MAX, f64::MIN, f64::MIN_POSITIVE, -f64::MIN_POSITIVE, 1.0, -1.0];
        ends.iter().for_each(|value| check(&[*value]).unwrap());
        assert_eq!(of(&[5e-324]).quantile(1.0), Some(0.0));
        assert_eq!(Quantiles::default().quantile(0.5), None);
    }

    #[test]
    fn errors_do_not_grow_with_the_values() {
        let mut words = (0u64..).map(|word| super::super::hash::mix(word) >> 11);
        for n in [10, 1000, 100_000] {
            let values: Vec<f64> =
                words.by_ref().take(n).map(|word| (word as f64 / 2f64.powi(49)).exp2() - 4.0).collect();
            check(&values).unwrap();
        }
    }

    #[test]
    fn memory_follows_the_span_of_the_values() {
        let values: Vec<f64> = (0..100_000).map(|n| 1.0 + f64::from(n) / 1000.0).collect(); // two powers of ten
        let mut quantiles = of(&values);
        assert!(quantiles.buckets.len() <= 2 * 118, "{}", quantiles.buckets.len());
        assert!(quantiles.size() <= 2 * 118 * 24, "{}", quantiles.size());
        values.iter().skip(1).for_each(|value| quantiles.retract(*value));
        assert_eq!(quantiles, of(&[1.0]));
        assert!(quantiles.size() < 1000);
    }

    #[test]
    fn a_bucket_that_no_number_has_is_not_thawed() {
        for (bucket, fine) in [(i64::from(i32::MIN), false), (-i64::from(i32::MAX), true), (1 << 31, false)] {
            let mut frozen = vec![1];
            frozen.signed(bucket);
            frozen.byte(1);
            let thawed = Quantiles::thaw(&mut Reader(&frozen));
            assert_eq!(thawed.map(|thawed| thawed.quantile(0.5)), fine.then_some(Some(f64::NEG_INFINITY)));
        }
    }

    proptest! {
        #[test]
        fn any_numbers(values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO, 1..50)) {
            check(&values)?;
        }

        #[test]
        fn detours_order_and_parts_leave_no_trace(
            (values, split) in prop::collection::vec(-1e3..1e3, 0..200)
                .prop_flat_map(|values| (Just(values.clone()), 0..=values.len())),
            detour in prop::collection::vec(-1e3..1e3, 0..200),
        ) {
            let plain = of(&values);
            let mut parts = of(&detour);
            values[split..].iter().rev().for_each(|value| parts.add(*value));
            parts.merge(&of(&values[..split]));
            parts.unmerge(&of(&detour[detour.len() / 2..]));
            detour[..detour.len() / 2].iter().for_each(|value| parts.retract(*value));
            prop_assert_eq!(parts, plain);
        }
    }
}
