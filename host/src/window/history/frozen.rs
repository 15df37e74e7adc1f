//! A history as bytes, and back: see [`crate::window::frozen`].

use super::{Cursor, Entries, History, Registers};
use crate::bytes::{Reader, Write};
use crate::columns::TIMES;
use crate::window::plan::{ID, Plan};

impl History {
    /// Appends all that is remembered of the key. The batch at hand is settled.
    pub fn freeze(&self, plan: &Plan, into: &mut Vec<u8>) {
        into.signed(self.newest);
        into.number(self.seen);
        for (entries, input) in self.entries.iter().zip(&plan.inputs) {
            entries.freeze(&input.layout, into);
        }
        self.cursors.iter().for_each(|cursor| cursor.freeze(into));
        self.lanes.iter().for_each(|lane| lane.freeze(into));
        (0..plan.customs.len()).for_each(|custom| self.freeze_registers(plan, custom, into));
    }

    /// None: that was never frozen, or it was damaged.
    pub fn thaw(plan: &Plan, reader: &mut Reader<'_>) -> Option<Self> {
        let newest = reader.signed().filter(|newest| *newest == i64::MIN || TIMES.contains(newest))?;
        let seen = reader.number().filter(|seen| *seen <= ID)?;
        let entries = plan.inputs.iter().map(|input| Entries::thaw(&input.layout, reader));
        let entries = entries.collect::<Option<Box<[_]>>>()?;
        let len = |input: usize| entries[input].len(&plan.inputs[input].layout);
        if (0..plan.inputs.len()).any(|input| len(input) > 0 && !plan.keeps_entries(input)) {
            return None;
        }
        let cursors = plan.spans.iter().map(|span| Cursor::thaw(len(span.input), reader));
        let cursors = cursors.collect::<Option<_>>()?;
        let lanes = plan.lanes.iter().map(|lane| lane.thaw(plan.layout_of(lane), reader));
        let lanes = lanes.collect::<Option<_>>()?;
        let registers = vec![Registers::default(); plan.customs.len()].into();
        let mut history = Self { entries, cursors, lanes, registers, newest, seen };
        (0..plan.customs.len()).try_for_each(|custom| history.thaw_registers(plan, custom, reader))?;
        Some(history)
    }

    /// Appends the registers of one custom aggregate alone.
    pub fn freeze_registers(&self, plan: &Plan, custom: usize, into: &mut Vec<u8>) {
        self.registers[custom].freeze(plan, &plan.customs[custom], into);
    }

    /// Puts the registers of one custom aggregate in, frozen after the same rows that this history took in: in
    /// place of [`Self::settle`], where the script was not run. None: they do not fit, and nothing was changed.
    pub fn thaw_registers(&mut self, plan: &Plan, custom: usize, reader: &mut Reader<'_>) -> Option<()> {
        let of = &plan.customs[custom];
        self.registers[custom] = Registers::thaw(plan, of, &self.cursors[of.span].window(), reader)?;
        Some(())
    }
}
