//! Many swaps in one process: `cargo xtask soak` builds what they need and starts this.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tailwater_tests::chaos;
use tailwater_tests::soak::{Options, run};
use tailwater_tests::swaps::Setup;

/// Longer than any row waits.
const KEEP_FOR: Duration = Duration::from_secs(60);

const USAGE: &str = "soak [--swaps N] [--growth MIB] [--seed S] [--rate N] [--folder PATH]";

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let report = run(&options);
    println!("\n{report}");
    if report.faults().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Pairs of a flag and its value.
fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let seed = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs());
    let folder = std::env::temp_dir().join(format!("tailwater-soak-{}", std::process::id()));
    let setup = Setup { ground: chaos::Options::ground(), hosts: 1, rate: 1_000, seed, folder };
    let mut options = Options { setup, swaps: 200, warm_up: 10, growth: 64 << 20, keep_for: KEEP_FOR };
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{flag}: {value:?} is not understood"));
        let setup = &mut options.setup;
        match flag.as_str() {
            "--swaps" => options.swaps = number()? as usize,
            "--growth" => options.growth = number()? << 20,
            "--seed" => setup.seed = number()?,
            "--rate" => setup.rate = number()?.max(1),
            "--folder" => setup.folder = PathBuf::from(&value),
            _ => return Err(format!("{flag} is unknown")),
        }
    }
    Ok(options)
}
