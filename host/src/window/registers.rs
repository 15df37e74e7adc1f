//! The registers of one custom fold over one window of one key.
//!
//! Where entries can be retracted, or never leave one by one (forever, session), one register follows the
//! window. Where not, the window is in two parts, and an entry leaves only the older one: `main` has all
//! of the newer part; the older part has a register every [`BLOCK`] entries, of all from there to the
//! middle, and single entries at its old end. When the older part is used up, the newer one becomes it. So
//! a row in order of time costs a few steps, amortised, whatever the window's size; but up to [`BLOCK`]
//! entries at the old end are added anew each time. A straggler is folded by a scan of its window.

use std::ops::Range;

use super::entries::Entries;
use super::frozen::{Rising, count, within};
use super::moves::Change;
use super::plan::{Custom, Layout, Plan, SpanKind};
use super::script::{SCRATCH, Script};
use crate::bytes::{Reader, Write};

/// Entries a register of the older part.
const BLOCK: usize = 16;

#[derive(Clone, Debug, Default)]
pub struct Registers {
    main: Register,
    /// Where the newer part begins.
    middle: u32,
    /// Of the older part, the newest first.
    fronts: Vec<Front>,
}

/// A register and the index of the oldest entry in it.
#[derive(Clone, Debug)]
struct Front {
    start: u32,
    register: Register,
}

#[derive(Clone, Debug, Default)]
enum Register {
    #[default]
    Zero,
    Stored(Box<[u8]>),
    /// In the script of the batch at hand.
    Slot(u32),
}

impl Register {
    /// Its slot in the script.
    fn slot(&mut self, script: &mut Script) -> u32 {
        let content = match std::mem::take(self) {
            Self::Slot(slot) => {
                *self = Self::Slot(slot);
                return slot;
            }
            Self::Zero => None,
            Self::Stored(bytes) => Some(bytes),
        };
        let slot = script.slot(content);
        *self = Self::Slot(slot);
        slot
    }

    fn clear(&mut self, script: &mut Script) {
        match self {
            Self::Slot(slot) => script.reset(*slot),
            _ => *self = Self::Zero,
        }
    }

    /// Takes over what a script made of it; says whether it was in one.
    fn settle(&mut self, size: usize, registers: &[u8]) -> bool {
        let Self::Slot(slot) = *self else { return false };
        *self = Self::Stored(registers[slot as usize * size..][..size].into());
        true
    }

    fn freeze(&self, into: &mut Vec<u8>) {
        match self {
            Self::Zero => into.byte(0),
            Self::Stored(bytes) => {
                into.byte(1);
                into.extend_from_slice(bytes);
            }
            Self::Slot(_) => unreachable!("a batch is settled before its keys are frozen"),
        }
    }

    fn thaw(size: usize, reader: &mut Reader<'_>) -> Option<Self> {
        Some(if reader.flag()? { Self::Stored(reader.take(size)?.into()) } else { Self::Zero })
    }

    fn size(&self) -> usize {
        if let Self::Stored(bytes) = self { bytes.len() } else { 0 }
    }
}

/// Whether one register follows the window.
fn follows(plan: &Plan, custom: &Custom) -> bool {
    custom.invertible || matches!(plan.spans[custom.span].kind, SpanKind::Forever | SpanKind::Session(_))
}

/// A custom aggregate at work: its script, and the entries of its input.
#[derive(Debug)]
pub struct At<'a> {
    pub plan: &'a Plan,
    pub custom: &'a Custom,
    pub entries: &'a Entries,
    pub script: &'a mut Script,
}

impl<'a> At<'a> {
    fn follows(&self) -> bool {
        follows(self.plan, self.custom)
    }

    fn layout(&self) -> &'a Layout {
        &self.plan.inputs[self.plan.spans[self.custom.span].input].layout
    }

    fn add(&mut self, slot: u32, part: Range<usize>) {
        let layout = self.layout();
        for entry in self.entries.range(layout, part) {
            self.script.add(self.plan, self.custom, slot, entry);
        }
    }

    fn apply(&mut self, slot: u32, change: Change) {
        let layout = self.layout();
        for entry in change.left.into_iter().flat_map(|left| self.entries.range(layout, left)) {
            self.script.retract(self.plan, self.custom, slot, entry);
        }
        change.came.into_iter().for_each(|came| self.add(slot, came));
    }
}

impl Registers {
    /// Takes in one entry that never leaves.
    pub fn add(&mut self, at: &mut At<'_>, entry: &[u64]) {
        let slot = self.main.slot(at.script);
        at.script.add(at.plan, at.custom, slot, entry);
    }

    pub fn emit_main(&mut self, at: &mut At<'_>) {
        let slot = self.main.slot(at.script);
        at.script.emit(slot);
    }

    /// Takes in an entry that was put at `place`, inside of the window. Says whether a register has it.
    pub fn insert_inside(&mut self, at: &mut At<'_>, place: usize) -> bool {
        if at.follows() || place >= self.middle as usize {
            let slot = self.main.slot(at.script);
            at.add(slot, place..place + 1);
            return true;
        }
        self.middle += 1;
        let named = self.fronts.last().is_some_and(|front| front.start as usize <= place);
        for front in self.fronts.iter_mut().rev() {
            if front.start as usize <= place {
                let slot = front.register.slot(at.script);
                at.add(slot, place..place + 1);
            } else {
                front.start += 1;
            }
        }
        named
    }

    /// An entry was put before the window.
    pub fn insert_before(&mut self) {
        self.middle += 1;
        self.fronts.iter_mut().for_each(|front| front.start += 1);
    }

