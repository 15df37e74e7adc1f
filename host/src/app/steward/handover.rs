//! Two generations of a pipeline, of which the newer one, begun from history, takes the floor from the older one: what this
//! host does about it.
//!
//! ```text
//! release with bootstrap ─> opened here: reads history, silent ─> has caught up: `speaks` is said ─> the older one gives
//!   the floor away, finishes what it has begun, and goes on silent ─> all is taken over, and the probation over: `ended`
//!   is said of the older one
//!
//! rolled back meanwhile ─> the newer one gives the floor back, if it had it, and finishes what it has begun ─> `ended` is
//!   said of the newer one
//! ```
//!
//! All hosts do this at the same time; what is said twice is said once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::desk::Job;
use super::load::pieces;
use super::scout::{Goal, Scout, Seen, Task};
use crate::app::Orders;
use crate::app::control::now;
use crate::app::generations::{Generation, Generations, Order};
use crate::config::Config;
use crate::engine::{Beside, Other, View};
use crate::error::{Code, Error, Result};
use crate::release::history::Event;
use crate::release::ledger::{Ledger, Pair};
use crate::release::manifest::{Step, Turn};

/// Who is where the other was so long ago has caught up; the rows at the fence wait for so long.
const CAUGHT_UP: Duration = Duration::from_millis(400);
/// Where it comes no closer in this time, so long ago will do.
const NO_CLOSER: Duration = Duration::from_secs(20);
const NEAR: Duration = Duration::from_secs(2);
const MARK_EVERY: Duration = Duration::from_millis(100);
/// What was written to the topic of releases comes back within this, or was lost.
const SEEN_WITHIN: Duration = Duration::from_secs(10);
/// Before something is tried again that waits for other hosts.
const PAUSE: Duration = Duration::from_millis(500);
/// How often people are told how far it is.
const TELL: Duration = Duration::from_secs(10);

pub(super) struct Handover {
    own: Config,
    host: String,
    generations: Arc<Generations>,
    orders: Orders,
    scout: Option<Scout>,
    /// Where the older one was, the last first.
    marks: VecDeque<(Instant, Goal)>,
    near_since: Option<Instant>,
    /// Said by this host, and not seen yet.
    said: Option<(Turn, Instant)>,
    /// It is known here that the newer one speaks everywhere.
    is_taken_over: bool,
    /// Not run here any more; what they kept is to be deleted.
    gone: VecDeque<Generation>,
    pause_until: Instant,
    told: Instant,
}

impl Handover {
    pub fn new(own: Config, host: String, generations: Arc<Generations>, orders: Orders) -> Self {
        let (scout, marks, near_since, said, gone) = Default::default();
        let (pause_until, told) = (Instant::now(), Instant::now());
        Self {
            own,
            host,
            generations,
            orders,
            scout,
            marks,
            near_since,
            said,
            is_taken_over: false,
            gone,
            pause_until,
            told,
        }
    }

    /// Sees to it that threads know whose turn it is, and that none run for nothing. Gives what is to be told.
    pub fn see(&mut self, ledger: &Ledger) -> Result<Vec<Event>> {
        let (wanted, open) = (wanted(ledger), self.generations.numbers());
        let is_replaced = wanted.iter().any(|number| open.contains(number));
        for number in open.iter().filter(|number| is_replaced && !wanted.contains(number)) {
            if let Some(gone) = self.generations.remove(*number) {
                self.order(Order::Close(gone.clone()))?;
                self.gone.push_back(gone);
            }
        }
        let open: Vec<Generation> =
            [Some(self.generations.first()), self.generations.second()].into_iter().flatten().collect();
        match ledger.pair() {
            Some(pair) => self.send_scout(pair, ledger, &open)?,
            None => {
                self.scout = None;
                self.marks.clear();
                self.near_since = None;
                self.is_taken_over = false;
                for one in open {
                    one.run.floor.set(View { over: ledger.over(one.number()), ..View::default() });
                }
            }
        }
        let mut events = Vec::new();
        if let Some((turn, _)) =
            self.said.take_if(|(turn, _)| ledger.turn(turn.generation, turn.step).is_some())
            && ledger.turn(turn.generation, turn.step) == Some(&turn)
        {
            events.push(Event::turned(&turn, ledger.last_of(turn.generation)));
        }
        if let (Some(pair), Some(seen)) = (ledger.pair(), self.seen()) {
            events.extend(self.takes_over(pair, &seen));
            self.tell(pair, &seen);
        }
        Ok(events)
    }

