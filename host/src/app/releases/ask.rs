//! Proposes a content, and waits for an answer.

use std::time::{Duration, Instant};

use super::Releases;
use crate::app::control::{cluster, now};
use crate::error::{Code, Error, Result};
use crate::kafka::Operator;
use crate::release::history::Event;
use crate::release::ledger::{Answer, Ledger};
use crate::release::manifest::{Content, Facts, How, Manifest, Proposal, Ticket};
use crate::release::who::user_at_host;

/// Some host answers within this: it may have a large model to try.
const ANSWERED_WITHIN: Duration = Duration::from_secs(300);
/// If the group has no members: somebody may be starting.
const ANSWERED_BY_NOBODY: Duration = Duration::from_secs(10);
/// What was written is read within this.
const SEEN_WITHIN: Duration = Duration::from_secs(30);
/// How long a look at the topic takes.
const LOOK: Duration = Duration::from_millis(100);

impl Releases {
    /// Proposes the files, which [`Releases::plan`] has looked at. Gives the release that they become.
    /// `bootstrap`: as in [`Facts`].
    pub fn apply(&mut self, content: Content, bootstrap: Option<i64>, why: &str) -> Result<Manifest> {
        let ticket = self.submit(content, bootstrap, &user_at_host(), why)?;
        self.wait(ticket).map_err(|error| error.at(&self.own.name))
    }

    /// Proposes the content of a former release: of the last one that is another, or of this number.
    pub fn roll_back(&mut self, to: Option<u64>, why: &str) -> Result<Manifest> {
        let ticket = self.submit_former(to, &user_at_host(), why)?;
        self.wait(ticket).map_err(|error| error.at(&self.own.name))
    }

    /// Proposes a content without waiting for an answer.
    pub(in crate::app) fn submit(
        &mut self,
        content: Content,
        bootstrap: Option<i64>,
        by: &str,
        why: &str,
    ) -> Result<Ticket> {
        let is_new = if bootstrap.is_some() { Ok(()) } else { unchanged(self.topic.ledger(), &content) };
        let facts = Facts { bootstrap, ..facts(content, How::Apply, by, why, None) };
        let proposed = is_new.and_then(|()| self.propose(facts));
        proposed.map_err(|error| error.at(&self.own.name))
    }

    /// The same with the content of a former release.
    pub(in crate::app) fn submit_former(&mut self, to: Option<u64>, by: &str, why: &str) -> Result<Ticket> {
        let target = target(self.topic.ledger(), to).cloned();
        let proposed = target.and_then(|target| {
            let facts = facts(target.facts.content, How::Rollback, by, why, Some(target.number));
            self.propose(facts)
        });
        proposed.map_err(|error| error.at(&self.own.name))
    }

    fn propose(&mut self, facts: Facts) -> Result<Ticket> {
        let proposal = Proposal { ticket: Ticket::random(), facts };
        let artifacts = proposal.facts.content.artifacts.iter();
        let ledger = self.topic.ledger();
        let missing = artifacts.filter(|artifact| !ledger.holds(artifact, self.own.releases.keep));
        // What goes back is of a release that is kept: its files are in the topic.
        if proposal.facts.how == How::Apply {
            self.pen.upload(&self.loader.depot, missing)?;
        }
        self.pen.propose(&proposal)?;
        if let Err(error) = self.pen.tell(&[Event::proposed(&proposal)]) {
            tracing::warn!("the history of releases lacks a line: {} {error}", error.code);
        }
        Ok(proposal.ticket)
    }

    /// Waits until the proposal itself is seen, or its answer.
    pub(in crate::app) fn await_proposal(&mut self, ticket: Ticket) -> Result<()> {
        let began = Instant::now();
        let is_seen = |ledger: &Ledger| ledger.proposal(ticket).is_some() || ledger.answer(ticket).is_some();
        while !is_seen(self.topic.ledger()) {
            if began.elapsed() > SEEN_WITHIN {
                let text = format!("proposal {ticket} was written, but is not read back");
                return Err(Error::new(Code::BrokerUnreachable, text).at(&self.own.name));
            }
            self.topic.look(LOOK)?;
        }
        Ok(())
    }

