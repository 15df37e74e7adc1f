//! Runs the custom folds of a batch: one script a custom aggregate, written out as tapes.
//!
//! Registers are taken over only from calls that succeeded. A row whose part of the script fails is
//! refused, and the fold that failed leaves its entry out from then on.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use crate::columns::{Batch, Builder, Schema};
use crate::contract::Tape;
use crate::engine::answers;
use crate::engine::bisect::bisect;
use crate::engine::mistake::{Mistake, planted};
use crate::engine::outbox::Place;
use crate::engine::ports::{Features, PluginFault};
use crate::engine::task::{Task, Tasks};
use crate::error::{Refusal, Result};
use crate::state::Windows;
use crate::window::{Custom, Operation, Plan, Script, Scripts};

use hashbrown::HashMap;

/// A call with more is cut, where it has more than one item.
const STEPS_A_CALL: usize = 1 << 17;

/// Which item of the scripts is which.
#[derive(Debug)]
pub(super) enum Item {
    /// The next of the rows.
    Row,
    /// A row that did not come to its windows.
    Skipped,
    /// Of another source.
    Update(Place),
}

/// Task, slot, and how often the slot began anew.
type Key = (usize, u32, u32);

/// The keys that a batch touches, and what happens to them.
#[derive(Debug, Default)]
pub(super) struct Folding {
    /// Of each key, by the number that the scripts have for it.
    keys: Vec<Key>,
    numbers: HashMap<Key, u32>,
    items: Vec<Item>,
}

/// What failed.
#[derive(Debug, Default)]
pub(super) struct Failed {
    /// By row.
    pub rows: BTreeMap<u32, Refusal>,
    pub updates: Vec<(Place, Refusal)>,
}

impl Folding {
    /// Begins an item of a key.
    pub fn begin(&mut self, key: Key, item: Item, scripts: &mut Scripts) {
        let number = *self.numbers.entry(key).or_insert_with(|| {
            self.keys.push(key);
            self.keys.len() as u32 - 1
        });
        self.items.push(item);
        scripts.begin(number);
    }

    /// A row has no item in the scripts, but cells all the same.
    pub fn skip(&mut self) {
        self.items.push(Item::Skipped);
    }

    /// Executes all scripts, stores the registers in stage `at` of the tasks, writes the cells.
    pub fn run(
        self,
        plan: &Plan,
        plugin: &mut dyn Features,
        scripts: Scripts,
        at: usize,
        tasks: &mut Tasks,
        cells: &mut Builder,
    ) -> Result<Failed> {
        let mut failed: BTreeMap<usize, Refusal> = BTreeMap::new();
        let positions: Vec<usize> =
            (0..self.items.len()).filter(|item| !matches!(self.items[*item], Item::Skipped)).collect();
        for ((index, custom), script) in plan.customs.iter().enumerate().zip(scripts.into_scripts()) {
            let mut run = Run::new(plan, custom, script);
            let (emitted, values) = run.execute(plugin, &positions, &mut failed)?;
            self.write(custom, plan, (&emitted, &values), cells);
            let left_out: Vec<(u32, u64)> = run.left_out.iter().copied().collect();
            for (number, (task, slot, generation)) in self.keys.iter().enumerate() {
                let Task { stores, durable, .. } = tasks.at(*task);
                let mut durable = durable.as_mut().filter(|_| !planted(Mistake::ForgetsLeftOut));
                let slot = stores[at].slot(*slot);
                let Windows::Row(history) = &mut slot.windows else { continue };
                if slot.generation != *generation {
                    continue;
                }
                history.settle(plan, index, &run.registers);
                for (_, id) in left_out.iter().filter(|(key, _)| *key as usize == number) {
                    history.leave_out(plan, index, *id);
                    if let Some(durable) = &mut durable {
                        durable.journal.leave_out(at as u8, &slot.key, index, *id);
                    }
                }
            }
        }
        Ok(self.sort(failed))
    }

