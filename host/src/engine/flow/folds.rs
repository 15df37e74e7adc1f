//! Runs the custom folds of a batch: one tape a custom aggregate.
//!
//! Registers are taken over only from calls that succeeded. A row whose part of the tape fails is
//! refused, and the fold that failed leaves its entry out from then on.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use hashbrown::HashMap;

use crate::columns::{Batch, Builder, Schema};
use crate::contract::Tape;
use crate::engine::answers;
use crate::engine::bisect::bisect;
use crate::engine::ports::{Features, PluginFault};
use crate::error::{Code, Refusal, Result};
use crate::record::PartitionId;
use crate::window::{Custom, History, Operation, Plan, Script, Scripts};

use super::Partitions;

/// A call with more is cut, where it has more than one row.
const STEPS_A_CALL: usize = 1 << 17;

/// The registers of the keys that a batch touches, by slot.
#[derive(Debug, Default)]
pub(super) struct Registers {
    slots: HashMap<PartitionId, HashMap<Box<[u8]>, u32>>,
    /// By slot; empty for temporary ones.
    values: Vec<Box<[u8]>>,
}

impl Registers {
    /// The slot of a key, its registers loaded.
    pub fn slot(&mut self, id: PartitionId, key: &[u8], history: &History, scripts: &mut Scripts) -> u32 {
        let slot = *self.slots.entry(id).or_default().entry_ref(key).or_insert_with(|| {
            let slot = scripts.slot();
            self.values.resize(slot as usize + 1, Box::default());
            self.values[slot as usize] = history.registers.clone();
            slot
        });
        scripts.begin_row(slot);
        slot
    }

    /// Executes all scripts, stores the registers, writes the cells. Gives the rows that were refused.
    pub fn run(
        mut self,
        plan: &Plan,
        plugin: &mut dyn Features,
        scripts: Scripts,
        rows: usize,
        partitions: &mut Partitions,
        cells: &mut Builder,
    ) -> Result<BTreeMap<u32, Refusal>> {
        self.values.resize(scripts.slots() as usize, Box::default());
        let (mut refused, mut left_out) = (BTreeMap::new(), Vec::new());
        let mut start = 0;
        for ((index, custom), script) in plan.customs.iter().enumerate().zip(scripts.into_scripts()) {
            let size = custom.register_bytes;
            let mut run = Run::new(plan, custom, script, self.gather(start, size));
            run.execute(plugin, rows, &mut refused, cells)?;
            self.scatter(start, size, &run.registers);
            left_out.extend(run.left_out.into_iter().map(|(slot, id)| (index, slot, id)));
            start += size;
        }
        for (id, keys) in &self.slots {
            let Some(partition) = partitions.get_mut(*id) else { continue };
            for (key, slot) in keys {
                let history = partition.store.history(plan, key);
                history.registers.clone_from(&self.values[*slot as usize]);
                for (custom, _, id) in left_out.iter().filter(|(_, of, _)| of == slot) {
                    history.leave_out(plan, *custom, *id);
                }
            }
        }
        Ok(refused)
    }

    /// The registers of one custom fold, one behind the other; temporary ones are zero.
    fn gather(&self, start: usize, size: usize) -> Vec<u8> {
        let mut registers = vec![0; self.values.len() * size];
        for (slot, value) in self.values.iter().enumerate().filter(|(_, value)| !value.is_empty()) {
            registers[slot * size..][..size].copy_from_slice(&value[start..start + size]);
        }
        registers
    }

    fn scatter(&mut self, start: usize, size: usize, registers: &[u8]) {
        for (slot, value) in self.values.iter_mut().enumerate().filter(|(_, value)| !value.is_empty()) {
            value[start..start + size].copy_from_slice(&registers[slot * size..][..size]);
        }
    }
}

/// Numbers things anew, in the order in which they are named first.
#[derive(Default)]
struct Numbering {
    all: Vec<u32>,
    known: HashMap<u32, u32>,
}

