//! How values are spread over ranges.

/// Upper ends of ranges, ascending; what is above the last is in one more.
pub type Ends = &'static [f64];

/// From a millisecond to ten minutes.
pub const SECONDS: Ends =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0];
/// Of a batch.
pub const ROWS: Ends = &[1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0];
/// Most models give probabilities: what is close to either end is told apart best.
pub const SCORES: Ends =
    &[0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0];

/// Counts of values by range, and their sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    ends: Ends,
    /// One more than ends.
    counts: Vec<u64>,
    sum: f64,
}

impl Spread {
    pub fn new(ends: Ends) -> Self {
        Self { ends, counts: vec![0; ends.len() + 1], sum: 0.0 }
    }

    pub fn see(&mut self, value: f64) {
        let range = self.ends.partition_point(|end| *end < value);
        self.counts[range] += 1;
        self.sum += value;
    }

    /// Takes in what another of the same ranges has seen.
    pub fn add(&mut self, other: &Self) {
        debug_assert_eq!(self.ends, other.ends);
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, other)| *own += other);
        self.sum += other.sum;
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Each range's upper end and how many values are in it; that of the last is infinite.
    pub fn ranges(&self) -> impl Iterator<Item = (f64, u64)> {
        let ends = self.ends.iter().copied().chain([f64::INFINITY]);
        ends.zip(self.counts.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_first_range_that_reaches_it() {
        let mut one = Spread::new(ROWS);
        [1.0, 2.0, 4.0, 5.0, 1e9].into_iter().for_each(|value| one.see(value));
        let seen: Vec<_> = one.ranges().filter(|(_, count)| *count > 0).collect();
        assert_eq!(seen, [(1.0, 1), (4.0, 2), (16.0, 1), (f64::INFINITY, 1)]);
        let mut other = Spread::new(ROWS);
        other.see(4.0);
        one.add(&other);
        assert_eq!((one.count(), one.sum()), (6, 1e9 + 16.0));
        assert_eq!(one.ranges().nth(1), Some((4.0, 3)));
    }
}
