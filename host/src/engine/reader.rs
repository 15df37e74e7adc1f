//! Reads what was packed, trusting nothing.

use crate::columns::TIMES;
use crate::record::PartitionId;

/// In the place of a length: there is nothing.
pub(super) const NONE: u32 = u32::MAX;

/// What is left.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn fixed<const WIDTH: usize>(&mut self) -> Option<[u8; WIDTH]> {
        self.take(WIDTH)?.try_into().ok()
    }

    pub fn text(&mut self) -> Option<&'a str> {
        let [length] = self.fixed()?;
        std::str::from_utf8(self.take(usize::from(length))?).ok()
    }

    pub fn list(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_le_bytes(self.fixed()?);
        self.take(length as usize)
    }

    /// Outer `None`: broken.
    pub fn optional(&mut self) -> Option<Option<&'a [u8]>> {
        if self.0.first_chunk() == Some(&NONE.to_le_bytes()) {
            self.take(4)?;
            return Some(None);
        }
        self.list().map(Some)
    }

    pub fn time(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.fixed()?)).filter(|time| TIMES.contains(time))
    }

    pub fn partition(&mut self) -> Option<PartitionId> {
        let source = u16::from_le_bytes(self.fixed()?);
        Some(PartitionId { source, partition: i32::from_le_bytes(self.fixed()?) })
    }
}
