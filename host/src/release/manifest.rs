//! What a release is: content, a number, and the facts of how it came to be.
//!
//! - The id of a content is made of all that bears on results: equal content, equal id.
//! - A number is given once. Going back gives a former content a new number.
//! - A ticket is a proposal's own; who answers it names it. No two proposals have the same.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

use crate::config::Role;

/// `NUMBER-ID`: what outputs say of the release that made them.
pub fn stamp(number: u64, id: &str) -> String {
    format!("{number}-{id}")
}

/// The number in a stamp.
pub fn number_of(stamp: &str) -> Option<u64> {
    let (number, _) = stamp.split_once('-')?;
    number.parse().ok()
}

/// Whether it looks like an id: 16 hexadecimal digits.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A sha256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As it is displayed, and not otherwise.
impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no sha256");
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(wrong()),
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(wrong());
        }
        let mut digest = [0; 32];
        for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Ok(Self(digest))
    }
}

/// Names a proposal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

impl Ticket {
    pub fn random() -> Self {
        Self(RandomState::new().hash_one(()))
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As it is displayed, and not otherwise.
impl FromStr for Ticket {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ticket = u64::from_str_radix(text, 16).ok().map(Self).filter(|_| is_id(text));
        ticket.ok_or_else(|| format!("{text:?} is no ticket"))
    }
}

/// A plugin or a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    pub role: Role,
    /// The last part of its file's name.
    pub file: String,
    pub digest: Digest,
    pub bytes: u64,
    pub signature: Option<[u8; 64]>,
}

/// What makes results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    pub id: String,
    /// What of the pipeline file bears on results, in TOML.
    pub configuration: String,
    pub artifacts: Vec<Artifact>,
}

/// How a content came to be proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum How {
    /// By a command, or the admin API.
    Apply,
    /// Files changed beside a running host.
    File,
    /// In the same ways, to what was before.
    Rollback,
    /// By a host, which found it worse than the one before.
    Probation,
    /// A host had it when it started.
    Start,
}

impl How {
    pub const ALL: [Self; 5] = [Self::Apply, Self::File, Self::Rollback, Self::Probation, Self::Start];

    pub fn name(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::File => "file",
            Self::Rollback => "rollback",
            Self::Probation => "probation",
            Self::Start => "start",
        }
    }
}

/// What a proposal says, and the release that it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub content: Content,
    /// `USER@HOST`, or who the admin API says it was.
    pub by: String,
    pub how: How,
    /// Milliseconds since the epoch.
    pub at: i64,
    /// For a person; may be empty.
    pub why: String,
    /// The release whose content comes back.
    pub returns_to: Option<u64>,
    /// The sources are read again from this time on, in milliseconds since the epoch: a new generation begins.
    pub bootstrap: Option<i64>,
    /// Whose state it goes on with: number of the release that began it; 0: the first. Of a proposal it is not known.
    pub generation: u64,
}

/// A content that is to become a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub ticket: Ticket,
    pub facts: Facts,
}

/// A release: a content with a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub number: u64,
    pub ticket: Ticket,
    pub facts: Facts,
}

impl Manifest {
    pub fn stamp(&self) -> String {
        stamp(self.number, &self.facts.content.id)
    }
}

/// How far a generation is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// It has caught up, and is to speak.
    Speaks,
    /// It is not run any more.
    Ended,
}

impl Step {
    pub const ALL: [Self; 2] = [Self::Speaks, Self::Ended];

    pub fn name(self) -> &'static str {
        match self {
            Self::Speaks => "speaks",
            Self::Ended => "ended",
        }
    }
}

/// A generation has come as far as this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub generation: u64,
    pub step: Step,
    /// The host that found out.
    pub by: String,
    /// Milliseconds since the epoch.
    pub at: i64,
}

/// Why a proposal becomes none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub ticket: Ticket,
    /// The host.
    pub by: String,
    /// Milliseconds since the epoch.
    pub at: i64,
    /// Such as `TW204`.
    pub code: String,
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_not_otherwise() {
        assert_eq!(stamp(7, "0123456789abcdef"), "7-0123456789abcdef");
        assert_eq!(number_of("7-0123456789abcdef"), Some(7));
        assert_eq!((number_of("0123456789abcdef"), number_of("-7"), number_of("")), (None, None, None));
        let digest = Digest(std::array::from_fn(|index| index as u8 * 8));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        let ticket = Ticket::random();
        assert_eq!(ticket.to_string().parse(), Ok(ticket));
        for wrong in ["", "0", "+123456789abcdef", "0123456789ABCDEF", "0123456789abcdeff"] {
            assert!(wrong.parse::<Ticket>().is_err() && !is_id(wrong), "{wrong}");
            assert!(wrong.repeat(4).parse::<Digest>().is_err(), "{wrong}");
        }
    }
}
