//! A pipeline of this process, as the admin API sees it. Changes go the way of `tailwater release`: checked here, proposed
//! in the topic, answered by a host.

use std::io::{ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError};

use super::Run;
use super::control::Pen;
use super::generations::{Generation, Generations};
use super::releases::Releases;
use super::steward::Board;
use super::stores::Tallies;
use crate::admin::{Change, NewFile, Outcome, Pipeline, Place, Thread};
use crate::config::{Config, Role};
use crate::engine::Meter;
use crate::error::{Code, Error, Result};
use crate::pipeline::Identity;
use crate::release::Runtimes;
use crate::release::depot::Depot;
use crate::release::history::Event;
use crate::release::ledger::Answer;
use crate::release::manifest::Ticket;
use crate::release::status::Status;
use crate::telemetry::{Sheet, Subject, Threads};

#[derive(Debug)]
pub(super) struct Administered {
    config: Config,
    runtimes: Arc<Runtimes>,
    board: Arc<Board>,
    tallies: Tallies,
    generations: Arc<Generations>,
    /// One change is checked and proposed at a time. What writes it stays: connecting takes a while.
    pen: Mutex<Option<Pen>>,
}

impl Administered {
    pub fn new(generations: &Arc<Generations>) -> Self {
        let Generation { run, .. } = generations.first();
        Self {
            config: run.config.in_generation(0),
            runtimes: Arc::clone(&run.runtimes),
            board: Arc::clone(&run.board),
            tallies: run.tallies.clone(),
            generations: Arc::clone(generations),
            pen: Mutex::default(),
        }
    }

    fn run(&self) -> Arc<Run> {
        self.generations.first().run
    }

    fn releases(&self, pen: Option<Pen>) -> Result<Releases> {
        let pen = pen.unwrap_or_else(|| Pen::new(&self.config));
        Releases::beside(self.config.clone(), &self.runtimes, &self.board, self.run().baton.release(), pen)
    }

    /// Proposes something, and waits until all who look at the topic know of it.
    fn propose(&self, what: impl FnOnce(&mut Releases) -> Result<Ticket>) -> Result<Ticket> {
        let mut pen = self.pen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut releases = self.releases(pen.take())?;
        let proposed = what(&mut releases);
        let seen = proposed.and_then(|ticket| releases.await_proposal(ticket).map(|()| ticket));
        *pen = Some(releases.into_pen());
        seen
    }
}

impl Pipeline for Administered {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn identity(&self) -> Identity {
        self.run().baton.release().pipeline().identity.clone()
    }

    fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.run().meter)
    }

    fn tell(&self, sheet: &mut Sheet) {
        let run = self.run();
        let (wanted, threads) = run.standings.look();
        let mut at: Vec<_> = Place::ALL.iter().map(|place| (place.name(), 0)).collect();
        for Thread { place, .. } in threads {
            at.iter_mut().filter(|(name, _)| *name == place.name()).for_each(|(_, count)| *count += 1);
        }
        let release = run.baton.release();
        let (meter, budget, tables) = (&run.meter, &run.budget, &run.tables);
        let (threads, stores) = (Threads { wanted, at }, self.tallies.all());
        Subject { release: &release, meter, budget, tables, threads, stores }.tell(sheet);
    }

    fn threads(&self) -> (usize, Vec<Thread>) {
        self.run().standings.look()
    }

    fn role(&self, stage: &str) -> Option<Role> {
        let mut roles = self.config.artifacts().into_iter().map(|(role, _)| role);
        if let Some(name) = stage.strip_prefix("features/") {
            let stages = 0..self.config.features.len();
            let named = stages.clone().find(|index| self.config.stage_name(*index) == name);
            let placed = || name.parse().ok().filter(|index| stages.contains(index));
            return named.or_else(placed).map(Role::Features);
        }
        roles.find(|role| role.to_string() == stage)
    }

    fn outcome(&self, ticket: Ticket) -> Option<Outcome> {
        let ledger = self.board.look()?;
        match ledger.answer(ticket) {
            Some(Answer::Released(release)) => {
                let relays = self.run().baton.relays();
                let is_there = !relays.is_empty() && relays.iter().all(|relay| relay.at() >= release.number);
                let release = Box::new(release.clone());
                Some(if is_there { Outcome::Runs(release) } else { Outcome::Released(release) })
            }
            Some(Answer::Refused(refusal)) => Some(Outcome::Refused(refusal.clone())),
            None => ledger.proposal(ticket).map(|_| Outcome::Waits),
        }
    }

    fn status(&self) -> Result<Status> {
        self.releases(None)?.status()
    }

    fn history(&self, last: usize) -> Result<Vec<Event>> {
        self.releases(None)?.history(last)
    }

    fn put(&self, file: NewFile, bytes: &mut dyn Read, change: &Change) -> Result<Ticket> {
        // Nothing is taken over for nothing.
        Releases::are_taken(&self.board).map_err(|error| error.at(&self.config.name))?;
        // It may come slowly: others need not wait for it.
        let depot = Depot::of(&self.config)?;
        let (digest, bytes) = depot.receive(bytes)?.map_err(|error| {
            // Who sent it went away, or this host's disk is at fault.
            let is_cut = error.kind() == ErrorKind::UnexpectedEof;
            let code = if is_cut { Code::RequestBody } else { Code::StateDisk };
            Error::new(code, format!("the file can't be taken over: {error}"))
        })?;
        let NewFile { role, signature, bootstrap } = file;
        let proposed = self.propose(|releases| {
            let plan = releases.plan_with(role, digest, bytes, signature, bootstrap)?;
            plan.verdict()?;
            releases.submit(plan.content, bootstrap, &change.by, &change.why)
        });
        let is_named = || self.board.look().is_some_and(|ledger| ledger.named().contains(&digest));
        if proposed.is_err() && !is_named() {
            depot.discard(digest)?;
        }
        proposed
    }

    fn roll_back(&self, to: Option<u64>, change: &Change) -> Result<Ticket> {
        self.propose(|releases| releases.submit_former(to, &change.by, &change.why))
    }
}
