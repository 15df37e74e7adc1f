//! One script on its way.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use crate::columns::{Batch, Schema};
use crate::contract::Tape;
use crate::engine::answers;
use crate::engine::bisect::bisect;
use crate::engine::mistake::{Mistake, planted};
use crate::engine::ports::{Features, PluginFault, without_words};
use crate::error::{Code, Error, Refusal, Result};
use crate::window::{Custom, Old, Operation, Script};

use hashbrown::HashMap;

/// A call with more is cut, where it has more than one item.
const STEPS_A_CALL: usize = 1 << 17;

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

/// What came of a script.
pub(super) struct Emitted {
    /// Where those stand that gave a value, and their values.
    pub items: Vec<usize>,
    pub values: Batch,
    /// Where those stand that failed.
    pub failed: BTreeMap<usize, Refusal>,
    /// Why rows that came before the fold are left out.
    pub before: Vec<Refusal>,
}

/// One script on its way.
pub(super) struct Run<'a> {
    custom: &'a Custom,
    fold: u32,
    cell: Schema,
    script: Script,
    entries: Batch,
    /// One behind the other, by slot.
    pub registers: Vec<u8>,
    /// Key and id of entries that failed.
    pub left_out: HashSet<(u32, u64)>,
    /// Registers of an older version of which none of this came to be, and why, by rising slot.
    stuck: Vec<(Old, Refusal)>,
}

impl<'a> Run<'a> {
    pub fn new(custom: &'a Custom, mut script: Script) -> Self {
        let size = custom.register_bytes;
        let mut registers = vec![0; script.registers.len() * size];
        for (slot, content) in script.registers.iter().enumerate() {
            if let Some(content) = content {
                registers[slot * size..][..size].copy_from_slice(content);
            }
        }
        let cell = custom.runs.iter().map(|runs| runs.gives.clone()).collect();
        let fold = custom.runs.as_ref().map_or(0, |runs| runs.fold);
        let (entries, left_out, stuck) = (script.entries.seal(), HashSet::new(), Vec::new());
        Self { custom, fold, cell, script, entries, registers, left_out, stuck }
    }

    /// All that is to be done.
    pub fn all(&mut self, plugin: &mut dyn Features, positions: &[usize]) -> Result<Emitted> {
        self.migrate(plugin)?;
        self.execute(plugin, positions)
    }

    /// Nobody is here who could do it.
    pub fn none(&mut self) -> Result<Emitted> {
        let error = Error::new(Code::PluginFailing, "its plugin is not here");
        let all = std::mem::take(&mut self.script.old);
        self.give_up(&all, &error);
        Err(error)
    }

    fn give_up(&mut self, all: &[Old], Error { code, message }: &Error) {
        let refusal = Refusal::new(*code, message);
        self.stuck.extend(all.iter().map(|old| (old.clone(), refusal.clone())));
        self.stuck.sort_by_key(|(old, _)| old.slot);
    }

    /// Registers that stay as they were, of an older version.
    pub fn stuck(&self) -> Vec<Old> {
        self.stuck.iter().map(|(old, _)| old.clone()).collect()
    }

    /// Makes registers of those of older versions. Items that need one of which that can't be done fail.
    fn migrate(&mut self, plugin: &mut dyn Features) -> Result<()> {
        let kind = |old: &Old| (old.version, old.bytes.len());
        let mut all = std::mem::take(&mut self.script.old);
        if planted(Mistake::LosesOldRegisters) {
            return Ok(());
        }
        all.sort_by_key(|old| (kind(old), old.slot));
        let (size, mut done) = (self.custom.register_bytes, 0);
        for alike in all.chunk_by(|one, other| kind(one) == kind(other)) {
            let pieces = bisect(alike.len(), |range| {
                let count = range.len();
                let registers: Vec<u8> =
                    alike[range].iter().flat_map(|old| old.bytes.iter().copied()).collect();
                let answer = plugin.migrate(self.fold, alike[0].version, count as u32, &registers)?;
                answers::migrated(count * size, answer)
            });
            let pieces = match pieces {
                Ok(pieces) => pieces,
                Err(error) => {
                    self.give_up(&all[done..], &error);
                    return Err(error);
                }
            };
            done += alike.len();
            for (range, answer) in pieces {
                match answer {
                    Ok(registers) => {
                        for (old, register) in alike[range].iter().zip(registers.chunks_exact(size.max(1))) {
                            self.registers[old.slot as usize * size..][..size].copy_from_slice(register);
                        }
                    }
                    Err(refusal) => {
                        self.stuck.extend(alike[range].iter().map(|old| (old.clone(), refusal.clone())));
                    }
                }
            }
        }
        self.stuck.sort_by_key(|(old, _)| old.slot);
        Ok(())
    }

