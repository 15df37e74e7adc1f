//! Chaos campaigns on a real Apache Kafka: `cargo xtask chaos` builds what they need and starts this.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tailwater_tests::chaos::campaign::{CAMPAIGNS, Campaign};
use tailwater_tests::chaos::{Delivery, Options, SEATS, run};

const USAGE: &str = "chaos [--events N] [--seconds-between FROM..TO] [--seed S] [--campaign NAME] [--hosts N] \
                     [--rate N] [--landings N] [--delivery exactly-once|at-least-once] [--folder PATH]";

fn main() -> ExitCode {
    let (campaigns, options) = match parse(std::env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut is_clean = true;
    let mut reports = Vec::new();
    for campaign in campaigns {
        let folder = options.folder.join(campaign.name);
        let report = run(&Options { campaign, folder, ..options.clone() });
        is_clean &= report.is_clean();
        println!("\n{report}\n");
        reports.push(report);
    }
    if reports.len() > 1 {
        println!("all campaigns:");
        reports.iter().for_each(|report| println!("{report}"));
    }
    if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Pairs of a flag and its value. Gives the campaigns, and the options of each.
fn parse(arguments: impl Iterator<Item = String>) -> Result<(Vec<&'static Campaign>, Options), String> {
    let seed = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs());
    let folder = std::env::temp_dir().join(format!("tailwater-chaos-{}", std::process::id()));
    let mut options = Options {
        campaign: &CAMPAIGNS[0],
        seed,
        script: &[],
        events: 200,
        pause: Duration::ZERO..Duration::from_secs(2),
        away: Duration::ZERO..Duration::from_secs(5),
        hosts: 3,
        rate: 1_500,
        landings: 0,
        delivery: Delivery::ExactlyOnce,
        ground: Options::ground(),
        folder,
    };
    let (mut campaigns, mut landings) = (CAMPAIGNS.iter().collect(), None);
    let mut arguments = arguments.peekable();
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let wrong = || format!("{flag}: {value:?} is not understood");
        let number = || value.parse::<u64>().map_err(|_| wrong());
        match flag.as_str() {
            "--events" => options.events = number()? as usize,
            "--seed" => options.seed = number()?,
            "--hosts" => options.hosts = (number()? as usize).clamp(1, SEATS),
            "--rate" => options.rate = number()?.max(1),
            "--landings" => landings = Some(number()? as usize),
            "--folder" => options.folder = PathBuf::from(&value),
            "--campaign" => campaigns = vec![Campaign::named(&value).ok_or_else(wrong)?],
            "--seconds-between" => {
                let (from, to) = value.split_once("..").ok_or_else(wrong)?;
                let seconds = |text: &str| {
                    let seconds = text.parse().map_err(|_| wrong())?;
                    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
                };
                options.pause = seconds(from)?..seconds(to)?;
            }
            "--delivery" => {
                options.delivery = match value.as_str() {
                    "exactly-once" => Delivery::ExactlyOnce,
                    "at-least-once" => Delivery::AtLeastOnce,
                    _ => return Err(wrong()),
                }
            }
            _ => return Err(format!("{flag} is unknown")),
        }
    }
    // Of two hundred events thirty.
    options.landings = landings.unwrap_or(options.events * 30 / 200);
    Ok((campaigns, options))
}
