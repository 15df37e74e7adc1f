//! Version 0.1.0 of the contract, `plugin-sdk/wit/tailwater.wit`: its worlds, and what they may import.

mod convert;
mod function;
mod wire;

use wasmtime::component::{Instance, Linker, WasmStr};
use wasmtime::{Store, StoreContextMut};

use self::function::{Fold, Function, Migrate, OneBatch, describe};
use super::description;
use super::grants::{LINE_LIMIT, NAME_LIMIT, clip};
use super::instance::{Live, Sandbox, State};
use super::stage::Grants;
use super::world::{Contract, Granted, World};
use crate::columns::Batch;
use crate::contract::{
    Computed, Decided, FeaturesDescription, Folded, PreprocessorDescription, Processed, RulesDescription,
    Settings, Tape,
};
use crate::engine::ports::{Features, PluginFault, Preprocessor, Rules};
use crate::error::{Code, Error, Result};

pub(super) const CONTRACT: Contract = Contract {
    package: "tailwater:plugin",
    version: "0.1.0",
    host: "host",
    functions: &[
        Granted { function: "log", grant: "log", given: |grants| grants.log },
        Granted { function: "count", grant: "counters", given: |grants| grants.counters },
    ],
    link,
};

fn link(linker: &mut Linker<State>, grants: Grants) -> wasmtime::Result<()> {
    let mut host = linker.instance("tailwater:plugin/host@0.1.0")?;
    if grants.log {
        host.func_wrap("log", log)?;
    }
    if grants.counters {
        host.func_wrap("count", count)?;
    }
    Ok(())
}

fn log(mut cx: StoreContextMut<'_, State>, (level, line): (wire::Level, WasmStr)) -> wasmtime::Result<()> {
    let level = level.into();
    if cx.data_mut().log.admits(level) {
        let line = clip(&line.to_str(&cx)?, LINE_LIMIT).to_owned();
        cx.data_mut().log.write(level, line);
    }
    Ok(())
}

fn count(mut cx: StoreContextMut<'_, State>, (name, by): (WasmStr, u64)) -> wasmtime::Result<()> {
    // Out of the guest's memory and onto the stack; one byte too many shows that it is too long.
    let mut kept = [0; NAME_LIMIT + 4];
    let length = {
        let name = name.to_str(&cx)?;
        let name = clip(&name, kept.len());
        kept[..name.len()].copy_from_slice(name.as_bytes());
        name.len()
    };
    let name = std::str::from_utf8(&kept[..length]).expect("clipped at a whole character");
    cx.data_mut().tally.add(name, by);
    Ok(())
}

/// World `preprocessor`.
pub(super) struct Processing;

pub(super) struct ProcessingCalls {
    process: Function<OneBatch, wire::Processed>,
}

impl World for Processing {
    const NAME: &'static str = "preprocessor";
    const EXPORTS: &'static [&'static str] = &["describe", "process"];
    type Description = PreprocessorDescription;
    type Calls = ProcessingCalls;
    type Port = dyn Preprocessor + Send;

    fn bind(instance: &Instance, store: &mut Store<State>) -> wasmtime::Result<Self::Calls> {
        Ok(ProcessingCalls { process: Function::bind(instance, store, "process")? })
    }

    fn describe(
        live: &mut Live<Self>,
        settings: &Settings,
    ) -> wasmtime::Result<Result<Self::Description, String>> {
        Ok(describe::<_, wire::PreprocessorDescription>(live, settings)?.map(Into::into))
    }

    fn check(described: &Self::Description, _: &Self::Calls) -> Result<()> {
        description::check_preprocessor(described)
    }

    fn port(sandbox: Sandbox<Self>) -> Box<Self::Port> {
        Box::new(sandbox)
    }
}

impl Preprocessor for Sandbox<Processing> {
    fn process(&mut self, rows: &Batch) -> Result<Processed, PluginFault> {
        let answer = self.call(
            "process",
            |store, calls| calls.process.call(store, (rows.into(),)),
            |answer| answer.rows.rows,
        )?;
        Ok(answer.into())
    }
}

/// Worlds `features` and `custom-features`.
pub(super) struct Computing;

pub(super) struct ComputingCalls {
    compute: Function<OneBatch, wire::Computed>,
    fold: Option<Function<Fold, wire::Folded>>,
    migrate: Option<Function<Migrate, Result<Vec<u8>, String>>>,
}