    /// The cells of one fold: those of the items that emitted, fillers for the other rows.
    fn write(
        &self,
        custom: &Custom,
        plan: &Plan,
        (emitted, values): (&[usize], &Batch),
        cells: &mut Builder,
    ) {
        let (column, nullable) = (cells.column(custom.cell), plan.columns[custom.cell].nullable);
        let mut emitted = emitted.iter().enumerate().peekable();
        for (position, item) in self.items.iter().enumerate() {
            if matches!(item, Item::Update(_)) {
                continue;
            }
            match emitted.next_if(|(_, at)| **at == position) {
                Some((row, _)) => column.push_from(values.column(0), row),
                None => column.push_filler(nullable),
            }
        }
    }

    /// Failures by item as failures of rows and updates.
    fn sort(self, failed: BTreeMap<usize, Refusal>) -> Failed {
        let mut sorted = Failed::default();
        let mut row = 0;
        let mut failed = failed.into_iter().peekable();
        for (position, item) in self.items.into_iter().enumerate() {
            let refusal = failed.next_if(|(at, _)| *at == position).map(|(_, refusal)| refusal);
            match item {
                Item::Update(place) => sorted.updates.extend(refusal.map(|refusal| (place, refusal))),
                Item::Row | Item::Skipped => {
                    sorted.rows.extend(refusal.map(|refusal| (row, refusal)));
                    row += 1;
                }
            }
        }
        sorted
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
    /// One behind the other, by slot.
    registers: Vec<u8>,
    /// Key and id of entries that failed.
    left_out: HashSet<(u32, u64)>,
}

impl<'a> Run<'a> {
    fn new(plan: &Plan, custom: &'a Custom, mut script: Script) -> Self {
        let cell = plan.columns[custom.cell].clone();
        let size = custom.register_bytes;
        let mut registers = vec![0; script.registers.len() * size];
        for (slot, content) in script.registers.iter().enumerate() {
            if let Some(content) = content {
                registers[slot * size..][..size].copy_from_slice(content);
            }
        }
        let entries = script.entries.seal();
        Self { custom, cell: [cell].into(), script, entries, registers, left_out: HashSet::new() }
    }

    /// Runs all items; `positions`: where each stands among all items of the batch. Gives the positions of
    /// those that emitted, and their cells.
    fn execute(
        &mut self,
        plugin: &mut dyn Features,
        positions: &[usize],
        failed: &mut BTreeMap<usize, Refusal>,
    ) -> Result<(Vec<usize>, Batch)> {
        let pieces = bisect(self.script.items.len(), |range| {
            if range.len() > 1 && self.steps_of(&range) > STEPS_A_CALL {
                // Cut, not failed.
                return Err(PluginFault { code: crate::error::Code::PluginMemory, message: String::new() });
            }
            let whole = self.call(plugin, range.clone(), true);
            if whole.is_err() && range.len() == 1 {
                // All but the item's own entry, so that what leaves the window still leaves.
                self.left_out.extend(self.script.items[range.start].own);
                let _ = self.call(plugin, range, false);
            }
            whole
        })?;
        let (mut emitted, mut cells) = (Vec::new(), Vec::new());
        for (range, answer) in pieces {
            match answer {
                Ok(values) => {
                    let emitting = range.filter(|item| self.script.items[*item].emits > 0);
                    emitted.extend(emitting.map(|item| positions[item]));
                    cells.push(values);
                }
                Err(refusal) => {
                    failed.entry(positions[range.start]).or_insert(refusal);
                }
            }
        }
        Ok((emitted, Batch::concat(self.cell.clone(), &cells)))
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
            let slot = slots.of(step.slot);
            match step.operation {
                Operation::Reset => tape.reset(slot),
                Operation::Add(entry) if counts(entry) => tape.add(slot, named.of(entry)),
                Operation::Retract(entry) if counts(entry) => tape.retract(slot, named.of(entry)),
                Operation::Merge(other) => tape.merge(slot, slots.of(other)),
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
