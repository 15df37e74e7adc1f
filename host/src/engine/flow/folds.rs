//! Runs the custom folds of a batch: one script a custom aggregate, written out as tapes.
//!
//! Registers are taken over only from calls that succeeded. A row whose part of the script fails is
//! refused, and the fold that failed leaves its entry out from then on.
//!
//! Folds that only another release has are run too, by the plugin of that one, so that it finds its windows as if it
//! had gone on. Whatever fails there is no row's fault.

mod run;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::columns::Builder;
use crate::engine::lap::{Activity, Lap};
use crate::engine::mistake::{Mistake, planted};
use crate::engine::outbox::Place;
use crate::engine::ports::Features;
use crate::engine::task::{Task, Tasks};
use crate::error::{Code, Refusal, Result};
use crate::state::Windows;
use crate::window::{Custom, Plan, Scripts};

use hashbrown::HashMap;
use run::{Emitted, Run};

/// An instance of a plugin that several flows of one thread use.
pub(super) type Shared = Arc<Mutex<Box<dyn Features + Send>>>;

/// Who runs the folds of a stage: by custom aggregate that is kept.
pub(super) struct Hands<'a> {
    pub plugins: &'a [Option<Shared>],
    pub stage: u8,
    pub lap: &'a mut Lap,
}

impl<'a> Hands<'a> {
    /// Who runs a fold; time goes to whom it belongs.
    fn turn_to(&mut self, index: usize, custom: &Custom) -> Option<&'a Shared> {
        let own = Activity::Windows(self.stage);
        self.lap.turn(if custom.is_own() { own } else { Activity::OtherFolds });
        self.plugins.get(index).and_then(Option::as_ref)
    }
}

pub(super) fn lock(plugin: &Shared) -> MutexGuard<'_, Box<dyn Features + Send>> {
    // It sees to it itself that it is whole after a failure.
    plugin.lock().unwrap_or_else(PoisonError::into_inner)
}

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
    /// Of rows that came before the fold.
    pub before: Vec<Refusal>,
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
        mut hands: Hands<'_>,
        scripts: Scripts,
        at: usize,
        tasks: &mut Tasks,
        cells: &mut Builder,
    ) -> Result<Failed> {
        let (mut failed, mut before) = (BTreeMap::new(), Vec::new());
        let positions: Vec<usize> =
            (0..self.items.len()).filter(|item| !matches!(self.items[*item], Item::Skipped)).collect();
        for ((index, custom), script) in plan.customs.iter().enumerate().zip(scripts.into_scripts()) {
            let plugin = hands.turn_to(index, custom);
            let mut run = Run::new(custom, script);
            if !custom.is_own() && planted(Mistake::StarvesFormers) {
                self.store(plan, index, (&run, true), at, tasks);
                continue;
            }
            let done = match plugin {
                Some(plugin) => run.all(&mut **lock(plugin), &positions),
                None => run.none(),
            };
            let is_whole = match done {
                Ok(emitted) if custom.is_own() => {
                    self.write(custom, plan, &emitted, cells);
                    for (position, refusal) in emitted.failed {
                        failed.entry(position).or_insert(refusal);
                    }
                    before.extend(emitted.before);
                    true
                }
                Ok(_) => true,
                Err(error) if custom.is_own() || error.code != Code::PluginFailing => return Err(error),
                Err(error) => {
                    let name = &custom.name;
                    tracing::warn!(
                        "the fold {name} of another release does not keep up with this one: {error}"
                    );
                    false
                }
            };
            self.store(plan, index, (&run, is_whole), at, tasks);
        }
        hands.lap.turn(Activity::Windows(hands.stage));
        Ok(Failed { before, ..self.sort(failed) })
    }

    /// Keys take over what became of their registers. What is not whole is made of entries again, where it can be.
    fn store(
        &self,
        plan: &Plan,
        custom: usize,
        (run, is_whole): (&Run<'_>, bool),
        at: usize,
        tasks: &mut Tasks,
    ) {
        let (left_out, stuck) = (run.left_out.iter().copied().collect::<Vec<_>>(), run.stuck());
        for (number, (task, slot, generation)) in self.keys.iter().enumerate() {
            let Task { stores, durable, .. } = tasks.at(*task);
            let mut durable = durable.as_mut().filter(|_| !planted(Mistake::ForgetsLeftOut));
            let slot = stores[at].slot(*slot);
            let Windows::Row(history) = &mut slot.windows else { continue };
            if slot.generation != *generation {
                continue;
            }
            history.settle(plan, custom, &run.registers, &stuck);
            if !is_whole {
                history.begin_anew(plan, custom);
            }
            for (_, id) in left_out.iter().filter(|(key, _)| *key as usize == number) {
                history.leave_out(plan, custom, *id);
                if let Some(durable) = &mut durable {
                    durable.journal.leave_out(at as u8, &slot.key, custom, *id);
                }
            }
        }
    }

    /// The cells of one fold: those of the items that emitted, fillers for the other rows.
    fn write(&self, custom: &Custom, plan: &Plan, emitted: &Emitted, cells: &mut Builder) {
        for cell in &custom.cells {
            let (column, nullable) = (cells.column(*cell), plan.columns[*cell].nullable);
            let mut items = emitted.items.iter().enumerate().peekable();
            for (position, item) in self.items.iter().enumerate() {
                if matches!(item, Item::Update(_)) {
                    continue;
                }
                match items.next_if(|(_, at)| **at == position) {
                    Some((row, _)) => column.push_from(emitted.values.column(0), row),
                    None => column.push_filler(nullable),
                }
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
