//! The control topic's records: keys, and values in JSON.
//!
//! ```text
//! artifact/SHA256/INDEX          a chunk of a file's bytes, as they are: all of CHUNK bytes but the last
//! proposal/TICKET                a proposal
//! release/NUMBER/TICKET/WRITE    a release: the facts of the proposal, numbered
//! refusal/TICKET/WRITE           why a proposal is none
//! generation/NUMBER/STEP/WRITE   how far a generation is: `speaks`, or `ended`
//! ```
//!
//! Two hosts may answer a proposal alike. WRITE, which is random, keeps the two apart: else a compaction would take the
//! first away, and move the answer to another place in the log.
//!
//! A value without bytes takes the record away. Nothing that is read is believed: all is bounded, an unknown field is an
//! error, and so is another version than 1.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::manifest::{
    Artifact, Content, Digest, Facts, How, Manifest, Proposal, Refusal, Step, Ticket, Turn, is_id,
};
use crate::codec::base64;
use crate::config::Role;
use crate::error::{Code, Error, Result};

/// Bytes of a chunk.
pub const CHUNK: usize = 512 << 10;
/// Of a value in JSON.
pub const VALUE: usize = 1 << 20;
/// Of a file: what a plugin or a model may have at most.
const FILE: u64 = 2 << 30;
const CONFIGURATION: usize = 256 << 10;
const ARTIFACTS: usize = 64;
/// Of who did it, and of names.
const NAME: usize = 255;
/// Of a text for a person.
const TEXT: usize = 8 << 10;

const VERSION: u64 = 1;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    Chunk { digest: Digest, index: u32 },
    Proposal(Ticket),
    Release { number: u64, ticket: Ticket, write: Ticket },
    Refusal { ticket: Ticket, write: Ticket },
    Turn { generation: u64, step: Step, write: Ticket },
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chunk { digest, index } => write!(f, "artifact/{digest}/{index}"),
            Self::Proposal(ticket) => write!(f, "proposal/{ticket}"),
            Self::Release { number, ticket, write } => write!(f, "release/{number}/{ticket}/{write}"),
            Self::Refusal { ticket, write } => write!(f, "refusal/{ticket}/{write}"),
            Self::Turn { generation, step, write } => {
                write!(f, "generation/{generation}/{}/{write}", step.name())
            }
        }
    }
}

