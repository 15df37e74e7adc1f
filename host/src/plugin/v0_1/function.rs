//! Calls across the border that cost no check of types and no copy beside the one into the plugin.

use std::marker::PhantomData;

use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Func, Instance, Lift, Lower, TypedFunc};

use super::wire;
use crate::contract::Settings;
use crate::plugin::instance::{Live, State};
use crate::plugin::world::World;

/// Parameters of a function, for as long as what they point to lives.
pub(super) trait Parameters: 'static {
    type At<'a>: ComponentNamedList + Lower;
}

pub(super) struct OneBatch;

impl Parameters for OneBatch {
    type At<'a> = (wire::Rows<'a>,);
}

pub(super) struct Fold;

impl Parameters for Fold {
    type At<'a> = (u32, wire::Rows<'a>, &'a [u32], &'a [u8]);
}

pub(super) struct Migrate;

impl Parameters for Migrate {
    type At<'a> = (u32, u32, u32, &'a [u8]);
}

/// An exported function whose type has been checked, so that a call needn't.
pub(super) struct Function<P, R> {
    function: Func,
    types: PhantomData<fn(P) -> R>,
}

impl<P: Parameters, R: Lift + Send + Sync + 'static> Function<P, R> {
    pub(super) fn bind(instance: &Instance, store: &mut Store<State>, name: &str) -> wasmtime::Result<Self> {
        let typed: TypedFunc<P::At<'static>, (R,)> = instance.get_typed_func(store, name)?;
        Ok(Self { function: *typed.func(), types: PhantomData })
    }

    pub(super) fn call(&self, store: &mut Store<State>, parameters: P::At<'_>) -> wasmtime::Result<R> {
        // SAFETY: `bind` checked these very types; only the lifetime differs, and the border does not
        // know lifetimes.
        let typed = unsafe { TypedFunc::<P::At<'_>, (R,)>::new_unchecked(self.function) };
        typed.call(store, parameters).map(|(answer,)| answer)
    }
}

/// Calls `describe`; `D` is the world's description.
pub(super) fn describe<W: World, D>(
    live: &mut Live<W>,
    settings: &Settings,
) -> wasmtime::Result<Result<D, String>>
where
    D: Lift + Send + Sync + 'static,
{
    let columns = wire::columns(settings.schema());
    let settings = wire::Settings { columns: &columns, row: settings.into() };
    let function = live
        .instance
        .get_typed_func::<(wire::Settings<'_>,), (Result<D, String>,)>(&mut live.store, "describe")?;
    function.call(&mut live.store, (settings,)).map(|(described,)| described)
}