    fn wait(&mut self, ticket: Ticket) -> Result<Manifest> {
        let began = Instant::now();
        loop {
            match self.topic.ledger().answer(ticket) {
                Some(Answer::Released(release)) => return Ok(release.clone()),
                Some(Answer::Refused(refusal)) => {
                    let code = Code::parse(&refusal.code).unwrap_or(Code::ReleaseFailed);
                    return Err(Error::new(code, format!("{} refuses it: {}", refusal.by, refusal.message)));
                }
                None => {}
            }
            let waited = began.elapsed();
            if waited > ANSWERED_WITHIN || (waited > ANSWERED_BY_NOBODY && self.is_deserted()) {
                let text = format!(
                    "no host has answered within {} s; the proposal {ticket} waits, and the next one takes it",
                    waited.as_secs()
                );
                return Err(Error::new(Code::Unanswered, text));
            }
            self.topic.look(LOOK)?;
        }
    }

    /// Whether nobody is in the group. Where that can't be told, somebody may be.
    fn is_deserted(&self) -> bool {
        let own = self.own.in_generation(self.topic.ledger().generation());
        let operator = Operator::connect(cluster(&own), own.group());
        operator.and_then(|operator| operator.members()).is_ok_and(|members| members.is_empty())
    }
}

fn facts(content: Content, how: How, by: &str, why: &str, returns_to: Option<u64>) -> Facts {
    let (by, why, at) = (by.to_owned(), why.to_owned(), now());
    Facts { content, by, how, at, why, returns_to, bootstrap: None, generation: 0 }
}

fn unchanged(ledger: &Ledger, content: &Content) -> Result<()> {
    match ledger.current().filter(|current| current.facts.content.id == content.id) {
        Some(current) => {
            let text = format!("release {} has this very content, and is the current one", current.stamp());
            Err(Error::new(Code::Unchanged, text))
        }
        None => Ok(()),
    }
}

/// The release to go back to.
fn target(ledger: &Ledger, to: Option<u64>) -> Result<&Manifest> {
    let none = |text: String| Error::new(Code::NoRelease, text);
    let Some(current) = ledger.current() else { return Err(none("there is no release yet".to_owned())) };
    let is_other = |release: &&Manifest| release.facts.content.id != current.facts.content.id;
    // What was before it has the same content, perhaps.
    let before = ledger.pair().filter(|pair| !pair.is_back).map(|pair| pair.before);
    if let Some(before) = before.filter(|before| to.is_none_or(|to| to == before.number)) {
        return Ok(before);
    }
    let Some(number) = to else {
        let before = ledger.releases().rev().find(is_other);
        return before
            .ok_or_else(|| none(format!("there is none before {} with another content", current.stamp())));
    };
    let Some(release) = ledger.release(number) else {
        let kept: Vec<String> = ledger.releases().map(|release| release.number.to_string()).collect();
        return Err(none(format!("there is no release {number}; there are: {}", kept.join(", "))));
    };
    unchanged(ledger, &release.facts.content)?;
    Ok(release)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(ids: &[&str]) -> Ledger {
        let mut ledger = Ledger::default();
        for (index, id) in ids.iter().enumerate() {
            let content =
                Content { id: (*id).repeat(16), configuration: String::new(), artifacts: Vec::new() };
            let facts = facts(content, How::Apply, "ann@laptop", "", None);
            let (number, ticket) = (index as u64 + 1, Ticket(index as u64));
            let (key, value) = Manifest { number, ticket, facts }.record(Ticket(7)).expect("small");
            ledger.take(index as i64, Some(key.as_bytes()), Some(&value)).expect("sound");
        }
        ledger
    }

    #[test]
    fn the_way_back_leads_to_another_content() {
        let ledger = ledger(&["a", "b", "a", "c", "c"]);
        let number = |to| target(&ledger, to).map(|release| release.number);
        assert_eq!(number(None).expect("there is one"), 3);
        assert_eq!(number(Some(2)).expect("there is one"), 2);
        let error = number(Some(4)).expect_err("the same");
        assert_eq!((error.code, error.message.contains("5-cccccccccccccccc")), (Code::Unchanged, true));
        let error = number(Some(9)).expect_err("none");
        assert_eq!(error.code, Code::NoRelease);
        assert!(error.message.ends_with("there are: 1, 2, 3, 4, 5"), "{error}");
    }

    #[test]
    fn there_may_be_no_way_back() {
        for ids in [&[][..], &["a"], &["a", "a"]] {
            let error = target(&ledger(ids), None).cloned().expect_err("none");
            assert_eq!(error.code, Code::NoRelease, "{error}");
        }
    }
}
