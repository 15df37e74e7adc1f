//! What a host does about releases, one thing after the other. Pure: it sees the ledger, and what became of the last thing.
//!
//! ```text
//!                      ┌──── lost, or overtaken: once more, if it still differs ────┐
//!                      v                                                            │
//! proposal, file ─> staging ─> staged ─> numbering ─> written ─> seen: it won ──────┴─> going ─> runs here
//!                      │                                                                  │
//!                      └─> refusing ─> refused, seen                                      └─> fails here: the one
//!                                                                                             before is proposed
//! ```
//!
//! All hosts do this at the same time. The topic says whose answer counts; nothing runs that is not in it.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::desk::{Job, Reply};
use super::load::pieces;
use crate::app::control::now;
use crate::config;
use crate::error::{Code, Error};
use crate::release::history::Event;
use crate::release::ledger::{Answer, Keep, Ledger};
use crate::release::manifest::{Content, Facts, How, Manifest, Proposal, Refusal, Ticket};

/// A host's own failure is believed when it has come so often.
const FAILURES: u32 = 5;

/// Something that may become a release.
#[derive(Clone, Debug)]
struct Candidate {
    proposal: Proposal,
    /// It stands in no topic yet.
    is_own: bool,
    /// It is to follow this release and no other.
    follows: Option<u64>,
}

#[derive(Clone, Debug, Default)]
enum Step {
    #[default]
    Idle,
    /// At the desk; that was the current release's number.
    Staging(Candidate, u64),
    Staged(Candidate, u64),
    /// At the desk, with this number.
    Numbering(Candidate, u64),
    Written(Candidate, u64),
    /// At the desk; for the history.
    Refusing(Ticket, Box<Event>),
    Refused(Ticket),
    /// At the desk.
    Going(Box<Manifest>),
    /// At the desk: lines of the history.
    Telling(Vec<Event>),
    /// At the desk: something else.
    Errand,
}

/// What became of something.
#[derive(Debug)]
pub(super) enum Outcome {
    Fine,
    /// The threads are told to go on as this release.
    Went(Box<Manifest>),
    /// It may go well later.
    Later(Error),
    /// It will not.
    Never(String, Error),
}

/// Id and signatures: the same files may be signed anew.
type Vain = (String, Vec<Option<[u8; 64]>>);

fn vain(content: &Content) -> Vain {
    (content.id.clone(), content.artifacts.iter().map(|artifact| artifact.signature).collect())
}

#[derive(Debug)]
pub(super) struct Course {
    /// `USER@HOST`.
    host: String,
    keep: usize,
    keep_for: Duration,
    own: VecDeque<Candidate>,
    step: Step,
    /// A release that this host can't run.
    failed: Option<u64>,
    /// Contents of files that came to nothing.
    vain: BTreeSet<Vain>,
    events: Vec<Event>,
    /// What failed in this host itself, one time after the other.
    failures: u32,
    /// The one that wrote the current release takes old ones away.
    prunes: bool,
    sweeps: bool,
}

impl Course {
    pub fn new(host: String, releases: &config::Releases) -> Self {
        let (keep, keep_for) = (releases.keep, releases.keep_for.get());
        let (own, step, failed, vain, events) = Default::default();
        Self {
            host,
            keep,
            keep_for,
            own,
            step,
            failed,
            vain,
            events,
            failures: 0,
            prunes: false,
            sweeps: true,
        }
    }

    /// A line for the history.
    pub fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Files of this host have this content. Proposed is what nobody ever had. Says whether it is.
    pub fn see(&mut self, content: &Content, ledger: &Ledger) -> bool {
        let waiting = ledger.waiting();
        let mut others = waiting.iter().map(|proposal| &proposal.facts.content);
        let mut own = self.own.iter().map(|candidate| &candidate.proposal.facts.content);
        let is_known = ledger.release_of(&content.id).is_some()
            || self.vain.contains(&vain(content))
            || own.any(|own| own.id == content.id)
            || others.any(|other| other.id == content.id);
        if !is_known {
            self.propose(content.clone(), How::File, String::new(), None, None);
        }
        !is_known
    }

