//! A live instance, and the sandbox that replaces it when it failed.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{InstancePre, Linker};
use wasmtime::{PoolConcurrencyLimitError, Store};

use super::fault::{MemoryLimit, explain};
use super::file::Plugin;
use super::grants::{Counters, Logbook, Tally};
use super::runtime::{Runtime, TICK};
use super::stage::{Limits, Stage};
use super::world::{self, Contract, World};
use crate::engine::Sum;
use crate::engine::ports::PluginFault;
use crate::error::{Code, Error, Result};

/// Bytes that a description may have.
const DESCRIPTION_LIMIT: usize = 1 << 20;

/// Beyond that a deadline is none; the engine's epoch must not overflow.
const TICKS_LIMIT: u64 = 1 << 48;

const MOODY: &str =
    "`describe` answered otherwise than before, for the same settings: it must depend on them alone";

/// What the host keeps of an instance beside its memory.
#[derive(Debug)]
pub(super) struct State {
    pub(super) memory: MemoryLimit,
    pub(super) log: Logbook,
    pub(super) tally: Tally,
}

/// A plugin in its stage: all that a fresh instance is made of.
pub(super) struct Template<W: World> {
    /// Keeps the deadlines' clock going.
    _runtime: Runtime,
    stage: Stage,
    /// Of one call.
    ticks: u64,
    pre: InstancePre<State>,
    /// What every instance must describe.
    pub(super) description: W::Description,
    counters: Arc<Counters>,
    /// Of all instances, in bytes.
    memory: Sum,
}

/// An instance that has not failed yet.
pub(super) struct Live<W: World> {
    pub(super) store: Store<State>,
    pub(super) instance: wasmtime::component::Instance,
    pub(super) calls: W::Calls,
}

impl<W: World> Template<W> {
    /// Checks the plugin, and asks it to describe itself.
    pub(super) fn new(plugin: &Plugin, contract: &Contract, stage: &Stage) -> Result<Self> {
        world::check::<W>(plugin, contract, stage.grants)?;
        let runtime = plugin.runtime();
        let mut stage = stage.clone();
        stage.limits.memory = stage.limits.memory.min(runtime.memory_limit());

        let mut linker = Linker::new(runtime.engine());
        let pre = (contract.link)(&mut linker, stage.grants)
            .and_then(|()| linker.instantiate_pre(plugin.component()))
            .map_err(|error| {
                Error::new(Code::PluginWorld, format!("does not fit the contract: {error:#}"))
            })?;
        let memory = Sum::default();
        let (live, description) = fresh::<W>(&pre, &stage, &memory)?;
        W::check(&description, &live.calls)?;
        let ticks = ticks(stage.limits.time);
        Ok(Self {
            _runtime: runtime.clone(),
            stage,
            ticks,
            pre,
            description,
            counters: Arc::default(),
            memory,
        })
    }

    pub(super) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    pub(super) fn memory(&self) -> &Sum {
        &self.memory
    }

    /// An instance that describes what this template describes.
    fn another(&self) -> Result<Live<W>> {
        match fresh::<W>(&self.pre, &self.stage, &self.memory) {
            Ok((live, description)) if description == self.description => Ok(live),
            Err(error) if error.code != Code::PluginDescribe => Err(error),
            _ => Err(Error::new(Code::PluginOutput, MOODY)),
        }
    }
}

/// Makes an instance and has it described, in the time of one call.
fn fresh<W: World>(
    pre: &InstancePre<State>,
    stage: &Stage,
    memory: &Sum,
) -> Result<(Live<W>, W::Description)> {
    let state = State {
        memory: MemoryLimit::new(stage.limits.memory, memory.part()),
        log: Logbook::new(stage.name.clone()),
        tally: Tally::default(),
    };
    let mut store = Store::new(pre.engine(), state);
    store.limiter(|state| &mut state.memory);
    store.set_epoch_deadline(ticks(stage.limits.time));
    store.set_hostcall_fuel(DESCRIPTION_LIMIT);

    let instance = pre.instantiate(&mut store).map_err(|error| no_instance(&error, &store, &stage.limits))?;
    let calls = W::bind(&instance, &mut store).map_err(|error| {
        Error::new(Code::PluginWorld, format!("does not fit the world {}: {error:#}", W::NAME))
    })?;
    let mut live = Live { store, instance, calls };
    let described = W::describe(&mut live, &stage.settings).map_err(|error| {
        let limits = Limits { output_bytes: DESCRIPTION_LIMIT, ..stage.limits };
        failed(explain(&error, "`describe`", live.store.data(), &limits))
    })?;
    let description = described.map_err(|words| {
        let words = super::grants::clip(&words, super::grants::LINE_LIMIT);
        Error::new(Code::PluginDescribe, format!("refuses its settings: {words}"))
    })?;
    live.store.set_hostcall_fuel(stage.limits.output_bytes);
    live.store.data_mut().log.close();
    live.store.data_mut().tally.clear();
    Ok((live, description))
}

fn no_instance(error: &wasmtime::Error, store: &Store<State>, limits: &Limits) -> Error {
    match error.downcast_ref::<PoolConcurrencyLimitError>() {
        Some(limit) => Error::new(Code::Internal, format!("no instance is free: {limit}")),
        None => failed(explain(error, "its start", store.data(), limits)),
    }
}

fn failed(PluginFault { code, message }: PluginFault) -> Error {
    Error { code, message }
}

/// Epochs that a call may see: one more, since the current one is partly over.
fn ticks(time: Duration) -> u64 {
    let ticks = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).div_ceil(TICK.as_millis() as u64);
    ticks.min(TICKS_LIMIT) + 1
}

/// One thread's use of a plugin: an instance while it holds, then another.
pub(super) struct Sandbox<W: World> {
    template: Arc<Template<W>>,
    live: Option<Live<W>>,
}

impl<W: World> Sandbox<W> {
    pub(super) fn new(template: Arc<Template<W>>) -> Result<Self> {
        let live = Some(template.another()?);
        Ok(Self { template, live })
    }

    /// Calls `function`, by `run`. An answer has at most as many rows as the stage allows.
    pub(super) fn call<T>(
        &mut self,
        function: &'static str,
        run: impl FnOnce(&mut Store<State>, &W::Calls) -> wasmtime::Result<T>,
        rows: impl FnOnce(&T) -> u32,
    ) -> Result<T, PluginFault> {
        let Template { stage, ticks, counters, .. } = &*self.template;
        let mut live = match self.live.take() {
            Some(live) => live,
            None => {
                self.template.another().map_err(|Error { code, message }| PluginFault { code, message })?
            }
        };
        live.store.set_epoch_deadline(*ticks);
        live.store.data_mut().memory.forget();
        match run(&mut live.store, &live.calls) {
            Ok(answer) => {
                let state = live.store.data_mut();
                state.log.close();
                state.tally.flush(counters);
                self.live = Some(live);
                bound(function, rows(&answer) as usize, stage.limits.rows).map(|()| answer)
            }
            Err(error) => {
                let fault = explain(&error, &format!("`{function}`"), live.store.data(), &stage.limits);
                live.store.data_mut().log.close();
                Err(fault)
            }
        }
    }
}

fn bound(function: &str, rows: usize, limit: usize) -> Result<(), PluginFault> {
    if rows <= limit {
        return Ok(());
    }
    let message = format!("`{function}` gave {rows} rows, where {limit} are allowed");
    Err(PluginFault { code: Code::PluginOutput, message })
}
