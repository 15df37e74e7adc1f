//! Builds every guest crate of the workspace to WebAssembly: `target/guests/PACKAGE.wasm`.
//!
//! A guest is a member with a `cdylib` target in one of the [guest folders](is_guest_folder). Guests have a target
//! folder of their own and the profile `guest`; flags meant for the host's build don't reach them.

mod debian;
mod toolchain;

use crate::home::{Home, remove};
use crate::process::Job;
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const TARGET: &str = "wasm32-unknown-unknown";

/// Variables that would change a guest's build.
const FOREIGN: [&str; 8] = [
    "RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
    "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER",
    "CARGO_BUILD_TARGET",
    "CARGO_TARGET_DIR",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
];

#[derive(Debug, PartialEq)]
struct Guest {
    package: String,
    /// What rustc calls its output.
    artifact: String,
}

/// Builds them all and returns the folder where they are.
pub(crate) fn build(home: &Home) -> Result<PathBuf> {
    // Here even when cargo's target folder is elsewhere: pipeline files name this place.
    let folder = home.root.join("target/guests");
    fs::create_dir_all(&folder)?;
    let guests = guests(&home.metadata, &home.root);
    sweep(&folder, &guests)?;
    if guests.is_empty() {
        eprintln!("{:<8} no guest crate in the workspace yet", "build");
        return Ok(folder);
    }
    let work = home.target.join("guests-build");
    let rustc = toolchain::rustc(home, &work)?;
    let what = format!("{} guests for WebAssembly", guests.len());
    home.steps.loud("build", &what, || compile(home, &rustc, &work, &guests))?;
    for guest in &guests {
        place(
            &work.join(TARGET).join("guest").join(format!("{}.wasm", guest.artifact)),
            &folder,
            &guest.package,
        )?;
    }
    Ok(folder)
}

fn compile(home: &Home, rustc: &Path, work: &Path, guests: &[Guest]) -> Result<()> {
    let mut cargo = Job::cargo();
    cargo.args(["build", "--quiet", "--profile", "guest", "--target", TARGET, "--target-dir"]).arg(work);
    cargo.args(guests.iter().flat_map(|guest| ["--package", guest.package.as_str()]));
    // Empty, and not just unset: so the flags of a configuration file are left out as well.
    cargo.env("RUSTC", rustc).env("CARGO_ENCODED_RUSTFLAGS", "").without(&FOREIGN).within(&home.root);
    cargo.advise("Repair the guest; the compiler's words stand above.").show()
}

/// Copies by renaming: who reads the file meanwhile has the old one or the new one.
fn place(built: &Path, folder: &Path, package: &str) -> Result<()> {
    let part = folder.join(format!(".{package}.part"));
    fs::copy(built, &part).with_context(|| format!("cargo built no {}", built.display()))?;
    Ok(fs::rename(part, folder.join(format!("{package}.wasm")))?)
}

/// Removes what guests left that are no more, so that no test passes with one.
fn sweep(folder: &Path, guests: &[Guest]) -> Result<()> {
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        if !guests.iter().any(|guest| path.file_name() == Some(format!("{}.wasm", guest.package).as_ref())) {
            remove(&path)?;
        }
    }
    Ok(())
}

fn guests(metadata: &Value, root: &Path) -> Vec<Guest> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    packages.iter().filter_map(|package| guest(package, root)).collect()
}

fn guest(package: &Value, root: &Path) -> Option<Guest> {
    let manifest = Path::new(package["manifest_path"].as_str()?);
    if !is_guest_folder(manifest.parent()?.strip_prefix(root).ok()?) {
        return None;
    }
    let is_cdylib = |target: &&Value| {
        target["kind"]
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|kind| kind.as_str() == Some("cdylib")))
    };
    let target = package["targets"].as_array()?.iter().find(is_cdylib)?;
    Some(Guest {
        package: package["name"].as_str()?.to_owned(),
        artifact: target["name"].as_str()?.replace('-', "_"),
    })
}

/// `plugins/*`, `plugins/*` anywhere below an example, `tests/guests/*`.
fn is_guest_folder(folder: &Path) -> bool {
    let parts: Vec<_> = folder.iter().filter_map(|part| part.to_str()).collect();
    matches!(parts[..], ["plugins", _] | ["examples", _, .., "plugins", _] | ["tests", "guests", _])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(name: &str, manifest: &str, kind: &str) -> Value {
        json!({ "name": name, "manifest_path": manifest, "targets": [
            { "name": "build-script-build", "kind": ["custom-build"] },
            { "name": name.replace('-', "_"), "kind": ["rlib", kind] } ] })
    }

    #[test]
    fn guests_are_cdylibs_in_the_guests_folders() {
        let metadata = json!({ "packages": [
            package("fraud-rules", "/r/examples/fraud/plugins/rules/Cargo.toml", "cdylib"),
            package("nested", "/r/examples/fraud/handbook/plugins/nested/Cargo.toml", "cdylib"),
            package("geo", "/r/plugins/geo/Cargo.toml", "cdylib"),
            package("spin", "/r/tests/guests/spin/Cargo.toml", "cdylib"),
            package("shared", "/r/tests/guests/shared/Cargo.toml", "lib"),
            package("fraud-demo", "/r/examples/fraud/demo/Cargo.toml", "cdylib"),
            package("deeper", "/r/plugins/geo/inner/Cargo.toml", "cdylib"),
            package("elsewhere", "/other/plugins/geo/Cargo.toml", "cdylib") ] });
        let found = guests(&metadata, Path::new("/r"));
        let guest =
            |package: &str, artifact: &str| Guest { package: package.into(), artifact: artifact.into() };
        let [rules, nested] = [guest("fraud-rules", "fraud_rules"), guest("nested", "nested")];
        assert_eq!(found, [rules, nested, guest("geo", "geo"), guest("spin", "spin")]);
    }

    #[test]
    fn metadata_of_another_shape_has_no_guests() {
        assert!(guests(&json!({}), Path::new("/")).is_empty());
        assert!(guests(&json!({ "packages": [{ "name": 1 }] }), Path::new("/")).is_empty());
    }

    #[test]
    fn guests_that_are_gone_leave_no_file() {
        let folder = std::env::temp_dir().join(format!("xtask-sweep-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for name in ["old.wasm", "kept.wasm", ".kept.part"] {
            fs::write(folder.join(name), "").unwrap();
        }
        sweep(&folder, &[Guest { package: "kept".into(), artifact: "kept".into() }]).unwrap();
        let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left, ["kept.wasm"]);
        remove(&folder).unwrap();
    }
}
