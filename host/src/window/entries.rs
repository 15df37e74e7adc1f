//! What a key keeps of its rows: one list, from which windows of any size take their part.

use std::collections::VecDeque;

use super::plan::Layout;

/// Entries by rising time, those of one time in order of arrival. An entry is a run of words: its time,
/// then one a kept column, then flags (see [`Layout`]).
#[derive(Clone, Debug, Default)]
pub struct Entries {
    words: VecDeque<u64>,
}

impl Entries {
    pub fn len(&self, layout: &Layout) -> usize {
        self.words.len() / layout.stride
    }

    pub fn time(&self, layout: &Layout, index: usize) -> i64 {
        self.words[index * layout.stride].cast_signed()
    }

    /// Copies one entry out.
    pub fn read(&self, layout: &Layout, index: usize, into: &mut Vec<u64>) {
        into.clear();
        into.extend(self.words.range(index * layout.stride..(index + 1) * layout.stride));
    }

    pub fn set_word(&mut self, layout: &Layout, index: usize, word: usize, value: u64) {
        self.words[index * layout.stride + word] = value;
    }

    /// Puts an entry behind all of its time or earlier; says where.
    pub fn insert(&mut self, layout: &Layout, entry: &[u64]) -> usize {
        let time = entry[0].cast_signed();
        let mut index = self.len(layout);
        self.words.extend(entry);
        while index > 0 && self.time(layout, index - 1) > time {
            index -= 1;
            let start = index * layout.stride;
            (start..start + layout.stride).for_each(|word| self.words.swap(word, word + layout.stride));
        }
        index
    }

    /// Forgets the oldest ones.
    pub fn drop_front(&mut self, layout: &Layout, count: usize) {
        self.words.drain(..count * layout.stride);
        if self.words.capacity() > 64 && self.words.len() < self.words.capacity() / 4 {
            self.words.shrink_to(self.words.len() * 2);
        }
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}
