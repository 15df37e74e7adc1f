//! The registers of one custom fold over one window of one key.
//!
//! Where entries can be retracted, or never leave one by one (forever, session), one register follows the
//! window. Where not, the window is in two parts, and an entry leaves only the older one: `main` has all
//! of the newer part; the older part has a register every [`BLOCK`] entries, of all from there to the
//! middle, and single entries at its old end. When the older part is used up, the newer one becomes it. So
//! a row in order of time costs a few steps, amortised, whatever the window's size; but up to [`BLOCK`]
//! entries at the old end are added anew each time. A straggler is folded by a scan of its window.
//!
//! A fold that is new to a key begins with the entries that are there. Each of them is tried first, in an item of its
//! own, so that one which makes the fold fail is found and left out; then registers are made of the window's.

mod register;

use std::ops::Range;

use super::entries::Entries;
use super::frozen::{Rising, count, within};
use super::moves::Change;
use super::plan::{Custom, Layout, Plan, SpanKind};
use super::script::{Old, SCRATCH, Script};
use crate::bytes::{Reader, Write};
use register::Register;

/// Entries a register of the older part.
const BLOCK: usize = 16;

#[derive(Clone, Debug, Default)]
pub struct Registers {
    main: Register,
    /// Where the newer part begins.
    middle: u32,
    /// Of the older part, the newest first.
    fronts: Vec<Front>,
    start: Start,
}

/// What is to be done with entries that were there before the fold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Start {
    #[default]
    Done,
    /// They have to be tried.
    Untried,
    /// They were; the register that follows the window has to be made.
    Unmade,
}

/// A register and the index of the oldest entry in it.
#[derive(Clone, Debug)]
struct Front {
    start: u32,
    register: Register,
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
    /// Of a fold that is new to a key whose entries are there; `end`: where the window ends.
    pub fn begin(end: usize) -> Self {
        Self { middle: end as u32, start: Start::Untried, ..Self::default() }
    }

    /// As they are for a later version of the fold than this one; no entry leaves.
    pub fn aged(&self, version: u32) -> Self {
        Self { main: self.main.aged(version), start: self.start, ..Self::default() }
    }

    pub fn is_untried(&self) -> bool {
        self.start == Start::Untried
    }

    /// Tries the entries that are there, or takes them in for ever.
    pub fn try_all(&mut self, at: &mut At<'_>) {
        let forever = at.plan.spans[at.custom.span].kind == SpanKind::Forever;
        let slot = if forever { self.main.slot(at.script) } else { SCRATCH };
        let layout = at.layout();
        for entry in at.entries.range(layout, 0..at.entries.len(layout)) {
            at.script.add_aside(at.plan, at.custom, slot, entry);
        }
        self.start = if forever || !at.follows() { Start::Done } else { Start::Unmade };
    }

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
        if self.start == Start::Unmade {
            return false;
        }
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
        let is_made = std::mem::take(&mut self.start) == Start::Done;
        match Change::between(from, to).filter(|_| is_made) {
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
        let is_made = at.follows() && self.start == Start::Done;
        match change.filter(|change| is_made && (at.custom.invertible || change.only_grows())) {
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
        // There may be entries beside the window.
        let start = if self.is_untried() { Start::Untried } else { Start::Done };
        *self = Self { middle: place as u32, start, ..Self::default() };
    }

    pub fn drop_front(&mut self, count: usize) {
        let count = count as u32;
        self.middle = self.middle.saturating_sub(count);
        self.fronts.iter_mut().for_each(|front| front.start -= count);
    }

    /// Takes over what a script made of it. `size`: bytes a register; `registers`: one a slot; `stuck`: those that are
    /// still of an older version.
    pub fn settle(&mut self, size: usize, registers: &[u8], stuck: &[Old]) {
        self.main.settle(size, registers, stuck);
        // Those that the batch touched are the oldest ones.
        for front in self.fronts.iter_mut().rev() {
            if !front.register.settle(size, registers, stuck) {
                break;
            }
        }
    }

    /// The script that last touched them was run, and they were settled.
    pub fn freeze(&self, plan: &Plan, custom: &Custom, into: &mut Vec<u8>) {
        self.main.freeze(self.start as u8, into);
        if follows(plan, custom) {
            return; // there are no parts
        }
        into.number(u64::from(self.middle));
        into.number(self.fronts.len() as u64);
        let mut starts = Rising::default();
        for Front { start, register } in self.fronts.iter().rev() {
            starts.freeze(i64::from(*start), into);
            register.freeze(0, into);
        }
    }

    /// `window`: where the cursor of the window stands.
    pub fn thaw(
        plan: &Plan,
        custom: &Custom,
        window: &Range<usize>,
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let forever = plan.spans[custom.span].kind == SpanKind::Forever;
        let older = if forever { custom.version } else { 0 };
        let (main, started) = Register::thaw(custom.register_bytes, older, reader)?;
        let started = *[Start::Done, Start::Untried, Start::Unmade].get(usize::from(started))?;
        if follows(plan, custom) {
            return (started != Start::Unmade || !forever).then(|| Self {
                main,
                start: started,
                ..Self::default()
            });
        }
        if started == Start::Unmade {
            return None;
        }
        let middle = within(reader, window.end)?;
        let (count, mut starts) = (count(reader, 2)?, Rising::default());
        let mut fronts = Vec::with_capacity(count);
        for _ in 0..count {
            let start = u32::try_from(starts.thaw_above(reader)?).ok().filter(|start| *start < middle)?;
            if (start as usize) < window.start {
                return None;
            }
            let (register, 0) = Register::thaw(custom.register_bytes, 0, reader)? else { return None };
            fronts.push(Front { start, register });
        }
        fronts.reverse();
        Some(Self { main, middle, fronts, start: started })
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
