//! Whether custom folds take over what older versions of them left, asked before it is needed.

use super::Release;
use crate::error::{Code, Error, Result};
use crate::pipeline::{FeaturesNode, Pipeline};
use crate::plugin::Factory;
use crate::window::{Ancestor, Counterparts, Custom};

use crate::engine::ports::Features;

impl Release {
    /// Tries it on fresh registers of what runs; nothing is kept.
    pub fn try_migrations(&self, old: &Pipeline) -> Result<()> {
        for ((from, to), factory) in old.features.iter().zip(&self.pipeline.features).zip(&self.features) {
            of_stage(from, to, factory).map_err(|error| error.at(format!("features {}", to.name)))?;
        }
        Ok(())
    }
}

fn of_stage(from: &FeaturesNode, to: &FeaturesNode, factory: &Factory<dyn Features + Send>) -> Result<()> {
    let Some(Counterparts { customs, .. }) = Counterparts::find(&to.plan, &from.plan) else { return Ok(()) };
    let mut instance = None;
    for (custom, ancestor) in to.plan.customs.iter().zip(customs) {
        let (Some(Ancestor::Older(older)), Some(runs)) = (ancestor, &custom.runs) else { continue };
        let older = &from.plan.customs[older];
        let plugin = match &mut instance {
            Some(plugin) => plugin,
            none => none.insert(factory.instance()?),
        };
        let answer = plugin.migrate(runs.fold, older.version, 1, &vec![0; older.register_bytes]);
        let flaw = match answer {
            Ok(register) if register.len() == custom.register_bytes => continue,
            Ok(register) => format!("a register of {} bytes came of it", register.len()),
            Err(fault) => format!("{} {}", fault.code, fault.message),
        };
        return Err(refused(older, custom, &flaw));
    }
    Ok(())
}

fn refused(older: &Custom, custom: &Custom, flaw: &str) -> Error {
    let (Custom { name, version, .. }, before) = (custom, older.version);
    Error::new(
        Code::NoSuccession,
        format!(
            "custom fold {name}, version {before} -> {version}: its window over all time can't go on, since `migrate` \
             failed for a fresh register: {flaw}"
        ),
    )
}
