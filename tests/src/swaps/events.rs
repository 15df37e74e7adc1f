//! What is swapped, and how; at which moment a host is killed.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::files::Part;
use super::report::Report;
use super::works::Works;
use crate::chaos::log::Mark;
use crate::chaos::random::Random;
use crate::program::output;

/// For a release to have its number, and to run.
const COMES_WITHIN: Duration = Duration::from_secs(90);
/// For a line that a kill waits for.
const LINE_WITHIN: Duration = Duration::from_secs(20);
/// Of a kill, behind the change or its line.
const SOON: Range<Duration> = Duration::ZERO..Duration::from_millis(1500);
const TRYING: Range<Duration> = Duration::ZERO..Duration::from_millis(500);
/// From a release that is begun from history to the word that it is called off.
const CALLED_OFF: Range<Duration> = Duration::ZERO..Duration::from_secs(8);
const AIM: Range<Duration> = Duration::ZERO..Duration::from_millis(4);

/// How a release comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Swap {
    /// A file takes another's place.
    Plugin,
    /// It is written over, piece by piece.
    Copied,
    Model,
    Settings,
    /// A plugin with other windows takes another's place.
    Windows,
    /// Both plugins, the model and settings.
    All,
    /// By the command line, from other files than the hosts'.
    Apply,
    Rollback,
    /// Other windows, made anew of all that there is; those before end.
    Bootstrap,
    /// The same, and rolled back before it is through.
    CalledOff,
}

impl Swap {
    /// Those that go with a long probation, in which what was before may come back.
    pub const ALL: [Self; 8] = [
        Self::Plugin,
        Self::Copied,
        Self::Model,
        Self::Settings,
        Self::Windows,
        Self::All,
        Self::Apply,
        Self::Rollback,
    ];

    /// Those that go with a short one, in which a release that is begun from history passes.
    pub const WITH_HISTORY: [Self; 6] =
        [Self::Bootstrap, Self::CalledOff, Self::Bootstrap, Self::CalledOff, Self::Model, Self::Settings];

    fn is_of_history(self) -> bool {
        matches!(self, Self::Bootstrap | Self::CalledOff)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Plugin => "plugin in place",
            Self::Copied => "plugin written over",
            Self::Model => "model in place",
            Self::Settings => "settings",
            Self::Windows => "other windows",
            Self::All => "all at once",
            Self::Apply => "release apply",
            Self::Rollback => "release rollback",
            Self::Bootstrap => "from history",
            Self::CalledOff => "called off",
        }
    }
}

/// When a host is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Some time after the change.
    Soon,
    /// While a release is loaded and tried.
    Tried,
    /// As its threads go over.
    GoesOver,
    /// As threads of a new generation start.
    Starts,
    /// As those of one end.
    Ends,
}

impl Moment {
    pub const ALL: [Self; 3] = [Self::Soon, Self::Tried, Self::GoesOver];
    /// Of a release that is begun from history.
    const OF_HISTORY: [Self; 3] = [Self::Soon, Self::Starts, Self::Ends];
}

pub fn draw(random: &mut Random, kills: u64, history: bool) -> (Swap, Option<Moment>) {
    let swap = if history { random.pick(&Swap::WITH_HISTORY) } else { random.pick(&Swap::ALL) };
    let moments = if swap.is_of_history() { &Moment::OF_HISTORY } else { &Moment::ALL };
    let moment = random.pick(moments);
    (swap, random.chance(kills).then_some(moment))
}

