//! Sums without rounding: what was added can be taken away again and leaves no trace.
//!
//! A sum is kept as an expansion: floats whose bits do not overlap and whose exact sum it is
//! (Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997, Grow-Expansion). It is rounded
//! once, when it is read. So its value depends on the numbers in it alone, not on their order, not
//! on what has come and gone, and not on how it was put together from parts.
//!
//! Cost: about two parts for amounts of money, some 3 ns a number each; never more than 40 parts.

use smallvec::SmallVec;

use crate::bytes::{Reader, Write};

/// Numbers from here on count as infinite, so that no finite sum can overflow on its way.
const HUGE: f64 = 1.071_508_607_186_267_3e301; // 2^1000

/// A sum of floats. NaN may not be added.
#[derive(Clone, Debug, Default)]
pub struct ExactSum {
    /// Rising in magnitude, not overlapping, without zeros.
    parts: SmallVec<[f64; 2]>,
    /// How many infinities of each sign are in.
    infinities: Option<Box<[u64; 2]>>,
}

impl ExactSum {
    pub fn add(&mut self, value: f64) {
        if value.abs() >= HUGE {
            return self.count_infinity(value, u64::wrapping_add);
        }
        self.grow(value);
    }

    pub fn retract(&mut self, value: f64) {
        if value.abs() >= HUGE {
            return self.count_infinity(value, u64::wrapping_sub);
        }
        self.grow(-value);
    }

    /// Adds the product, exactly.
    pub fn add_product(&mut self, a: f64, b: f64) {
        let (high, low) = product(a, b);
        self.add(high);
        self.add(low);
    }

    /// Takes the product away, exactly.
    pub fn retract_product(&mut self, a: f64, b: f64) {
        let (high, low) = product(a, b);
        self.retract(high);
        self.retract(low);
    }

    /// Adds all that is in another sum.
    pub fn merge(&mut self, other: &Self) {
        other.parts.iter().for_each(|part| self.grow(*part));
        self.count_infinities(other, u64::wrapping_add);
    }

    /// Takes away all that is in another sum.
    pub fn unmerge(&mut self, other: &Self) {
        other.parts.iter().for_each(|part| self.grow(-part));
        self.count_infinities(other, u64::wrapping_sub);
    }

    /// The sum, rounded to the nearest; ties to even. NaN if infinities of both signs are in.
    pub fn value(&self) -> f64 {
        match self.infinities.as_deref() {
            None | Some([0, 0]) => self.high_low().0,
            Some([_, 0]) => f64::INFINITY,
            Some([0, _]) => f64::NEG_INFINITY,
            Some(_) => f64::NAN,
        }
    }

    /// The sum as its rounded value and the rounded rest: about 106 bits.
    pub fn high_low(&self) -> (f64, f64) {
        let mut rest = self.parts.iter().rev().copied();
        let Some(mut high) = rest.next() else { return (0.0, 0.0) };
        let mut low = 0.0;
        for part in rest.by_ref() {
            (high, low) = two_sum(high, part);
            if low != 0.0 {
                break;
            }
        }
        // What follows decides a tie: half a unit up, and a bit more, is not half.
        if let Some(next) = rest.next()
            && (low < 0.0) == (next < 0.0)
        {
            let twice = low * 2.0;
            let raised = high + twice;
            if raised - high == twice {
                return (raised, -low);
            }
        }
        (high, low)
    }

    /// Bytes held beside this struct.
    pub fn size(&self) -> usize {
        let parts = if self.parts.spilled() { self.parts.capacity() * size_of::<f64>() } else { 0 };
        parts + self.infinities.as_deref().map_or(0, size_of_val)
    }

    pub fn freeze(&self, into: &mut Vec<u8>) {
        let infinities = self.infinities.as_deref().filter(|counts| **counts != [0, 0]);
        into.number((self.parts.len() as u64) << 1 | u64::from(infinities.is_some()));
        self.parts.iter().for_each(|part| into.word(part.to_bits()));
        infinities.into_iter().flatten().for_each(|count| into.number(*count));
    }

    pub fn thaw(reader: &mut Reader<'_>) -> Option<Self> {
        let head = reader.number()?;
        let count =
            usize::try_from(head >> 1).ok().filter(|count| *count <= reader.0.len() / size_of::<f64>())?;
        let mut parts = SmallVec::with_capacity(count);
        for _ in 0..count {
            parts.push(f64::from_bits(reader.word()?));
        }
        let infinities = match head & 1 {
            0 => None,
            _ => Some([reader.number()?, reader.number()?]).filter(|counts| *counts != [0, 0]).map(Box::new),
        };
        (is_expansion(&parts) && infinities.is_some() == (head & 1 == 1))
            .then_some(Self { parts, infinities })
    }

