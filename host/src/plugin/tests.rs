//! Plugins of a few lines of WebAssembly text, each with one vice.

mod border;
mod descriptions;
mod faults;
mod files;
mod guest;
mod layout;

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use self::guest::Guest;
use super::{Grants, Limits, Plugin, Runtime, RuntimeOptions, Stage};
use crate::columns::{Batch, Builder, Column, Kind};
use crate::engine::ports::PluginFault;
use crate::error::{Code, Error};

/// A runtime, and a folder for its plugins.
struct Bench {
    folder: TempDir,
    runtime: Runtime,
}

impl Bench {
    fn new() -> Self {
        let options = RuntimeOptions { cache: None, max_instances: 4, memory_limit: 32 << 20 };
        Self { folder: tempfile::tempdir().unwrap(), runtime: Runtime::new(&options).unwrap() }
    }

    fn write(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("plugin.wasm");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn load(&self, guest: &Guest) -> Plugin {
        self.runtime.load(self.write(&guest.module())).unwrap()
    }
}

fn stage() -> Stage {
    Stage {
        name: "clean".into(),
        settings: settings(),
        grants: Grants { log: true, counters: true },
        limits: Limits {
            time: Duration::from_secs(20),
            memory: 16 << 20,
            output_bytes: 4 << 20,
            rows: 10_000,
        },
    }
}

fn settings() -> Batch {
    let mut builder = Builder::new([Column::new("threshold", Kind::Float)].into());
    builder.column(0).push_float(0.5);
    builder.finish_row();
    builder.seal()
}

/// Rows of a text and a number.
fn rows(count: usize) -> Batch {
    let mut builder =
        Builder::new([Column::new("name", Kind::Text), Column::nullable("amount", Kind::Float)].into());
    for row in 0..count {
        builder.column(0).push_bytes(format!("né {row}").as_bytes());
        if row % 3 == 0 {
            builder.column(1).push_null();
        } else {
            builder.column(1).push_float(row as f64);
        }
        builder.finish_row();
    }
    builder.seal()
}

/// That the code is this, and the message has all these parts.
#[track_caller]
fn assert_says(code: Code, message: &str, expected: Code, parts: &[&str]) {
    assert_eq!(code, expected, "{message}");
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

#[track_caller]
fn assert_error<T>(result: Result<T, Error>, expected: Code, parts: &[&str]) {
    let Err(error) = result else { panic!("{expected} was expected") };
    assert_says(error.code, &error.message, expected, parts);
}

#[track_caller]
fn assert_fault<T>(result: Result<T, PluginFault>, expected: Code, parts: &[&str]) {
    let Err(fault) = result else { panic!("{expected} was expected") };
    assert_says(fault.code, &fault.message, expected, parts);
}
