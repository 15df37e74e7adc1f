//! The image that a program's shared libraries are taken from: of the same system as this machine, which linked it.

use super::{Engine, install, registries_only};
use crate::home::{Home, in_path, remove, variable};
use crate::process::Job;
use anyhow::{Context, Result, bail};
use std::fs;

/// Names another one.
pub(super) const GIVEN: &str = "TAILWATER_BASE_IMAGE";

pub(super) fn image(home: &Home, engine: &Engine) -> Result<String> {
    if let Some(given) = variable(GIVEN) {
        return Ok(given);
    }
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let (name, release) = (value(&system, "ID"), value(&system, "VERSION_CODENAME"));
    match (name, release) {
        (Some(name @ ("debian" | "ubuntu")), Some(release)) if registries_only() => {
            made(home, engine, name, release)
        }
        (Some("debian"), Some(release)) => Ok(format!("docker.io/library/debian:{release}-slim")),
        (Some("ubuntu"), Some(release)) => Ok(format!("docker.io/library/ubuntu:{release}")),
        _ => bail!(
            "no base image is known for this system, {}\n  to do  Set {GIVEN} to one that has the C library of this \
             machine, and apt-get. Or build by `docker build --file deploy/Dockerfile .`, which compiles in a container.",
            value(&system, "PRETTY_NAME").unwrap_or("which has no /etc/os-release")
        ),
    }
}

/// Of `/etc/os-release`.
fn value<'a>(system: &'a str, key: &str) -> Option<&'a str> {
    let lines = system.lines().filter_map(|line| line.split_once('='));
    lines.filter(|(name, _)| *name == key).map(|(_, value)| value.trim_matches('"')).next()
}

/// Made of Debian's packages, once.
fn made(home: &Home, engine: &Engine, name: &str, release: &str) -> Result<String> {
    let image = format!("localhost/{name}:{release}-slim");
    if engine.has(&image) {
        return Ok(image);
    }
    if !in_path("debootstrap") {
        install(home, &["debootstrap"])?;
    }
    home.steps.quiet("make", &format!("base image {image} (a minute, once)"), || {
        let folder = home.target.join("containers/base");
        let archive = folder.with_extension("tar");
        remove(&folder)?;
        Job::new("debootstrap").args(["--variant=minbase", release]).arg(&folder).run()?;
        let mut tar = Job::new("tar");
        // What was downloaded for it.
        tar.args(["--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*", "--exclude=./dev/*"]);
        tar.arg("-cf").arg(&archive).arg("-C").arg(&folder).arg(".").run()?;
        engine.job("import").arg(&archive).arg(&image).run()?;
        remove(&archive)?;
        remove(&folder).context("a file system of the base may still be mounted there")
    })?;
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_what_it_is() {
        let system = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\nVERSION_CODENAME=bookworm\n";
        assert_eq!(
            (value(system, "ID"), value(system, "VERSION_CODENAME")),
            (Some("debian"), Some("bookworm"))
        );
        assert_eq!(value("ID_LIKE=debian\n", "ID"), None);
    }
}
