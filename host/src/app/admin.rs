//! A pipeline of this process, as the admin API sees it. Changes go the way of `tailwater release`: checked here, proposed
//! in the topic, answered by a host.

use std::io::{ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError};

use super::Run;
use super::releases::Releases;
use super::standing::Standings;
use super::steward::{Baton, Board};
use crate::admin::{Change, NewFile, Outcome, Pipeline, Thread};
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

#[derive(Debug)]
pub(super) struct Administered {
    config: Config,
    runtimes: Arc<Runtimes>,
    meter: Arc<Meter>,
    baton: Arc<Baton>,
    standings: Arc<Standings>,
    board: Arc<Board>,
    /// One change is checked and proposed at a time.
    change: Mutex<()>,
}

impl Run {
    pub(super) fn administered(&self) -> Administered {
        Administered {
            config: self.config.clone(),
            runtimes: Arc::clone(&self.runtimes),
            meter: Arc::clone(&self.meter),
            baton: Arc::clone(&self.baton),
            standings: Arc::clone(&self.standings),
            board: Arc::clone(&self.board),
            change: Mutex::default(),
        }
    }
}

impl Administered {
    fn releases(&self) -> Result<Releases> {
        let running = self.baton.release();
        Releases::beside(self.config.clone(), &self.runtimes, &self.board, running)
    }

    /// Where the topic is looked at.
    fn known(&self, ticket: Ticket) -> Option<Outcome> {
        let ledger = self.board.look()?;
        match ledger.answer(ticket) {
            Some(Answer::Released(release)) => {
                let relays = self.baton.relays();
                let is_there = !relays.is_empty() && relays.iter().all(|relay| relay.at() >= release.number);
                let release = Box::new(release.clone());
                Some(if is_there { Outcome::Runs(release) } else { Outcome::Released(release) })
            }
            Some(Answer::Refused(refusal)) => Some(Outcome::Refused(refusal.clone())),
            None => ledger.proposal(ticket).map(|_| Outcome::Waits),
        }
    }
}

impl Pipeline for Administered {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn identity(&self) -> Identity {
        self.baton.release().pipeline().identity.clone()
    }

    fn meter(&self) -> &Meter {
        &self.meter
    }

    fn threads(&self) -> (usize, Vec<Thread>) {
        self.standings.look()
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

    fn outcome(&self, ticket: Ticket) -> Result<Option<Outcome>> {
        Ok(self.known(ticket))
    }

    fn status(&self) -> Result<Status> {
        self.releases()?.status()
    }

    fn history(&self, last: usize) -> Result<Vec<Event>> {
        self.releases()?.history(last)
    }

    fn put(&self, file: NewFile, bytes: &mut dyn Read, change: &Change) -> Result<Ticket> {
        // It may come slowly: others need not wait for it.
        let mut releases = self.releases()?;
        let taken = Depot::of(&self.config)?.receive(bytes)?;
        let (digest, bytes) = taken.map_err(|error| {
            // Who sent it went away, or this host's disk is at fault.
            let is_cut = error.kind() == ErrorKind::UnexpectedEof;
            let code = if is_cut { Code::RequestBody } else { Code::StateDisk };
            Error::new(code, format!("the file can't be taken over: {error}"))
        })?;
        let _alone = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        releases.look_again()?;
        let NewFile { role, signature } = file;
        let plan = releases.plan_with(role, digest, bytes, signature)?;
        plan.verdict()?;
        let ticket = releases.submit(plan.content, &change.by, &change.why)?;
        releases.await_proposal(ticket).map(|()| ticket)
    }

    fn roll_back(&self, to: Option<u64>, change: &Change) -> Result<Ticket> {
        let _alone = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut releases = self.releases()?;
        let ticket = releases.submit_former(to, &change.by, &change.why)?;
        releases.await_proposal(ticket).map(|()| ticket)
    }
}
