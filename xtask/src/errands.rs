//! The errands that need several things at hand: build, test, ci, bench, demo.
//!
//! What they compile is shared: whatever packages are selected, dependencies have the same features (a test below
//! sees to it), so that wasmtime is compiled once.

use crate::guests;
use crate::home::{Home, variable};
use crate::image::{self, Built, Profile};
use crate::kafka::{self, Broker};
use crate::onnxruntime;
use crate::postgres;
use crate::process::Job;
use crate::python;
use anyhow::Result;
use clap::Args;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};

/// What tests and demo find in their environment.
struct Surroundings {
    guests: PathBuf,
    onnxruntime: PathBuf,
}

impl Surroundings {
    fn prepare(home: &Home) -> Result<Self> {
        Ok(Self { onnxruntime: onnxruntime::library(home)?, guests: guests::build(home)? })
    }

    fn give(&self, job: &mut Job) {
        job.env("TAILWATER_GUESTS", &self.guests).env("TAILWATER_ONNXRUNTIME", &self.onnxruntime);
    }
}

/// Builds plugins and host; returns the path of the program.
pub(crate) fn build(home: &Home) -> Result<PathBuf> {
    guests::build(home)?;
    programs(home, "host", &["tailwater"])?;
    Ok(home.target.join("release/tailwater"))
}

/// Builds the host's program with a profile; returns its path.
pub(crate) fn program(home: &Home, profile: Profile) -> Result<PathBuf> {
    let profile = profile.name();
    home.steps.loud("build", &format!("host, {profile}"), || {
        let mut cargo = Job::cargo();
        cargo.args(["build", "--profile", profile, "--package", "tailwater", "--bin", "tailwater"]);
        cargo.within(&home.root).advise("Repair what the compiler names above.").show()
    })?;
    Ok(home.target.join(profile).join("tailwater"))
}

/// Builds the programs of some packages, to be found in cargo's target folder under `release`.
pub(crate) fn programs(home: &Home, what: &str, packages: &[&str]) -> Result<()> {
    home.steps.loud("build", what, || {
        let mut cargo = Job::cargo();
        cargo.args(["build", "--release", "--bins"]).within(&home.root);
        cargo.args(packages.iter().flat_map(|package| ["--package", package]));
        cargo.advise("Repair what the compiler names above.").show()
    })
}

pub(crate) fn test(home: &Home, args: &[String]) -> Result<()> {
    let result = all_tests(home, args);
    home.steps.print_table();
    result
}

pub(crate) fn ci(home: &Home) -> Result<()> {
    let result = lint(home).and_then(|()| all_tests(home, &[]));
    home.steps.print_table();
    result
}

fn lint(home: &Home) -> Result<()> {
    let checks: [(&[&str], &str); 2] = [
        (&["fmt", "--all", "--check"], "Run `cargo fmt`. If cargo has no fmt: rustup component add rustfmt."),
        (
            &["clippy", "--workspace", "--all-targets", "--release", "--", "-D", "warnings"],
            "Repair what clippy names above. If cargo has no clippy: rustup component add clippy.",
        ),
    ];
    checks.iter().try_for_each(|(args, advice)| {
        let name = format!("cargo {}", args.join(" "));
        home.steps.loud("check", &name, || Job::cargo().args(*args).within(&home.root).advise(advice).show())
    })
}

