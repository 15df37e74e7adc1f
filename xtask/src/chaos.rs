//! The chaos job: campaigns of `tests/src/chaos.rs`, each on a Kafka of its own, which it kills too.

use crate::errands::{code, overrides, programs};
use crate::guests;
use crate::home::{Home, variable};
use crate::kafka;
use crate::process::Job;
use anyhow::Result;
use clap::{Args, ValueEnum};
use std::process::ExitCode;
use std::time::SystemTime;

#[derive(Args, Debug)]
pub(crate) struct Chaos {
    /// Kills, stops, starts and freezes, of each campaign
    #[arg(long, value_name = "N", default_value_t = 200)]
    events: usize,
    /// Between two events, once all goes on again: FROM..TO
    #[arg(long, value_name = "RANGE", default_value = "0..2")]
    seconds_between: String,
    /// Draws events and rows; without it, the clock's
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// The only one that runs
    #[arg(long, value_enum, value_name = "NAME")]
    campaign: Option<Campaign>,
    /// Hosts at first; later there are two to four
    #[arg(long, value_name = "N", default_value_t = 3)]
    hosts: usize,
    /// Purchases a second
    #[arg(long, value_name = "N", default_value_t = 1_500)]
    rate: u64,
    /// What the pipelines promise; at-least-once shows that faults are found
    #[arg(long, value_enum, default_value_t = Delivery::ExactlyOnce)]
    delivery: Delivery,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Campaign {
    Arrival,
    TwoKeys,
    Close,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Delivery {
    ExactlyOnce,
    AtLeastOnce,
}

/// Builds all that is needed and runs campaigns. With TAILWATER_KAFKA set it uses that one, and leaves it alone.
pub(crate) fn run(home: &Home, chaos: &Chaos) -> Result<ExitCode> {
    let guests = guests::build(home)?;
    programs(home, "host and campaigns", &["tailwater", "tailwater-tests"])?;
    let seed =
        chaos.seed.unwrap_or_else(|| SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs()));
    let folder = home.target.join(format!("chaos-{seed}-{}", std::process::id()));
    let mut job = Job::new(home.target.join("release/chaos"));
    job.args(chaos.flags(seed)).arg("--folder").arg(folder).within(&home.root);
    job.without(&overrides()).env("TAILWATER_GUESTS", guests);
    if variable("TAILWATER_KAFKA").is_none() {
        job.env("TAILWATER_KAFKA_LIBRARIES", kafka::libraries(home)?);
    }
    Ok(code(job.status()?))
}

impl Chaos {
    fn flags(&self, seed: u64) -> Vec<String> {
        let name = |value: &dyn Fn() -> Option<clap::builder::PossibleValue>| {
            value().map(|value| value.get_name().to_owned()).unwrap_or_default()
        };
        let mut flags = vec![
            ("--events", self.events.to_string()),
            ("--seconds-between", self.seconds_between.clone()),
            ("--seed", seed.to_string()),
            ("--hosts", self.hosts.to_string()),
            ("--rate", self.rate.to_string()),
            ("--delivery", name(&|| self.delivery.to_possible_value())),
        ];
        if let Some(campaign) = self.campaign {
            flags.push(("--campaign", name(&|| campaign.to_possible_value())));
        }
        flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        chaos: Chaos,
    }

    fn flags(line: &str) -> String {
        Line::try_parse_from(line.split_whitespace()).unwrap().chaos.flags(7).join(" ")
    }

    #[test]
    fn flags_are_passed_on_by_their_names() {
        let all =
            "--events 200 --seconds-between 0..2 --seed 7 --hosts 3 --rate 1500 --delivery exactly-once";
        assert_eq!(flags("x"), all);
        let some = flags("x --campaign two-keys --events 9 --delivery at-least-once");
        assert!(some.contains("--campaign two-keys") && some.contains("--events 9"), "{some}");
        assert!(some.contains("--delivery at-least-once"), "{some}");
    }
}
