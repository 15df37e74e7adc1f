//! Which words an entry has.

use crate::columns::{Column, Kind};

/// What an entry is made of: `words[0]` its time, then one word a kept column.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Words an entry.
    pub stride: usize,
    /// Of the kept columns, in order. The word of a text or of bytes is their hash.
    pub kept: Vec<Column>,
    /// Index of the word with a bit a kept column (1: it has a value), where a column needs one.
    /// Floats do not: NaN is no value.
    pub flags: Option<usize>,
    /// Index of the word with the entry's number in its key, where custom folds need one. Its highest bits
    /// say which custom aggregates leave the entry out.
    pub id: Option<usize>,
}

/// Bits of an entry's id word that are its number.
pub const ID: u64 = (1 << 48) - 1;
/// Aggregates with custom folds that a plugin may have: each needs a bit of the id word.
pub const CUSTOM_LIMIT: usize = 16;

/// Bit of an entry's id word: this custom aggregate leaves the entry out.
pub fn left_out(custom: usize) -> u64 {
    1 << (48 + custom)
}

impl Layout {
    pub(super) fn new(kept: Vec<Column>, custom: bool) -> Self {
        let needs_flag = |column: &Column| column.nullable && !is_float(column.kind);
        let flags = kept.iter().any(needs_flag).then_some(1 + kept.len());
        let id = custom.then_some(1 + kept.len() + usize::from(flags.is_some()));
        let stride = 1 + kept.len() + usize::from(flags.is_some()) + usize::from(custom);
        Self { stride, kept, flags, id }
    }

    /// The word of a kept column, if the entry has a value there.
    pub fn value(&self, entry: &[u64], kept: usize) -> Option<u64> {
        let word = entry[1 + kept];
        if is_float(self.kept[kept].kind) {
            return (!f64::from_bits(word).is_nan()).then_some(word);
        }
        self.is_valid(entry, kept).then_some(word)
    }

    /// Whether the flags don't say that there is no value.
    pub fn is_valid(&self, entry: &[u64], kept: usize) -> bool {
        self.flags.is_none_or(|flags| entry[flags] >> kept & 1 == 1)
    }
}

/// Kinds whose words are the bits of an f64; the words of all others are integers.
pub fn is_float(kind: Kind) -> bool {
    matches!(kind, Kind::Float | Kind::Single)
}

/// Whether rows have a value in a column, as it is declared. NaN is none, and may be in any.
pub fn is_always_there(column: &Column) -> bool {
    !column.nullable && !is_float(column.kind)
}
