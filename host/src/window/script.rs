//! What the custom folds of a batch are to do, row by row: later written out as tapes.

use hashbrown::HashMap;

use super::plan::{Custom, ID, Plan, left_out};
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
    Emit,
}

/// The scripts of all custom aggregates over one batch. Slots number the registers; temporary ones
/// start empty and are not kept.
#[derive(Debug)]
pub struct Scripts {
    scripts: Vec<Script>,
    slots: u32,
}

impl Scripts {
    pub fn new(plan: &Plan) -> Self {
        let schema = (!plan.customs.is_empty()).then(|| entry_schema(plan));
        let scripts = schema
            .map(|schema| (0..plan.customs.len()).map(|index| Script::new(index, schema.clone())).collect());
        Self { scripts: scripts.unwrap_or_default(), slots: 0 }
    }

    /// Begins a row of the key whose registers are in `slot`.
    pub fn begin_row(&mut self, slot: u32) {
        self.scripts.iter_mut().for_each(|script| script.key = slot);
    }

    /// A register more.
    pub fn slot(&mut self) -> u32 {
        self.slots += 1;
        self.slots - 1
    }

    pub fn of(&mut self, custom: usize) -> &mut Script {
        &mut self.scripts[custom]
    }

    /// Ends the row that was admitted last; `own`: the number of its entry in its key.
    pub fn end_row(&mut self, own: Option<u64>) {
        self.scripts.iter_mut().for_each(|script| {
            script.own.push(own.map(|id| (script.key, id)));
            script.row_ends.push(script.steps.len());
            script.expired = None;
        });
    }

    pub fn slots(&self) -> u32 {
        self.slots
    }

    pub fn into_scripts(self) -> Vec<Script> {
        self.scripts
    }

    pub(super) fn with_temporary(&mut self, custom: usize) -> (&mut Script, u32) {
        let slot = self.slot();
        (&mut self.scripts[custom], slot)
    }
}

/// The script of one custom aggregate.
#[derive(Debug)]
pub struct Script {
    /// Which of the custom aggregates it is.
    index: usize,
    pub steps: Vec<Step>,
    /// For each row the number of steps up to its end.
    pub row_ends: Vec<usize>,
    /// The entries that steps name: kept columns, then the time.
    pub entries: Builder,
    /// For each of them the slot of its key, and its number in that key.
    pub ids: Vec<(u32, u64)>,
    /// Where each of them is: a window that begins anew names all of its entries again.
    known: HashMap<(u32, u64), u32>,
    /// For each row what `ids` says of its own entry.
    pub own: Vec<Option<(u32, u64)>>,
    /// The slot of the key at hand.
    key: u32,
    /// The slot in which the row at hand saw an entry expire.
    expired: Option<u32>,
}

impl Script {
    fn new(index: usize, schema: Schema) -> Self {
        let entries = Builder::new(schema);
        Self {
            index,
            steps: Vec::new(),
            row_ends: Vec::new(),
            entries,
            ids: Vec::new(),
            known: HashMap::new(),
            own: Vec::new(),
            key: 0,
            expired: None,
        }
    }

    pub(super) fn reset(&mut self, slot: u32) {
        self.step(slot, Operation::Reset);
    }

    pub(super) fn emit(&mut self, slot: u32) {
        self.step(slot, Operation::Emit);
    }

    pub(super) fn add(&mut self, plan: &Plan, custom: &Custom, slot: u32, entry: &[u64]) {
        if let Some(index) = self.entry(plan, custom, entry) {
            self.step(slot, Operation::Add(index));
        }
    }

    pub(super) fn expire(&mut self, plan: &Plan, custom: &Custom, slot: u32, entry: &[u64]) {
        self.expired = Some(slot);
        if custom.invertible
            && let Some(index) = self.entry(plan, custom, entry)
        {
            self.step(slot, Operation::Retract(index));
        }
    }

    pub(super) fn has_expired(&self, slot: u32) -> bool {
        self.expired == Some(slot)
    }

    fn step(&mut self, slot: u32, operation: Operation) {
        self.steps.push(Step { slot, operation });
    }

    /// Puts an entry on the list, unless it does not count.
    fn entry(&mut self, plan: &Plan, custom: &Custom, entry: &[u64]) -> Option<u32> {
        let layout = &plan.layout;
        let id = layout.id.map_or(0, |word| entry[word]);
        let filtered = custom.filter.is_some_and(|filter| layout.value(entry, filter) != Some(1));
        if id & left_out(self.index) != 0 || filtered {
            return None;
        }
        if let Some(index) = self.known.get(&(self.key, id & ID)) {
            return Some(*index);
        }
        for (index, column) in layout.kept.iter().enumerate() {
            let into = self.entries.column(index);
            let Some(word) = layout.value(entry, index) else {
                // NaN is no value, and a column that is not nullable says it so.
                if column.nullable {
                    into.push_null()
                } else {
                    into.push_word(f64::NAN.to_bits())
                }
                continue;
            };
            into.push_word(word);
        }
        self.entries.column(layout.kept.len()).push_int(entry[0].cast_signed());
        self.entries.finish_row();
        self.ids.push((self.key, id & ID));
        let index = self.ids.len() as u32 - 1;
        self.known.insert((self.key, id & ID), index);
        Some(index)
    }
}

/// Kept columns, then the time.
pub fn entry_schema(plan: &Plan) -> Schema {
    let time = Column::new("@time", Kind::Time);
    plan.layout.kept.iter().cloned().chain([time]).collect()
}
