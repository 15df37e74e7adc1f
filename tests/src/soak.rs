//! Many swaps in one process: nothing is left behind. A plugin and the model change in turn under load; looked at are how
//! long a change takes until it runs, memory, files that are open, and files that are kept.

mod process;

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use crate::chaos::log::Mark;
use crate::swaps::works::{Ended, Works};
use crate::swaps::{Part, Setup};
use process::{open_files, peak, resident};

/// Of the pipeline file: few releases are kept, so that many are forgotten.
const RELEASES: &str = "[releases]\nkeep = 2\nkeep_for";
/// Files that a host keeps in its depot at most: those of the releases that are kept, of one that goes, and of one to come.
const KEPT_FILES: usize = 12;
/// A file of the depot stays for an hour, whoever names it; these are that old.
const AGED: Duration = Duration::from_secs(7_200);
const COMES_WITHIN: Duration = Duration::from_secs(60);
/// For connections and files to be closed.
const SETTLES_WITHIN: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);
/// In turn.
const PARTS: [Part; 2] = [Part::Buyers, Part::Model];

/// How it runs.
#[derive(Clone, Debug)]
pub struct Options {
    pub setup: Setup,
    pub swaps: usize,
    /// Swaps until all that a process needs once is there.
    pub warm_up: usize,
    /// Bytes by which memory may have grown since then.
    pub growth: u64,
    /// A release is kept for so long, since rows that it began are in flight.
    pub keep_for: Duration,
}

/// A look at the host's process.
#[derive(Clone, Copy, Debug, Default)]
struct Sight {
    memory: u64,
    files: usize,
}

/// What was seen.
#[derive(Debug)]
pub struct Report {
    swaps: usize,
    took: Duration,
    /// From a change to the moment that all threads go by it.
    durations: Vec<Duration>,
    warm: Sight,
    end: Sight,
    peak: u64,
    growth: u64,
    /// Files in the depot at the end.
    kept: usize,
    ended: Ended,
    folder: PathBuf,
}

/// Swaps one after the other, each when the one before runs. A line now and then goes to stdout.
pub fn run(options: &Options) -> Report {
    let (began, Options { setup, swaps, warm_up, growth, keep_for }) = (Instant::now(), options);
    let setup = Setup { hosts: 1, ..setup.clone() };
    let mut works = Works::open(&setup, &format!("{RELEASES} = \"{}s\"", keep_for.as_secs()));
    for swap in 0..*warm_up {
        swap_one(&mut works, PARTS[swap % PARTS.len()]);
    }
    let warm = settled(&works, usize::MAX);
    println!("      warm: {warm}");
    let (mut durations, step) = (Vec::new(), (swaps / 20).max(1));
    for swap in 1..=*swaps {
        durations.extend(swap_one(&mut works, PARTS[swap % PARTS.len()]));
        if swap % step == 0 {
            println!("{swap:>5}  {}, the last took {:.2?}", sight(&works), durations.last());
        }
    }
    // Then no release is kept because of rows in flight.
    std::thread::sleep(*keep_for);
    let kept = forgotten(&mut works);
    let end = settled(&works, warm.files);
    let (peak, folder) = (peak(works.hosts.process(0)), works.folder.clone());
    let ended = works.end();
    let took = began.elapsed();
    Report { swaps: *swaps, took, durations, warm, end, peak, growth: *growth, kept, ended, folder }
}

/// Gives how long it took.
fn swap_one(works: &mut Works, part: Part) -> Option<Duration> {
    works.raise();
    let (began, position) = (Instant::now(), works.hosts.log(0).position());
    let Works { files, place, .. } = &mut *works;
    files.change(place, &[part], false);
    if works.hosts.log(0).wait(position, &[Mark::Runs], COMES_WITHIN).is_none() {
        works.troubles.push(format!("a change of {part:?} never runs"));
        return None;
    }
    Some(began.elapsed())
}

fn sight(works: &Works) -> Sight {
    let process = works.hosts.process(0);
    Sight { memory: resident(process), files: open_files(process) }
}

/// What a process has when it has no more open files than that, and as many twice; or after a while.
fn settled(works: &Works, most: usize) -> Sight {
    let (began, mut before) = (Instant::now(), 0);
    loop {
        let now = sight(works);
        if now.files <= most && now.files == before || began.elapsed() > SETTLES_WITHIN {
            return now;
        }
        before = now.files;
        // They are the system's to close: they can only be looked at.
        std::thread::sleep(LOOK);
    }
}

/// What is swapped out leaves the depot, once it is an hour old. Gives how many files stay.
fn forgotten(works: &mut Works) -> usize {
    let depot = works.hosts.state(0).join(&works.prefix).join("artifacts");
    let names = || -> HashSet<PathBuf> {
        let entries = fs::read_dir(&depot).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let long_ago = SystemTime::now() - AGED;
    for path in names() {
        let aged = File::options().append(true).open(&path).and_then(|file| file.set_modified(long_ago));
        aged.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    // What is named no more when a release runs is swept when the next one does.
    for part in PARTS {
        swap_one(works, part);
    }
    let began = Instant::now();
    while names().len() > KEPT_FILES && began.elapsed() < SETTLES_WITHIN {
        std::thread::sleep(LOOK);
    }
    names().len()
}

impl Report {
    /// What is wrong, if something is.
    pub fn faults(&self) -> Vec<String> {
        let Self { warm, end, growth, kept, ended, durations, swaps, .. } = self;
        let mut faults = Vec::new();
        if end.files > warm.files {
            faults.push(format!("{} files are open, where there were {}", end.files, warm.files));
        }
        if end.memory > warm.memory + growth {
            faults.push(format!("memory has grown by {} MiB", (end.memory - warm.memory) >> 20));
        }
        if *kept > KEPT_FILES {
            faults.push(format!("{kept} files are kept"));
        }
        if durations.len() < *swaps {
            faults.push(format!("{} swaps never ran", swaps - durations.len()));
        }
        if !ended.is_clean() {
            faults.push("outputs are not what they must be".to_owned());
        }
        faults
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB in memory, {} files open", self.memory >> 20, self.files)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { swaps, took, durations, warm, end, peak, kept, ended, folder, .. } = self;
        let mut sorted = durations.clone();
        sorted.sort_unstable();
        let [middle, most] = [sorted.len() / 2, sorted.len().saturating_sub(1)]
            .map(|place| sorted.get(place).copied().unwrap_or_default().as_secs_f64());
        writeln!(f, "{swaps} swaps in {} s", took.as_secs())?;
        writeln!(f, "  from a changed file to all threads: p50 {middle:.2} s, most {most:.2} s")?;
        writeln!(f, "  warm: {warm}")?;
        writeln!(f, "  end:  {end}; peak {} MiB; {kept} files in the depot", peak >> 20)?;
        writeln!(f, "{ended}")?;
        for fault in self.faults() {
            writeln!(f, "  ! {fault}")?;
        }
        let verdict = if self.faults().is_empty() { "all is well" } else { "FAULTS" };
        write!(f, "  {verdict}; logs: {}", folder.display())
    }
}