fn all_tests(home: &Home, args: &[String]) -> Result<()> {
    let surroundings = Surroundings::prepare(home)?;
    let (selection, rest) = selection(args);
    let overrides = overrides();
    let cargo = |more: &[&str]| {
        let mut job = Job::cargo();
        job.args(["test", "--release", "--no-fail-fast"]).args(more).args(&selection).within(&home.root);
        // Pipelines of tests are what they say, whatever the user has set for his own.
        job.without(&overrides);
        surroundings.give(&mut job);
        job
    };
    let needs_the_program = needs_the_program(&selection);
    let mut postgres = None;
    if needs_the_program {
        postgres = Some(postgres::programs(home)?);
        programs(home, "host", &["tailwater"])?;
    }
    // The broker comes after the compiler, so that they don't share the machine.
    let advice = "Repair what the compiler names above.";
    home.steps.loud("build", "tests", || cargo(&["--no-run"]).advise(advice).show())?;
    let deployed = if needs_the_program { deployed(home)? } else { Vec::new() };
    let broker = if variable("TAILWATER_KAFKA").is_some() { None } else { Some(kafka::launch(home)?) };
    let libraries = broker.as_ref().map(|_| kafka::libraries(home)).transpose()?;
    home.steps.loud("test", &selection.join(" "), || {
        let mut job = cargo(&[]);
        for (name, value) in &deployed {
            job.env(name, value);
        }
        if let Some(broker) = &broker {
            job.env("TAILWATER_KAFKA", broker.address());
        }
        if let Some(libraries) = &libraries {
            // For a test that kills its broker.
            job.env("TAILWATER_KAFKA_LIBRARIES", libraries);
        }
        if let Some(postgres) = &postgres {
            job.env("TAILWATER_POSTGRES", postgres);
        }
        let advice = broker.as_ref().map_or_else(String::new, |broker| {
            format!("Failed tests are listed above. Kafka's log: {}", broker.log().display())
        });
        job.args(&rest).advise(&advice).show()
    })?;
    broker.map_or(Ok(()), Broker::close)
}

/// What tests of the image, and of what describes its surroundings, find in their environment.
fn deployed(home: &Home) -> Result<Vec<(&'static str, OsString)>> {
    let schemas = python::packages(home, "tests", &home.root.join("tests/requirements.txt"))?;
    let mut variables =
        vec![("TAILWATER_PYTHON", python::python(home)?.into()), ("TAILWATER_SCHEMAS", schemas.into())];
    match image::for_tests(home) {
        Ok(Built { engine, tag }) => {
            variables.extend([("TAILWATER_CONTAINERS", engine.into()), ("TAILWATER_IMAGE", tag.into())]);
        }
        // Tests that need it fail and say why; the others are worth running.
        Err(error) => {
            let error = format!("there is no container image: {error:#}");
            eprintln!("\n{error}\n");
            variables.push(("TAILWATER_NO_IMAGE", error.into()));
        }
    }
    Ok(variables)
}

/// Whether there are tests that start the built program: cargo does not know, and might leave an old one.
fn needs_the_program(selection: &[String]) -> bool {
    let whole = |arg: &String| arg == "--workspace" || arg == "--all";
    selection.iter().any(|arg| whole(arg) || arg.contains("tailwater-tests") || arg.contains('*'))
}

/// Variables that change pipelines.
pub(crate) fn overrides() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| name.starts_with("TAILWATER__")).collect()
}

/// Splits what the user passed into what cargo selects by and, from `--` on, what the tests get. All of the workspace
/// unless packages are named.
fn selection(args: &[String]) -> (Vec<String>, Vec<String>) {
    let at = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    let (cargo, rest) = (&args[..at], &args[at..]);
    let named = cargo.iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package"));
    let all = (!named).then(|| "--workspace".to_owned());
    (all.into_iter().chain(cargo.iter().cloned()).collect(), rest.to_vec())
}

pub(crate) fn bench(home: &Home, args: &[String]) -> Result<()> {
    let surroundings = Surroundings::prepare(home)?;
    let (selection, rest) = selection(args);
    let mut job = Job::cargo();
    job.arg("bench").args(&selection).args(&rest).within(&home.root);
    surroundings.give(&mut job);
    home.steps.loud("bench", &selection.join(" "), || job.show())
}

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// How long it runs
    #[arg(long, value_name = "N", default_value_t = 20)]
    seconds: u64,
    /// Run until Ctrl-C
    #[arg(long, conflicts_with = "seconds")]
    forever: bool,
    /// Print one line of JSON at the end, and nothing else, on stdout
    #[arg(long)]
    json: bool,
    /// Use a real Kafka instead of the embedded broker: this one, or one that is started for the time
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) kafka: Option<Option<String>>,
}