    /// The current release is of no use: the one before that is another comes back. Gives its number, if there is one.
    pub fn go_back(&mut self, from: u64, why: String, ledger: &Ledger) -> Option<u64> {
        let current = ledger.current().filter(|current| current.number == from)?;
        let Facts { content, generation, .. } = &current.facts;
        let other = |release: &&Manifest| {
            let is_of_it = release.facts.generation == *generation;
            release.number < from && is_of_it && release.facts.content.id != content.id
        };
        let pair = ledger.pair().filter(|pair| pair.newer.number == from);
        let before = pair.map(|pair| pair.before).or_else(|| ledger.releases().rev().find(other))?;
        let content = before.facts.content.clone();
        self.propose(content, How::Probation, why, Some(before.number), Some(from));
        Some(before.number)
    }

    fn propose(
        &mut self,
        content: Content,
        how: How,
        why: String,
        returns_to: Option<u64>,
        follows: Option<u64>,
    ) {
        let (by, bootstrap, generation) = (self.host.clone(), None, 0);
        let facts = Facts { content, by, how, at: now(), why, returns_to, bootstrap, generation };
        let proposal = Proposal { ticket: Ticket::random(), facts };
        self.own.push_back(Candidate { proposal, is_own: true, follows });
    }

    /// What is to be done next, if nothing is being done. `running`: the number of what the threads were told last.
    pub fn next(&mut self, ledger: &Ledger, running: u64) -> Option<Job> {
        let current = ledger.current().map_or(0, |current| current.number);
        match std::mem::take(&mut self.step) {
            Step::Idle => {}
            Step::Written(candidate, number) if current >= number || is_answered(&candidate, ledger) => {
                self.look_back(candidate, ledger);
            }
            Step::Refused(ticket) if ledger.answer(ticket).is_some() => {}
            Step::Staged(candidate, base) if base == current => return self.number(candidate, ledger),
            // Another release came between.
            Step::Staged(candidate, _) => self.again(candidate),
            step => {
                self.step = step;
                return None;
            }
        }
        let job = self.go(ledger, running).or_else(|| self.errand(ledger));
        job.or_else(|| self.answer(ledger, current)).or_else(|| self.stage_own(ledger, current))
    }

    /// To the current release.
    fn go(&mut self, ledger: &Ledger, running: u64) -> Option<Job> {
        let current = ledger.current()?;
        // One that begins a generation is run by threads of its own.
        let begins = current.facts.generation == current.number;
        if current.number <= running || begins || self.failed == Some(current.number) {
            return None;
        }
        self.step = Step::Going(Box::new(current.clone()));
        Some(Job::Go(Box::new(current.clone()), pieces(ledger, &current.facts.content)))
    }

    fn errand(&mut self, ledger: &Ledger) -> Option<Job> {
        if !self.events.is_empty() {
            let events = std::mem::take(&mut self.events);
            self.step = Step::Telling(events.clone());
            return Some(Job::Tell(events));
        }
        if !std::mem::take(&mut self.sweeps) {
            return None;
        }
        self.step = Step::Errand;
        let keys = if std::mem::take(&mut self.prunes) { ledger.prunable(self.keep()) } else { Vec::new() };
        Some(Job::Clear(keys, ledger.named()))
    }

    fn keep(&self) -> Keep {
        let ago = i64::try_from(self.keep_for.as_millis()).unwrap_or(i64::MAX);
        Keep { releases: self.keep, since: now().saturating_sub(ago) }
    }

