//! Blocks of a changelog: what a commit did to a task, and images of a whole task, from which it can be restored
//! without what came before.
//!
//! ```text
//! block:   version u8 = 1, crc32 u32 of all that follows, fingerprint u64, what u8, commit, part, parts,
//!          then this part of the packed content
//! packed:  length u32 and LZ4 block
//! content: changes:     head list, journal
//!          image begin: offset of the first block that is needed beside the image
//!          image:       store u8, key list, windows list; again and again
//!          image end:   head list
//! ```
//!
//! Parts of one content lie one behind the other. The fingerprint is that of the windows: others can't be read.

use crate::bytes::{Reader, Write};
use crate::error::{Code, Error, Result};
use crate::state::Commit;

const VERSION: u8 = 1;
/// Bytes of a part, at most: brokers take messages of 1 MiB by default.
const PART: usize = 512 << 10;
/// Bytes of a block, at most.
pub const BLOCK_BYTES: usize = PART + 128;
/// Bytes of a content.
const LARGEST: usize = 1 << 30;
/// Version, checksum.
const BEFORE: usize = 5;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Changes,
    ImageBegin,
    Image,
    ImageEnd,
}

/// All but the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub fingerprint: u64,
    pub what: What,
    /// The commit whose changes these are; or as of which the image is.
    pub commit: Commit,
}

/// Content, compressed.
pub(super) fn pack(content: &[u8]) -> Vec<u8> {
    // A copy, since it comes with room for what can't be packed, and may be kept for long.
    lz4_flex::compress_prepend_size(content).as_slice().to_vec()
}

pub(super) fn unpack(packed: &[u8]) -> Result<Vec<u8>> {
    let (size, rest) = lz4_flex::block::uncompressed_size(packed).map_err(|_| broken("is cut short"))?;
    // LZ4 makes no more than 255 bytes of one.
    if size > LARGEST.min(rest.len().saturating_mul(255)) {
        return Err(broken("has an impossible size"));
    }
    lz4_flex::decompress(rest, size).map_err(|_| broken("can't be unpacked"))
}

/// The blocks of a packed content.
pub(super) fn blocks(label: Label, packed: &[u8]) -> Vec<Vec<u8>> {
    let parts = packed.len().div_ceil(PART).max(1);
    let cut = |part: usize| {
        let bytes = &packed[part * PART..packed.len().min((part + 1) * PART)];
        let mut block = Vec::with_capacity(bytes.len() + 40);
        block.byte(VERSION);
        block.extend([0; 4]);
        block.word(label.fingerprint);
        block.byte(label.what as u8);
        block.number(label.commit);
        block.number(part as u64);
        block.number(parts as u64);
        block.extend(bytes);
        let sum = crc32fast::hash(&block[BEFORE..]);
        block[1..BEFORE].copy_from_slice(&sum.to_le_bytes());
        block
    };
    (0..parts).map(cut).collect()
}

/// Puts contents together again.
#[derive(Debug, Default)]
pub(super) struct Parts {
    label: Option<Label>,
    packed: Vec<u8>,
    next: u64,
}

impl Parts {
    /// Takes the next block. A content that is whole now: its label, and itself, packed.
    pub fn take(&mut self, block: &[u8]) -> Result<Option<(Label, Vec<u8>)>> {
        let (label, part, parts, bytes) = read(block)?;
        let goes_on = part > 0 && self.label == Some(label) && part == self.next;
        if part > 0 && !goes_on {
            return Err(broken("does not follow the one before"));
        }
        if part == 0 {
            self.packed.clear();
        }
        if self.packed.len() + bytes.len() > LARGEST {
            return Err(broken("is too large"));
        }
        (self.label, self.next) = (Some(label), part + 1);
        self.packed.extend(bytes);
        if part + 1 < parts {
            return Ok(None);
        }
        self.label = None;
        Ok(Some((label, std::mem::take(&mut self.packed))))
    }
}

fn read(block: &[u8]) -> Result<(Label, u64, u64, &[u8])> {
    let mut reader = Reader(block);
    match reader.byte() {
        Some(VERSION) => {}
        Some(other) => return Err(broken(&format!("is of version {other}, where {VERSION} is known"))),
        None => return Err(broken("is empty")),
    }
    let sum = reader.fixed().map(u32::from_le_bytes);
    if sum != Some(crc32fast::hash(reader.0)) {
        return Err(broken("has another checksum"));
    }
    let mut fields = move || {
        let fingerprint = reader.word()?;
        let what = match reader.byte()? {
            0 => What::Changes,
            1 => What::ImageBegin,
            2 => What::Image,
            3 => What::ImageEnd,
            _ => return None,
        };
        let (commit, part, parts) = (reader.number()?, reader.number()?, reader.number()?);
        (part < parts).then_some((Label { fingerprint, what, commit }, part, parts, reader.0))
    };
    fields().ok_or_else(|| broken("is none of ours"))
}

fn broken(why: &str) -> Error {
    Error::new(Code::ChangelogDamaged, format!("a block {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn label(commit: Commit) -> Label {
        Label { fingerprint: 7, what: What::Changes, commit }
    }

    #[test]
    fn large_contents_come_in_parts() {
        let mut state = 1u64;
        let noise = (0..3 * PART).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        });
        let content: Vec<u8> = noise.collect();
        let blocks = blocks(label(3), &pack(&content));
        assert_eq!(blocks.len(), 4, "noise can't be packed");
        let mut parts = Parts::default();
        let mut taken = blocks.iter().map(|block| parts.take(block).expect("ours"));
        assert!(taken.by_ref().take(3).all(|one| one.is_none()));
        let (found, packed) = taken.next().flatten().expect("whole");
        assert_eq!((found, unpack(&packed).expect("packed")), (label(3), content));
        assert!(Parts::default().take(&blocks[1]).is_err(), "not the first one");
        let mut parts = Parts::default();
        parts.take(&blocks[0]).expect("the first one");
        assert!(parts.take(&blocks[2]).is_err(), "one is missing");
    }

    proptest! {
        #[test]
        fn a_changed_bit_is_found(content: Vec<u8>, at: prop::sample::Index, bit in 0u8..8) {
            let mut block = blocks(label(1), &pack(&content)).remove(0);
            let at = at.index(block.len());
            block[at] ^= 1 << bit;
            prop_assert!(Parts::default().take(&block).is_err());
        }

        #[test]
        fn any_bytes_can_be_unpacked_or_not(bytes: Vec<u8>) {
            let _ = unpack(&bytes);
            let _ = Parts::default().take(&bytes);
        }
    }
}
