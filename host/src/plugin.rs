//! Plugins in wasmtime: the adapter behind the ports `Preprocessor`, `Features` and `Rules`.
//!
//! One [`Runtime`] a process; it compiles a file into a [`Plugin`]. A plugin and a [`Stage`] make a
//! checked description and a [`Factory`]; the factory makes an instance for each stream thread.
//!
//! The law of an instance:
//! - It belongs to one thread and is used call after call. After a trap, a time-out, exhausted memory
//!   or an unreadable answer it is thrown away, and the next call meets a fresh one.
//! - A fresh one is described first, and must describe what it described at load.
//! - A call has a deadline, in wall time, precise to 10 ms; its linear memory has a bound
//!   in bytes; what the host copies out of it has a bound in bytes. Not counted: compiled code, and
//!   some 100 KiB of wasmtime's own for each instance.
//! - It imports what the stage grants and nothing else; there is no WASI.
//! - What it answers is lifted, but not believed: its batches are checked by who uses them.
//!
//! Guests run on the stack of the calling thread and may use 512 KiB of it.

mod description;
mod factory;
mod fault;
mod file;
mod grants;
mod instance;
mod runtime;
mod stage;
mod ticker;
mod v0_1;
mod world;

pub use factory::Factory;
pub use file::{FILE_LIMIT, Plugin};
pub use grants::Counters;
pub use runtime::{Runtime, RuntimeOptions};
pub use stage::{Grants, Limits, Stage};

#[cfg(test)]
mod tests;
