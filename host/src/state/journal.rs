//! What was done to a task's state between two commits, to be done again when it is restored: rows that met
//! windows, watermarks that let windows close, rows that were put aside. Doing it again gives the same state, bit
//! for bit, without the plugin: of custom folds the registers are written down.
//!
//! ```text
//! op: what u8, store u8, then
//!   row:       input, watermark change, key list, words list (8 bytes each)
//!   first row: the same, behind the word of the record's key, which all rows of the key have from then on
//!   pass, forget: watermark
//!   registers: custom, key list, bytes list
//!   leave out: custom, key list, id
//!   keep by:   plan list
//!   hold:      input, offset, parcel list
//!   release:   watermark
//! ```

use super::Meeting;
use crate::bytes::{Reader, Write};
use crate::columns::TIMES;
use crate::window::Plan;

/// One thing that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op<'a> {
    Row {
        store: u8,
        input: usize,
        watermark: i64,
        /// 0: it is known.
        record_key: u64,
        key: &'a [u8],
        words: &'a [u8],
    },
    Pass {
        store: u8,
        watermark: i64,
    },
    Forget {
        store: u8,
        watermark: i64,
    },
    Registers {
        store: u8,
        custom: usize,
        key: &'a [u8],
        bytes: &'a [u8],
    },
    LeaveOut {
        store: u8,
        custom: usize,
        key: &'a [u8],
        id: u64,
    },
    /// Windows are kept by another plan from here on.
    KeepBy {
        store: u8,
        plan: &'a [u8],
    },
    /// A row waits; it came from an input of the task, at an offset.
    Hold {
        input: usize,
        offset: i64,
        parcel: &'a [u8],
    },
    /// All that wait go whose time is before.
    Release {
        watermark: i64,
    },
}

impl Op<'_> {
    /// Whose it is.
    pub fn store(&self) -> Option<u8> {
        match *self {
            Self::Row { store, .. }
            | Self::Pass { store, .. }
            | Self::Forget { store, .. }
            | Self::Registers { store, .. }
            | Self::LeaveOut { store, .. }
            | Self::KeepBy { store, .. } => Some(store),
            Self::Hold { .. } | Self::Release { .. } => None,
        }
    }
}

const ROW: u8 = 0;
const PASS: u8 = 1;
const FORGET: u8 = 2;
const REGISTERS: u8 = 3;
const LEAVE_OUT: u8 = 4;
const HOLD: u8 = 5;
const RELEASE: u8 = 6;
const FIRST_ROW: u8 = 7;
const KEEP_BY: u8 = 8;

/// What was done since the last commit.
#[derive(Debug, Default)]
pub struct Journal {
    bytes: Vec<u8>,
    /// The watermark that was written last: watermarks are written as changes.
    watermark: i64,
}

impl Journal {
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// All of it; what follows begins anew, and takes about as much.
    pub fn take(&mut self) -> Vec<u8> {
        self.watermark = 0;
        let next = Vec::with_capacity(self.bytes.len());
        std::mem::replace(&mut self.bytes, next)
    }

    pub(super) fn row(&mut self, store: u8, key: &[u8], meeting: &Meeting<'_>) {
        if meeting.record_key == 0 {
            self.begin(ROW, store);
        } else {
            self.begin(FIRST_ROW, store);
            self.bytes.word(meeting.record_key);
        }
        self.bytes.number(meeting.input as u64);
        self.watermark(meeting.watermark);
        self.bytes.list(key);
        self.bytes.number(meeting.words.len() as u64 * 8);
        meeting.words.iter().for_each(|word| self.bytes.word(*word));
    }

    pub(super) fn pass(&mut self, store: u8, watermark: i64) {
        self.begin(PASS, store);
        self.watermark(watermark);
    }

    pub(super) fn forget(&mut self, store: u8, watermark: i64) {
        self.begin(FORGET, store);
        self.watermark(watermark);
    }

