//! Does a plugin fit its stage? What can be told by names alone: contract, exports, imports.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Instance, Linker};
use wasmtime::{Engine, Store};

use super::file::Plugin;
use super::instance::{Live, Sandbox, State};
use super::stage::Grants;
use crate::contract::Settings;
use crate::error::{Code, Error, Result};

/// A world of one version of the contract, in the host's terms.
pub(super) trait World: Sized + Send + Sync + 'static {
    /// As in the WIT.
    const NAME: &'static str;
    /// Functions that must be there.
    const EXPORTS: &'static [&'static str];
    /// What `describe` gives.
    type Description: PartialEq + Clone + Send + Sync;
    /// The exported functions, their types checked.
    type Calls: Send;
    /// What the engine sees.
    type Port: ?Sized + 'static;

    /// Finds the functions; fails where one is of another type.
    fn bind(instance: &Instance, store: &mut Store<State>) -> wasmtime::Result<Self::Calls>;

    /// The inner error is the plugin's own refusal of the settings.
    fn describe(
        live: &mut Live<Self>,
        settings: &Settings,
    ) -> wasmtime::Result<Result<Self::Description, String>>;

    /// Checks that a description is sound in itself.
    fn check(description: &Self::Description, calls: &Self::Calls) -> Result<()>;

    fn port(sandbox: Sandbox<Self>) -> Box<Self::Port>;
}

/// One version of the contract.
pub(super) struct Contract {
    pub(super) package: &'static str,
    pub(super) version: &'static str,
    /// The interface that stands for what is granted.
    pub(super) host: &'static str,
    pub(super) functions: &'static [Granted],
    pub(super) link: fn(&mut Linker<State>, Grants) -> wasmtime::Result<()>,
}

/// A function of the host, and the grant that lets it in.
pub(super) struct Granted {
    pub(super) function: &'static str,
    /// As written in the pipeline file.
    pub(super) grant: &'static str,
    pub(super) given: fn(Grants) -> bool,
}

/// Checks a plugin against the world that its stage needs.
pub(super) fn check<W: World>(plugin: &Plugin, contract: &Contract, grants: Grants) -> Result<()> {
    check_version(plugin, contract)?;
    check_exports::<W>(plugin)?;
    check_imports(plugin, contract, grants)
}

fn check_version(plugin: &Plugin, contract: &Contract) -> Result<()> {
    for (name, _) in imports(plugin) {
        let (interface, version) = name.rsplit_once('@').unwrap_or((&name, "none"));
        let ours = interface.split_once('/').is_some_and(|(package, _)| package == contract.package);
        if ours && version != contract.version {
            let Contract { package, version: served, .. } = contract;
            return Err(Error::new(
                Code::PluginWorld,
                format!(
                    "was built for version {version} of the contract {package}, and this host serves \
                     {served}: build it with an SDK of that version"
                ),
            ));
        }
    }
    Ok(())
}

fn check_exports<W: World>(plugin: &Plugin) -> Result<()> {
    let engine = plugin.runtime().engine();
    let exports = plugin.component().component_type();
    let is_there = |name: &&str| {
        let export = exports.get_export(engine, name);
        export.is_some_and(|export| matches!(export.ty, ComponentItem::ComponentFunc(_)))
    };
    let missing: Vec<_> =
        W::EXPORTS.iter().filter(|name| !is_there(name)).map(|n| format!("`{n}`")).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = exports.exports(engine).map(|(name, _)| name).collect();
    let (world, missing) = (W::NAME, missing.join(" and "));
    Err(Error::new(
        Code::PluginWorld,
        format!("does not export {missing}, which the world {world} has; {}", likeness(&names, world)),
    ))
}

/// Which world has these exports.
fn likeness(exports: &[&str], wanted: &str) -> String {
    let worlds = [
        ("process", "preprocessor"),
        ("fold", "custom-features"),
        ("compute", "features"),
        ("decide", "rules"),
    ];
    match worlds.iter().find(|(export, _)| exports.contains(export)) {
        Some((_, world)) if world.ends_with(wanted) => "the rest is there: build it with the SDK".into(),
        Some((_, world)) => format!("it seems to be made for the world {world}: use it in that stage"),
        None if exports.is_empty() => "it exports nothing".into(),
        None => format!("it exports only {}", exports.join(", ")),
    }
}

fn check_imports(plugin: &Plugin, contract: &Contract, grants: Grants) -> Result<()> {
    let host = format!("{}/{}@{}", contract.package, contract.host, contract.version);
    for (interface, function) in imports(plugin) {
        let Some(function) = function else { continue };
        let known = contract.functions.iter().find(|known| interface == host && known.function == function);
        let advice = match known {
            Some(known) if (known.given)(grants) => continue,
            Some(Granted { grant, .. }) => {
                format!("if it may have that, add grants = [\"{grant}\"] to its stage")
            }
            None => "nothing grants that: a plugin has no clock, no files, no network and no randomness; \
                     build it for wasm32-unknown-unknown, without WASI"
                .into(),
        };
        return Err(Error::new(
            Code::PluginImport,
            format!("imports `{function}` of `{interface}`, which is not granted; {advice}"),
        ));
    }
    Ok(())
}

/// Interface and function, with no function where an interface has only types.
fn imports(plugin: &Plugin) -> Vec<(String, Option<String>)> {
    let engine = plugin.runtime().engine();
    let component = plugin.component().component_type();
    component.imports(engine).flat_map(|(name, import)| of_import(engine, name, import.ty)).collect()
}

fn of_import(engine: &Engine, name: &str, item: ComponentItem) -> Vec<(String, Option<String>)> {
    match item {
        ComponentItem::Type(_) => Vec::new(),
        ComponentItem::ComponentInstance(instance) => {
            let items =
                instance.exports(engine).filter(|(_, item)| !matches!(item.ty, ComponentItem::Type(_)));
            let items = items.map(|(function, _)| Some(function.to_owned()));
            std::iter::once(None).chain(items).map(|function| (name.to_owned(), function)).collect()
        }
        _ => vec![("the root".into(), Some(name.to_owned()))],
    }
}