impl Key {
    /// Only what [`Key`] displays.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let known = Self::of(text).filter(|key| key.to_string() == text);
        known.ok_or_else(|| damaged(format!("key {:?} is none of ours", shortened(bytes))))
    }

    fn of(text: &str) -> Option<Self> {
        let (what, rest) = text.split_once('/')?;
        match what {
            "artifact" => {
                let (digest, index) = rest.split_once('/')?;
                Some(Self::Chunk { digest: digest.parse().ok()?, index: index.parse().ok()? })
            }
            "proposal" => Some(Self::Proposal(rest.parse().ok()?)),
            "release" => {
                let (number, rest) = rest.split_once('/')?;
                let (ticket, write) = rest.split_once('/')?;
                let number = number.parse().ok().filter(|number| *number > 0)?;
                Some(Self::Release { number, ticket: ticket.parse().ok()?, write: write.parse().ok()? })
            }
            "refusal" => {
                let (ticket, write) = rest.split_once('/')?;
                Some(Self::Refusal { ticket: ticket.parse().ok()?, write: write.parse().ok()? })
            }
            "generation" => {
                let (generation, rest) = rest.split_once('/')?;
                let (step, write) = rest.split_once('/')?;
                let step = Step::ALL.into_iter().find(|known| known.name() == step)?;
                Some(Self::Turn { generation: generation.parse().ok()?, step, write: write.parse().ok()? })
            }
            _ => None,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FactsLine {
    version: u64,
    id: String,
    configuration: String,
    artifacts: Vec<ArtifactLine>,
    by: String,
    how: String,
    at: i64,
    why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    returns_to: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bootstrap: Option<i64>,
    #[serde(default, skip_serializing_if = "is_first")]
    generation: u64,
}

fn is_first(generation: &u64) -> bool {
    *generation == 0
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ArtifactLine {
    role: String,
    file: String,
    sha256: String,
    bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefusalLine {
    version: u64,
    by: String,
    at: i64,
    code: String,
    message: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TurnLine {
    version: u64,
    by: String,
    at: i64,
}

/// All that every version has.
#[derive(Deserialize)]
struct AnyLine {
    version: u64,
}

impl Proposal {
    pub fn record(&self) -> Result<(String, Vec<u8>)> {
        Ok((Key::Proposal(self.ticket).to_string(), value(&self.facts)?))
    }

    pub(super) fn read(ticket: Ticket, value: &[u8]) -> Result<Self> {
        Ok(Self { ticket, facts: facts(value)? })
    }
}

impl Manifest {
    /// `write`: a random one for each time that it is written.
    pub fn record(&self, write: Ticket) -> Result<(String, Vec<u8>)> {
        let key = Key::Release { number: self.number, ticket: self.ticket, write };
        Ok((key.to_string(), value(&self.facts)?))
    }

    pub(super) fn read(number: u64, ticket: Ticket, value: &[u8]) -> Result<Self> {
        Ok(Self { number, ticket, facts: facts(value)? })
    }
}

impl Refusal {
    /// `write`: as of a release.
    pub fn record(&self, write: Ticket) -> (String, Vec<u8>) {
        let line = RefusalLine {
            version: VERSION,
            by: cut(&self.by, NAME),
            at: self.at,
            code: cut(&self.code, NAME),
            message: cut(&self.message, TEXT),
        };
        (Key::Refusal { ticket: self.ticket, write }.to_string(), bytes(&line))
    }

    pub(super) fn read(ticket: Ticket, value: &[u8]) -> Result<Self> {
        let RefusalLine { by, at, code, message, .. } = read(value)?;
        let short = by.len() <= NAME && code.len() <= NAME && message.len() <= TEXT;
        if !short {
            return Err(damaged("a text is too long"));
        }
        Ok(Self { ticket, by, at, code, message })
    }
}

impl Turn {
    /// `write`: as of a release.
    pub fn record(&self, write: Ticket) -> (String, Vec<u8>) {
        let line = TurnLine { version: VERSION, by: cut(&self.by, NAME), at: self.at };
        let key = Key::Turn { generation: self.generation, step: self.step, write };
        (key.to_string(), bytes(&line))
    }

    pub(super) fn read(generation: u64, step: Step, value: &[u8]) -> Result<Self> {
        let TurnLine { by, at, .. } = read(value)?;
        if by.len() > NAME {
            return Err(damaged("a text is too long"));
        }
        Ok(Self { generation, step, by, at })
    }
}

/// An error: it is too large for the topic.
fn value(facts: &Facts) -> Result<Vec<u8>> {
    let Facts { content, by, how, at, why, returns_to, bootstrap, generation } = facts;
    if content.configuration.len() > CONFIGURATION {
        let (size, most) = (content.configuration.len(), CONFIGURATION);
        let text = format!("the configuration has {size} bytes; a release takes {most} at most");
        return Err(Error::new(Code::ConfigValue, text));
    }
    let artifact = |one: &Artifact| ArtifactLine {
        role: one.role.to_string(),
        file: one.file.clone(),
        sha256: one.digest.to_string(),
        bytes: one.bytes,
        signature: one.signature.map(|signature| text(&signature)),
    };
    Ok(bytes(&FactsLine {
        version: VERSION,
        id: content.id.clone(),
        configuration: content.configuration.clone(),
        artifacts: content.artifacts.iter().map(artifact).collect(),
        by: cut(by, NAME),
        how: how.name().to_owned(),
        at: *at,
        why: cut(why, TEXT),
        returns_to: *returns_to,
        bootstrap: *bootstrap,
        generation: *generation,
    }))
}

fn facts(value: &[u8]) -> Result<Facts> {
    let line: FactsLine = read(value)?;
    let how = How::ALL.into_iter().find(|how| how.name() == line.how);
    let how = how.ok_or_else(|| damaged(format!("how: {:?} is not known", cut(&line.how, NAME))))?;
    let short = line.by.len() <= NAME && line.why.len() <= TEXT && line.configuration.len() <= CONFIGURATION;
    if !short || line.artifacts.len() > ARTIFACTS || !is_id(&line.id) {
        return Err(damaged("a text is too long, or no id"));
    }
    let artifacts = line.artifacts.into_iter().map(artifact).collect::<Result<Vec<_>>>()?;
    let twice =
        |(index, one): (usize, &Artifact)| artifacts[..index].iter().any(|other| other.role == one.role);
    if artifacts.iter().enumerate().any(twice) {
        return Err(damaged("two files have one stage"));
    }
    let content = Content { id: line.id, configuration: line.configuration, artifacts };
    let FactsLine { by, at, why, returns_to, bootstrap, generation, .. } = line;
    if bootstrap.is_some_and(|from| from < 0) {
        return Err(damaged("it begins before 1970"));
    }
    Ok(Facts { content, by, how, at, why, returns_to, bootstrap, generation })
}

fn artifact(line: ArtifactLine) -> Result<Artifact> {
    let role = Role::from_str(&line.role).map_err(damaged)?;
    let digest = line.sha256.parse().map_err(damaged)?;
    let plain = !line.file.contains(['/', '\0']) && !matches!(line.file.as_str(), "" | "." | "..");
    if !plain || line.file.len() > NAME || line.bytes > FILE {
        return Err(damaged("a file has no name, or is too large"));
    }
    let signature = |text: String| {
        let mut bytes = Vec::new();
        let bytes = base64::decode(text.as_bytes(), &mut bytes).and_then(|()| bytes.try_into().ok());
        bytes.ok_or_else(|| damaged("a signature is none"))
    };
    let signature = line.signature.map(signature).transpose()?;
    Ok(Artifact { role, file: line.file, digest, bytes: line.bytes, signature })
}

fn text(signature: &[u8]) -> String {
    let mut text = Vec::new();
    base64::encode(signature, &mut text);
    String::from_utf8(text).expect("it is of letters")
}

pub(super) fn read<T: for<'a> Deserialize<'a>>(value: &[u8]) -> Result<T> {
    if value.len() > VALUE {
        return Err(damaged(format!("{} bytes; {VALUE} are the most", value.len())));
    }
    let any: AnyLine = serde_json::from_slice(value).map_err(damaged)?;
    if any.version != VERSION {
        let text = format!("it was written by another version of Tailwater, in format {}", any.version);
        return Err(Error::new(Code::ReleaseUnreadable, text));
    }
    serde_json::from_slice(value).map_err(damaged)
}

pub(super) fn bytes(line: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(line).expect("texts and numbers can always be written")
}

pub(super) fn damaged(why: impl fmt::Display) -> Error {
    Error::new(Code::ReleaseUnreadable, format!("it is damaged: {why}"))
}

/// The first so many bytes of a text, and no half character.
pub(super) fn cut(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most)].to_owned()
}

fn shortened(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(100)]).into_owned()
}

#[cfg(test)]
mod tests;
