//! How the windows of a key are written down, to be read by whoever has the same plan: another process, or
//! this one after a crash.
//!
//! Each type writes and reads itself, beside its own code (`freeze`, `thaw`). The laws:
//!
//! - Everything is kept bit for bit. Sums are never made anew: what is thawed behaves for ever as if it had
//!   not been frozen. Only room to grow is not kept.
//! - No shape is written: it is that of the plan, and [`super::Plan::fingerprint`] tells whether that is the same.
//! - What is read is trusted in nothing. It is none, or a state that can do no harm: lists are in order, places
//!   lie within their lists, and numbers that are merely wrong give wrong cells, no panic. Memory: at most some
//!   hundred bytes for each byte that is read, and one for each of the entries, as the states themselves need it.

use crate::bytes::{Reader, Write};

/// Numbers that rise or stay: the first one, then steps.
#[derive(Debug, Default)]
pub struct Rising(Option<i64>);

impl Rising {
    pub fn freeze(&mut self, number: i64, into: &mut Vec<u8>) {
        match self.0.replace(number) {
            None => into.signed(number),
            Some(before) => into.number(number.abs_diff(before)),
        }
    }

    pub fn thaw(&mut self, reader: &mut Reader<'_>) -> Option<i64> {
        let number = match self.0 {
            None => reader.signed()?,
            Some(before) => before.checked_add_unsigned(reader.number()?)?,
        };
        self.0 = Some(number);
        Some(number)
    }

    /// The next one, if it is not the same as the last.
    pub fn thaw_above(&mut self, reader: &mut Reader<'_>) -> Option<i64> {
        let before = self.0;
        self.thaw(reader).filter(|number| before != Some(*number))
    }
}

/// A number that counts things of which each takes so many bytes at least.
pub fn count(reader: &mut Reader<'_>, least: usize) -> Option<usize> {
    let count = usize::try_from(reader.number()?).ok()?;
    (count <= reader.0.len() / least).then_some(count)
}

/// A number that is not above a limit.
pub fn within(reader: &mut Reader<'_>, limit: usize) -> Option<u32> {
    let number = u32::try_from(reader.number()?).ok()?;
    (number as usize <= limit).then_some(number)
}

/// Words one behind the other: about as fast as memory is copied.
pub fn freeze_words(words: &[u64], into: &mut Vec<u8>) {
    let start = into.len();
    into.resize(start + size_of_val(words), 0);
    for (bytes, word) in into[start..].as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
}

pub fn thaw_words(reader: &mut Reader<'_>, count: usize) -> Option<Vec<u64>> {
    let bytes = reader.take(count.checked_mul(size_of::<u64>())?)?;
    Some(bytes.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect())
}
