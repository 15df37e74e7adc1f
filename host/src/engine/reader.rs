//! What parcels have beside the usual: lengths of fixed width, times, partitions.

use crate::bytes::Reader;
use crate::columns::TIMES;
use crate::record::PartitionId;

/// In the place of a length: there is nothing.
pub(super) const NONE: u32 = u32::MAX;

/// Read like all bytes, trusting nothing.
pub(super) trait Unpack<'a> {
    /// With a length of one byte.
    fn short_text(&mut self) -> Option<&'a str>;
    /// With a length of four bytes.
    fn long_list(&mut self) -> Option<&'a [u8]>;
    /// The same, or [`NONE`]. Outer `None`: broken.
    fn optional(&mut self) -> Option<Option<&'a [u8]>>;
    fn time(&mut self) -> Option<i64>;
    fn partition(&mut self) -> Option<PartitionId>;
}

impl<'a> Unpack<'a> for Reader<'a> {
    fn short_text(&mut self) -> Option<&'a str> {
        let length = self.byte()?;
        std::str::from_utf8(self.take(usize::from(length))?).ok()
    }

    fn long_list(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_le_bytes(self.fixed()?);
        self.take(length as usize)
    }

    fn optional(&mut self) -> Option<Option<&'a [u8]>> {
        if self.0.first_chunk() == Some(&NONE.to_le_bytes()) {
            self.take(4)?;
            return Some(None);
        }
        self.long_list().map(Some)
    }

    fn time(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.fixed()?)).filter(|time| TIMES.contains(time))
    }

    fn partition(&mut self) -> Option<PartitionId> {
        let source = u16::from_le_bytes(self.fixed()?);
        Some(PartitionId { source, partition: i32::from_le_bytes(self.fixed()?) })
    }
}