    /// Of the proposals that wait the first.
    fn answer(&mut self, ledger: &Ledger, current: u64) -> Option<Job> {
        let proposal = ledger.waiting().into_iter().next()?.clone();
        let Facts { content, bootstrap, .. } = &proposal.facts;
        match ledger.pair() {
            // That is soon over.
            Some(pair) if pair.is_back => return None,
            Some(pair) if pair.before.facts.content.id != content.id || bootstrap.is_some() => {
                return Some(self.refuse(&proposal, &pair.on_its_way()));
            }
            _ => {}
        }
        let running = ledger.current().filter(|_| ledger.pair().is_none() && bootstrap.is_none());
        if let Some(same) = running.filter(|running| running.facts.content.id == content.id) {
            let text = format!("release {} has this very content, and is the current one", same.stamp());
            return Some(self.refuse(&proposal, &Error::new(Code::Unchanged, text)));
        }
        Some(self.stage(Candidate { proposal, is_own: false, follows: None }, ledger, current))
    }

    fn stage_own(&mut self, ledger: &Ledger, current: u64) -> Option<Job> {
        let pair = ledger.pair();
        // All others wait meanwhile.
        let may_follow = |candidate: &Candidate| {
            let id = &candidate.proposal.facts.content.id;
            pair.is_none_or(|pair| !pair.is_back && pair.before.facts.content.id == *id)
        };
        while let Some(place) = self.own.iter().position(may_follow) {
            let candidate = self.own.remove(place)?;
            let Candidate { proposal: Proposal { ticket, facts }, follows, .. } = &candidate;
            let is_same = |one: &Manifest| one.facts.content.id == facts.content.id;
            let is_there = pair.is_none() && ledger.current().is_some_and(is_same);
            let is_late = follows.is_some_and(|number| number != current);
            if !is_there && !is_late && ledger.answer(*ticket).is_none() {
                return Some(self.stage(candidate, ledger, current));
            }
        }
        None
    }

    fn stage(&mut self, candidate: Candidate, ledger: &Ledger, current: u64) -> Job {
        let Facts { content, bootstrap, .. } = candidate.proposal.facts.clone();
        let pieces = pieces(ledger, &content);
        let generation = generation_of(bootstrap, ledger);
        self.step = Step::Staging(candidate, current);
        Job::Stage { content, pieces, generation, from_history: bootstrap.is_some() }
    }

    fn number(&mut self, candidate: Candidate, ledger: &Ledger) -> Option<Job> {
        let Proposal { ticket, mut facts } = candidate.proposal.clone();
        if ledger.answer(ticket).is_some() {
            return None;
        }
        let number = ledger.next_number();
        facts.generation = generation_of(facts.bootstrap, ledger);
        let mut upload = facts.content.artifacts.clone();
        // Who proposes writes the files; they may be gone since.
        upload.retain(|artifact| match candidate.is_own {
            true => !ledger.holds(artifact, self.keep),
            false => ledger.chunks(artifact).is_none(),
        });
        self.step = Step::Numbering(candidate, number);
        Some(Job::Number(Box::new(Manifest { number, ticket, facts }), upload))
    }

    fn refuse(&mut self, proposal: &Proposal, error: &Error) -> Job {
        let refusal = Refusal {
            ticket: proposal.ticket,
            by: self.host.clone(),
            at: now(),
            code: error.code.to_string(),
            message: error.message.clone(),
        };
        let event = Event::refused(&refusal, Some(proposal));
        self.step = Step::Refusing(proposal.ticket, Box::new(event));
        Job::Refuse(refusal)
    }

    /// Whether what was written won.
    fn look_back(&mut self, candidate: Candidate, ledger: &Ledger) {
        match ledger.answer(candidate.proposal.ticket) {
            Some(Answer::Released(release)) => {
                self.events.push(Event::released(release));
                (self.prunes, self.sweeps) = (true, true);
            }
            Some(Answer::Refused(_)) => {}
            None => self.again(candidate),
        }
    }

    /// One of the topic comes again by itself.
    fn again(&mut self, candidate: Candidate) {
        if candidate.is_own {
            self.own.push_front(candidate);
        }
    }

