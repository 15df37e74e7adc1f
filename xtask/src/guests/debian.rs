//! A Rust toolchain for WebAssembly out of Debian's packages, for machines that reach package registries only.
//!
//! Debian has a current rustc (`rustc-web`) and the standard library's sources, yet no library built for WebAssembly.
//! So: unpack both into a folder of ours, build the library once, keep it where that rustc looks for it. apt gets
//! folders of ours too; nothing is installed.

use super::TARGET;
use crate::home::{Home, in_path, remove};
use crate::process::Job;
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const STD: &str = "libstd-rust-web-dev";

/// Puts LD_LIBRARY_PATH on this rustc alone: cargo, build scripts and linkers keep the machine's.
const WRAPPER: &str = "#!/bin/sh\nhere=${0%/*}\n\
LD_LIBRARY_PATH=\"$here/usr/lib/ARCH-linux-gnu\" exec \"$here/usr/bin/rustc\" \"$@\"\n";

pub(super) fn rustc(home: &Home, active: &Path, work: &Path) -> Result<PathBuf> {
    let place = home.tool("wasm-std", |part| {
        for program in ["apt-get", "apt-cache", "dpkg-deb"] {
            if !in_path(program) {
                bail!(
                    "the active Rust has no standard library for {TARGET}, and without {program} none can be built\n  \
                     to do  rustup target add {TARGET}"
                );
            }
        }
        remove(work)?;
        home.steps.quiet("fetch", "rustc and its library's sources from Debian", || unpack(part))?;
        home.steps.quiet("build", &format!("standard library for {TARGET} (two minutes, once)"), || {
            link_lld(active, part)?;
            build(part)
        })
    })?;
    // Anew each time: the active toolchain may have moved.
    link_lld(active, &place)?;
    Ok(place.join("rustc"))
}

/// A program of apt's, with lists and cache in `folder`.
fn apt(program: &str, folder: &Path) -> Job {
    let mut job = Job::new(program);
    job.arg("-o").arg(format!("Dir::State::lists={}", folder.join("lists").display()));
    job.arg("-o").arg(format!("Dir::Cache={}", folder.join("cache").display()));
    // The user that root's apt becomes may not write here. Locks would be taken on the system's folders.
    job.args(["-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1", "-qq"]);
    job.advise(&format!(
        "This needs Debian 12 with its security archive in apt's sources. Elsewhere, give the active Rust the target \
         {TARGET} (rustup target add {TARGET})."
    ));
    job
}

fn unpack(part: &Path) -> Result<()> {
    let folder = part.join("apt");
    for name in ["lists/partial", "cache/archives/partial", "debs"] {
        fs::create_dir_all(folder.join(name))?;
    }
    apt("apt-get", &folder).arg("update").run()?;
    // These names carry versions, which move with security updates: ask.
    let library = dependency(&folder, STD, "libstd-rust-web-")?;
    let llvm = dependency(&folder, &library, "libllvm")?;
    // LLVM's library may need some that the machine has not.
    let plan =
        apt("apt-get", &folder).args(["install", "--simulate", "--no-install-recommends", &llvm]).output()?;
    let mut wanted = vec!["rustc-web", STD, &library, "rust-web-src", &llvm];
    wanted.extend(planned(&plan).into_iter().filter(|name| *name != llvm));
    apt("apt-get", &folder).arg("download").args(&wanted).within(&folder.join("debs")).run()?;
    for package in fs::read_dir(folder.join("debs"))? {
        Job::new("dpkg-deb").arg("--extract").arg(package?.path()).arg(part).run()?;
    }
    remove(&folder)?;
    let wrapper = part.join("rustc");
    fs::write(&wrapper, WRAPPER.replace("ARCH", std::env::consts::ARCH))?;
    Ok(fs::set_permissions(wrapper, fs::Permissions::from_mode(0o755))?)
}