impl World for Computing {
    const NAME: &'static str = "features";
    const EXPORTS: &'static [&'static str] = &["describe", "compute"];
    type Description = FeaturesDescription;
    type Calls = ComputingCalls;
    type Port = dyn Features + Send;

    fn bind(instance: &Instance, store: &mut Store<State>) -> wasmtime::Result<Self::Calls> {
        let compute = Function::bind(instance, store, "compute")?;
        let fold = match instance.get_func(&mut *store, "fold") {
            Some(_) => Some(Function::bind(instance, store, "fold")?),
            None => None,
        };
        // Plugins that were built before it came have none.
        let migrate = match instance.get_func(&mut *store, "migrate") {
            Some(_) => Some(Function::bind(instance, store, "migrate")?),
            None => None,
        };
        Ok(ComputingCalls { compute, fold, migrate })
    }

    fn describe(
        live: &mut Live<Self>,
        settings: &Settings,
    ) -> wasmtime::Result<Result<Self::Description, String>> {
        Ok(describe::<_, wire::FeaturesDescription>(live, settings)?.map(Into::into))
    }

    fn check(described: &Self::Description, calls: &Self::Calls) -> Result<()> {
        if let (Some(fold), None) = (described.custom_folds.first(), &calls.fold) {
            let what = format!("describes the custom fold `{}`, but does not export `fold`", fold.name);
            let advice = "build it for the world custom-features";
            return Err(Error::new(Code::PluginWorld, format!("{what}: {advice}")));
        }
        description::check_features(described)
    }

    fn port(sandbox: Sandbox<Self>) -> Box<Self::Port> {
        Box::new(sandbox)
    }
}

impl Features for Sandbox<Computing> {
    fn compute(&mut self, rows: &Batch) -> Result<Computed, PluginFault> {
        let answer = self.call(
            "compute",
            |store, calls| calls.compute.call(store, (rows.into(),)),
            |answer| answer.ids.rows,
        )?;
        Ok(answer.into())
    }

    fn fold(
        &mut self,
        custom: u32,
        entries: &Batch,
        tape: &Tape,
        registers: &[u8],
    ) -> Result<Folded, PluginFault> {
        let answer = self.call(
            "fold",
            |store, calls| {
                let fold = calls.fold.as_ref().expect("only a plugin that has `fold` describes custom folds");
                fold.call(store, (custom, entries.into(), tape.words(), registers))
            },
            |answer| answer.cells.rows,
        )?;
        Ok(answer.into())
    }

    fn migrate(
        &mut self,
        custom: u32,
        version: u32,
        count: u32,
        registers: &[u8],
    ) -> Result<Vec<u8>, PluginFault> {
        let none = || "the plugin does not export `migrate`: build it with an SDK that has it".to_owned();
        let answer = self.call(
            "migrate",
            |store, calls| match &calls.migrate {
                Some(migrate) => migrate.call(store, (custom, version, count, registers)),
                None => Ok(Err(none())),
            },
            |_| 0,
        )?;
        answer.map_err(|words| PluginFault {
            code: Code::PluginOutput,
            message: clip(&words, LINE_LIMIT).to_owned(),
        })
    }
}

/// World `rules`.
pub(super) struct Deciding;

pub(super) struct DecidingCalls {
    decide: Function<OneBatch, wire::Decided>,
}

impl World for Deciding {
    const NAME: &'static str = "rules";
    const EXPORTS: &'static [&'static str] = &["describe", "decide"];
    type Description = RulesDescription;
    type Calls = DecidingCalls;
    type Port = dyn Rules + Send;

    fn bind(instance: &Instance, store: &mut Store<State>) -> wasmtime::Result<Self::Calls> {
        Ok(DecidingCalls { decide: Function::bind(instance, store, "decide")? })
    }

    fn describe(
        live: &mut Live<Self>,
        settings: &Settings,
    ) -> wasmtime::Result<Result<Self::Description, String>> {
        Ok(describe::<_, wire::RulesDescription>(live, settings)?.map(Into::into))
    }

    fn check(described: &Self::Description, _: &Self::Calls) -> Result<()> {
        description::check_rules(described)
    }

    fn port(sandbox: Sandbox<Self>) -> Box<Self::Port> {
        Box::new(sandbox)
    }
}

impl Rules for Sandbox<Deciding> {
    fn decide(&mut self, rows: &Batch) -> Result<Decided, PluginFault> {
        let answer = self.call(
            "decide",
            |store, calls| calls.decide.call(store, (rows.into(),)),
            |answer| answer.rows.rows,
        )?;
        Ok(answer.into())
    }
}
