//! Looks after the releases of a pipeline while it runs: one thread a pipeline, beside its stream threads.
//!
//! - It reads the topic that says what runs, and looks at the host's own files. What is to be done then, [`course`] says;
//!   it is done by another thread, the [`desk`], so that this one never waits.
//! - Threads are handed what they go on as, between two batches. A release runs when all threads of the host go by it.
//! - It ends no run: where brokers or disks are away, what runs goes on, and it tries again.

mod baton;
mod board;
mod course;
mod desk;
mod handover;
pub(super) mod life;
mod load;
mod opening;
mod probation;
mod scout;
mod settle;
mod watching;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::control::{Control, Pen, now};
use super::generations::{Generation, Generations};
use super::threads::launch;
use super::watch::Watch;
use super::{Orders, Report};
use crate::config::Config;
use crate::engine::{Activity, Failing, Relay};
use crate::error::{Code, Error, Result};
use crate::release::history::Event;
use crate::release::manifest::{How, Manifest, number_of};
use crate::release::who::user_at_host;
use course::{Course, Outcome};
use desk::{Clerk, Desk, Job, Reply};
use handover::Handover;
use probation::{Done, Pace, Probation};
use watching::Watching;

pub(super) use baton::Baton;
pub(super) use board::Board;
pub(super) use load::{Loader, pieces};
pub(super) use opening::{Opened, renumber_after_reset};
pub(super) use settle::can_read_history;

/// How long it waits for the topic before it looks at everything else.
const TICK: Duration = Duration::from_millis(100);
/// After something failed that may go well later.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_AT_MOST: Duration = Duration::from_secs(30);
/// A release that rows are of is written before them: it comes within this, or never.
const HEARD_WITHIN: Duration = Duration::from_secs(60);

struct Steward {
    /// As the host was started.
    own: Config,
    host: String,
    control: Control,
    course: Course,
    desk: Desk,
    watching: Option<Watching>,
    generations: Arc<Generations>,
    /// What was the first of them last time.
    first: Generation,
    handover: Handover,
    board: Arc<Board>,
    began: Instant,
    /// Number of the release that all threads were told last.
    told: u64,
    arriving: Option<Arriving>,
    pace: Pace,
    probation: Option<(u64, Probation)>,
    asked: Vec<Asked>,
    /// Nothing is begun before that.
    pause_until: Instant,
    pause: Duration,
}

/// A release of which the threads are told, but some do not go by it yet.
struct Arriving {
    manifest: Box<Manifest>,
    /// It is watched for a while, and may go again.
    is_new: bool,
}

/// A release that threads lack.
struct Asked {
    stamp: String,
    relays: Vec<Arc<Relay>>,
    since: Instant,
}

/// Starts the thread. How it ended is told to `report`.
pub(super) fn spawn(
    generations: &Arc<Generations>,
    opened: Opened,
    orders: Orders,
    watch: &Watch,
    report: Report,
) -> Result<()> {
    let Opened { own, control, loader } = opened;
    let (name, first) = (format!("{}-releases", own.name), generations.first());
    let run = Arc::clone(&first.run);
    let clerk = Clerk {
        own: own.clone(),
        loader,
        pen: Pen::new(&own),
        runtimes: Arc::clone(&run.runtimes),
        generations: Arc::clone(generations),
    };
    let host = user_at_host();
    let course = Course::new(host.clone(), &own.releases);
    let told = run.release.pipeline().identity.number;
    let current = control.ledger.release(told).cloned();
    // It goes on with the probation that others have begun, or that it had begun itself.
    let is_new = run.baton.before().is_some();
    let steward = Steward {
        handover: Handover::new(own.clone(), host.clone(), Arc::clone(generations), orders),
        host,
        control,
        course,
        desk: Desk::open(format!("{name}-desk"), clerk)?,
        watching: own.releases.watch.then(|| Watching::new(&own)),
        generations: Arc::clone(generations),
        first,
        board: Arc::clone(&run.board),
        began: Instant::now(),
        told,
        arriving: current.map(|current| Arriving { manifest: Box::new(current), is_new }),
        pace: Pace::default(),
        probation: None,
        asked: Vec::new(),
        pause_until: Instant::now(),
        pause: PAUSE,
        own,
    };
    let (place, watch) = (format!("pipeline {}, releases", steward.own.name), watch.clone());
    launch(name, place, report, move || steward.work(&watch))
}

impl Steward {
    fn work(mut self, watch: &Watch) -> Result<()> {
        self.board.post(&self.control.ledger);
        while !watch.asked() {
            match self.control.read(TICK) {
                Ok(true) => self.board.post(&self.control.ledger),
                Ok(false) => {}
                Err(error) => self.connect_again(&error, watch),
            }
            while let Some(reply) = self.desk.reply()? {
                self.hear(reply)?;
            }
            self.look_at_generations()?;
            self.look_at_threads();
            self.look_at_pace();
            if let Some(watching) = &mut self.watching {
                watching.look();
            }
            self.begin()?;
        }
        Ok(())
    }

