//! Tells from time to time what went through.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::Run;
use super::generations::Generations;
use crate::engine::{Activity, Meter};

/// How often at most.
const EVERY: Duration = Duration::from_secs(10);

/// What was told last of a pipeline.
#[derive(Clone, Debug, Default)]
struct Told {
    records: u64,
    dead_letters: u64,
    spent: Vec<(Activity, u64)>,
}

pub(super) struct Progress<'a> {
    pipelines: &'a [Arc<Generations>],
    told: Vec<Told>,
    last: Instant,
}

impl<'a> Progress<'a> {
    pub fn new(pipelines: &'a [Arc<Generations>]) -> Self {
        Self { pipelines, told: vec![Told::default(); pipelines.len()], last: Instant::now() }
    }

    /// Says what happened since the last time, if anything did.
    pub fn tell(&mut self) {
        let passed = self.last.elapsed();
        if passed < EVERY {
            return;
        }
        self.last = Instant::now();
        for (generations, told) in self.pipelines.iter().zip(&mut self.told) {
            let run = &*generations.first().run;
            let Counts { records, decisions, dead_letters } = Counts::of(run);
            let spent: Vec<_> = run.meter.spent.all().collect();
            let paused = run.meter.paused.get();
            if paused > 0 {
                warn!(pipeline = %run.config.name, "{paused} partitions wait for a stage that fails too often");
            }
            let shares = shares(&spent, &told.spent);
            if records == told.records {
                continue;
            }
            let rate = records.saturating_sub(told.records) as f64 / passed.as_secs_f64();
            info!(
                pipeline = %run.config.name, records, decisions, dead_letters,
                "{rate:.0} records/s; the threads' time: {shares}"
            );
            let late = late(run);
            if !late.is_empty() {
                warn!(pipeline = %run.config.name, "late so far: {late}");
            }
            if dead_letters > told.dead_letters {
                warn!(pipeline = %run.config.name, "dead letters so far: {}", causes(run));
            }
            *told = Told { records, dead_letters, spent };
        }
    }

    /// Says what happened in all.
    pub fn end(&self) {
        for generations in self.pipelines {
            let run = &*generations.first().run;
            let Counts { records, decisions, dead_letters } = Counts::of(run);
            info!(pipeline = %run.config.name, records, decisions, dead_letters, "ended");
            let late = late(run);
            if !late.is_empty() {
                warn!(pipeline = %run.config.name, "late: {late}");
            }
            if dead_letters > 0 {
                warn!(pipeline = %run.config.name, "dead letters: {}", causes(run));
            }
            let counters: Vec<String> = run
                .baton
                .release()
                .counters()
                .map(|(stage, name, count)| format!("{count} {} {name}", stage.name()))
                .collect();
            if !counters.is_empty() {
                info!(pipeline = %run.config.name, "counted by plugins: {}", counters.join(", "));
            }
        }
    }
}

/// What passed since the start.
struct Counts {
    records: u64,
    decisions: u64,
    dead_letters: u64,
}

impl Counts {
    fn of(run: &Run) -> Self {
        let Meter { records, decisions, .. } = &*run.meter;
        Self {
            records: records.load(Relaxed),
            decisions: decisions.load(Relaxed),
            dead_letters: run.meter.dead_letters().values().sum(),
        }
    }
}

/// What most of the time since the last look went to.
fn shares(spent: &[(Activity, u64)], before: &[(Activity, u64)]) -> String {
    let since = |(activity, now): &(Activity, u64)| {
        let then = before.iter().find(|(other, _)| other == activity).map_or(0, |(_, spent)| *spent);
        // Another generation counts anew.
        (*activity, now.saturating_sub(then))
    };
    let mut spent: Vec<_> = spent.iter().map(since).collect();
    spent.sort_by_key(|(_, spent)| std::cmp::Reverse(*spent));
    let all = spent.iter().map(|(_, spent)| spent).sum::<u64>().max(1);
    let share = |(activity, spent): &(Activity, u64)| (activity.to_string(), (spent * 100 + all / 2) / all);
    let shares = spent.iter().map(share).take_while(|(_, share)| *share > 0).take(5);
    shares.map(|(name, share)| format!("{name} {share} %")).collect::<Vec<_>>().join(", ")
}

fn causes(run: &Run) -> String {
    let causes = run.meter.dead_letters();
    let causes: Vec<String> =
        causes.iter().map(|((stage, code), count)| format!("{count} {stage} {code}")).collect();
    causes.join(", ")
}

/// Rows that came too late, by source.
fn late(run: &Run) -> String {
    let late = run.meter.late_by_source();
    let late: Vec<String> = late.iter().map(|(source, count)| format!("{count} from {source}")).collect();
    late.join(", ")
}
