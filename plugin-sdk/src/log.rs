//! What a plugin may tell its host: lines for the log, and counters.
//!
//! The pipeline's file grants them in the stage's section: `grants = ["log"]` is what a stage has that
//! says nothing, `grants = ["log", "counters"]` lets it count too. A plugin that calls what is not granted
//! is refused when it is loaded. Of one call the host logs 100 lines, each up to 4 KiB. It prints
//! counters at the end of a run.
//!
//! Natively, lines go to standard error, and counters are kept for the thread: see
//! [`testing::counted`](crate::testing::counted).

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the plugin's author.
    Debug,
    /// Worth knowing.
    Info,
    /// Something is odd.
    Warn,
    /// Something is wrong.
    Error,
}

/// Writes a line to the host's log. The pipeline must grant `log`.
pub fn log(level: Level, message: &str) {
    host::log(level, message);
}

/// Writes a line for the plugin's author.
pub fn debug(message: &str) {
    log(Level::Debug, message);
}

/// Writes a line that is worth knowing.
pub fn info(message: &str) {
    log(Level::Info, message);
}

/// Writes a line about something odd.
pub fn warn(message: &str) {
    log(Level::Warn, message);
}

/// Writes a line about something wrong.
pub fn error(message: &str) {
    log(Level::Error, message);
}

/// Adds to one of the plugin's own counters. The pipeline must grant `counters`. A plugin may have 64, with
/// names of up to 64 bytes. Of a call that fails nothing is counted.
pub fn count(name: &str, by: u64) {
    host::count(name, by);
}

/// Formats a line and writes it to the host's log: `log!(Info, "{n} rows")`.
#[macro_export]
macro_rules! log {
    ($level:ident, $($message:tt)+) => {
        $crate::log::log($crate::log::Level::$level, &::std::format!($($message)+))
    };
}

#[cfg(target_arch = "wasm32")]
mod host {
    use super::Level;

    mod import {
        #[link(wasm_import_module = "tailwater:plugin/host@0.1.0")]
        unsafe extern "C" {
            pub(super) fn log(level: i32, message: *const u8, length: usize);
            pub(super) fn count(name: *const u8, length: usize, by: u64);
        }
    }

    pub(super) fn log(level: Level, message: &str) {
        // SAFETY: the host reads the message and keeps nothing.
        unsafe { import::log(level as i32, message.as_ptr(), message.len()) }
    }

    pub(super) fn count(name: &str, by: u64) {
        // SAFETY: the host reads the name and keeps nothing.
        unsafe { import::count(name.as_ptr(), name.len(), by) }
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod host {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use super::Level;

    thread_local! {
        static COUNTERS: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
    }

    pub(super) fn log(level: Level, message: &str) {
        eprintln!("{level:?}: {message}");
    }

    pub(super) fn count(name: &str, by: u64) {
        COUNTERS.with_borrow_mut(|counters| *counters.entry(name.to_owned()).or_default() += by);
    }

    pub(crate) fn counted(name: &str) -> u64 {
        COUNTERS.with_borrow(|counters| counters.get(name).copied().unwrap_or_default())
    }
}
