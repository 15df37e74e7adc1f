//! What tests across rooms share. They are run by `cargo xtask test`, which makes what they need and says
//! so in the environment.

pub mod artifacts;
pub mod broker;
pub mod chaos;
pub mod collector;
pub mod container;
pub mod http;
pub mod postgres;
pub mod program;
pub mod secured;
pub mod soak;
pub mod swaps;

use std::path::{Path, PathBuf};

/// A variable that `cargo xtask test` sets.
fn needed(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run the tests with `cargo xtask test`"))
}

/// A plugin, built for WebAssembly.
pub fn guest(name: &str) -> PathBuf {
    let path = guests().join(format!("{name}.wasm"));
    assert!(path.exists(), "{} is missing: run `cargo xtask guests`", path.display());
    path
}

/// ONNX Runtime's library.
pub fn onnxruntime() -> PathBuf {
    needed("TAILWATER_ONNXRUNTIME").into()
}

/// The folder of all plugins that are built for WebAssembly.
pub fn guests() -> PathBuf {
    needed("TAILWATER_GUESTS").into()
}

/// Runs a module or a line of Python, with the packages of `tests/requirements.txt` at hand.
pub fn python() -> std::process::Command {
    let mut command = std::process::Command::new(needed("TAILWATER_PYTHON"));
    command.env("PYTHONPATH", needed("TAILWATER_SCHEMAS"));
    command
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lies in the repository").join(path)
}
