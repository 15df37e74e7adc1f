//! What stands in a tree, by the first byte of its name.

use super::tree::Position;
use crate::bytes::Reader;

pub(super) const HEAD: u8 = 0;
pub(super) const WINDOWS: u8 = 1;
pub(super) const DUE: u8 = 2;

pub(super) fn due_name(store: u8, moment: i64, key: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(key.len() + 10);
    name.extend([DUE, store]);
    name.extend((moment.cast_unsigned() ^ 1 << 63).to_be_bytes());
    name.extend(key);
    name
}

pub(super) fn read_head(bytes: &[u8]) -> Option<Position> {
    let mut reader = Reader(bytes);
    let commit = reader.word()?;
    Some((commit, reader.0.to_vec()))
}
