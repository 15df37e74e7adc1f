//! How things are with the releases of a pipeline.

use serde_json::{Value, json};

use super::history::{Event, What};
use super::ledger::{Ledger, Pair};
use super::manifest::{Manifest, Proposal, Refusal};

/// Refusals that are shown.
const REFUSALS: usize = 3;

/// What runs, what waits, and what was refused.
#[derive(Debug)]
pub struct Status {
    pub pipeline: String,
    pub current: Option<Manifest>,
    /// A release that was begun from history takes the place of another.
    pub handover: Option<Handover>,
    /// Numbers of those that are kept, the oldest first.
    pub kept: Vec<u64>,
    pub waiting: Vec<Proposal>,
    /// The last ones, the newest first.
    pub refusals: Vec<Refusal>,
    /// Hosts that said that they run the current one, or that they can't; the newest first.
    pub hosts: Vec<Event>,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    pub phase: Phase,
    /// Stamps.
    pub from: String,
    pub to: String,
    /// Since when it speaks, in milliseconds since the epoch.
    pub since: Option<i64>,
    /// So many it has to read until it is where the other is, if anybody knows.
    pub records: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    ReadsHistory,
    /// The other is kept beside it for a while.
    Speaks,
    /// The other is to speak again.
    CalledOff,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::ReadsHistory => "reads-history",
            Self::Speaks => "speaks",
            Self::CalledOff => "called-off",
        }
    }
}

impl Handover {
    fn of(Pair { before, newer, speaks, is_back, .. }: Pair<'_>) -> Self {
        let phase = match speaks {
            _ if is_back => Phase::CalledOff,
            None => Phase::ReadsHistory,
            Some(_) => Phase::Speaks,
        };
        Self { phase, from: before.stamp(), to: newer.stamp(), since: speaks, records: None }
    }

    fn json(&self) -> Value {
        let Self { phase, from, to, since, records } = self;
        json!({ "phase": phase.name(), "from": from, "to": to, "since": since, "records": records })
    }
}

impl Status {
    /// `events`: all that happened, the oldest first.
    pub fn of(pipeline: &str, ledger: &Ledger, events: Vec<Event>) -> Self {
        let current = ledger.current().cloned();
        let mut hosts: Vec<Event> = Vec::new();
        for event in events.into_iter().rev() {
            let is_told = matches!(event.what, What::Runs | What::Failed);
            let is_current = current.as_ref().is_some_and(|current| event.number == Some(current.number));
            if is_told && is_current && hosts.iter().all(|other| other.by != event.by) {
                hosts.push(event);
            }
        }
        Self {
            pipeline: pipeline.to_owned(),
            kept: ledger.releases().map(|release| release.number).collect(),
            waiting: ledger.waiting().into_iter().cloned().collect(),
            handover: ledger.pair().map(Handover::of),
            refusals: ledger.refusals().into_iter().rev().take(REFUSALS).cloned().collect(),
            current,
            hosts,
        }
    }

    /// For a program; times in milliseconds, null where there is none.
    pub fn json(&self) -> Value {
        let Self { pipeline, current, handover, kept, waiting, refusals, hosts } = self;
        let waiting = waiting.iter().map(|Proposal { ticket, facts }| {
            json!({
                "ticket": ticket.to_string(), "content": facts.content.id, "by": facts.by, "how": facts.how.name(),
                "at": facts.at, "why": facts.why,
            })
        });
        let refusals = refusals.iter().map(|Refusal { ticket, by, at, code, message }| {
            json!({ "ticket": ticket.to_string(), "by": by, "at": at, "code": code, "message": message })
        });
        let hosts = hosts.iter().map(|event| {
            json!({
                "host": event.by, "at": event.at, "runs": event.what == What::Runs, "code": event.code,
                "why": event.why,
            })
        });
        json!({
            "pipeline": pipeline,
            "current": current.as_ref().map(release),
            "handover": handover.as_ref().map(Handover::json),
            "kept": kept,
            "waiting": waiting.collect::<Vec<_>>(),
            "refusals": refusals.collect::<Vec<_>>(),
            "hosts": hosts.collect::<Vec<_>>(),
        })
    }
}

/// For a program, as in [`Status::json`].
pub fn release(release: &Manifest) -> Value {
    let facts = &release.facts;
    let files = facts.content.artifacts.iter().map(|one| {
        json!({
            "stage": one.role.to_string(), "file": one.file, "sha256": one.digest.to_string(), "bytes": one.bytes,
            "signed": one.signature.is_some(),
        })
    });
    json!({
        "number": release.number, "content": facts.content.id, "release": release.stamp(), "at": facts.at,
        "by": facts.by, "how": facts.how.name(), "why": facts.why, "returns_to": facts.returns_to,
        "bootstrap": facts.bootstrap, "files": files.collect::<Vec<_>>(),
    })
}
