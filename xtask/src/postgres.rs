//! PostgreSQL's programs for tests: the user's, installed ones, or those of Debian's package, which root may install.

use crate::home::{Home, in_path, variable};
use crate::process::Job;
use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

const GIVEN: &str = "TAILWATER_POSTGRES";
const PROGRAMS: [&str; 3] = ["initdb", "postgres", "psql"];
/// Where versions lie side by side, each with its programs.
const KNOWN: [&str; 2] = ["/usr/lib/postgresql", "/opt/postgresql"];

/// The folder of the programs.
pub(crate) fn programs(home: &Home) -> Result<PathBuf> {
    if let Some(path) = variable(GIVEN) {
        let path = PathBuf::from(path);
        if !has_all(&path) {
            bail!("{GIVEN} is {}, and {} are not all there", path.display(), PROGRAMS.join(", "));
        }
        return Ok(path);
    }
    if let Some(path) = installed() {
        return Ok(path);
    }
    if in_path("apt-get") && is_root() {
        home.steps.quiet("install", "PostgreSQL by apt-get", || {
            let apt = |args: &[&str]| {
                let mut job = Job::new("apt-get");
                job.env("DEBIAN_FRONTEND", "noninteractive").args(args);
                job.advise("See that apt-get reaches Debian's packages.").run()
            };
            apt(&["update", "-qq"])?;
            apt(&["install", "-y", "-qq", "--no-install-recommends", "postgresql"])
        })?;
    }
    match installed() {
        Some(path) => Ok(path),
        None => bail!(
            "the tests need PostgreSQL's programs {}, and none are installed\n  \
             to do  apt-get install postgresql, or set {GIVEN} to the folder that has them",
            PROGRAMS.join(", ")
        ),
    }
}

/// The newest of the versions side by side; else what is in PATH.
fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let newest = KNOWN.iter().find_map(|base| newest(Path::new(base)));
    newest.or_else(|| std::env::split_paths(&path).find(|folder| has_all(folder)))
}

fn newest(base: &Path) -> Option<PathBuf> {
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let entries = fs::read_dir(base).ok()?.flatten();
    let versions = entries.filter_map(|entry| Some((version(&entry.path())?, entry.path().join("bin"))));
    versions.filter(|(_, folder)| has_all(folder)).max().map(|(_, folder)| folder)
}

fn has_all(folder: &Path) -> bool {
    PROGRAMS.iter().all(|name| folder.join(name).is_file())
}

fn is_root() -> bool {
    // SAFETY: a system call without arguments.
    unsafe { libc::geteuid() == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::remove;

    #[test]
    fn the_newest_version_that_is_whole_is_taken() {
        let base = std::env::temp_dir().join(format!("xtask-postgres-{}", std::process::id()));
        for (version, programs) in [("9", &PROGRAMS[..]), ("15", &PROGRAMS[..]), ("16", &PROGRAMS[..1])] {
            let folder = base.join(version).join("bin");
            fs::create_dir_all(&folder).unwrap();
            programs.iter().for_each(|name| fs::write(folder.join(name), "").unwrap());
        }
        fs::create_dir_all(base.join("common")).unwrap();
        assert_eq!(newest(&base), Some(base.join("15/bin")));
        assert_eq!(newest(&base.join("15")), None);
        remove(&base).unwrap();
    }
}