    /// What the desk says. Replies about files are not for here.
    pub fn heard(&mut self, reply: Reply, ledger: &Ledger) -> (Outcome, Option<Job>) {
        let step = std::mem::take(&mut self.step);
        match (reply, step) {
            (Reply::Staged(Ok(())), Step::Staging(candidate, base)) => {
                self.failures = 0;
                self.step = Step::Staged(candidate, base);
            }
            (Reply::Staged(Err(error)), Step::Staging(candidate, _)) => {
                return self.not_staged(candidate, error);
            }
            (Reply::Numbered(Ok(())), Step::Numbering(candidate, number)) => {
                self.step = Step::Written(candidate, number);
            }
            // It may be there all the same: then it has its answer.
            (Reply::Numbered(Err(error)), Step::Numbering(candidate, _)) => {
                self.again(candidate);
                return (Outcome::Later(error), None);
            }
            (Reply::Refused(Ok(())), Step::Refusing(ticket, event)) => {
                self.events.push(*event);
                self.step = Step::Refused(ticket);
            }
            (Reply::Gone(Ok(())), Step::Going(manifest)) => {
                self.failures = 0;
                self.sweeps = true;
                return (Outcome::Went(manifest), None);
            }
            (Reply::Gone(Err(error)), Step::Going(manifest)) => {
                return (self.not_gone(&manifest, error, ledger), None);
            }
            (Reply::Told(Err(error)), Step::Telling(events)) => {
                // Nothing depends on them: where they can't be told, all else goes on.
                if !error.code.retry() {
                    return (Outcome::Never("the history".to_owned(), error), None);
                }
                self.events.splice(0..0, events);
                return (Outcome::Later(error), None);
            }
            (Reply::Refused(Err(error)) | Reply::Cleared(Err(error)), _) => {
                return (Outcome::Later(error), None);
            }
            _ => {}
        }
        (Outcome::Fine, None)
    }

    fn not_staged(&mut self, candidate: Candidate, error: Error) -> (Outcome, Option<Job>) {
        if self.is_for_now(&error) {
            self.again(candidate);
            return (Outcome::Later(error), None);
        }
        if !candidate.is_own {
            let job = self.refuse(&candidate.proposal, &error);
            return (Outcome::Never(format!("proposal {}", candidate.proposal.ticket), error), Some(job));
        }
        let content = &candidate.proposal.facts.content;
        self.vain.insert(vain(content));
        (Outcome::Never(format!("content {}", content.id), error), None)
    }

    /// Where instances of plugins are short, those of former releases are given back soon.
    fn is_for_now(&mut self, error: &Error) -> bool {
        self.failures += u32::from(error.code == Code::Internal);
        let is_over = self.failures >= FAILURES;
        if is_over {
            self.failures = 0;
        }
        error.code.retry() || (error.code == Code::Internal && !is_over)
    }

    /// Whether this host can't run a release.
    pub fn has_failed(&self, number: u64) -> bool {
        self.failed == Some(number)
    }

    /// A release that is to be run here can't be.
    pub fn not_gone(&mut self, manifest: &Manifest, error: Error, ledger: &Ledger) -> Outcome {
        if self.is_for_now(&error) {
            return Outcome::Later(error);
        }
        self.failed = Some(manifest.number);
        self.events.push(Event::failed(manifest, &self.host, now(), error.code, &error.message));
        let why = format!("{} can't run release {}: {} {error}", self.host, manifest.stamp(), error.code);
        self.go_back(manifest.number, why, ledger);
        Outcome::Never(format!("release {}", manifest.stamp()), error)
    }
}

/// Whose state the next release goes on with.
fn generation_of(bootstrap: Option<i64>, ledger: &Ledger) -> u64 {
    match (bootstrap, ledger.pair()) {
        (Some(_), _) => ledger.next_number(),
        // Nothing else is taken meanwhile than what was before.
        (None, Some(pair)) => pair.older,
        (None, None) => ledger.generation(),
    }
}

fn is_answered(candidate: &Candidate, ledger: &Ledger) -> bool {
    ledger.answer(candidate.proposal.ticket).is_some()
}

#[cfg(test)]
mod tests;
