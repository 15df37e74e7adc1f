//! Swaps of releases on a real Apache Kafka: `cargo xtask swaps` builds what they need and starts this.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tailwater_tests::chaos;
use tailwater_tests::swaps::{Options, Setup, pause, run};

const USAGE: &str = "swaps [--swaps N] [--every SECONDS] [--kills PERCENT] [--seed S] [--hosts N] [--rate N] \
                     [--folder PATH] [--history true] [--pause true]";

fn main() -> ExitCode {
    let (options, pauses) = match parse(std::env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let is_clean = if pauses {
        let measured = pause::measure(&options);
        println!("\n{measured}");
        measured.ended.is_clean()
    } else {
        let report = run(&options);
        println!("\n{report}");
        report.is_clean()
    };
    if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Pairs of a flag and its value. Gives the options, and whether pauses are measured.
fn parse(mut arguments: impl Iterator<Item = String>) -> Result<(Options, bool), String> {
    let seed = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs());
    let folder = std::env::temp_dir().join(format!("tailwater-swaps-{}", std::process::id()));
    let setup = Setup { ground: chaos::Options::ground(), hosts: 2, rate: 1_000, seed, folder };
    let (every, history) = (Duration::from_secs(2), false);
    let mut options = Options { setup, script: &[], swaps: 100, every, kills: 20, history };
    let mut pauses = false;
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let wrong = || format!("{flag}: {value:?} is not understood");
        let number = || value.parse::<u64>().map_err(|_| wrong());
        let setup = &mut options.setup;
        match flag.as_str() {
            "--swaps" => options.swaps = number()? as usize,
            "--every" => {
                let seconds = value.parse().map_err(|_| wrong())?;
                options.every = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
            }
            "--kills" => options.kills = number()?,
            "--seed" => setup.seed = number()?,
            "--hosts" => setup.hosts = (number()? as usize).max(1),
            "--rate" => setup.rate = number()?.max(1),
            "--folder" => setup.folder = PathBuf::from(&value),
            "--history" => options.history = value.parse().map_err(|_| wrong())?,
            "--pause" => pauses = value.parse().map_err(|_| wrong())?,
            _ => return Err(format!("{flag} is unknown")),
        }
    }
    Ok((options, pauses))
}
