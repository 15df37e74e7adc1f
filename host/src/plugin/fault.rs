//! Why a call failed, for a person: what happened, in the plugin's own words where it had any, and
//! in which of its functions.

use std::fmt::Write;

use wasmtime::{ResourceLimiter, Trap, WasmBacktrace};

use super::grants::clip;
use super::instance::State;
use super::stage::Limits;
use crate::engine::ports::PluginFault;
use crate::error::Code;

/// Functions of a backtrace that are named, and bytes of a name.
const FRAMES_LIMIT: usize = 5;
const FRAME_LIMIT: usize = 160;
/// What a panic runs through before it traps: of no use to who reads.
const MACHINERY: &[&str] = &[
    "core::panicking::",
    "std::panicking::",
    "std::panic::",
    "std::process::abort",
    "std::sys::",
    "std::alloc::",
    "alloc::alloc::handle_alloc_error",
    "alloc::raw_vec::handle_error",
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "core::result::unwrap_failed",
    "__rust",
    "rust_panic",
    "rust_begin_unwind",
];
/// What wasmtime says when [`Limits::output_bytes`] are used up; its type is private.
const FUEL: &str = "fuel allocated for hostcalls has been exhausted";

/// Bounds linear memory, and remembers what it refused.
#[derive(Debug)]
pub(super) struct MemoryLimit {
    bytes: usize,
    refused: Option<usize>,
}

impl MemoryLimit {
    pub(super) fn new(bytes: usize) -> Self {
        Self { bytes, refused: None }
    }

    /// A call begins.
    pub(super) fn forget(&mut self) {
        self.refused = None;
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let granted = desired <= self.bytes;
        if !granted {
            self.refused = Some(desired);
        }
        Ok(granted)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        // The pool bounds tables.
        Ok(true)
    }
}

/// Makes out why `what` failed.
pub(super) fn explain(error: &wasmtime::Error, what: &str, state: &State, limits: &Limits) -> PluginFault {
    let trap = error.downcast_ref::<Trap>();
    let (code, mut message) = match (trap, state.memory.refused) {
        (Some(Trap::Interrupt), _) => {
            (Code::PluginTime, format!("{what} did not end within {:?}, the limit of the stage", limits.time))
        }
        (_, Some(wanted)) => (
            Code::PluginMemory,
            format!("{what} wanted {wanted} bytes of memory, where {} are allowed", limits.memory),
        ),
        (Some(trap), _) => {
            let trap = trap.to_string();
            (Code::PluginTrap, format!("{what} trapped: {}", trap.trim_start_matches("wasm trap: ")))
        }
        (None, _) if error.root_cause().to_string().contains(FUEL) => {
            (Code::PluginOutput, format!("{what} gave more than {} bytes", limits.output_bytes))
        }
        (None, _) => {
            (Code::PluginOutput, format!("{what} broke the rules of the border: {}", error.root_cause()))
        }
    };
    if let Some(words) = state.log.last_error() {
        let _ = write!(message, "; it said: {words}");
    }
    let functions = functions(error);
    if !functions.is_empty() {
        let _ = write!(message, "; in {}", functions.join(" < "));
    }
    PluginFault { code, message }
}

/// Innermost first.
fn functions(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let names = backtrace.frames().iter().filter_map(|frame| frame.func_name());
    let names = names.map(|name| format!("{:#}", rustc_demangle::demangle(name)));
    let telling = names.filter(|name| !MACHINERY.iter().any(|machinery| name.starts_with(machinery)));
    telling.take(FRAMES_LIMIT).map(|name| clip(&name, FRAME_LIMIT).to_owned()).collect()
}