    fn send_scout(&mut self, pair: Pair<'_>, ledger: &Ledger, open: &[Generation]) -> Result<()> {
        let Pair { older, newer, speaks, is_back, .. } = pair;
        let (passes, over) = (speaks.is_some() && !is_back, ledger.over(older));
        let task = Task { older, newer: newer.number, passes, gives_back: is_back, over };
        let scout = match self.scout.take().filter(|scout| scout.is_between(older, newer.number)) {
            Some(scout) => scout,
            None => Scout::send(&self.own, &self.generations.first(), task.clone())?,
        };
        scout.does(task, open);
        self.scout = Some(scout);
        Ok(())
    }

    fn seen(&self) -> Option<Seen> {
        self.scout.as_ref().map(Scout::seen).filter(|seen| seen.times > 0)
    }

    /// The first time that it is seen: the newer one speaks everywhere.
    fn takes_over(&mut self, pair: Pair<'_>, seen: &Seen) -> Option<Event> {
        let is_new = !self.is_taken_over && is_taken_over(pair, seen);
        if !is_new {
            return None;
        }
        self.is_taken_over = true;
        info!(
            pipeline = %self.own.name,
            "release {} speaks; release {} is kept beside it for its probation", pair.newer.stamp(), pair.before.number
        );
        Some(Event::runs(pair.newer, &self.host, now()))
    }

    fn tell(&mut self, pair: Pair<'_>, seen: &Seen) {
        if self.told.elapsed() < TELL || pair.speaks.is_some() || pair.is_back {
            return;
        }
        self.told = Instant::now();
        let records: i64 = seen.distances().sum();
        info!(
            pipeline = %self.own.name, records,
            "release {} reads history; so many records are left until it is where release {} is",
            pair.newer.stamp(), pair.before.number
        );
    }

    /// What is to be done next, if the desk is free. `fails`: releases that this host can't run.
    pub fn next(&mut self, ledger: &Ledger, fails: impl Fn(u64) -> bool) -> Option<Job> {
        if let Some(job) = self.open(ledger, &fails) {
            return Some(job);
        }
        if Instant::now() < self.pause_until {
            return None;
        }
        let pair = ledger.pair();
        let job = pair.and_then(|pair| self.go_on(pair, fails(pair.newer.number)));
        let job = job.or_else(|| self.forget(ledger));
        if job.is_some() {
            self.pause_until = Instant::now() + PAUSE;
        }
        job
    }

    fn open(&self, ledger: &Ledger, fails: impl Fn(u64) -> bool) -> Option<Job> {
        let open = self.generations.numbers();
        let missing = wanted(ledger).into_iter().find(|number| !open.contains(number))?;
        let newer = ledger.pair().filter(|pair| pair.newer.number == missing);
        let manifest = newer.map(|pair| pair.newer).or_else(|| ledger.last_of(missing))?;
        let older = newer.map(|pair| pair.older);
        let pieces = pieces(ledger, &manifest.facts.content);
        (!fails(manifest.number)).then(|| Job::Open(Box::new(manifest.clone()), pieces, older))
    }

    /// `fails`: the newer one can't be run here.
    fn go_on(&mut self, pair: Pair<'_>, fails: bool) -> Option<Job> {
        if self.said.as_ref().is_some_and(|(_, at)| at.elapsed() < SEEN_WITHIN) {
            return None;
        }
        let Pair { older, newer, speaks, is_back, .. } = pair;
        let seen = self.seen()?;
        let (generation, step) = if is_back {
            // Where nobody can run it, nobody can finish what it has begun.
            if fails && !seen.newer.values().all(is_closed) {
                return Some(Job::Close(newer.number, older));
            }
            let is_through = seen.newer_is_quiet() || fails;
            let is_through = is_through && seen.is_past(&seen.older, &seen.newer);
            (speaks.is_none() || is_through).then_some((newer.number, Step::Ended))?
        } else if let Some(since) = speaks {
            let length = i64::try_from(self.own.releases.probation.get().as_millis()).unwrap_or(i64::MAX);
            let is_over = seen.older_is_quiet() && now() >= since.saturating_add(length);
            let is_over = is_over && is_taken_over(pair, &seen);
            is_over.then_some((older, Step::Ended))?
        } else {
            self.has_caught_up(&seen).then_some((newer.number, Step::Speaks))?
        };
        Some(Job::Turn(Turn { generation, step, by: self.host.clone(), at: now() }))
    }

