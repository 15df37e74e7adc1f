//! `cargo xtask`: from a bare checkout to running tests and a running demo.
//!
//! What a machine must have: Rust, Python 3 with pip, C and C++ compilers with make, Java 17. All else is fetched
//! into `target/tools`, checked, and kept there; nothing outside the repository is touched, except by `rustup target
//! add` and cargo's own cache. Linux only. What happens is told on stderr; stdout carries answers alone.

mod errands;
mod guests;
mod home;
mod kafka;
mod onnxruntime;
mod process;
mod python;
mod steps;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use errands::Demo;
use home::Home;
use std::process::ExitCode;

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
    /// Build the plugins and test guests into target/guests
    Guests,
    /// Print the path of libonnxruntime, fetched if need be
    Onnxruntime,
    /// Run a real Apache Kafka on loopback; its data is not kept
    Kafka {
        #[arg(value_enum, default_value = "run")]
        verb: Verb,
    },
    /// Build and show the fraud demo
    Demo(Demo),
}

#[derive(Args)]
struct Passed {
    /// Passed on to cargo, as in: cargo xtask test -p tailwater codec:: -- --nocapture
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

#[derive(Clone, ValueEnum)]
enum Verb {
    /// In the foreground until Ctrl-C
    Run,
    /// In the background until `stop`
    Start,
    /// End the one that `start` started
    Stop,
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
        Errand::Guests => println!("{}", guests::build(&home)?.display()),
        Errand::Onnxruntime => println!("{}", onnxruntime::library(&home)?.display()),
        Errand::Kafka { verb: Verb::Run } => kafka::run(&home)?,
        Errand::Kafka { verb: Verb::Start } => println!("{}", kafka::start(&home)?),
        Errand::Kafka { verb: Verb::Stop } => kafka::stop(&home)?,
        Errand::Demo(demo) => return errands::demo(&home, &demo),
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
}