/// Lets a release come, and waits until it runs everywhere.
pub fn happen(works: &mut Works, report: &mut Report, number: usize, swap: Swap, moment: Option<Moment>) {
    works.raise();
    let (began, before) = (Instant::now(), works.ledger.current());
    let positions: Vec<usize> =
        works.hosts.running().iter().map(|seat| works.hosts.log(*seat).position()).collect();
    let (commands, ended) = (perform(works, swap), works.ledger.ended());
    let mut said = format!("{number:>4}  {:<20}", swap.name());
    let killed = moment.map(|moment| {
        let seat = works.random.pick(&works.hosts.running());
        let landed = kill(works, seat, positions[seat], moment);
        *report.kills.entry(moment).or_default() += usize::from(landed);
        said += &format!(" host {seat} killed at {moment:?}{};", if landed { "" } else { ", missed" });
        works.hosts.start(seat);
        seat
    });
    for command in commands {
        let output = command.join().expect("a command does not panic");
        if let Err(error) = output {
            works.troubles.push(format!("swap {number}, {}: {error}", swap.name()));
        }
    }
    *report.swaps.entry(swap).or_default() += 1;
    let Some(release) = works.ledger.wait_beyond(before, COMES_WITHIN) else {
        works.troubles.push(format!("swap {number}, {}: no release comes of it", swap.name()));
        return println!("{said} nothing comes of it");
    };
    report.numbered.push(began.elapsed());
    said += &format!(" release {release} after {:.2} s", began.elapsed().as_secs_f64());
    if swap.is_of_history() {
        passes(works, number, swap, ended);
        said += &format!(", through after {:.2} s", began.elapsed().as_secs_f64());
    }
    let waits = if swap.is_of_history() { Vec::new() } else { works.hosts.running() };
    for seat in waits {
        let from = if killed == Some(seat) { 0 } else { positions[seat] };
        if works.hosts.log(seat).wait(from, &[Mark::Runs], COMES_WITHIN).is_none() {
            works.troubles.push(format!("swap {number}, {}: it does not run at host {seat}", swap.name()));
        }
    }
    said += &format!(", runs after {:.2} s", began.elapsed().as_secs_f64());
    if killed.is_some() && !works.recovers() {
        works.troubles.push(format!("swap {number}: rows don't come out again"));
    }
    println!("{said}");
}

/// Waits until one generation is left.
fn passes(works: &mut Works, number: usize, swap: Swap, ended: usize) {
    if swap == Swap::CalledOff {
        // It reads history, or speaks already.
        let pause = works.random.duration(&CALLED_OFF);
        std::thread::sleep(pause);
        if let Err(error) = command(works, &["rollback"]).join().expect("a command does not panic") {
            works.troubles.push(format!("swap {number}, {}: {error}", swap.name()));
        }
    }
    if !works.ledger.wait_ended_beyond(ended, COMES_WITHIN) {
        works.troubles.push(format!("swap {number}, {}: no generation ends", swap.name()));
    }
}

type Command = std::thread::JoinHandle<Result<(), String>>;

fn perform(works: &mut Works, swap: Swap) -> Vec<Command> {
    let Works { random, files, place, desk, .. } = works;
    let plugin = random.pick(&[Part::Buyers, Part::Shops]);
    let all = [Part::Buyers, Part::Shops, Part::Model, Part::Settings];
    match swap {
        Swap::Plugin => files.change(place, &[plugin], false),
        Swap::Copied => files.change(place, &[plugin], true),
        Swap::Model => files.change(place, &[Part::Model], false),
        Swap::Settings => files.change(place, &[Part::Settings], false),
        Swap::Windows => files.change(place, &[Part::Windows], false),
        Swap::All => files.change(place, &all, false),
        Swap::Apply => {
            files.change(desk, &[plugin, Part::Settings], false);
            return vec![command(works, &["apply"])];
        }
        Swap::Rollback => return vec![command(works, &["rollback"])],
        Swap::Bootstrap | Swap::CalledOff => {
            files.change(desk, &[Part::Windows], false);
            return vec![command(works, &["apply", "--bootstrap", "earliest"])];
        }
    }
    Vec::new()
}

/// On a thread of its own: it waits for an answer.
fn command(works: &Works, verb: &'static [&str]) -> Command {
    let file = works.desk.pipeline();
    std::thread::spawn(move || {
        let output = output(&[&["release"], verb, &[file.to_str().expect("UTF-8")]].concat());
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    })
}

/// Whether the moment came: else it is killed all the same.
fn kill(works: &mut Works, seat: usize, from: usize, moment: Moment) -> bool {
    let (wanted, range) = match moment {
        Moment::Soon => (None, &SOON),
        // Of what is applied a host says nothing before it goes over.
        Moment::Tried => (Some([Mark::Tries, Mark::GoesOver]), &TRYING),
        Moment::GoesOver => (Some([Mark::GoesOver, Mark::GoesOver]), &AIM),
        Moment::Starts => (Some([Mark::Starts, Mark::Starts]), &SOON),
        Moment::Ends => (Some([Mark::Ends, Mark::Ends]), &TRYING),
    };
    let came = wanted.is_none_or(|wanted| works.hosts.log(seat).wait(from, &wanted, LINE_WITHIN).is_some());
    let aim = works.random.duration(range);
    std::thread::sleep(aim);
    works.hosts.kill(seat);
    came
}
