//! How to run a plugin without a sandbox.
//!
//! Each attribute generates `pub fn plugin() -> native::Plugin` beside the function. It runs the
//! same code over the same batches as the component does, at native speed: for tests, for benches,
//! and to find out what the sandbox costs.
//!
//! ```
//! # use tailwater_sdk::prelude::*;
//! use tailwater_sdk::batch::Batch;
//!
//! #[derive(Row)]
//! struct Number { n: i64 }
//!
//! #[preprocessor]
//! fn odd(number: &Number) -> Option<Number> {
//!     (number.n % 2 != 0).then(|| Number { n: number.n })
//! }
//!
//! # fn main() -> Result<(), String> {
//! let mut instance = plugin().start(&[], &Batch::new(1, &[], &[]))?;
//! let data: Vec<u8> = [1_i64, 2, 3].iter().flat_map(|n| n.to_le_bytes()).collect();
//! let spans = [0, 0, 0, 0, 0, 24];
//! let out = instance.process(&Batch::new(3, &spans, &data)).map_err(|flaw| flaw.to_string())?;
//! assert_eq!(out.origin, [0, 2]);
//! # Ok(())
//! # }
//! ```

use crate::batch::{Batch, Flaw};
use crate::column::Column;
use crate::describe::Description;
use crate::settings::Table;
use crate::world::{Computed, Decided, Features, Preprocessor, Processed, Rules};

/// The worlds of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// First of all: rows in, clean rows out.
    Preprocessor,
    /// Feature vectors of windows that the host keeps.
    Features,
    /// The same, with folds of the plugin's own.
    CustomFeatures,
    /// Last: what is to be done.
    Rules,
}

/// A plugin that is not running yet.
#[derive(Clone, Copy, Debug)]
pub struct Plugin {
    world: World,
    start: fn(&Table) -> Result<Instance, String>,
}

impl Plugin {
    /// Of a world implemented by hand.
    pub const fn preprocessor<T: Preprocessor + Send>() -> Self {
        Self { world: World::Preprocessor, start: start_preprocessor::<T> }
    }

    /// Of a world implemented by hand. `custom`: it has folds of its own.
    pub const fn features<T: Features + Send>(custom: bool) -> Self {
        let world = if custom { World::CustomFeatures } else { World::Features };
        Self { world, start: start_features::<T> }
    }

    /// Of a world implemented by hand.
    pub const fn rules<T: Rules + Send>() -> Self {
        Self { world: World::Rules, start: start_rules::<T> }
    }

    /// Which world it implements.
    pub fn world(&self) -> World {
        self.world
    }

    /// Gives it its settings, as they cross the border: columns and a batch of one row. That is
    /// the call of `describe`.
    pub fn start(&self, columns: &[Column], row: &Batch<'_>) -> Result<Instance, String> {
        let table = Table::read(columns, row).map_err(|flaw| flaw.to_string())?;
        (self.start)(&table)
    }

    /// The same, with settings that are a table already.
    pub fn start_with(&self, settings: &Table) -> Result<Instance, String> {
        (self.start)(settings)
    }
}

/// A plugin at work. What it answers lies in memory of its own until the next call.
pub struct Instance {
    description: Description,
    world: Started,
}

enum Started {
    Preprocessor(Box<dyn Preprocessor + Send>),
    Features(Box<dyn Features + Send>),
    Rules(Box<dyn Rules + Send>),
}

impl Instance {
    /// What the plugin said about itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Of a preprocessor.
    pub fn process(&mut self, rows: &Batch<'_>) -> Result<Processed<'_>, Flaw> {
        match &mut self.world {
            Started::Preprocessor(plugin) => plugin.process(rows),
            _ => Err(Flaw::of_batch("only a preprocessor can process")),
        }
    }

    /// Of a features plugin.
    pub fn compute(&mut self, rows: &Batch<'_>) -> Result<Computed<'_>, Flaw> {
        match &mut self.world {
            Started::Features(plugin) => plugin.compute(rows),
            _ => Err(Flaw::of_batch("only a features plugin can compute")),
        }
    }

    /// Of a features plugin with folds of its own.
    pub fn fold(
        &mut self,
        custom: u32,
        entries: &Batch<'_>,
        tape: &[u32],
        registers: &mut [u8],
    ) -> Result<Batch<'_>, Flaw> {
        match &mut self.world {
            Started::Features(plugin) => plugin.fold(custom, entries, tape, registers),
            _ => Err(Flaw::of_batch("only a features plugin can fold")),
        }
    }

    /// Of a features plugin with folds of its own.
    pub fn migrate(
        &mut self,
        custom: u32,
        version: u32,
        count: usize,
        registers: &[u8],
    ) -> Result<&[u8], String> {
        match &mut self.world {
            Started::Features(plugin) => plugin.migrate(custom, version, count, registers),
            _ => Err("only a features plugin has folds".to_owned()),
        }
    }

    /// Of a rules plugin.
    pub fn decide(&mut self, rows: &Batch<'_>) -> Result<Decided<'_>, Flaw> {
        match &mut self.world {
            Started::Rules(plugin) => plugin.decide(rows),
            _ => Err(Flaw::of_batch("only rules can decide")),
        }
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("description", &self.description).finish_non_exhaustive()
    }
}

fn start_preprocessor<T: Preprocessor + Send>(settings: &Table) -> Result<Instance, String> {
    let (plugin, description) = T::describe(settings)?;
    let world = Started::Preprocessor(Box::new(plugin));
    Ok(Instance { description: Description::Preprocessor(description), world })
}

fn start_features<T: Features + Send>(settings: &Table) -> Result<Instance, String> {
    let (plugin, description) = T::describe(settings)?;
    let world = Started::Features(Box::new(plugin));
    Ok(Instance { description: Description::Features(description), world })
}

fn start_rules<T: Rules + Send>(settings: &Table) -> Result<Instance, String> {
    let (plugin, description) = T::describe(settings)?;
    let world = Started::Rules(Box::new(plugin));
    Ok(Instance { description: Description::Rules(description), world })
}
