//! The jobs of `tests/src/swaps.rs` and `tests/src/soak.rs`: releases are swapped on a Kafka of their own.

use crate::errands::{code, overrides, programs};
use crate::guests;
use crate::home::{Home, variable};
use crate::kafka;
use crate::onnxruntime;
use crate::process::Job;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;
use std::time::SystemTime;

#[derive(Args, Debug)]
pub(crate) struct Swaps {
    /// Releases that come
    #[arg(long, value_name = "N", default_value_t = 100)]
    swaps: usize,
    /// Seconds from one to the next, at the least
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    every: f64,
    /// At so many of a hundred a host is killed
    #[arg(long, value_name = "PERCENT", default_value_t = 20)]
    kills: u64,
    #[arg(long, value_name = "N", default_value_t = 2)]
    hosts: usize,
    /// Releases are begun from history, and taken back meanwhile, between ordinary ones
    #[arg(long)]
    history: bool,
    /// Measure how long outputs stand still, instead: with swaps and, for as long, without; no host is killed
    #[arg(long)]
    pause: bool,
    #[command(flatten)]
    load: Load,
}

#[derive(Args, Debug)]
pub(crate) struct Soak {
    /// Releases that come, one when the one before runs
    #[arg(long, value_name = "N", default_value_t = 200)]
    swaps: usize,
    /// By so much memory may grow
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    growth: u64,
    #[command(flatten)]
    load: Load,
}

#[derive(Args, Debug)]
struct Load {
    /// Draws rows and events; without it, the clock's
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Purchases a second
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    rate: u64,
}

/// Builds all that is needed and swaps. With TAILWATER_KAFKA set it uses that one.
pub(crate) fn swaps(home: &Home, swaps: &Swaps) -> Result<ExitCode> {
    run(home, "swaps", &swaps.load, swaps.flags())
}

/// The same, for long.
pub(crate) fn soak(home: &Home, soak: &Soak) -> Result<ExitCode> {
    run(home, "soak", &soak.load, soak.flags())
}

fn run(home: &Home, program: &str, load: &Load, flags: Vec<String>) -> Result<ExitCode> {
    let (library, guests) = (onnxruntime::library(home)?, guests::build(home)?);
    programs(home, "host and swaps", &["tailwater", "tailwater-tests"])?;
    let now = || SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs());
    let seed = load.seed.unwrap_or_else(now);
    let folder = home.target.join(format!("{program}-{seed}-{}", std::process::id()));
    let mut job = Job::new(home.target.join("release").join(program));
    job.args(flags).args(load.flags(seed)).arg("--folder").arg(folder).within(&home.root);
    job.without(&overrides()).env("TAILWATER_GUESTS", guests).env("TAILWATER_ONNXRUNTIME", library);
    if variable("TAILWATER_KAFKA").is_none() {
        job.env("TAILWATER_KAFKA_LIBRARIES", kafka::libraries(home)?);
    }
    Ok(code(job.status()?))
}

impl Swaps {
    fn flags(&self) -> Vec<String> {
        pairs([
            ("--swaps", self.swaps.to_string()),
            ("--every", self.every.to_string()),
            ("--kills", self.kills.to_string()),
            ("--hosts", self.hosts.to_string()),
            ("--history", self.history.to_string()),
            ("--pause", self.pause.to_string()),
        ])
    }
}

impl Soak {
    fn flags(&self) -> Vec<String> {
        pairs([("--swaps", self.swaps.to_string()), ("--growth", self.growth.to_string())])
    }
}

impl Load {
    fn flags(&self, seed: u64) -> Vec<String> {
        pairs([("--seed", seed.to_string()), ("--rate", self.rate.to_string())])
    }
}

fn pairs(flags: impl IntoIterator<Item = (&'static str, String)>) -> Vec<String> {
    flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    enum Line {
        Swaps(Swaps),
        Soak(Soak),
    }

    fn flags(line: &str) -> String {
        match Line::try_parse_from(line.split_whitespace()).unwrap() {
            Line::Swaps(swaps) => [swaps.flags(), swaps.load.flags(7)].concat().join(" "),
            Line::Soak(soak) => [soak.flags(), soak.load.flags(7)].concat().join(" "),
        }
    }

    #[test]
    fn flags_are_passed_on_by_their_names() {
        let all =
            "--swaps 100 --every 2 --kills 20 --hosts 2 --history false --pause false --seed 7 --rate 1000";
        assert_eq!(flags("x swaps"), all);
        assert!(
            flags("x swaps --pause --every 0.5")
                .contains("--every 0.5 --kills 20 --hosts 2 --history false --pause true")
        );
        assert_eq!(flags("x soak --swaps 9"), "--swaps 9 --growth 64 --seed 7 --rate 1000");
    }
}