/// The first package that `package` depends on whose name begins so.
fn dependency(folder: &Path, package: &str, prefix: &str) -> Result<String> {
    let said = apt("apt-cache", folder).args(["depends", package]).output()?;
    let found = depended(&said).find(|name| name.starts_with(prefix)).map(str::to_owned);
    found.with_context(|| format!("Debian's {package} depends on no {prefix}*: its packages were rearranged"))
}

/// The names in what `apt-cache depends` says.
fn depended(said: &str) -> impl Iterator<Item = &str> {
    said.lines().filter_map(|line| line.trim().strip_prefix("Depends: "))
}

/// The names in what `apt-get install --simulate` says.
fn planned(said: &str) -> Vec<&str> {
    said.lines().filter_map(|line| line.strip_prefix("Inst ")?.split_whitespace().next()).collect()
}

/// Debian's rustc comes without a WebAssembly linker: it borrows the active toolchain's.
fn link_lld(active: &Path, place: &Path) -> Result<()> {
    let asked = |args: &[&str]| Job::new(active).args(args).output();
    let host = asked(&["-vV"])?
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
        .context("`rustc -vV` names no host")?;
    let tail = format!("lib/rustlib/{host}/bin/rust-lld");
    let lld = Path::new(asked(&["--print", "sysroot"])?.trim()).join(&tail);
    if !lld.exists() {
        bail!("the active Rust has no {}\n  to do  Install Rust with rustup.", lld.display());
    }
    let link = place.join("usr").join(tail);
    if fs::read_link(&link).is_ok_and(|old| old == lld) {
        return Ok(());
    }
    fs::create_dir_all(link.parent().context("the linker's place has a folder")?)?;
    remove(&link)?;
    Ok(symlink(lld, link)?)
}

/// Builds the library by way of an empty crate, and keeps what came out.
fn build(part: &Path) -> Result<()> {
    let seed = part.join("seed");
    fs::create_dir_all(seed.join("src"))?;
    fs::write(
        seed.join("Cargo.toml"),
        "[package]\nname = \"seed\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n",
    )?;
    fs::write(seed.join("src/lib.rs"), "#![no_std]\n")?;
    let mut cargo = Job::cargo();
    cargo.args(["build", "--quiet", "--release", "-Z", "build-std=std,panic_abort", "--target", TARGET]);
    cargo
        .without(&super::FOREIGN)
        .env("RUSTC", part.join("rustc"))
        .env("CARGO_TARGET_DIR", seed.join("target"));
    // Without bitcode, guests with link-time optimisation can't use it.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Cembed-bitcode=yes").env("RUSTC_BOOTSTRAP", "1").within(&seed);
    cargo.advise("See that cargo reaches the crates registry.").run()?;
    let library = part.join("usr/lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&library)?;
    for file in fs::read_dir(seed.join("target").join(TARGET).join("release/deps"))? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("lib") && name.ends_with(".rlib") && !name.starts_with("libseed-") {
            fs::copy(&path, library.join(name))?;
        }
    }
    ["seed", "etc", "usr/src", "usr/share", "usr/libexec", "usr/lib/rustlib/src"]
        .iter()
        .try_for_each(|name| remove(&part.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apt_is_understood() {
        let depends = "libstd-rust-web-1.96\n  Depends: libc6\n  Depends: <libc-dev>\n    libc6-dev\n  Depends: libllvm22\n";
        assert_eq!(depended(depends).find(|name| name.starts_with("libllvm")), Some("libllvm22"));
        let plan = "NOTE: only a simulation\nInst libmd0 (1.0.4-2 Debian:12.12 [amd64])\nInst libllvm22 (1:22)\nConf libmd0\n";
        assert_eq!(planned(plan), ["libmd0", "libllvm22"]);
    }

    #[test]
    fn the_wrapper_finds_its_folder_by_itself() {
        assert!(WRAPPER.starts_with("#!/bin/sh\n") && WRAPPER.contains("here=${0%/*}"));
        assert!(!WRAPPER.replace("ARCH", std::env::consts::ARCH).contains("ARCH"));
    }
}
