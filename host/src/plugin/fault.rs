//! Why a call failed, for a person: what happened, in the plugin's own words where it had any, and
//! in which of its functions.

use std::fmt::Write;

use wasmtime::{ResourceLimiter, Trap, WasmBacktrace};

use super::grants::clip;
use super::instance::State;
use super::stage::Limits;
use crate::engine::Part;
use crate::engine::ports::{PluginFault, WORDS};
use crate::error::Code;

/// Functions of a backtrace that are named, and bytes of a name.
const FRAMES_LIMIT: usize = 5;
const FRAME_LIMIT: usize = 160;
/// A function that entered itself so many times in a row is a recursion.
const DEEP: usize = 8;
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
    /// What this instance has.
    own: Part,
}

impl MemoryLimit {
    pub(super) fn new(bytes: usize, own: Part) -> Self {
        Self { bytes, refused: None, own }
    }

    /// A call begins.
    pub(super) fn forget(&mut self) {
        self.refused = None;
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let granted = desired <= self.bytes;
        if granted {
            // An instance has one memory.
            self.own.set(desired);
        } else {
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
    let functions = functions(error);
    let (code, mut message) = match (trap, state.memory.refused) {
        (Some(Trap::Interrupt), _) => {
            (Code::PluginTime, format!("{what} did not end within {:?}, the limit of the stage", limits.time))
        }
        (_, Some(wanted)) => (
            Code::PluginMemory,
            format!("{what} wanted {wanted} bytes of memory, where {} are allowed", limits.memory),
        ),
        (Some(trap), _) => (Code::PluginTrap, format!("{what} trapped: {}", trapped(*trap, &functions))),
        (None, _) if error.root_cause().to_string().contains(FUEL) => {
            (Code::PluginOutput, format!("{what} gave more than {} bytes", limits.output_bytes))
        }
        (None, _) => {
            (Code::PluginOutput, format!("{what} broke the rules of the border: {}", error.root_cause()))
        }
    };
    if !functions.is_empty() {
        let named: Vec<_> = functions.iter().take(FRAMES_LIMIT).map(named).collect();
        let _ = write!(message, "; in {}", named.join(" < "));
    }
    if let Some(words) = state.log.last_error() {
        let _ = write!(message, "{WORDS}{words}");
    }
    PluginFault { code, message }
}

fn trapped(trap: Trap, functions: &[(String, usize)]) -> String {
    let trap_text = trap.to_string();
    let text = trap_text.trim_start_matches("wasm trap: ");
    // A compiler's stack lies at the bottom of memory, and runs out of it.
    match functions.first() {
        Some((_, times)) if trap == Trap::MemoryOutOfBounds && *times >= DEEP => {
            format!("{text} (its stack ran out, it seems: a recursion without end)")
        }
        _ => text.to_owned(),
    }
}

/// Innermost first, each with how many times in a row it was entered, as far as is known.
fn functions(error: &wasmtime::Error) -> Vec<(String, usize)> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let names = backtrace.frames().iter().filter_map(|frame| frame.func_name());
    let names = names.map(|name| format!("{:#}", rustc_demangle::demangle(name)));
    let mut functions: Vec<(String, usize)> = Vec::new();
    for name in names.filter(|name| !MACHINERY.iter().any(|machinery| name.starts_with(machinery))) {
        match functions.last_mut() {
            Some((last, times)) if *last == name => *times += 1,
            _ => functions.push((name, 1)),
        }
    }
    functions
}

fn named((name, times): &(String, usize)) -> String {
    let name = clip(name, FRAME_LIMIT);
    if *times > 1 { format!("{name} (x{times})") } else { name.to_owned() }
}