    /// The topic can't be read as it was: all of it is read again.
    fn connect_again(&mut self, why: &Error, watch: &Watch) {
        warn!(pipeline = %self.own.name, "releases can't be read: {} {why}; it is tried again", why.code);
        let mut pause = PAUSE;
        while !watch.asked() {
            let until = Instant::now() + pause;
            while !watch.asked() && Instant::now() < until {
                std::thread::sleep(TICK);
            }
            match Control::open_until(&self.own, &watch.when_asked()) {
                Ok(control) => {
                    self.control = control;
                    self.board.post(&self.control.ledger);
                    return;
                }
                Err(error) => {
                    warn!(pipeline = %self.own.name, "releases can't be read: {} {error}", error.code)
                }
            }
            pause = (pause * 2).min(PAUSE_AT_MOST);
        }
    }

    fn hear(&mut self, reply: Reply) -> Result<()> {
        let reply = match (reply, &mut self.watching) {
            (reply @ (Reply::Unsettled | Reply::Follow(_) | Reply::Taken(..)), Some(watching)) => {
                let taken = watching.heard(reply, &self.own);
                if let Some(content) = taken.filter(|content| self.course.see(content, &self.control.ledger))
                {
                    info!(pipeline = %self.own.name, content = %content.id, "files have changed: they are tried");
                }
                return Ok(());
            }
            (Reply::Finished(Err(error)), _) => {
                self.later(&error);
                return Ok(());
            }
            (Reply::Finished(Ok(())), _) => {
                self.asked.remove(0);
                return Ok(());
            }
            (reply @ (Reply::Opened(..) | Reply::Turned(..) | Reply::Closed(_) | Reply::Dropped(_)), _) => {
                return self.hear_of_generations(reply);
            }
            (reply, _) => reply,
        };
        let (outcome, job) = self.course.heard(reply, &self.control.ledger);
        self.comes_to(outcome);
        job.map_or(Ok(()), |job| self.desk.give(job))
    }

