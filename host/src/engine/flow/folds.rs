//! Runs the custom folds of a batch: one tape a custom aggregate.
//!
//! Registers are taken over only from calls that succeeded. A row whose part of the tape fails is
//! refused, and its entry is left out of the custom folds from then on; all others are as if it had
//! not come.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use hashbrown::HashMap;

use crate::columns::{Batch, Builder, Schema};
use crate::contract::Tape;
use crate::engine::answers;
use crate::engine::bisect::bisect;
use crate::engine::ports::{Features, PluginFault};
use crate::error::{Refusal, Result};
use crate::record::PartitionId;
use crate::window::{Custom, History, Operation, Plan, Script, Scripts};

use super::Partitions;

/// The registers of the keys that a batch touches, by slot.
#[derive(Debug, Default)]
pub(super) struct Registers {
    slots: HashMap<(PartitionId, Box<[u8]>), u32>,
    /// By slot; empty for temporary ones.
    values: Vec<Box<[u8]>>,
}

impl Registers {
    /// The slot of a key, its registers loaded.
    pub fn slot(&mut self, id: PartitionId, key: &[u8], history: &History, scripts: &mut Scripts) -> u32 {
        let slot = *self.slots.entry((id, key.into())).or_insert_with(|| {
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
        let (mut refused, mut left_out) = (BTreeMap::new(), HashSet::new());
        let mut start = 0;
        for (custom, script) in plan.customs.iter().zip(scripts.into_scripts()) {
            let size = custom.register_bytes;
            let mut run = Run::new(plan, custom, script, self.gather(start, size));
            run.execute(plugin, rows, &mut refused, cells)?;
            self.scatter(start, size, &run.registers);
            left_out.extend(run.left_out);
            start += size;
        }
        for ((id, key), slot) in &self.slots {
            let Some(partition) = partitions.get_mut(*id) else { continue };
            let history = partition.store.history(plan, key);
            history.registers.clone_from(&self.values[*slot as usize]);
            left_out.iter().filter(|(of, _)| of == slot).for_each(|(_, id)| history.leave_out(plan, *id));
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

    /// The steps of some rows; on success the registers are moved on.
    fn call(
        &mut self,
        plugin: &mut dyn Features,
        rows: Range<usize>,
        emit: bool,
    ) -> Result<Batch, PluginFault> {
        let start = rows.start.checked_sub(1).map_or(0, |before| self.script.row_ends[before]);
        let steps = &self.script.steps[start..self.script.row_ends[rows.end - 1]];
        let (mut tape, mut emitted) = (Tape::default(), 0);
        let counts = |entry: u32| !self.left_out.contains(&self.script.ids[entry as usize]);
        for step in steps {
            match step.operation {
                Operation::Reset => tape.reset(step.slot),
                Operation::Add(entry) if counts(entry) => tape.add(step.slot, entry),
                Operation::Retract(entry) if counts(entry) => tape.retract(step.slot, entry),
                Operation::Emit if emit => {
                    tape.emit(step.slot);
                    emitted += 1;
                }
                _ => {}
            }
        }
        let answer = plugin.fold(self.custom.fold, &self.entries, &tape, &self.registers)?;
        let (registers, cells) = answers::folded(&self.cell, self.registers.len(), emitted, answer)?;
        self.registers = registers;
        Ok(cells)
    }
}
