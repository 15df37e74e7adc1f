//! What became of releases, for people: one line of JSON an event, in a topic that keeps them for ever.
//!
//! Nothing is decided by it. Who writes the line has done what it says before.

use serde::{Deserialize, Serialize};

use super::json::{bytes, cut, damaged, read};
use super::manifest::{Facts, How, Manifest, Proposal, Refusal, Step, Turn};
use crate::error::{Code, Result};

const TEXT: usize = 8 << 10;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    Proposed,
    /// It has a number: all hosts are to go over.
    Released,
    Refused,
    /// All threads of a host have gone over.
    Runs,
    /// A host can't run it, and goes on with what it has.
    Failed,
    /// It was begun from history, has caught up, and takes the place of the one before.
    Speaks,
    /// It had state of its own, which is deleted.
    Ended,
}

impl What {
    pub fn name(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Released => "released",
            Self::Refused => "refused",
            Self::Runs => "runs",
            Self::Failed => "failed",
            Self::Speaks => "speaks",
            Self::Ended => "ended",
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    version: u64,
    /// Milliseconds since the epoch.
    pub at: i64,
    pub what: What,
    /// `USER@HOST`: who proposed it, or the host that it happened on.
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// As [`How`] is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns_to: Option<u64>,
    /// Of an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl Event {
    fn new(what: What, by: &str, at: i64) -> Self {
        let by = by.to_owned();
        let (number, id, ticket, how, returns_to, code) = Default::default();
        Self { version: 1, at, what, by, number, id, ticket, how, returns_to, code, why: String::new() }
    }

    fn of(what: What, facts: &Facts, by: &str, at: i64) -> Self {
        Self {
            id: Some(facts.content.id.clone()),
            how: Some(facts.how.name().to_owned()),
            returns_to: facts.returns_to,
            why: facts.why.clone(),
            ..Self::new(what, by, at)
        }
    }

    pub fn proposed(proposal: &Proposal) -> Self {
        let (facts, ticket) = (&proposal.facts, Some(proposal.ticket.to_string()));
        Self { ticket, ..Self::of(What::Proposed, facts, &facts.by, facts.at) }
    }

    pub fn released(release: &Manifest) -> Self {
        let (facts, ticket) = (&release.facts, Some(release.ticket.to_string()));
        let event = Self::of(What::Released, facts, &facts.by, facts.at);
        Self { number: Some(release.number), ticket, ..event }
    }

    pub fn refused(refusal: &Refusal, proposal: Option<&Proposal>) -> Self {
        let new = || Self::new(What::Refused, &refusal.by, refusal.at);
        let event = proposal
            .map_or_else(new, |proposal| Self::of(What::Refused, &proposal.facts, &refusal.by, refusal.at));
        let (ticket, code) = (Some(refusal.ticket.to_string()), Some(refusal.code.clone()));
        Self { ticket, code, why: refusal.message.clone(), ..event }
    }

    /// A host goes by a release now.
    pub fn runs(release: &Manifest, host: &str, at: i64) -> Self {
        let (number, id) = (Some(release.number), Some(release.facts.content.id.clone()));
        Self { number, id, ..Self::new(What::Runs, host, at) }
    }

    /// A generation has come so far, which goes by this release.
    pub fn turned(turn: &Turn, release: Option<&Manifest>) -> Self {
        let what = match turn.step {
            Step::Speaks => What::Speaks,
            Step::Ended => What::Ended,
        };
        let number = release.map(|release| release.number);
        let id = release.map(|release| release.facts.content.id.clone());
        Self { number, id, ..Self::new(what, &turn.by, turn.at) }
    }

    /// A host can't go by a release.
    pub fn failed(release: &Manifest, host: &str, at: i64, code: Code, why: &str) -> Self {
        let (number, id) = (Some(release.number), Some(release.facts.content.id.clone()));
        let (code, why) = (Some(code.to_string()), why.to_owned());
        Self { number, id, code, why, ..Self::new(What::Failed, host, at) }
    }

    /// How it came to be proposed.
    pub fn how(&self) -> Option<How> {
        How::ALL.into_iter().find(|how| Some(how.name()) == self.how.as_deref())
    }

    pub fn line(&self) -> Vec<u8> {
        bytes(&Self { why: cut(&self.why, TEXT), by: cut(&self.by, 255), ..self.clone() })
    }

    pub fn read(line: &[u8]) -> Result<Self> {
        let event: Self = read(line)?;
        if event.why.len() > TEXT || event.by.len() > 255 {
            return Err(damaged("a text is too long"));
        }
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use super::super::manifest::Ticket;
    use super::super::samples::facts;
    use super::*;

    #[test]
    fn events_are_read_as_they_were_written() {
        let proposal = Proposal { ticket: Ticket(1), facts: facts(3) };
        let release = Manifest { number: 7, ticket: Ticket(1), facts: facts(3) };
        let refusal = Refusal {
            ticket: Ticket(1),
            by: "host".to_owned(),
            at: 5,
            code: "TW204".to_owned(),
            message: "é".repeat(TEXT),
        };
        let events = [
            Event::proposed(&proposal),
            Event::released(&release),
            Event::runs(&release, "host", 9),
            Event::failed(&release, "host", 9, Code::PluginTrap, "no"),
        ];
        for event in events {
            assert_eq!(Event::read(&event.line()).expect("as written"), event);
        }
        let refused = Event::read(&Event::refused(&refusal, Some(&proposal)).line()).expect("as written");
        assert_eq!(
            (refused.why.len(), refused.code.as_deref(), refused.how()),
            (TEXT, Some("TW204"), Some(How::Apply))
        );
        assert!(Event::read(br#"{"version":2}"#).expect_err("newer").message.contains("format 2"));
        assert!(Event::read(br#"{"version":1,"at":1,"what":"eaten","by":"x"}"#).is_err());
    }
}
