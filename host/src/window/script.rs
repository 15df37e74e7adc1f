//! What the custom folds of a batch are to do, item by item: later written out as tapes.
//!
//! An item is a row that was admitted to windows: of the stage's own input, or of another, which emits
//! nothing. Whoever runs a script may run any number of items in one call, if he runs them in order. An
//! entry is named first in its own item, so that an entry which makes the fold fail is found there: the
//! item is run again without it, its emits left out, and so is the entry in all items that follow. Where a fold is new
//! to a key, each entry that is there already has an item too, which is of no row.
//!
//! Registers are numbered anew in each script: a key has one or many. A history gives their bytes to
//! the script when they are named first, and gets them back by [`super::History::settle`], which has to be
//! called after the run: for each key that had an item, for each custom aggregate. Between the two the
//! history holds numbers of registers instead, and is of use to that script alone.

use hashbrown::HashMap;

use super::plan::{Custom, ID, Plan, is_always_there, left_out};
use crate::columns::{Builder, Column, Kind, Schema};

/// An instruction: an operation on the register `slot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub slot: u32,
    pub operation: Operation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Reset,
    /// Index into [`Script::ids`].
    Add(u32),
    Retract(u32),
    /// Takes in what the register of this slot took in.
    Merge(u32),
    Emit,
}

/// The scripts of all custom aggregates over one batch.
#[derive(Debug)]
pub struct Scripts {
    scripts: Vec<Script>,
    key: u32,
}

impl Scripts {
    pub fn new(plan: &Plan) -> Self {
        let customs = plan.customs.iter().enumerate();
        Self { scripts: customs.map(|(index, custom)| Script::new(plan, index, custom)).collect(), key: 0 }
    }

    /// Begins an item of a key: any number that stands for this key, and for no other, over the batch. A
    /// key whose history was dropped and made anew is another one.
    pub fn begin(&mut self, key: u32) {
        self.key = key;
        self.scripts.iter_mut().for_each(|script| script.key = key);
    }

    pub fn of(&mut self, custom: usize) -> &mut Script {
        &mut self.scripts[custom]
    }

    /// Ends the item at hand, a row of `input`; `id`: the number of its entry in its key.
    pub(super) fn end(&mut self, input: usize, id: Option<u64>) {
        for script in &mut self.scripts {
            let own = id.filter(|_| script.input == input).map(|id| (script.key, id));
            let (end, emits) = (script.steps.len(), std::mem::take(&mut script.emits));
            script.items.push(Item { end, own, emits, is_aside: false });
        }
    }

    pub fn into_scripts(self) -> Vec<Script> {
        self.scripts
    }
}

/// What one item has in a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Steps up to its end.
    pub end: usize,
    /// What [`Script::ids`] says of its own entry; none: its input is not that of the fold.
    pub own: Option<(u32, u64)>,
    /// Cells that it gives: for a row one, for a row of another input none.
    pub emits: u32,
    /// It is of no row, but of an entry that was there before the fold.
    pub is_aside: bool,
}

/// A register of an older version of a fold, which the plugin has to make one of its own of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Old {
    pub slot: u32,
    pub version: u32,
    pub bytes: Box<[u8]>,
}

/// The script of one custom aggregate.
#[derive(Debug)]
pub struct Script {
    /// Which of the custom aggregates it is.
    index: usize,
    input: usize,
    pub steps: Vec<Step>,
    pub items: Vec<Item>,
    /// The entries that steps name: kept columns but for texts and bytes, then the time.
    pub entries: Builder,
    /// For each of them the number of its key, and its number in that key.
    pub ids: Vec<(u32, u64)>,
    /// By slot what its register holds before the first step; none: zero. What it holds after the last one
    /// is for [`super::History::settle`].
    pub registers: Vec<Option<Box<[u8]>>>,
    /// By rising slot: those that have to be made of older ones before the first step.
    pub old: Vec<Old>,
    /// Where each entry is: several steps may name one.
    known: HashMap<(u32, u64), u32>,
    /// The key at hand.
    key: u32,
    emits: u32,
}

/// The register to work in: what it holds is of no use to the next item.
pub(super) const SCRATCH: u32 = 0;