pub(crate) fn demo(home: &Home, demo: &Demo) -> Result<ExitCode> {
    let surroundings = Surroundings::prepare(home)?;
    programs(home, "host and demo", &["tailwater", "fraud-demo"])?;
    let (broker, address) = match &demo.kafka {
        None => (None, None),
        Some(Some(address)) => (None, Some(address.clone())),
        Some(None) => {
            let broker = kafka::launch(home)?;
            let address = broker.address();
            (Some(broker), Some(address))
        }
    };
    let mut job = Job::new(home.target.join("release/fraud-demo"));
    job.args(demo.flags(address)).within(&home.root);
    surroundings.give(&mut job);
    let status = job.status()?;
    if status.success() {
        broker.map_or(Ok(()), Broker::close)?;
    }
    Ok(code(status))
}

impl Demo {
    fn flags(&self, brokers: Option<String>) -> Vec<String> {
        let mut flags = if self.forever {
            vec!["--forever".to_owned()]
        } else {
            vec!["--seconds".to_owned(), self.seconds.to_string()]
        };
        flags.extend(self.json.then(|| "--json".to_owned()));
        flags.extend(brokers.into_iter().flat_map(|address| ["--brokers".to_owned(), address]));
        flags
    }
}

/// Its exit code as ours; as a shell does, 128 more than the signal that ended it.
pub(crate) fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn tests_are_the_workspaces_unless_a_package_is_named() {
        let split = |line: &str| selection(&words(line));
        assert_eq!(split(""), (words("--workspace"), vec![]));
        assert_eq!(split("codec:: -- --nocapture"), (words("--workspace codec::"), words("-- --nocapture")));
        assert_eq!(split("-p tailwater --lib"), (words("-p tailwater --lib"), vec![]));
        assert_eq!(split("-ptailwater"), (words("-ptailwater"), vec![]));
        assert_eq!(split("-- -p"), (words("--workspace"), words("-- -p")));
    }

    #[test]
    fn the_program_is_built_for_tests_that_start_it() {
        let needs = |line: &str| needs_the_program(&words(line));
        for line in
            ["--workspace --test suite", "-p tailwater-tests", "--package=tailwater-tests", "-p tail*"]
        {
            assert!(needs(line), "{line}");
        }
        assert!(!needs("-p tailwater --lib") && !needs("-p xtask -p tailwater-sdk"));
    }

    /// Else a demo after the tests would compile wasmtime once more. Where this fails: name the package with that
    /// feature among the host's dependencies.
    #[test]
    fn every_selection_of_packages_has_the_same_features() {
        let features = |selection: &[&str], edges: &str| -> BTreeSet<String> {
            let mut cargo = Job::cargo();
            cargo.args(["tree", "--offline", "--prefix", "none", "--no-dedupe", "--format", "{p} {f}"]);
            // What runs in the compiler is built apart.
            cargo.args(selection).args(["--edges", &format!("{edges},no-proc-macro")]);
            cargo.within(Path::new(env!("CARGO_MANIFEST_DIR")));
            cargo.output().unwrap().lines().map(str::to_owned).collect()
        };
        let all = features(&["--workspace"], "normal,dev");
        for (package, edges) in [
            ("tailwater", "normal"),
            ("fraud-demo", "normal"),
            ("tailwater", "normal,dev"),
            ("tailwater-tests", "normal"),
            ("tailwater-tests", "normal,dev"),
        ] {
            let apart: Vec<_> = features(&["--package", package], edges).difference(&all).cloned().collect();
            assert!(apart.is_empty(), "{package} alone has: {apart:#?}");
        }
    }

    #[test]
    fn the_demo_gets_its_flags() {
        let demo = Demo { seconds: 5, forever: false, json: true, kafka: None };
        assert_eq!(demo.flags(Some("h:1".into())), words("--seconds 5 --json --brokers h:1"));
        assert_eq!(Demo { forever: true, json: false, ..demo }.flags(None), words("--forever"));
    }

    #[test]
    fn a_demo_that_was_killed_did_not_succeed() {
        assert_eq!(code(ExitStatus::from_raw(3 << 8)), ExitCode::from(3));
        assert_eq!(code(ExitStatus::from_raw(9)), ExitCode::from(137));
    }
}