impl Numbering {
    fn of(&mut self, thing: u32) -> u32 {
        *self.known.entry(thing).or_insert_with(|| {
            self.all.push(thing);
            self.all.len() as u32 - 1
        })
    }
}

/// One script on its way.
struct Run<'a> {
    custom: &'a Custom,
    cell: Schema,
    script: Script,
    entries: Batch,
    registers: Vec<u8>,
    /// Key slot and id of entries that failed.
    left_out: HashSet<(u32, u64)>,
}

impl<'a> Run<'a> {
    fn new(plan: &Plan, custom: &'a Custom, mut script: Script, registers: Vec<u8>) -> Self {
        let cell = plan.columns[custom.cell].clone();
        let entries = script.entries.seal();
        Self { custom, cell: [cell].into(), script, entries, registers, left_out: HashSet::new() }
    }

    fn execute(
        &mut self,
        plugin: &mut dyn Features,
        rows: usize,
        refused: &mut BTreeMap<u32, Refusal>,
        cells: &mut Builder,
    ) -> Result<()> {
        let pieces = bisect(rows, |range| {
            if range.len() > 1 && self.steps_of(&range) > STEPS_A_CALL {
                // Cut, not failed: windows that begin anew name each of their entries.
                return Err(PluginFault { code: Code::PluginMemory, message: String::new() });
            }
            let whole = self.call(plugin, range.clone(), true);
            if whole.is_err() && range.len() == 1 {
                // All but the row's own entry, so that what leaves the window still leaves.
                self.left_out.extend(self.script.own[range.start]);
                let _ = self.call(plugin, range, false);
            }
            whole
        })?;
        let nullable = self.cell[0].nullable;
        for (range, answer) in pieces {
            match answer {
                Ok(values) => {
                    for row in 0..values.rows() {
                        cells.column(self.custom.cell).push_from(values.column(0), row);
                    }
                }
                Err(refusal) => {
                    cells.column(self.custom.cell).push_filler(nullable);
                    refused.entry(range.start as u32).or_insert(refusal);
                }
            }
        }
        Ok(())
    }

    fn steps_of(&self, rows: &Range<usize>) -> usize {
        self.script.row_ends[rows.end - 1] - self.first_step(rows)
    }

    fn first_step(&self, rows: &Range<usize>) -> usize {
        rows.start.checked_sub(1).map_or(0, |before| self.script.row_ends[before])
    }

    /// The steps of some rows, with the entries and registers that they name; on success the registers
    /// are moved on.
    fn call(
        &mut self,
        plugin: &mut dyn Features,
        rows: Range<usize>,
        emit: bool,
    ) -> Result<Batch, PluginFault> {
        let steps = &self.script.steps[self.first_step(&rows)..self.script.row_ends[rows.end - 1]];
        let (mut tape, mut emitted) = (Tape::default(), 0);
        let (mut slots, mut named) = (Numbering::default(), Numbering::default());
        let counts = |entry: u32| !self.left_out.contains(&self.script.ids[entry as usize]);
        for step in steps {
            let slot = slots.of(step.slot);
            match step.operation {
                Operation::Reset => tape.reset(slot),
                Operation::Add(entry) if counts(entry) => tape.add(slot, named.of(entry)),
                Operation::Retract(entry) if counts(entry) => tape.retract(slot, named.of(entry)),
                Operation::Emit if emit => {
                    tape.emit(slot);
                    emitted += 1;
                }
                _ => {}
            }
        }
        let size = self.custom.register_bytes;
        let register = |slot: &u32| &self.registers[*slot as usize * size..][..size];
        let registers: Vec<u8> = slots.all.iter().flat_map(register).copied().collect();
        let entries = self.entries.gather(&named.all);
        let answer = plugin.fold(self.custom.fold, &entries, &tape, &registers)?;
        let (registers, cells) = answers::folded(&self.cell, registers.len(), emitted, answer)?;
        for (slot, register) in slots.all.iter().zip(registers.chunks_exact(size.max(1))) {
            self.registers[*slot as usize * size..][..size].copy_from_slice(register);
        }
        Ok(cells)
    }
}
