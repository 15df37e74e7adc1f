//! How often each value occurs, and which do most often.
//!
//! Exact, in any order, whatever came and went; but where nothing is ever retracted (windows of all time)
//! the memory is bounded: of more than 65,536 different values the new one takes the place of the least
//! frequent, the largest of these, and counts on from there ("space saving": Metwally, Agrawal, El Abbadi,
//! "Efficient computation of frequent and top-k elements in data streams", 2005). Then a value may be
//! counted too high, by at most n / 65,536 of n entries, and one that occurs more often than that is never
//! missing.
//!
//! Cost: 60 ns to add or retract with 10 values, 500 ns with 60,000; to read, a few ns for each value that is
//! asked for. Bytes: 50 to 80 a different value.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::frozen::count;
use crate::bytes::{Reader, Write};

/// Values that are kept where nothing is retracted.
const LIMIT: usize = 65_536;

/// Values and their counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frequencies {
    counts: HashMap<i64, u64>,
    /// (!count, value): by falling count, then by rising value.
    ranks: BTreeSet<(u64, i64)>,
}

impl Frequencies {
    pub fn add(&mut self, value: i64) {
        self.raise(value, 1);
    }

    pub fn retract(&mut self, value: i64) {
        self.lower(value, 1);
    }

    /// Where nothing is retracted.
    pub fn add_forever(&mut self, value: i64) {
        self.add_within(value, LIMIT);
    }

    pub fn merge(&mut self, other: &Self) {
        other.counts.iter().for_each(|(value, count)| self.raise(*value, *count));
    }

    pub fn unmerge(&mut self, other: &Self) {
        other.counts.iter().for_each(|(value, count)| self.lower(*value, *count));
    }

    /// Values and counts, the most frequent first, of equally frequent ones the lowest.
    pub fn top(&self) -> impl Iterator<Item = (i64, u64)> {
        self.ranks.iter().map(|(rank, value)| (*value, !rank))
    }

    /// Bytes held beside this struct. The nodes of the tree are taken for two thirds full.
    pub fn size(&self) -> usize {
        self.counts.allocation_size() + self.ranks.len() * size_of::<(u64, i64)>() * 3 / 2
    }

    /// Different values.
    pub fn len(&self) -> usize {
        self.ranks.len()
    }

    pub fn freeze(&self, into: &mut Vec<u8>) {
        into.number(self.ranks.len() as u64);
        for (value, count) in self.top() {
            into.word(value.cast_unsigned());
            into.number(count);
        }
    }

    pub fn thaw(reader: &mut Reader<'_>) -> Option<Self> {
        let count = count(reader, 9)?;
        let (mut counts, mut ranks) = (HashMap::with_capacity(count), Vec::with_capacity(count));
        for _ in 0..count {
            let value = reader.word()?.cast_signed();
            let count = reader.number().filter(|count| *count > 0)?;
            if ranks.last().is_some_and(|last| *last >= (!count, value))
                || counts.insert(value, count).is_some()
            {
                return None;
            }
            ranks.push((!count, value));
        }
        Some(Self { counts, ranks: ranks.into_iter().collect() })
    }

    fn add_within(&mut self, value: i64, limit: usize) {
        if self.counts.len() >= limit
            && !self.counts.contains_key(&value)
            && let Some((rank, least)) = self.ranks.pop_last()
        {
            self.counts.remove(&least);
            return self.raise(value, (!rank).saturating_add(1));
        }
        self.raise(value, 1);
    }

    fn raise(&mut self, value: i64, by: u64) {
        let count = self.counts.entry(value).or_default();
        if *count > 0 {
            self.ranks.remove(&(!*count, value));
        }
        *count = count.saturating_add(by);
        self.ranks.insert((!*count, value));
    }