    pub(super) fn registers(
        &mut self,
        store: u8,
        key: &[u8],
        custom: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let mut registers = Vec::new();
        write(&mut registers);
        self.begin(REGISTERS, store);
        self.bytes.number(custom as u64);
        self.bytes.list(key);
        self.bytes.list(&registers);
    }

    /// A custom fold leaves an entry of a key out.
    pub fn leave_out(&mut self, store: u8, key: &[u8], custom: usize, id: u64) {
        self.begin(LEAVE_OUT, store);
        self.bytes.number(custom as u64);
        self.bytes.list(key);
        self.bytes.number(id);
    }

    /// Windows are kept by another plan from here on.
    pub(super) fn keep_by(&mut self, store: u8, plan: &Plan) {
        let mut written = Vec::new();
        plan.write(&mut written);
        self.begin(KEEP_BY, store);
        self.bytes.list(&written);
    }

    /// A row waits.
    pub fn hold(&mut self, input: usize, offset: i64, parcel: &[u8]) {
        self.begin(HOLD, 0);
        self.bytes.number(input as u64);
        self.bytes.signed(offset);
        self.bytes.list(parcel);
    }

    /// All rows that wait before a time go.
    pub fn release(&mut self, watermark: i64) {
        self.begin(RELEASE, 0);
        self.watermark(watermark);
    }

    fn begin(&mut self, what: u8, store: u8) {
        self.bytes.byte(what);
        self.bytes.byte(store);
    }

    fn watermark(&mut self, watermark: i64) {
        self.bytes.signed(watermark.wrapping_sub(self.watermark));
        self.watermark = watermark;
    }
}

/// Reads what a journal holds.
#[derive(Debug)]
pub struct Ops<'a> {
    reader: Reader<'a>,
    watermark: i64,
}

impl<'a> Ops<'a> {
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { reader: Reader(bytes), watermark: 0 }
    }

    /// The next one. `None`: at the end. Inner `None`: these are not bytes of a journal.
    pub fn read_next(&mut self) -> Option<Option<Op<'a>>> {
        (!self.reader.0.is_empty()).then(|| self.read())
    }

    fn read(&mut self) -> Option<Op<'a>> {
        let (what, store) = (self.reader.byte()?, self.reader.byte()?);
        let index = |number: u64| usize::try_from(number).ok();
        Some(match what {
            ROW | FIRST_ROW => {
                let record_key = if what == FIRST_ROW { self.reader.word()? } else { 0 };
                let input = index(self.reader.number()?)?;
                let watermark = self.watermark()?;
                let (key, words) = (self.reader.list()?, self.reader.list()?);
                let time = i64::from_le_bytes(*words.first_chunk()?);
                (words.len() % 8 == 0 && TIMES.contains(&time)).then_some(())?;
                Op::Row { store, input, watermark, record_key, key, words }
            }
            PASS => Op::Pass { store, watermark: self.watermark()? },
            FORGET => Op::Forget { store, watermark: self.watermark()? },
            REGISTERS => {
                let custom = index(self.reader.number()?)?;
                Op::Registers { store, custom, key: self.reader.list()?, bytes: self.reader.list()? }
            }
            LEAVE_OUT => {
                let custom = index(self.reader.number()?)?;
                Op::LeaveOut { store, custom, key: self.reader.list()?, id: self.reader.number()? }
            }
            HOLD => {
                let input = index(self.reader.number()?)?;
                Op::Hold { input, offset: self.reader.signed()?, parcel: self.reader.list()? }
            }
            RELEASE => Op::Release { watermark: self.watermark()? },
            KEEP_BY => Op::KeepBy { store, plan: self.reader.list()? },
            _ => return None,
        })
    }

    fn watermark(&mut self) -> Option<i64> {
        self.watermark = self.watermark.wrapping_add(self.reader.signed()?);
        Some(self.watermark)
    }
}
