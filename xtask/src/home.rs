//! Where things are: the repository, its target folder, and the tools kept in it.

use crate::process::Job;
use crate::steps::Steps;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) root: PathBuf,
    /// Cargo's target folder: `target`, unless CARGO_TARGET_DIR says otherwise.
    pub(crate) target: PathBuf,
    /// What cargo knows of the workspace's members.
    pub(crate) metadata: Value,
    pub(crate) steps: Steps,
}

impl Home {
    pub(crate) fn find() -> Result<Self> {
        // Cargo sets it anew for every run, so a checkout that was moved is still found.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").context("start me as `cargo xtask`")?;
        let said = Job::cargo()
            .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
            .arg(Path::new(&manifest).join("Cargo.toml"))
            .advise("Repair the workspace's Cargo.toml files: cargo can't read them.")
            .output()?;
        let metadata: Value =
            serde_json::from_str(&said).context("cargo metadata printed something else than JSON")?;
        let folder = |key: &str| {
            metadata[key].as_str().map(PathBuf::from).with_context(|| format!("cargo metadata has no {key}"))
        };
        Ok(Self {
            root: folder("workspace_root")?,
            target: folder("target_directory")?,
            metadata,
            steps: Steps::default(),
        })
    }

    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// One xtask at a time has it, until it is dropped; others wait.
    pub(crate) fn lock(&self, name: &str) -> Result<File> {
        fs::create_dir_all(self.tools())?;
        let lock = File::create(self.tools().join(format!(".lock-{name}")))?;
        lock.lock()?;
        Ok(lock)
    }

    /// The tool `name`, made by `fill` if it isn't there yet.
    ///
    /// `fill` gets an empty folder that takes its final name only when `fill` succeeded: what is there is complete.
    /// One xtask at a time makes a tool; others wait. A tool may need another while it is made.
    pub(crate) fn tool(&self, name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let place = self.tools().join(name);
        if place.exists() {
            return Ok(place);
        }
        let _lock = self.lock(name)?;
        if place.exists() {
            return Ok(place);
        }
        // Under the lock, a part that exists was left by somebody who was killed.
        let part = self.tools().join(format!(".part-{name}"));
        remove(&part)?;
        fs::create_dir(&part)?;
        fill(&part)?;
        fs::rename(&part, &place).with_context(|| format!("can't rename {} to {name}", part.display()))?;
        Ok(place)
    }
}

/// Removes a file or folder with all in it; one that isn't there is fine.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let done = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Fails unless the file has this SHA-256, in lower-case hexadecimal.
pub(crate) fn check_sha256(file: &Path, want: &str) -> Result<()> {
    let bytes = fs::read(file).with_context(|| format!("{} did not come", file.display()))?;
    let have = sha256(&bytes);
    if have != want {
        bail!(
            "{} is not the file it should be\n  want   sha256 {want}\n  have   sha256 {have}",
            file.display()
        );
    }
    Ok(())
}

/// In lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A variable that is set to something.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether a program of this name is in PATH.
pub(crate) fn in_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(name: &str) -> Home {
        let target = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        Home { root: PathBuf::new(), target, metadata: Value::Null, steps: Steps::default() }
    }

    #[test]
    fn a_tool_that_failed_half_way_is_made_anew_and_one_that_is_there_is_kept() {
        let home = home("tool");
        let half = home.tool("t", |part| {
            fs::write(part.join("half"), "")?;
            bail!("cut off")
        });
        assert!(half.is_err() && !home.tools().join("t").exists());
        let made = home.tool("t", |part| Ok(fs::write(part.join("whole"), "")?)).unwrap();
        assert!(made.join("whole").exists() && !made.join("half").exists());
        home.tool("t", |_| bail!("must not run again")).unwrap();
        home.tool("outer", |_| home.tool("inner", |_| Ok(())).map(drop)).unwrap();
        remove(&home.target).unwrap();
    }

    #[test]
    fn a_lock_is_one_xtasks_until_it_is_dropped() {
        let home = home("lock");
        let held = home.lock("l").unwrap();
        let other = File::create(home.tools().join(".lock-l")).unwrap();
        assert!(other.try_lock().is_err());
        drop(held);
        other.lock().unwrap();
        remove(&home.target).unwrap();
    }

    #[test]
    fn a_wrong_sum_says_both() {
        let file = std::env::temp_dir().join(format!("xtask-sum-{}", std::process::id()));
        fs::write(&file, "abc").unwrap();
        check_sha256(&file, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad").unwrap();
        let error = check_sha256(&file, "00").unwrap_err().to_string();
        assert!(error.contains("want   sha256 00") && error.contains("have   sha256 ba7816bf"), "{error}");
        remove(&file).unwrap();
    }
}