impl Script {
    fn new(plan: &Plan, index: usize, custom: &Custom) -> Self {
        let input = plan.spans[custom.span].input;
        Self {
            index,
            input,
            steps: Vec::new(),
            items: Vec::new(),
            entries: Builder::new(entry_schema(custom)),
            ids: Vec::new(),
            registers: vec![None],
            old: Vec::new(),
            known: HashMap::new(),
            key: 0,
            emits: 0,
        }
    }

    /// A register more, of that content; none: zero.
    pub(super) fn slot(&mut self, content: Option<Box<[u8]>>) -> u32 {
        self.registers.push(content);
        self.registers.len() as u32 - 1
    }

    /// A register more, to be made of one of an older version.
    pub(super) fn old_slot(&mut self, version: u32, bytes: Box<[u8]>) -> u32 {
        let slot = self.slot(None);
        self.old.push(Old { slot, version, bytes });
        slot
    }

    pub(super) fn reset(&mut self, slot: u32) {
        self.step(slot, Operation::Reset);
    }

    pub(super) fn emit(&mut self, slot: u32) {
        self.emits += 1;
        self.step(slot, Operation::Emit);
    }

    pub(super) fn merge(&mut self, slot: u32, other: u32) {
        self.step(slot, Operation::Merge(other));
    }

    pub(super) fn add(&mut self, plan: &Plan, custom: &Custom, slot: u32, entry: &[u64]) {
        if let Some(index) = self.entry(plan, custom, entry) {
            self.step(slot, Operation::Add(index));
        }
    }

    /// Adds an entry that was there before the fold, in an item of its own.
    pub(super) fn add_aside(&mut self, plan: &Plan, custom: &Custom, slot: u32, entry: &[u64]) {
        let Some(index) = self.entry(plan, custom, entry) else { return };
        if slot == SCRATCH {
            self.reset(slot);
        }
        self.step(slot, Operation::Add(index));
        let (end, own) = (self.steps.len(), Some(self.ids[index as usize]));
        self.items.push(Item { end, own, emits: 0, is_aside: true });
    }

    pub(super) fn retract(&mut self, plan: &Plan, custom: &Custom, slot: u32, entry: &[u64]) {
        if let Some(index) = self.entry(plan, custom, entry) {
            self.step(slot, Operation::Retract(index));
        }
    }

    fn step(&mut self, slot: u32, operation: Operation) {
        self.steps.push(Step { slot, operation });
    }

    /// Puts an entry on the list, unless it does not count for this fold.
    fn entry(&mut self, plan: &Plan, custom: &Custom, entry: &[u64]) -> Option<u32> {
        let (layout, shown) = (&plan.inputs[self.input].layout, custom.shown());
        let id = layout.id.map_or(0, |word| entry[word]);
        let filtered = custom.filter.is_some_and(|filter| layout.value(entry, filter) != Some(1));
        if id & left_out(self.index) != 0 || filtered {
            return None;
        }
        if let Some(index) = self.known.get(&(self.key, id & ID)) {
            return Some(*index);
        }
        let lacks = |(index, column): &(usize, Column)| {
            is_always_there(column) && layout.value(entry, *index).is_none()
        };
        if shown.iter().any(lacks) {
            return None; // a row of a release that has no such column
        }
        for (into, (index, column)) in shown.iter().enumerate() {
            let into = self.entries.column(into);
            match layout.value(entry, *index) {
                Some(word) => into.push_word(word),
                None if column.nullable => into.push_null(),
                // NaN is no value, and a column that is not nullable says it so.
                None => into.push_word(f64::NAN.to_bits()),
            }
        }
        self.entries.column(shown.len()).push_int(entry[0].cast_signed());
        self.entries.finish_row();
        self.ids.push((self.key, id & ID));
        let index = self.ids.len() as u32 - 1;
        self.known.insert((self.key, id & ID), index);
        Some(index)
    }
}

/// Columns that a fold sees, then the time.
fn entry_schema(custom: &Custom) -> Schema {
    let time = Column::new("@time", Kind::Time);
    custom.shown().iter().map(|(_, column)| column.clone()).chain([time]).collect()
}
