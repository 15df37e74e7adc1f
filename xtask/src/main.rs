//! `cargo xtask`: from a bare checkout to running tests and a running demo.
//!
//! What a machine must have: Rust, Python 3 with pip, C and C++ compilers with make, Java 17. All else is fetched
//! into `target/tools`, checked, and kept there; nothing outside the repository is touched, except by `rustup target
//! add`, cargo's own cache and, as root on Debian, packages for containers. Linux only. What happens is told on stderr;
//! stdout carries answers alone.

mod chaos;
mod containers;
mod errands;
mod guests;
mod handbook;
mod home;
mod image;
mod kafka;
mod onnxruntime;
mod postgres;
mod process;
mod python;
mod steps;
mod swaps;

use anyhow::Result;
use chaos::Chaos;
use clap::{Args, Parser, Subcommand};
use errands::Demo;
use handbook::Handbook;
use home::Home;
use image::Image;
use kafka::NewTopics;
use std::process::ExitCode;
use swaps::{Soak, Swaps};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, tests and shows Tailwater on a fresh machine.")]
struct Cli {
    #[command(subcommand)]
    errand: Errand,
}

#[derive(Subcommand)]
enum Errand {
    /// Run every test, with plugins, ONNX Runtime and a real Kafka at hand
    Test(Passed),
    /// Check format and lints, then run every test
    Ci,
    /// Run the benchmarks
    Bench(Passed),
    /// Build the plugins and the host, and print the path of the program
    Build,
    /// Build the container image, by podman or Docker, with a program that is built here
    Image(Image),
    /// Build the plugins and test guests into target/guests
    Guests,
    /// Print the path of libonnxruntime, fetched if need be
    Onnxruntime,
    /// Run a real Apache Kafka on loopback; its data is not kept
    Kafka {
        #[command(subcommand)]
        verb: Option<Verb>,
    },
    /// Build and show the fraud demo
    Demo(Demo),
    /// Kill hosts and a real Kafka again and again under load, and compare every output with what it must be
    Chaos(Chaos),
    /// Swap plugins, model and settings of a pipeline that runs, kill its hosts meanwhile, and compare every output
    Swaps(Swaps),
    /// Swap a plugin and the model again and again, and look at what the process holds
    Soak(Soak),
    /// Run the Fraud Detection Handbook's features and models on its data, and compare every number
    Handbook(Handbook),
}

#[derive(Args)]
struct Passed {
    /// Passed on to cargo, as in: cargo xtask test -p tailwater codec:: -- --nocapture
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

#[derive(Subcommand)]
enum Verb {
    /// In the foreground until Ctrl-C; so does `kafka` alone
    Run,
    /// In the background until `stop`; prints its address
    Start,
    /// End the one that `start` started
    Stop,
    /// Create topics
    Create(NewTopics),
}

fn main() -> ExitCode {
    match process::guard().and_then(|()| go(Cli::parse().errand)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn go(errand: Errand) -> Result<ExitCode> {
    let home = Home::find()?;
    match errand {
        Errand::Test(passed) => errands::test(&home, &passed.args)?,
        Errand::Ci => errands::ci(&home)?,
        Errand::Bench(passed) => errands::bench(&home, &passed.args)?,
        Errand::Build => println!("{}", errands::build(&home)?.display()),
        Errand::Image(image) => image::run(&home, &image)?,
        Errand::Guests => println!("{}", guests::build(&home)?.display()),
        Errand::Onnxruntime => println!("{}", onnxruntime::library(&home)?.display()),
        Errand::Kafka { verb } => match verb.unwrap_or(Verb::Run) {
            Verb::Run => kafka::run(&home)?,
            Verb::Start => println!("{}", kafka::start(&home)?),
            Verb::Stop => kafka::stop(&home)?,
            Verb::Create(topics) => kafka::create(&home, &topics)?,
        },
        Errand::Demo(demo) => return errands::demo(&home, &demo),
        Errand::Chaos(chaos) => return chaos::run(&home, &chaos),
        Errand::Swaps(swaps) => return swaps::swaps(&home, &swaps),
        Errand::Soak(soak) => return swaps::soak(&home, &soak),
        Errand::Handbook(handbook) => handbook::run(&home, &handbook)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn passed(line: &[&str]) -> Vec<String> {
        match Cli::parse_from(line).errand {
            Errand::Test(passed) => passed.args,
            _ => Vec::new(),
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_follows_test_goes_to_cargo_with_or_without_dashes_before_it() {
        let want = ["-p", "tailwater", "codec::", "--", "--nocapture"];
        assert_eq!(passed(&["x", "test", "-p", "tailwater", "codec::", "--", "--nocapture"]), want);
        assert_eq!(passed(&["x", "test", "--", "-p", "tailwater", "codec::", "--", "--nocapture"]), want);
    }

    #[test]
    fn demo_takes_kafka_with_and_without_an_address() {
        let kafka = |line: &[&str]| match Cli::parse_from(line).errand {
            Errand::Demo(demo) => demo.kafka,
            _ => None,
        };
        assert_eq!(kafka(&["x", "demo"]), None);
        assert_eq!(kafka(&["x", "demo", "--kafka", "--json"]), Some(None));
        assert_eq!(kafka(&["x", "demo", "--kafka", "h:1"]), Some(Some("h:1".into())));
    }

    #[test]
    fn kafka_takes_verbs_or_none() {
        let verb = |line: &[&str]| match Cli::parse_from(line).errand {
            Errand::Kafka { verb } => verb,
            _ => None,
        };
        assert!(verb(&["x", "kafka"]).is_none());
        assert!(matches!(verb(&["x", "kafka", "stop"]), Some(Verb::Stop)));
        assert!(matches!(
            verb(&["x", "kafka", "create", "--partitions", "2", "a", "b"]),
            Some(Verb::Create(_))
        ));
        assert!(Cli::try_parse_from(["x", "kafka", "create"]).is_err());
    }
}