    fn lower(&mut self, value: i64, by: u64) {
        let Some(count) = self.counts.get_mut(&value) else { return };
        self.ranks.remove(&(!*count, value));
        *count = count.saturating_sub(by);
        if *count > 0 {
            self.ranks.insert((!*count, value));
            return;
        }
        self.counts.remove(&value);
        if self.counts.capacity() > 64 && self.counts.len() < self.counts.capacity() / 8 {
            self.counts.shrink_to(self.counts.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[i64]) -> Frequencies {
        let mut frequencies = Frequencies::default();
        values.iter().for_each(|value| frequencies.add(*value));
        frequencies
    }

    fn naive(values: &[i64]) -> Vec<(i64, u64)> {
        let mut different = values.to_vec();
        different.sort_unstable();
        different.dedup();
        let count = |value: i64| values.iter().filter(|other| **other == value).count() as u64;
        let mut list: Vec<_> = different.into_iter().map(|value| (value, count(value))).collect();
        list.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        list
    }

    #[test]
    fn memory_follows_the_values() {
        let values: Vec<i64> = (0..10_000).collect();
        let mut frequencies = of(&values);
        assert!((400_000..800_000).contains(&frequencies.size()), "{}", frequencies.size());
        values.iter().skip(1).for_each(|value| frequencies.retract(*value));
        assert_eq!(frequencies, of(&[0]));
        assert!(frequencies.size() < 2000, "{}", frequencies.size());
    }

    #[test]
    fn of_all_time_memory_is_bounded_and_the_frequent_are_found() {
        let mut frequencies = Frequencies::default();
        // Each second entry is one of five values, the rest are all different.
        (0..200_000).for_each(|n| frequencies.add_forever(if n % 2 == 0 { n % 5 } else { 10 + n }));
        assert_eq!(frequencies.counts.len(), LIMIT);
        let top: Vec<_> = frequencies.top().take(5).collect();
        for (value, count) in top {
            assert!((0..5).contains(&value), "{value}");
            assert!((20_000..=20_000 + 200_000 / LIMIT as u64).contains(&count), "{count}");
        }
    }

    #[test]
    fn the_greatest_count_stays() {
        let mut frozen = Vec::new();
        frozen.number(1);
        frozen.word(7);
        frozen.number(u64::MAX);
        let mut frequencies = Frequencies::thaw(&mut Reader(&frozen)).expect("a count as any other");
        frequencies.add(7);
        frequencies.add_within(8, 1);
        assert_eq!(frequencies.top().collect::<Vec<_>>(), [(8, u64::MAX)]);
    }

    proptest! {
        #[test]
        fn equals_a_count_after_any_detour_in_any_order(
            values in prop::collection::vec(-9i64..9, 0..80),
            detour in prop::collection::vec(-12i64..12, 0..80),
            split in 0usize..80,
        ) {
            let split = split.min(values.len());
            let mut parts = of(&detour);
            values[split..].iter().rev().for_each(|value| parts.add(*value));
            parts.merge(&of(&values[..split]));
            parts.unmerge(&of(&detour[detour.len() / 2..]));
            detour[..detour.len() / 2].iter().for_each(|value| parts.retract(*value));
            prop_assert_eq!(parts.top().collect::<Vec<_>>(), naive(&values));
            prop_assert_eq!(parts, of(&values));
        }

        #[test]
        fn bounded_counts_are_at_most_n_by_limit_too_high(
            values in prop::collection::vec(0i64..40, 1..400), limit in 1usize..20,
        ) {
            let mut frequencies = Frequencies::default();
            values.iter().for_each(|value| frequencies.add_within(*value, limit));
            prop_assert!(frequencies.counts.len() <= limit);
            let slack = (values.len() / limit) as u64;
            for (value, count) in naive(&values) {
                match frequencies.counts.get(&value) {
                    Some(kept) => prop_assert!((count..=count + slack).contains(kept), "{kept} of {count}"),
                    None => prop_assert!(count <= slack, "{count}"),
                }
            }
        }
    }
}