    fn has_caught_up(&mut self, seen: &Seen) -> bool {
        let now = Instant::now();
        if self.marks.front().is_none_or(|(at, _)| now - *at >= MARK_EVERY) {
            self.marks.push_front((now, seen.goal()));
        }
        self.marks.retain(|(at, _)| now - *at <= NEAR);
        let reached = self.marks.iter().find(|(_, goal)| seen.has_reached(goal));
        let Some((at, _)) = reached.filter(|_| self.generations.second().is_some()) else { return false };
        let near_since = *self.near_since.get_or_insert(now);
        now - *at <= CAUGHT_UP || now - near_since > NO_CLOSER
    }

    fn forget(&mut self, ledger: &Ledger) -> Option<Job> {
        let is_over = |one: &Generation| ledger.turn(one.number(), Step::Ended).is_some();
        let place = self.gone.iter().position(is_over)?;
        self.gone.swap(0, place);
        self.gone.front().map(|gone| Job::Drop(Box::new(gone.clone())))
    }

    /// A generation is ready to be run here.
    pub fn opened(&mut self, generation: Generation, ledger: &Ledger) -> Result<()> {
        let number = generation.number();
        if !wanted(ledger).contains(&number) {
            return Ok(());
        }
        let beside = match ledger.pair() {
            Some(pair) if pair.newer.number == number => {
                Beside::Older { generation: pair.older, passes: false }
            }
            _ => Beside::Nobody,
        };
        generation.run.floor.set(View { beside, over: ledger.over(number), ..View::default() });
        self.generations.add(generation.clone());
        self.order(Order::Open(generation))
    }

    pub fn has_said(&mut self, turn: Turn) {
        self.said = Some((turn, Instant::now()));
    }

    /// What became of deleting what a generation kept.
    pub fn dropped(&mut self, done: Result<()>) {
        let Some(gone) = self.gone.pop_front() else { return };
        let (pipeline, kept_as) = (&self.own.name, gone.run.config.kept_as());
        match done {
            Ok(()) => info!(%pipeline, "the internal topics of generation `{kept_as}` are deleted"),
            Err(error) if error.code.retry() || matches!(error.code, Code::Running | Code::StateLocked) => {
                self.gone.push_back(gone);
            }
            Err(error) => {
                warn!(%pipeline, "what generation `{kept_as}` kept is not deleted: {} {error}", error.code);
            }
        }
    }

    fn order(&self, order: Order) -> Result<()> {
        let gone = |_| Error::new(Code::Internal, "whoever starts threads is gone");
        self.orders.send(order).map_err(gone)
    }
}

/// Generations that are to be run.
fn wanted(ledger: &Ledger) -> Vec<u64> {
    match ledger.pair() {
        // It never spoke.
        Some(pair) if pair.is_back && pair.speaks.is_none() => vec![pair.older],
        Some(pair) => vec![pair.older, pair.newer.number],
        None => vec![ledger.generation()],
    }
}

/// Whether the floor was given back there; where nothing was committed there is nothing to give.
fn is_closed(newer: &Other) -> bool {
    newer.words.fence.is_some() || newer.next.is_none()
}

fn is_taken_over(pair: Pair<'_>, seen: &Seen) -> bool {
    let is_fenced = |other: &Other| other.words.fence.is_some_and(|fence| fence.to == pair.newer.number);
    pair.speaks.is_some()
        && !pair.is_back
        && seen.older.values().all(is_fenced)
        && seen.is_past(&seen.newer, &seen.older)
}