    /// Moves on in time: nothing leaves at the new end.
    pub fn advance(&mut self, at: &mut At<'_>, from: &Range<usize>, to: &Range<usize>) {
        if !at.follows() {
            return self.roll(at, from, to);
        }
        match Change::between(from, to) {
            Some(change) => {
                if !change.is_empty() {
                    let slot = self.main.slot(at.script);
                    at.apply(slot, change);
                }
            }
            None => {
                if !from.is_empty() {
                    self.main.clear(at.script);
                }
                if !to.is_empty() {
                    let slot = self.main.slot(at.script);
                    at.add(slot, to.clone());
                }
            }
        }
    }

    fn roll(&mut self, at: &mut At<'_>, from: &Range<usize>, to: &Range<usize>) {
        while self.fronts.last().is_some_and(|front| (front.start as usize) < to.start) {
            self.fronts.pop();
        }
        if to.start >= self.middle as usize {
            self.fronts = Vec::new();
            self.middle = to.end as u32;
        } else if to.end > from.end {
            if self.middle as usize == from.end {
                self.main.clear(at.script); // what it held is in the older part now
            }
            let slot = self.main.slot(at.script);
            at.add(slot, from.end..to.end);
        }
        while self.head(to.start).len() > BLOCK {
            let Range { end, .. } = self.head(to.start);
            let (start, slot) = (end - BLOCK, at.script.slot(None));
            at.add(slot, start..end);
            if let Some(before) = self.fronts.last_mut() {
                let before = before.register.slot(at.script);
                at.script.merge(slot, before);
            }
            self.fronts.push(Front { start: start as u32, register: Register::Slot(slot) });
        }
    }

    /// Entries of the older part that no register has.
    fn head(&self, first: usize) -> Range<usize> {
        first..self.fronts.last().map_or(self.middle, |front| front.start) as usize
    }

    /// Emits the value over the window to which it was moved.
    pub fn emit(&mut self, at: &mut At<'_>, window: &Range<usize>) {
        if at.follows() {
            return self.emit_main(at);
        }
        at.script.reset(SCRATCH);
        at.add(SCRATCH, self.head(window.start));
        if let Some(front) = self.fronts.last_mut() {
            let slot = front.register.slot(at.script);
            at.script.merge(SCRATCH, slot);
        }
        if (self.middle as usize) < window.end {
            let slot = self.main.slot(at.script);
            at.script.merge(SCRATCH, slot);
        }
        at.script.emit(SCRATCH);
    }

    /// Emits the value over another window than the one at which it stands.
    pub fn emit_as_of(&mut self, at: &mut At<'_>, from: &Range<usize>, to: &Range<usize>) {
        at.script.reset(SCRATCH);
        let change = Change::between(from, to);
        match change.filter(|change| at.follows() && (at.custom.invertible || change.only_grows())) {
            Some(change) => {
                let slot = self.main.slot(at.script);
                at.script.merge(SCRATCH, slot);
                at.apply(SCRATCH, change);
            }
            None => at.add(SCRATCH, to.clone()),
        }
        at.script.emit(SCRATCH);
    }

    /// Begins anew with an empty window at `place`.
    pub fn clear(&mut self, place: usize) {
        *self = Self { middle: place as u32, ..Self::default() };
    }

    pub fn drop_front(&mut self, count: usize) {
        let count = count as u32;
        self.middle = self.middle.saturating_sub(count);
        self.fronts.iter_mut().for_each(|front| front.start -= count);
    }

    /// Takes over what a script made of it. `size`: bytes a register; `registers`: one a slot.
    pub fn settle(&mut self, size: usize, registers: &[u8]) {
        self.main.settle(size, registers);
        // Those that the batch touched are the oldest ones.
        for front in self.fronts.iter_mut().rev() {
            if !front.register.settle(size, registers) {
                break;
            }
        }
    }

    /// The script that last touched them was run, and they were settled.
    pub fn freeze(&self, plan: &Plan, custom: &Custom, into: &mut Vec<u8>) {
        self.main.freeze(into);
        if follows(plan, custom) {
            return; // there are no parts
        }
        into.number(u64::from(self.middle));
        into.number(self.fronts.len() as u64);
        let mut starts = Rising::default();
        for Front { start, register } in self.fronts.iter().rev() {
            starts.freeze(i64::from(*start), into);
            register.freeze(into);
        }
    }

    /// `window`: where the cursor of the window stands.
    pub fn thaw(
        plan: &Plan,
        custom: &Custom,
        window: &Range<usize>,
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let main = Register::thaw(custom.register_bytes, reader)?;
        if follows(plan, custom) {
            return Some(Self { main, ..Self::default() });
        }
        let middle = within(reader, window.end)?;
        let (count, mut starts) = (count(reader, 2)?, Rising::default());
        let mut fronts = Vec::with_capacity(count);
        for _ in 0..count {
            let start = u32::try_from(starts.thaw_above(reader)?).ok().filter(|start| *start < middle)?;
            if (start as usize) < window.start {
                return None;
            }
            fronts.push(Front { start, register: Register::thaw(custom.register_bytes, reader)? });
        }
        fronts.reverse();
        Some(Self { main, middle, fronts })
    }

    /// Bytes of registers, by how many there are alone, if no more than so many entries are in.
    pub fn weight(&self, custom: &Custom, entries: usize) -> usize {
        let fronts = self.fronts.len().min(entries.div_ceil(BLOCK));
        custom.register_bytes + fronts * (size_of::<Front>() + custom.register_bytes)
    }

    /// Bytes held beside this struct.
    pub fn size(&self) -> usize {
        let fronts = self.fronts.iter().map(|front| front.register.size()).sum::<usize>();
        self.main.size() + fronts + self.fronts.capacity() * size_of::<Front>()
    }
}
