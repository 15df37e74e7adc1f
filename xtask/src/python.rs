//! The machine's Python: it brings in what package indexes have.

use crate::home::{Home, sha256};
use crate::process::Job;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

const ADVICE: &str = "Install Python 3 with pip (Debian, Ubuntu: apt-get install python3-pip python3-venv), and see that \
                      it reaches a package index.";

/// A Python that has pip: the machine's, or one in an environment of ours where the machine's comes without.
pub(crate) fn python(home: &Home) -> Result<PathBuf> {
    let plain = PathBuf::from("python3");
    if Job::new(&plain).args(["-m", "pip", "--version"]).advise(ADVICE).output().is_ok() {
        return Ok(plain);
    }
    // An environment knows its own path, so it can't be made elsewhere and renamed: it is made in place, last step last.
    let place = home.tools().join("python");
    let python = place.join("bin/python3");
    if Job::new(&python).args(["-m", "pip", "--version"]).output().is_err() {
        home.steps.quiet("make", "Python environment", || {
            Job::new(&plain).args(["-m", "venv", "--clear"]).arg(&place).advise(ADVICE).run()
        })?;
    }
    Ok(python)
}

/// `pip VERB`, quiet, with no trace outside what the caller names.
pub(crate) fn pip(home: &Home, verb: &str) -> Result<Job> {
    let mut job = Job::new(python(home)?);
    job.args([
        "-m",
        "pip",
        verb,
        "--quiet",
        "--disable-pip-version-check",
        "--no-cache-dir",
        "--only-binary=:all:",
    ]);
    job.advise(ADVICE);
    Ok(job)
}

/// The folder with the packages of a requirements file: what PYTHONPATH needs. Another file, or another Python, has
/// another one.
pub(crate) fn packages(home: &Home, name: &str, requirements: &Path) -> Result<PathBuf> {
    let wanted = fs::read_to_string(requirements).with_context(|| requirements.display().to_string())?;
    let version = Job::new(python(home)?).args(["-c", "import sys; print(sys.version)"]).output()?;
    let sum = sha256(format!("{version}{wanted}").as_bytes());
    home.tool(&format!("{name}-packages-{}", &sum[..8]), |part| {
        home.steps.quiet("fetch", &format!("Python packages for {name}"), || {
            pip(home, "install")?.arg("--target").arg(part).arg("--requirement").arg(requirements).run()
        })
    })
}
