//! One register.

use crate::bytes::{Reader, Write};
use crate::window::script::{Old, Script};

#[derive(Clone, Debug, Default)]
pub(super) enum Register {
    #[default]
    Zero,
    Stored(Box<[u8]>),
    /// Of this older version of the fold.
    Old(u32, Box<[u8]>),
    /// In the script of the batch at hand.
    Slot(u32),
}

/// How they are written down. Above these two bits there is room for one thing more.
const ZERO: u8 = 0;
const STORED: u8 = 1;
const OLD: u8 = 2;

impl Register {
    /// Its slot in the script.
    pub fn slot(&mut self, script: &mut Script) -> u32 {
        let slot = match std::mem::take(self) {
            Self::Slot(slot) => slot,
            Self::Zero => script.slot(None),
            Self::Stored(bytes) => script.slot(Some(bytes)),
            Self::Old(version, bytes) => script.old_slot(version, bytes),
        };
        *self = Self::Slot(slot);
        slot
    }

    pub fn clear(&mut self, script: &mut Script) {
        match self {
            Self::Slot(slot) => script.reset(*slot),
            _ => *self = Self::Zero,
        }
    }

    /// As it is for a later version of the fold than this one. A fresh one is fresh in any.
    pub fn aged(&self, version: u32) -> Self {
        match self {
            Self::Stored(bytes) => Self::Old(version, bytes.clone()),
            other => other.clone(),
        }
    }

    /// Takes over what a script made of it; says whether it was in one.
    pub fn settle(&mut self, size: usize, registers: &[u8], stuck: &[Old]) -> bool {
        let Self::Slot(slot) = *self else { return false };
        *self = match stuck.binary_search_by_key(&slot, |old| old.slot) {
            Ok(place) => Self::Old(stuck[place].version, stuck[place].bytes.clone()),
            Err(_) => Self::Stored(registers[slot as usize * size..][..size].into()),
        };
        true
    }

    /// `more`: below 64.
    pub fn freeze(&self, more: u8, into: &mut Vec<u8>) {
        let more = more << 2;
        match self {
            Self::Zero => into.byte(ZERO | more),
            Self::Stored(bytes) => {
                into.byte(STORED | more);
                into.extend_from_slice(bytes);
            }
            Self::Old(version, bytes) => {
                into.byte(OLD | more);
                into.number(u64::from(*version));
                into.list(bytes);
            }
            Self::Slot(_) => unreachable!("a batch is settled before its keys are frozen"),
        }
    }

    /// `older`: one that is not of the fold's version is of one below this. Gives what was written beside, too.
    pub fn thaw(size: usize, older: u32, reader: &mut Reader<'_>) -> Option<(Self, u8)> {
        let byte = reader.byte()?;
        let register = match byte & 3 {
            ZERO => Self::Zero,
            STORED => Self::Stored(reader.take(size)?.into()),
            OLD => {
                let version = u32::try_from(reader.number()?).ok().filter(|version| *version < older)?;
                Self::Old(version, reader.list().filter(|bytes| !bytes.is_empty())?.into())
            }
            _ => return None,
        };
        Some((register, byte >> 2))
    }

    pub fn size(&self) -> usize {
        match self {
            Self::Stored(bytes) | Self::Old(_, bytes) => bytes.len(),
            Self::Zero | Self::Slot(_) => 0,
        }
    }
}