    fn comes_to(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Fine => self.pause = PAUSE,
            Outcome::Went(manifest) => {
                let Manifest { facts, .. } = &*manifest;
                let (how, by, why) = (facts.how.name(), &facts.by, &facts.why);
                info!(pipeline = %self.own.name, release = %manifest.stamp(), how, by, why, "threads go over");
                self.first.run.meter.goes_over(how);
                self.told = manifest.number;
                self.probation = None;
                let is_new = matches!(facts.how, How::Apply | How::File);
                let is_new = is_new && !self.own.releases.probation.get().is_zero();
                self.arriving = Some(Arriving { manifest, is_new });
            }
            Outcome::Later(error) => self.later(&error),
            Outcome::Never(what, error) => {
                self.first.run.meter.refused.fetch_add(1, Relaxed);
                error!(
                    pipeline = %self.own.name,
                    "{what} comes to nothing, and what runs goes on: {} {error}", error.code
                );
            }
        }
    }

    fn later(&mut self, error: &Error) {
        let pause = self.pause;
        warn!(pipeline = %self.own.name, "releases wait for {pause:?}: {} {error}", error.code);
        self.pause_until = Instant::now() + pause;
        self.pause = (pause * 2).min(PAUSE_AT_MOST);
    }

    fn look_at_generations(&mut self) -> Result<()> {
        let events = self.handover.see(&self.control.ledger)?;
        events.into_iter().for_each(|event| self.course.tell(event));
        let first = self.generations.first();
        if first.number() != self.first.number() {
            self.told = first.run.release.pipeline().identity.number;
            (self.arriving, self.probation, self.pace) = (None, None, Pace::default());
            self.asked.clear();
            self.first = first;
        }
        Ok(())
    }

    fn hear_of_generations(&mut self, reply: Reply) -> Result<()> {
        match reply {
            Reply::Opened(_, Ok(generation)) => {
                return self.handover.opened(generation, &self.control.ledger);
            }
            Reply::Opened(manifest, Err(error)) => {
                let outcome = self.course.not_gone(&manifest, error, &self.control.ledger);
                self.comes_to(outcome);
            }
            Reply::Turned(turn, Ok(())) => self.handover.has_said(turn),
            // Other hosts have yet to end what they run of it.
            Reply::Closed(Err(error)) if error.code == Code::Running => {}
            Reply::Turned(_, Err(error)) | Reply::Closed(Err(error)) => self.later(&error),
            Reply::Dropped(done) => self.handover.dropped(done),
            _ => {}
        }
        Ok(())
    }

    fn look_at_threads(&mut self) {
        let relays = self.first.run.baton.relays();
        let second = self.generations.second().map(|second| second.run.baton.relays());
        for relay in relays.iter().chain(second.iter().flatten()) {
            drop(relay.retired());
            for stamp in relay.asked() {
                self.ask(stamp, relay);
            }
            for failing in relay.failing() {
                self.fails(&failing);
            }
        }
        let arrived = |arriving: &mut Arriving| {
            !relays.is_empty() && relays.iter().all(|relay| relay.at() >= arriving.manifest.number)
        };
        let Some(Arriving { manifest, is_new }) = self.arriving.take_if(arrived) else { return };
        info!(pipeline = %self.own.name, "release {} runs", manifest.stamp());
        self.course.tell(Event::runs(&manifest, &self.host, now()));
        if is_new {
            let (done, length) = (self.done(), self.own.releases.probation.get());
            let slowdown = self.own.releases.slowdown;
            let probation = Probation::begin(&mut self.pace, done, length, slowdown);
            self.probation = Some((manifest.number, probation));
        } else {
            self.first.run.baton.settle(manifest.number);
        }
    }

    fn ask(&mut self, stamp: String, relay: &Arc<Relay>) {
        let relay = Arc::clone(relay);
        match self.asked.iter_mut().find(|asked| asked.stamp == stamp) {
            // The first may be at the desk, with those that it had.
            Some(asked) if !self.desk.is_busy() => asked.relays.push(relay),
            _ => self.asked.push(Asked { stamp, relays: vec![relay], since: Instant::now() }),
        }
    }

    fn fails(&mut self, failing: &Failing) {
        let Failing { release, stage, failed, rows, last, .. } = failing;
        let Some(number) = number_of(release) else { return };
        let watched = self.probation.as_ref().map(|(number, _)| *number);
        // It may be so bad that not all threads get to it.
        let arriving = self.arriving.as_ref().filter(|arriving| arriving.is_new);
        let arriving = arriving.map(|arriving| arriving.manifest.number);
        // So is one that reads history.
        let second = self.generations.second().map(|second| second.number());
        if [watched, arriving, second].contains(&Some(number)) {
            let why =
                format!("{}: {failed} of the last {rows} rows failed, the last with {last}", stage.name());
            self.go_back(number, why);
        }
    }

    fn look_at_pace(&mut self) {
        let done = self.done();
        let Some((number, probation)) = &mut self.probation else { return self.pace.look(done) };
        let number = *number;
        if let Some(why) = probation.verdict(done) {
            self.go_back(number, why);
        } else if probation.is_over(done.at) {
            info!(pipeline = %self.own.name, release = number, "has passed its probation");
            self.probation = None;
            self.first.run.baton.settle(number);
        }
    }

    fn go_back(&mut self, number: u64, why: String) {
        self.probation = None;
        if let Some(arriving) = &mut self.arriving {
            arriving.is_new = false;
        }
        match self.course.go_back(number, why.clone(), &self.control.ledger) {
            Some(before) => {
                warn!(pipeline = %self.own.name, "release {number} is no good: {why}; release {before} is to come back");
            }
            None => {
                warn!(pipeline = %self.own.name, "release {number} is no good: {why}; there is none to go back to");
            }
        }
    }

    fn done(&self) -> Done {
        use Activity as A;
        // Folds that are run for the release before are not this one's work.
        let is_work = |activity: &A| !matches!(activity, A::Source | A::Send | A::Commit | A::OtherFolds);
        let meter = &self.first.run.meter;
        let spent = meter.spent.all().filter(|(activity, _)| is_work(activity));
        let work = Duration::from_nanos(spent.map(|(_, spent)| spent).sum());
        let records = meter.records.load(Relaxed);
        Done { at: self.began.elapsed(), records, work }
    }

    /// Gives the desk what is next.
    fn begin(&mut self) -> Result<()> {
        if self.desk.is_busy() || Instant::now() < self.pause_until {
            return Ok(());
        }
        if let Some(job) = self.finish() {
            return self.desk.give(job);
        }
        let Self { handover, course, control, .. } = self;
        if let Some(job) = handover.next(&control.ledger, |number| course.has_failed(number)) {
            return self.desk.give(job);
        }
        if let Some(job) = self.course.next(&self.control.ledger, self.told) {
            return self.desk.give(job);
        }
        match self.watching.as_mut().and_then(Watching::seen) {
            Some(sight) => self.desk.give(Job::Take(sight)),
            None => Ok(()),
        }
    }

    /// For threads that wait for a release.
    fn finish(&mut self) -> Option<Job> {
        let ledger = &self.control.ledger;
        let current = ledger.current().map_or(0, |current| current.number);
        let is_ready = |asked: &Asked| {
            let is_to_come = number_of(&asked.stamp).is_some_and(|number| number > current);
            !is_to_come || asked.since.elapsed() > HEARD_WITHIN
        };
        let place = self.asked.iter().position(is_ready)?;
        // The first is the one at the desk.
        self.asked.swap(0, place);
        let Asked { stamp, relays, .. } = self.asked.first()?;
        let (number, id) = stamp.split_once('-').unwrap_or_default();
        let numbered = number.parse().ok().and_then(|number| ledger.release(number));
        let found = numbered.filter(|release| release.facts.content.id == id);
        let content = found.or_else(|| ledger.release_of(id)).map(|release| &release.facts.content);
        let content = content.map(|content| (content.clone(), pieces(ledger, content)));
        Some(Job::Finish(stamp.clone(), content, relays.clone()))
    }
}
