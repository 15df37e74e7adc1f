//! What can be asked of the two programs.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use fraud_generator::PURCHASES_A_DAY;

/// Shows Tailwater scoring card transactions, live.
#[derive(Clone, Debug, Parser)]
#[command(name = "fraud-demo")]
pub struct Demo {
    /// How long it runs.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// Until Ctrl-C.
    #[arg(long, conflicts_with = "seconds")]
    pub forever: bool,
    /// Print one line of JSON at the end, and nothing else, on stdout.
    #[arg(long)]
    pub json: bool,
    /// A real Kafka; without it a broker is embedded in this process.
    #[arg(long, value_name = "HOST:PORT")]
    pub brokers: Option<String>,
    /// Records a second.
    #[arg(long, value_name = "R", default_value_t = 2_000.0, value_parser = positive)]
    pub rate: f64,
    /// Hours of event time in a second of yours.
    #[arg(long, value_name = "HOURS", default_value_t = 24.0, value_parser = positive)]
    pub speed: f64,
    /// Of the stream.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// The pipeline that is shown.
    #[arg(long, value_name = "FILE", default_value = "examples/fraud/fraud.toml")]
    pub pipeline: PathBuf,
    /// ONNX Runtime's library; without it, where the system keeps it.
    #[arg(long, env = "TAILWATER_ONNXRUNTIME", value_name = "FILE")]
    pub onnxruntime: Option<PathBuf>,
}

impl Demo {
    /// `None`: until Ctrl-C.
    pub fn length(&self) -> Option<Duration> {
        (!self.forever).then(|| Duration::from_secs(self.seconds))
    }

    /// So many make the rate at this speed.
    pub fn cards(&self) -> u32 {
        let a_day = self.rate * 24.0 / self.speed;
        (a_day / PURCHASES_A_DAY).clamp(10.0, 10_000_000.0) as u32
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "this is no number".to_owned())?;
    if (0.001..=10_000_000.0).contains(&number) {
        Ok(number)
    } else {
        Err("0.001 to 10000000 it may be".to_owned())
    }
}

/// Takes the plugins of the fraud example over a generated past; writes features and labels as CSV.
#[derive(Clone, Debug, Parser)]
#[command(name = "fraud-history")]
pub struct History {
    #[arg(long, default_value_t = 3_000)]
    pub cards: u32,
    #[arg(long, default_value_t = 75, value_parser = clap::value_parser!(u32).range(1..))]
    pub days: u32,
    /// Of the stream; the demo's is another.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The pipeline up to the features.
    #[arg(long, value_name = "FILE", default_value = "examples/fraud/training.toml")]
    pub pipeline: PathBuf,
    /// Without it: stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_make_the_rate_at_the_speed() {
        let cards = |line: &str| Demo::parse_from(line.split(' ')).cards();
        assert_eq!(cards("fraud-demo"), 1_000);
        assert_eq!(cards("fraud-demo --speed 1"), 24_000);
        assert_eq!(cards("fraud-demo --rate 0.01"), 10);
        assert!(Demo::try_parse_from(["fraud-demo", "--rate", "0"]).is_err());
        assert!(Demo::try_parse_from(["fraud-demo", "--rate", "NaN"]).is_err());
    }
}