    /// Whether an infinity is in.
    pub fn is_infinite(&self) -> bool {
        self.infinities.as_deref().is_some_and(|counts| *counts != [0, 0])
    }

    fn grow(&mut self, mut value: f64) {
        let (mut kept, parts) = (0, self.parts.as_mut_slice());
        for n in 0..parts.len() {
            let (sum, rest) = two_sum(value, parts[n]);
            // No branch: it would be guessed wrong as often as not.
            parts[kept] = rest;
            kept += usize::from(rest != 0.0);
            value = sum;
        }
        self.parts.truncate(kept);
        if !value.is_finite() {
            self.parts.clear(); // beyond all floats: what it was is lost
        }
        if value != 0.0 {
            self.parts.push(value);
        }
    }

    fn count_infinities(&mut self, other: &Self, change: fn(u64, u64) -> u64) {
        let Some(others) = other.infinities.as_deref().filter(|counts| **counts != [0, 0]) else { return };
        let counts = self.infinities.get_or_insert_default();
        counts.iter_mut().zip(others).for_each(|(count, other)| *count = change(*count, *other));
    }

    fn count_infinity(&mut self, value: f64, change: fn(u64, u64) -> u64) {
        let counts = self.infinities.get_or_insert_default();
        let count = &mut counts[usize::from(value < 0.0)];
        *count = change(*count, 1);
    }
}

/// Whether these are parts of a sum. One that went beyond all floats has a single one.
fn is_expansion(parts: &[f64]) -> bool {
    let fine = |part: &f64| *part != 0.0 && (part.is_finite() || parts.len() == 1);
    parts.iter().all(fine) && parts.windows(2).all(|pair| bits(pair[0]).1 < bits(pair[1]).0)
}

/// Exponents of the lowest and of the highest bit of a number that is not zero.
fn bits(value: f64) -> (u32, u32) {
    let (exponent, fraction) = ((value.to_bits() >> 52 & 0x7ff) as u32, value.to_bits() & ((1 << 52) - 1));
    let (exponent, mantissa) = if exponent == 0 { (1, fraction) } else { (exponent, fraction | 1 << 52) };
    (exponent + mantissa.trailing_zeros(), exponent + 63 - mantissa.leading_zeros())
}

/// The rounded sum and what rounding took away (Knuth).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    let a_part = sum - b_part;
    (sum, (a - a_part) + (b - b_part))
}

/// The rounded product and what rounding took away. Below 1e-292 the rest underflows, and is lost.
fn product(a: f64, b: f64) -> (f64, f64) {
    let high = a * b;
    if high.abs() >= HUGE {
        return (f64::INFINITY.copysign(high), 0.0);
    }
    (high, a.mul_add(b, -high))
}

/// Variance of the population from count, sum and sum of squares: (n Q - S^2) / n^2, in double the
/// precision, so that a large mean does not drown a small variance.
pub fn variance(count: u64, sum: &ExactSum, squares: &ExactSum) -> f64 {
    if sum.is_infinite() || squares.is_infinite() {
        return f64::NAN;
    }
    let n = count as f64;
    let (q, s) = (squares.high_low(), sum.high_low());
    let difference = subtract(scale(q, n), multiply(s, s));
    (difference.0 / n / n).max(0.0)
}

type Double = (f64, f64);

fn scale(a: Double, by: f64) -> Double {
    multiply(a, (by, 0.0))
}

fn multiply(a: Double, b: Double) -> Double {
    let high = a.0 * b.0;
    let low = a.0.mul_add(b.0, -high) + (a.0 * b.1 + a.1 * b.0);
    two_sum(high, low)
}

