//! Tells from time to time what went through.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::Run;

/// How often at most.
const EVERY: Duration = Duration::from_secs(10);

pub(super) struct Progress<'a> {
    runs: &'a [Run],
    told: Vec<(u64, u64)>,
    last: Instant,
}

impl<'a> Progress<'a> {
    pub fn new(runs: &'a [Run]) -> Self {
        Self { runs, told: vec![(0, 0); runs.len()], last: Instant::now() }
    }

    /// Says what happened since the last time, if anything did.
    pub fn tell(&mut self) {
        let passed = self.last.elapsed();
        if passed < EVERY {
            return;
        }
        self.last = Instant::now();
        for (run, told) in self.runs.iter().zip(&mut self.told) {
            let (records, decisions) = (run.meter.records.load(Relaxed), run.meter.decisions.load(Relaxed));
            let dead = run.meter.dead_letters();
            let letters: u64 = dead.values().sum();
            if records == told.0 {
                continue;
            }
            let rate = (records - told.0) as f64 / passed.as_secs_f64();
            info!(pipeline = %run.config.name, records, decisions, dead_letters = letters, "{rate:.0} records/s");
            if letters > told.1 {
                let causes: Vec<String> =
                    dead.iter().map(|((stage, code), count)| format!("{count} {stage} {code}")).collect();
                warn!(pipeline = %run.config.name, "dead letters so far: {}", causes.join(", "));
            }
            *told = (records, letters);
        }
    }
}
