//! Which rustc compiles guests: one that has a standard library for WebAssembly.

use super::{TARGET, debian};
use crate::home::{Home, in_path, variable};
use crate::process::Job;
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, PartialEq)]
enum Way {
    /// The active toolchain has what it takes.
    Active,
    /// rustup adds what is missing.
    Rustup,
    /// A private toolchain out of Debian's packages.
    Debian,
}

fn choose(installed: bool, registries_only: bool, rustup: bool) -> Way {
    match (installed, registries_only, rustup) {
        (true, ..) => Way::Active,
        (false, false, true) => Way::Rustup,
        _ => Way::Debian,
    }
}

/// The compiler to build guests with. `work` is their target folder, emptied when the standard library changes:
/// cargo does not notice that.
pub(super) fn rustc(home: &Home, work: &Path) -> Result<PathBuf> {
    let active = || std::env::var_os("RUSTC").map_or_else(|| "rustc".into(), PathBuf::from);
    // Set to 1 where package registries are all that can be reached.
    let registries_only = variable("TAILWATER_REGISTRIES_ONLY").is_some_and(|value| value != "0");
    match choose(has_std(&active())?, registries_only, in_path("rustup")) {
        Way::Active => Ok(active()),
        Way::Rustup => {
            home.steps.quiet("fetch", &format!("Rust's standard library for {TARGET}"), || {
                Job::new("rustup")
                    .args(["target", "add", TARGET])
                    .advise(
                        "Where only package registries can be reached, set TAILWATER_REGISTRIES_ONLY=1: the library \
                         is then built from Debian's sources.",
                    )
                    .run()
            })?;
            Ok(active())
        }
        Way::Debian => debian::rustc(home, &active(), work),
    }
}

fn has_std(rustc: &Path) -> Result<bool> {
    let said = Job::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .advise("Install Rust with rustup.")
        .output()?;
    let Ok(files) = fs::read_dir(said.trim()) else { return Ok(false) };
    Ok(files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libstd-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_wins_and_rustup_is_left_alone_where_only_registries_may_be_used() {
        for (registries_only, rustup) in [(false, false), (false, true), (true, false), (true, true)] {
            assert_eq!(choose(true, registries_only, rustup), Way::Active);
        }
        assert_eq!(choose(false, false, true), Way::Rustup);
        assert_eq!(choose(false, false, false), Way::Debian);
        assert_eq!(choose(false, true, true), Way::Debian);
    }
}
