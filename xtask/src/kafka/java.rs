//! The Java runtime, and Kafka's programs in it.

use crate::home::{in_path, variable};
use crate::process::Job;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

const OLDEST: u32 = 17;
const NEED: &str = "Install a Java runtime, 17 or newer (Debian, Ubuntu: apt-get install openjdk-17-jre-headless), \
                    or start a Kafka elsewhere and set TAILWATER_KAFKA=HOST:PORT.";

pub(super) struct Java {
    program: PathBuf,
    libraries: PathBuf,
}

impl Java {
    /// The machine's, for programs in these jars.
    pub(super) fn find(libraries: &Path) -> Result<Self> {
        let home =
            variable("JAVA_HOME").map(|home| Path::new(&home).join("bin/java")).filter(|java| java.is_file());
        if home.is_none() && !in_path("java") {
            bail!("Kafka needs Java, and there is none in PATH\n  to do  {NEED}");
        }
        let program = home.unwrap_or_else(|| "java".into());
        let said = Job::new(&program).arg("--version").advise(NEED).output()?;
        match major(&said) {
            Some(major) if major < OLDEST => {
                bail!("Kafka needs Java {OLDEST}, and this is {major}\n  to do  {NEED}")
            }
            _ => Ok(Self { program, libraries: libraries.to_owned() }),
        }
    }

    /// A class with a `main`.
    pub(super) fn job(&self, options: &[&str], class: &str) -> Job {
        let mut job = Job::new(&self.program);
        job.args(options).arg("-cp").arg(format!("{}/*", self.libraries.display())).arg(class);
        job.without(&["JAVA_TOOL_OPTIONS", "CLASSPATH"]);
        job
    }

    /// The same, for one that ends soon.
    pub(super) fn tool(&self, options: &[&str], class: &str) -> Job {
        self.job(&[&["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"], options].concat(), class)
    }
}

/// Of `openjdk 17.0.15 2025-04-15`: 17.
fn major(said: &str) -> Option<u32> {
    said.split_whitespace().nth(1)?.split(['.', '-']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn javas_version_is_read_in_all_its_styles() {
        let said = [
            "openjdk 17.0.15 2025-04-15\nOpenJDK Runtime",
            "java 11 2018-09-25",
            "openjdk 26-ea 2026-03-17",
            "x",
        ];
        assert_eq!(said.map(major), [Some(17), Some(11), Some(26), None]);
    }
}
