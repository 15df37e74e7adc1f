//! Kafka's jars, from the Maven repository, each checked against `kafka.lock`.
//!
//! The lock has what Maven resolves for Kafka at run time, kafka-tools for its command that makes topics, and
//! log4j-slf4j-impl, without which Kafka's log stays empty.
//! The jars come by `mvn` where it is installed, so that the user's settings count; a machine without has Python at
//! least, and a Maven client for Python is on the package index.

use crate::home::{Home, check_sha256, in_path, remove, sha256, variable};
use crate::process::Job;
use crate::python;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

pub(super) const VERSION: &str = "4.2.2";
const LOCK: &str = include_str!("../../kafka.lock");
const PYTHON_CLIENT: &str = "jgo==3.2.0";
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
const ADVICE: &str = "See that this machine reaches the Maven repository, or set TAILWATER_MAVEN to the address of a \
                      mirror; or start a Kafka yourself and set TAILWATER_KAFKA=HOST:PORT.";

#[derive(Clone, Copy, Debug, PartialEq)]
struct Jar<'a> {
    sum: &'a str,
    group: &'a str,
    artifact: &'a str,
    version: &'a str,
}

/// The folder with the jars.
pub(crate) fn libraries(home: &Home) -> Result<PathBuf> {
    // A folder of its own for each lock: one that is there would be taken as it is.
    home.tool(&format!("kafka-{VERSION}-{}", &sha256(LOCK.as_bytes())[..8]), |part| {
        let jars = locked(LOCK)?;
        let mirror = variable("TAILWATER_MAVEN");
        // A mirror is named for us alone; Maven would want it in its settings.
        if in_path("mvn") && mirror.is_none() {
            home.steps
                .quiet("fetch", &format!("Apache Kafka {VERSION} by Maven"), || by_maven(part, &jars))?;
        } else {
            let client = client(home)?;
            let python = python::python(home)?;
            home.steps.quiet("fetch", &format!("Apache Kafka {VERSION}"), || {
                by_python(home, &python, &client, part, mirror.as_deref())
            })?;
        }
        jars.iter().try_for_each(|jar| check_sha256(&part.join(jar.file()), jar.sum))
    })
}

/// Asks for exactly the locked jars, so that nothing is left to resolve.
fn by_maven(part: &Path, jars: &[Jar<'_>]) -> Result<()> {
    let (pom, repository) = (part.join("pom.xml"), part.join("repository"));
    fs::write(&pom, project(jars))?;
    let mut maven = Job::new("mvn");
    maven.args(["--quiet", "--batch-mode", COPY, "-DexcludeTransitive=true", "--file"]).arg(&pom);
    maven.arg(format!("-Dmaven.repo.local={}", repository.display()));
    maven.arg(format!("-DoutputDirectory={}", part.display()));
    maven.advise(ADVICE).run()?;
    remove(&pom)?;
    remove(&repository)
}

fn by_python(home: &Home, python: &Path, client: &Path, part: &Path, mirror: Option<&str>) -> Result<()> {
    let xtask = home.root.join("xtask");
    let mut job = Job::new(python);
    job.arg(xtask.join("fetch_jars.py")).arg(xtask.join("kafka.lock")).arg(part).args(mirror);
    // The client brings roots of its own; those that this machine trusts go before them.
    let own =
        variable("REQUESTS_CA_BUNDLE").or_else(|| variable("SSL_CERT_FILE")).or_else(|| variable("PIP_CERT"));
    if let Some(roots) = own {
        job.env("REQUESTS_CA_BUNDLE", roots);
    }
    job.env("PYTHONPATH", client).env("PYTHONDONTWRITEBYTECODE", "1").advise(ADVICE).run()
}

/// The folder of the Maven client for Python.
fn client(home: &Home) -> Result<PathBuf> {
    home.tool("maven-client", |part| {
        let mut pip = python::pip(home, "install")?;
        home.steps.quiet("fetch", "a Maven client for Python", || {
            pip.arg("--target").arg(part).arg(PYTHON_CLIENT).run()
        })
    })
}

/// Reads lines of `SHA256  GROUP:ARTIFACT:VERSION`.
fn locked(lock: &str) -> Result<Vec<Jar<'_>>> {
    lock.lines().map(|line| jar(line).with_context(|| format!("kafka.lock has a bad line: {line}"))).collect()
}

fn jar(line: &str) -> Option<Jar<'_>> {
    let (sum, name) = line.split_once("  ")?;
    let mut parts = name.split(':');
    let jar = Jar { sum, group: parts.next()?, artifact: parts.next()?, version: parts.next()? };
    (parts.next().is_none() && sum.len() == 64).then_some(jar)
}

impl Jar<'_> {
    fn file(&self) -> String {
        format!("{}-{}.jar", self.artifact, self.version)
    }
}

fn project(jars: &[Jar<'_>]) -> String {
    let dependency = |jar: &Jar<'_>| {
        format!(
            "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>\n",
            jar.group, jar.artifact, jar.version
        )
    };
    format!(
        "<project>\n<modelVersion>4.0.0</modelVersion>\n<groupId>tailwater</groupId><artifactId>kafka</artifactId>\
         <version>1</version>\n<dependencies>\n{}</dependencies>\n</project>\n",
        jars.iter().map(dependency).collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_lock_is_whole() {
        let jars = locked(LOCK).unwrap();
        let kafka = jars.iter().find(|jar| jar.artifact == "kafka_2.13").unwrap();
        assert_eq!((kafka.group, kafka.version), ("org.apache.kafka", VERSION));
        assert!(jars.iter().any(|jar| jar.artifact == "kafka-tools" && jar.version == VERSION));
        // All end in one folder.
        assert_eq!(jars.iter().map(Jar::file).collect::<HashSet<_>>().len(), jars.len());
    }

    #[test]
    fn a_line_that_lacks_something_is_refused() {
        let sum = "0".repeat(64);
        assert!(locked(&format!("{sum}  g:a:1\n")).is_ok());
        for bad in
            [format!("{sum}  g:a"), format!("{sum}  g:a:1:2"), "12  g:a:1".into(), format!("{sum} g:a:1")]
        {
            assert!(locked(&bad).is_err(), "{bad}");
        }
    }
}
