//! A plugin's file: read, identified, compiled.

use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};
use wit_component::ComponentEncoder;

use super::factory::{self, Factory};
use super::runtime::Runtime;
use super::stage::Stage;
use super::v0_1::{Computing, Deciding, Processing};
use crate::contract::{FeaturesDescription, PreprocessorDescription, RulesDescription};
use crate::engine::ports::{Features, Preprocessor, Rules};
use crate::error::{Code, Error, Result};

/// Bytes of the largest file that is taken.
pub const FILE_LIMIT: u64 = 64 << 20;
/// How WebAssembly starts: the magic, and what a component and a core module say after it.
const MAGIC: &[u8] = b"\0asm";
const COMPONENT: &[u8] = &[0x0d, 0, 1, 0];
const MODULE: &[u8] = &[1, 0, 0, 0];

const HOW_TO_BUILD: &str = "build it with the SDK: cargo build --release --target wasm32-unknown-unknown";

/// A compiled plugin. A clone is the same plugin.
#[derive(Clone)]
pub struct Plugin {
    runtime: Runtime,
    path: PathBuf,
    digest: String,
    component: Component,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("path", &self.path).field("digest", &self.digest).finish()
    }
}

impl Plugin {
    pub(super) fn load(runtime: Runtime, path: &Path) -> Result<Self> {
        let bytes = read(path).map_err(|error| error.at(path.display()))?;
        let component = compile(&runtime, &bytes).map_err(|error| error.at(path.display()))?;
        let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { runtime, path: path.into(), digest, component })
    }

    /// The file's sha256, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// For a stage that prepares rows.
    pub fn preprocessor(
        &self,
        stage: &Stage,
    ) -> Result<(PreprocessorDescription, Factory<dyn Preprocessor + Send>)> {
        factory::open::<Processing>(self, stage)
    }

    /// For a stage that makes feature vectors.
    pub fn features(&self, stage: &Stage) -> Result<(FeaturesDescription, Factory<dyn Features + Send>)> {
        factory::open::<Computing>(self, stage)
    }

    /// For a stage that decides.
    pub fn rules(&self, stage: &Stage) -> Result<(RulesDescription, Factory<dyn Rules + Send>)> {
        factory::open::<Deciding>(self, stage)
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(super) fn component(&self) -> &Component {
        &self.component
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let unreadable = |error| Error::new(Code::PluginUnreadable, format!("can't be read: {error}"));
    // Asked by name first: opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Error::new(Code::PluginUnreadable, "is no file"));
    }
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(FILE_LIMIT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_LIMIT {
        let message = format!("is larger than {} MiB", FILE_LIMIT >> 20);
        return Err(Error::new(Code::PluginUnreadable, message));
    }
    Ok(bytes)
}

fn compile(runtime: &Runtime, bytes: &[u8]) -> Result<Component> {
    let kind = bytes.strip_prefix(MAGIC).and_then(|rest| rest.get(..4));
    let component = match kind {
        Some(COMPONENT) => None,
        Some(MODULE) => Some(encode(runtime.engine(), bytes)?),
        _ => return Err(invalid(format!("is no WebAssembly; {HOW_TO_BUILD}"))),
    };
    Component::from_binary(runtime.engine(), component.as_deref().unwrap_or(bytes))
        .map_err(|error| invalid(format!("is damaged, or wants what this host has not: {error:#}")))
}

/// Makes a component of a core module, by the component type that its bindings put into it.
fn encode(engine: &Engine, module: &[u8]) -> Result<Vec<u8>> {
    let damaged = |error: &dyn Display| invalid(format!("is a damaged core module: {error:#}"));
    Module::validate(engine, module).map_err(|error| damaged(&error))?;
    let encode = || {
        let (typed, _) = wit_component::metadata::decode(module).map_err(|error| damaged(&error))?;
        if typed.is_none() {
            let what = "is a core module without a component type: it was not built against the contract";
            return Err(invalid(format!("{what}; {HOW_TO_BUILD}")));
        }
        ComponentEncoder::default().validate(true).module(module).and_then(ComponentEncoder::encode).map_err(
            |error| invalid(format!("is a core module that does not fit its own component type: {error:#}")),
        )
    };
    // wit-component asserts things about component types that a spoilt one does not keep.
    std::panic::catch_unwind(encode).unwrap_or_else(|_| Err(damaged(&"its component type makes no sense")))
}

fn invalid(message: String) -> Error {
    Error::new(Code::PluginInvalid, message)
}
