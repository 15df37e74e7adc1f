//! What a key keeps of the rows of one input: one list, from which windows of any kind take their part.

use super::frozen::{freeze_words, thaw_words, within};
use super::plan::{Layout, is_float};
use crate::bytes::{Reader, Write};
use crate::columns::{Kind, TIMES};

/// Entries by rising time, those of one time in order of arrival. An entry is a run of words: its time,
/// then one a kept column, then flags (see [`Layout`]).
#[derive(Clone, Debug, Default)]
pub struct Entries {
    /// Those before `head` are gone.
    words: Vec<u64>,
    head: usize,
}

impl Entries {
    pub fn len(&self, layout: &Layout) -> usize {
        (self.words.len() - self.head) / layout.stride
    }

    pub fn time(&self, layout: &Layout, index: usize) -> i64 {
        self.words[self.head + index * layout.stride].cast_signed()
    }

    pub fn get(&self, layout: &Layout, index: usize) -> &[u64] {
        &self.words[self.head + index * layout.stride..][..layout.stride]
    }

    pub fn range(&self, layout: &Layout, range: std::ops::Range<usize>) -> impl Iterator<Item = &[u64]> {
        range.map(|index| self.get(layout, index))
    }

    pub fn set_word(&mut self, layout: &Layout, index: usize, word: usize, value: u64) {
        self.words[self.head + index * layout.stride + word] = value;
    }

    /// Puts an entry behind all of its time or earlier; says where.
    pub fn insert(&mut self, layout: &Layout, entry: &[u64]) -> usize {
        let index = self.end_at(layout, self.len(layout), entry[0].cast_signed());
        self.words.extend_from_slice(entry);
        self.words[self.head + index * layout.stride..].rotate_right(layout.stride);
        index
    }

    /// How many are at or before `time`: found from `near` on, step by step.
    pub fn end_at(&self, layout: &Layout, near: usize, time: i64) -> usize {
        let (mut index, len) = (near, self.len(layout));
        while index > 0 && self.time(layout, index - 1) > time {
            index -= 1;
        }
        while index < len && self.time(layout, index) <= time {
            index += 1;
        }
        index
    }

    /// Forgets the oldest ones. At most a fifth of the words are of such as are gone.
    pub fn drop_front(&mut self, layout: &Layout, count: usize) {
        self.head += count * layout.stride;
        let live = self.words.len() - self.head;
        if self.head * 4 <= live {
            return;
        }
        self.words.drain(..self.head);
        self.head = 0;
        if self.words.capacity() > 64 && live < self.words.capacity() / 4 {
            self.words.shrink_to(live * 2);
        }
    }

    /// The same entries by another layout. `columns`: for each of its columns which one it is of this layout; of
    /// one that is not here no entry has a value. `id`: of the word of an entry's number, if it has one, that which it
    /// has from now on. None: an entry has no value where the new layout has no place to say so.
    pub fn lay_out(
        &self,
        layout: &Layout,
        new: &Layout,
        columns: &[Option<usize>],
        mut id: impl FnMut(Option<u64>) -> u64,
    ) -> Option<Self> {
        let count = self.len(layout);
        let mut words = Vec::with_capacity(count * new.stride);
        for entry in self.range(layout, 0..count) {
            words.push(entry[0]);
            let mut flags = 0;
            for (index, (column, from)) in new.kept.iter().zip(columns).enumerate() {
                let valid = from.is_some_and(|from| layout.is_valid(entry, from));
                if !valid && new.flags.is_none() && !is_float(column.kind) {
                    return None;
                }
                flags |= u64::from(valid) << index;
                let none = if is_float(column.kind) { f64::NAN.to_bits() } else { 0 };
                words.push(from.map_or(none, |from| entry[1 + from]));
            }
            words.extend(new.flags.map(|_| flags));
            words.extend(new.id.map(|_| id(layout.id.map(|place| entry[place]))));
        }
        Some(Self { words, head: 0 })
    }

    pub fn freeze(&self, layout: &Layout, into: &mut Vec<u8>) {
        into.number(self.len(layout) as u64);
        freeze_words(&self.words[self.head..], into);
    }

    pub fn thaw(layout: &Layout, reader: &mut Reader<'_>) -> Option<Self> {
        let limit = reader.0.len() / size_of::<u64>() / layout.stride;
        let count = within(reader, limit)? as usize;
        let entries = Self { words: thaw_words(reader, count * layout.stride)?, head: 0 };
        let mut newest = *TIMES.start();
        for index in 0..count {
            let time = entries.time(layout, index);
            if time < newest {
                return None;
            }
            newest = time;
        }
        let times = |column: &usize| layout.kept[*column].kind == Kind::Time;
        let mut times = (0..layout.kept.len()).filter(times);
        let fit = |column| {
            let words = entries.range(layout, 0..count).filter_map(|entry| layout.value(entry, column));
            words.map(u64::cast_signed).all(|time| TIMES.contains(&time))
        };
        (newest <= *TIMES.end() && times.all(fit)).then_some(entries)
    }

    /// Bytes held beside this struct.
    pub fn size(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}