fn subtract(a: Double, b: Double) -> Double {
    let (high, low) = two_sum(a.0, -b.0);
    two_sum(high, low + (a.1 - b.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum_of(values: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        values.iter().for_each(|value| sum.add(*value));
        sum
    }

    #[test]
    fn small_numbers_survive_large_ones() {
        assert_eq!(sum_of(&[1e300, 1.0, -1e300]).value(), 1.0);
        assert_eq!(sum_of(&[0.1; 10]).value(), 1.0);
        assert_eq!(sum_of(&[1e16, 1.0, 1e-16]).value(), 10000000000000002.0); // no tie: a bit more than half
        assert_eq!(sum_of(&[1e16, 1.0]).value(), 1e16);
    }

    #[test]
    fn infinities_come_and_go() {
        let mut sum = sum_of(&[1.5, f64::INFINITY, 1e305]);
        assert_eq!(sum.value(), f64::INFINITY);
        sum.add(f64::NEG_INFINITY);
        assert!(sum.value().is_nan());
        for value in [f64::INFINITY, 1e305, f64::NEG_INFINITY] {
            sum.retract(value);
        }
        assert_eq!(sum.value(), 1.5);
        let mut merged = sum_of(&[f64::INFINITY, 2.0]);
        merged.merge(&sum_of(&[f64::INFINITY]));
        merged.unmerge(&sum_of(&[f64::INFINITY]));
        assert_eq!(merged.value(), f64::INFINITY);
        merged.unmerge(&sum_of(&[f64::INFINITY]));
        assert_eq!(merged.value(), 2.0);
    }

    #[test]
    fn variance_of_close_numbers_far_from_zero() {
        let values = [1e9 + 1.0, 1e9 + 2.0, 1e9 + 3.0];
        let mut squares = ExactSum::default();
        values.iter().for_each(|value| squares.add_product(*value, *value));
        assert_eq!(variance(3, &sum_of(&values), &squares), 2.0 / 3.0);
    }

    /// Integers times a power of two: their sums are exact in i128.
    fn scaled() -> impl Strategy<Value = Vec<(i64, u32)>> {
        prop::collection::vec((-(1i64 << 53)..1 << 53, 0u32..60), 0..40)
    }

    proptest! {
        #[test]
        fn equals_the_integer_sum_in_any_order_after_any_detour(numbers in scaled(), detour in scaled()) {
            let float = |&(mantissa, shift): &(i64, u32)| mantissa as f64 * 2f64.powi(shift as i32);
            let total: i128 = numbers.iter().map(|&(mantissa, shift)| i128::from(mantissa) << shift).sum();
            let mut sum = ExactSum::default();
            numbers.iter().chain(&detour).for_each(|number| sum.add(float(number)));
            detour.iter().rev().for_each(|number| sum.retract(float(number)));
            prop_assert_eq!(sum.value(), total as f64); // `as` rounds to nearest, ties to even
        }

        #[test]
        fn parts_make_the_whole(numbers in scaled(), more in scaled()) {
            let sum = |numbers: &[(i64, u32)]| {
                let floats = numbers.iter().map(|&(mantissa, shift)| mantissa as f64 * 2f64.powi(shift as i32));
                sum_of(&floats.collect::<Vec<_>>())
            };
            let mut parts = sum(&numbers);
            parts.merge(&sum(&more));
            prop_assert_eq!(parts.value(), sum(&[numbers.clone(), more.clone()].concat()).value());
            parts.unmerge(&sum(&more));
            prop_assert_eq!(parts.value(), sum(&numbers).value());
        }

        #[test]
        fn any_sum_is_thawed_bit_for_bit(
            numbers in prop::collection::vec(prop::num::f64::ANY, 0..60),
            detour in prop::collection::vec(prop::num::f64::ANY, 0..60),
        ) {
            let mut sum = ExactSum::default();
            let real = |numbers: &[f64]| -> Vec<f64> {
                numbers.iter().copied().filter(|number| !number.is_nan()).collect()
            };
            for number in real(&numbers).into_iter().chain(real(&detour)) {
                sum.add(number);
                sum.add_product(number, number);
            }
            real(&detour).iter().for_each(|number| sum.retract(*number));
            let mut frozen = Vec::new();
            sum.freeze(&mut frozen);
            let thawed = ExactSum::thaw(&mut Reader(&frozen)).expect("just frozen");
            prop_assert_eq!(&thawed.parts, &sum.parts);
            prop_assert_eq!(thawed.value().to_bits(), sum.value().to_bits());
            let mut again = Vec::new();
            thawed.freeze(&mut again);
            prop_assert_eq!(again, frozen);
        }
    }

    #[test]
    fn a_sum_beyond_all_floats_stays_small() {
        let mut sum = sum_of(&[1e-300, 1.0, 1e300]);
        (0..40).for_each(|_| sum.merge(&sum.clone()));
        [1.0, 1e300, -1e300].iter().for_each(|number| sum.add(*number));
        assert_eq!(sum.parts.as_slice(), [f64::INFINITY]);
        let mut frozen = Vec::new();
        sum.freeze(&mut frozen);
        assert_eq!(ExactSum::thaw(&mut Reader(&frozen)).map(|sum| sum.value()), Some(f64::INFINITY));
    }

    #[test]
    fn what_is_no_expansion_is_not_thawed() {
        let thaw = |parts: &[f64]| {
            let mut frozen = vec![(parts.len() as u8) << 1];
            parts.iter().for_each(|part| frozen.word(part.to_bits()));
            ExactSum::thaw(&mut Reader(&frozen)).is_some()
        };
        assert!(thaw(&[]) && thaw(&[1.0, 2.0]) && thaw(&[5e-324, 1e-323, 1e-300]) && thaw(&[-1.0, 1e30]));
        for parts in
            [&[0.0][..], &[1.0, 1.0], &[2.0, 1.0], &[1.0, 3.0], &[1.0, f64::NAN], &[1.0, f64::INFINITY]]
        {
            assert!(!thaw(parts), "{parts:?}");
        }
    }
}