    /// Runs all items; `positions`: where each that is of a row stands among all items of the batch.
    fn execute(&mut self, plugin: &mut dyn Features, positions: &[usize]) -> Result<Emitted> {
        let pieces = bisect(self.script.items.len(), |range| {
            if range.len() > 1 && self.steps_of(&range) > STEPS_A_CALL {
                // Cut, not failed.
                return Err(PluginFault { code: Code::PluginMemory, message: String::new() });
            }
            let whole = self.call(plugin, range.clone(), true);
            if whole.is_err() && range.len() == 1 {
                // All but the item's own entry, so that what leaves the window still leaves.
                self.left_out.extend(self.script.items[range.start].own);
                let _ = self.call(plugin, range, false);
            }
            whole
        })?;
        let mut rows = positions.iter().copied();
        let positions: Vec<Option<usize>> =
            self.script.items.iter().map(|item| if item.is_aside { None } else { rows.next() }).collect();
        let (mut items, mut cells, mut failed, mut before) =
            (Vec::new(), Vec::new(), BTreeMap::new(), Vec::new());
        for (range, answer) in pieces {
            match answer {
                Ok(values) => {
                    let emitting = range.filter(|item| self.script.items[*item].emits > 0);
                    items.extend(emitting.filter_map(|item| positions[item]));
                    cells.push(values);
                }
                Err(refusal) => match positions[range.start] {
                    Some(position) => drop(failed.insert(position, refusal)),
                    None => before.push(refusal),
                },
            }
        }
        if let Some(Refusal { code, message, .. }) = before.last() {
            let (name, count, message) = (&self.custom.name, before.len(), without_words(message));
            tracing::warn!(
                "the fold {name} leaves out {count} rows of before that make it fail: {code} {message}"
            );
        }
        Ok(Emitted { items, values: Batch::concat(self.cell.clone(), &cells), failed, before })
    }

    fn steps_of(&self, items: &Range<usize>) -> usize {
        self.script.items[items.end - 1].end - self.first_step(items)
    }

    fn first_step(&self, items: &Range<usize>) -> usize {
        items.start.checked_sub(1).map_or(0, |before| self.script.items[before].end)
    }

    /// The steps of some items, with the entries and registers that they name; on success the registers
    /// are moved on.
    fn call(
        &mut self,
        plugin: &mut dyn Features,
        items: Range<usize>,
        emit: bool,
    ) -> Result<Batch, PluginFault> {
        let steps = &self.script.steps[self.first_step(&items)..self.script.items[items.end - 1].end];
        let (mut tape, mut emitted) = (Tape::default(), 0);
        let (mut slots, mut named) = (Numbering::default(), Numbering::default());
        let counts = |entry: u32| !self.left_out.contains(&self.script.ids[entry as usize]);
        for step in steps {
            self.refuse_stuck(step.slot)?;
            let slot = slots.of(step.slot);
            match step.operation {
                Operation::Reset => tape.reset(slot),
                Operation::Add(entry) if counts(entry) => tape.add(slot, named.of(entry)),
                Operation::Retract(entry) if counts(entry) => tape.retract(slot, named.of(entry)),
                Operation::Merge(other) => {
                    self.refuse_stuck(other)?;
                    tape.merge(slot, slots.of(other));
                }
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
        let answer = plugin.fold(self.fold, &entries, &tape, &registers)?;
        let (registers, cells) = answers::folded(&self.cell, registers.len(), emitted, answer)?;
        for (slot, register) in slots.all.iter().zip(registers.chunks_exact(size.max(1))) {
            self.registers[*slot as usize * size..][..size].copy_from_slice(register);
        }
        Ok(cells)
    }

    /// What can't be made of an older register is no register.
    fn refuse_stuck(&self, slot: u32) -> Result<(), PluginFault> {
        if self.stuck.is_empty() {
            return Ok(());
        }
        let place = self.stuck.binary_search_by_key(&slot, |(old, _)| old.slot);
        place.map_or(Ok(()), |place| {
            let Refusal { code, message, .. } = &self.stuck[place].1;
            Err(PluginFault { code: *code, message: message.clone() })
        })
    }
}
