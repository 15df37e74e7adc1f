//! Which release is the current one: the law of the control topic.
//!
//! - Of each key the last value in the log counts, and a value without bytes takes the record away. All that is said
//!   here is a function of what then is there and of its order. So it is the same for everybody who has read to the
//!   same place, whatever a compaction has left out of the log.
//! - In that order a release is accepted if its number is above all that were accepted before it, none of these has
//!   its ticket, and no refusal of its ticket stands before it. Two hosts may write the same number: the first in the
//!   log wins, and the other, which sees that, takes the next number.
//! - The current release is the one that was accepted last.
//! - [`Ledger::prunable`] names what may be taken away, in an order in which the answer stays the same after each one:
//!   what was not accepted goes before what it lost to, and a proposal before its answer.

use std::collections::{BTreeMap, BTreeSet};

use super::json::{CHUNK, Key, damaged};
use super::manifest::{Artifact, Digest, Manifest, Proposal, Refusal, Step, Ticket, Turn};
use crate::error::Result;

/// A value and its offset.
#[derive(Clone, Debug, PartialEq, Eq)]
struct At<T> {
    offset: i64,
    value: T,
}

/// What the control topic says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// By digest and index: how many bytes there are.
    chunks: BTreeMap<Digest, BTreeMap<u32, At<u64>>>,
    proposals: BTreeMap<Ticket, At<Proposal>>,
    releases: BTreeMap<Written, At<Manifest>>,
    /// By ticket and write.
    refusals: BTreeMap<(Ticket, Ticket), At<Refusal>>,
    /// By generation, step and write.
    turns: BTreeMap<(u64, Step, Ticket), At<Turn>>,
    /// In order of their numbers, which is that of the log.
    accepted: Vec<Written>,
}

/// Number, ticket and write.
type Written = (u64, Ticket, Ticket);

/// What became of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    Released(&'a Manifest),
    Refused(&'a Refusal),
}

/// Which releases stay.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// So many at the least.
    pub releases: usize,
    /// And all that ran then or later, in milliseconds since the epoch: rows that they began may be in flight.
    pub since: i64,
}

impl Ledger {
    /// Takes the next record of the log. An error says what is wrong with it; it is as if it were taken away then.
    pub fn take(&mut self, offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<()> {
        let place = |error: crate::error::Error| error.at(format!("the control topic at {offset}"));
        let key = Key::parse(key.unwrap_or_default()).map_err(place)?;
        self.forget(key);
        let taken = value.map_or(Ok(()), |value| self.put(offset, key, value));
        if matches!(key, Key::Release { .. } | Key::Refusal { .. }) {
            self.judge();
        }
        taken.map_err(|error| place(error.at(key)))
    }

    fn put(&mut self, offset: i64, key: Key, value: &[u8]) -> Result<()> {
        match key {
            Key::Chunk { digest, index } => {
                if value.len() > CHUNK {
                    return Err(damaged(format!("{} bytes of a file; {CHUNK} are the most", value.len())));
                }
                let chunks = self.chunks.entry(digest).or_default();
                chunks.insert(index, At { offset, value: value.len() as u64 });
            }
            Key::Proposal(ticket) => {
                let value = Proposal::read(ticket, value)?;
                self.proposals.insert(ticket, At { offset, value });
            }
            Key::Release { number, ticket, write } => {
                let value = Manifest::read(number, ticket, value)?;
                self.releases.insert((number, ticket, write), At { offset, value });
            }
            Key::Refusal { ticket, write } => {
                let value = Refusal::read(ticket, value)?;
                self.refusals.insert((ticket, write), At { offset, value });
            }
            Key::Turn { generation, step, write } => {
                let value = Turn::read(generation, step, value)?;
                self.turns.insert((generation, step, write), At { offset, value });
            }
        }
        Ok(())
    }

    fn forget(&mut self, key: Key) {
        match key {
            Key::Chunk { digest, index } => {
                if let Some(chunks) = self.chunks.get_mut(&digest) {
                    chunks.remove(&index);
                    if chunks.is_empty() {
                        self.chunks.remove(&digest);
                    }
                }
            }
            Key::Proposal(ticket) => drop(self.proposals.remove(&ticket)),
            Key::Release { number, ticket, write } => drop(self.releases.remove(&(number, ticket, write))),
            Key::Refusal { ticket, write } => drop(self.refusals.remove(&(ticket, write))),
            Key::Turn { generation, step, write } => drop(self.turns.remove(&(generation, step, write))),
        }
    }

    /// Finds out anew what is accepted.
    fn judge(&mut self) {
        let mut log: Vec<_> = self.releases.iter().map(|(key, at)| (at.offset, *key)).collect();
        log.sort_unstable();
        let (mut tickets, mut last) = (BTreeSet::new(), 0);
        self.accepted.clear();
        for (offset, key @ (number, ticket, _)) in log {
            let is_refused = self.refusals_of(ticket).any(|refusal| refusal.offset < offset);
            if number > last && !is_refused && tickets.insert(ticket) {
                last = number;
                self.accepted.push(key);
            }
        }
    }

    fn refusals_of(&self, ticket: Ticket) -> impl Iterator<Item = &At<Refusal>> {
        let all = self.refusals.range((ticket, Ticket(0))..=(ticket, Ticket(u64::MAX)));
        all.map(|(_, refusal)| refusal)
    }

    /// What all hosts are to run.
    pub fn current(&self) -> Option<&Manifest> {
        self.accepted.last().map(|key| &self.releases[key].value)
    }

    /// Those that are kept, the oldest first.
    pub fn releases(&self) -> impl DoubleEndedIterator<Item = &Manifest> {
        self.accepted.iter().map(|key| &self.releases[key].value)
    }

    pub fn release(&self, number: u64) -> Option<&Manifest> {
        self.releases().find(|release| release.number == number)
    }

    /// The last release with this content.
    pub fn release_of(&self, id: &str) -> Option<&Manifest> {
        self.releases().rev().find(|release| release.facts.content.id == id)
    }

    /// What the next release is called.
    pub fn next_number(&self) -> u64 {
        self.current().map_or(1, |current| current.number + 1)
    }

    pub fn answer(&self, ticket: Ticket) -> Option<Answer<'_>> {
        let released = self.releases().find(|release| release.ticket == ticket).map(Answer::Released);
        let refused = || self.refusals_of(ticket).min_by_key(|at| at.offset);
        released.or_else(|| refused().map(|at| Answer::Refused(&at.value)))
    }

    pub fn proposal(&self, ticket: Ticket) -> Option<&Proposal> {
        self.proposals.get(&ticket).map(|at| &at.value)
    }

    /// Proposals without an answer, in the order of the log.
    pub fn waiting(&self) -> Vec<&Proposal> {
        let waiting = self.proposals.values().filter(|at| self.answer(at.value.ticket).is_none());
        in_order(waiting)
    }

    /// In the order of the log.
    pub fn refusals(&self) -> Vec<&Refusal> {
        in_order(self.refusals.values())
    }

    /// Offsets of a file's chunks, in order. None: not all are there.
    pub fn chunks(&self, artifact: &Artifact) -> Option<Vec<i64>> {
        let none = BTreeMap::new();
        let chunks = self.chunks.get(&artifact.digest).unwrap_or(&none);
        let (mut offsets, mut bytes) = (Vec::new(), 0);
        while bytes < artifact.bytes {
            let At { offset, value } = chunks.get(&(offsets.len() as u32)).filter(|chunk| chunk.value > 0)?;
            offsets.push(*offset);
            bytes += value;
        }
        (bytes == artifact.bytes).then_some(offsets)
    }

    /// Whether a file is there, and will be for a while: nothing takes it away while a proposal that names it is on
    /// its way. `keep`: as of [`Ledger::prunable`].
    pub fn holds(&self, artifact: &Artifact, keep: usize) -> bool {
        let mut recent = self.releases().rev().take((keep / 2).max(1));
        let named = recent.any(|release| names(&release.facts.content.artifacts, artifact.digest));
        named && self.chunks(artifact).is_some()
    }

    /// Files that releases which are kept, and proposals that wait, are made of.
    pub fn named(&self) -> BTreeSet<Digest> {
        let releases = self.releases().map(|release| &release.facts);
        let waiting = self.waiting().into_iter().map(|proposal| &proposal.facts);
        let contents = releases.chain(waiting).map(|facts| &facts.content);
        contents.flat_map(|content| content.artifacts.iter().map(|artifact| artifact.digest)).collect()
    }

    /// What may be taken away: to be written in this order. As many refusals stay as releases at the least.
    pub fn prunable(&self, keep: Keep) -> Vec<Key> {
        let (least, keep) = (keep.releases.max(1), self.kept(keep));
        let accepted: BTreeSet<_> = self.accepted.iter().copied().collect();
        let old = &self.accepted[..self.accepted.len().saturating_sub(keep)];
        let lost = self.releases.keys().filter(|key| !accepted.contains(key));
        let refusals = self.refusals();
        let kept: BTreeSet<Ticket> =
            refusals.iter().rev().take(least).map(|refusal| refusal.ticket).collect();
        let refusals = self.refusals.keys().filter(|(ticket, _)| !kept.contains(ticket));
        let current = self.current().map(|current| current.ticket);
        let is_done = |ticket: &Ticket| match self.answer(*ticket) {
            Some(Answer::Released(release)) => current != Some(release.ticket),
            Some(Answer::Refused(refusal)) => !kept.contains(&refusal.ticket),
            None => false,
        };
        let proposals = self.proposals.keys().filter(|ticket| is_done(ticket));
        let release = |&(number, ticket, write): &Written| Key::Release { number, ticket, write };
        let mut keys: Vec<Key> = lost.map(release).collect();
        keys.extend(proposals.map(|ticket| Key::Proposal(*ticket)));
        keys.extend(refusals.map(|&(ticket, write)| Key::Refusal { ticket, write }));
        keys.extend(old.iter().map(release));
        keys.extend(self.unnamed(keep));
        keys
    }

    /// How many releases stay.
    fn kept(&self, keep: Keep) -> usize {
        let begun = self.releases().rev().take_while(|release| release.facts.at >= keep.since).count();
        // What a generation goes by that is run still.
        let runs = self.pair().map_or(0, |pair| {
            self.releases().rev().take_while(|release| release.number >= pair.newer.number).count() + 1
        });
        // The one before the first of them ran then too.
        keep.releases.max(begun + 1).max(runs)
    }

    /// Chunks that nothing of what is kept names, and that are older than all of it: those of a proposal that is still
    /// on its way are not.
    fn unnamed(&self, keep: usize) -> Vec<Key> {
        let kept = self.accepted.len().saturating_sub(keep);
        let Some(oldest) = self.accepted.get(kept).map(|key| self.releases[key].offset) else {
            return Vec::new();
        };
        let kept = self.accepted[kept..].iter().map(|key| &self.releases[key].value.facts);
        let facts = kept.chain(self.waiting().into_iter().map(|proposal| &proposal.facts));
        let named: BTreeSet<Digest> =
            facts.flat_map(|facts| facts.content.artifacts.iter().map(|one| one.digest)).collect();
        let unnamed = self.chunks.iter().filter(|(digest, chunks)| {
            !named.contains(*digest) && chunks.values().all(|chunk| chunk.offset < oldest)
        });
        let keys = |(digest, chunks): (&Digest, &BTreeMap<u32, At<u64>>)| {
            let digest = *digest;
            chunks.keys().map(move |index| Key::Chunk { digest, index: *index }).collect::<Vec<_>>()
        };
        unnamed.flat_map(keys).collect()
    }
}

fn names(artifacts: &[Artifact], digest: Digest) -> bool {
    artifacts.iter().any(|artifact| artifact.digest == digest)
}

fn in_order<'a, T>(found: impl Iterator<Item = &'a At<T>>) -> Vec<&'a T> {
    let mut found: Vec<_> = found.collect();
    found.sort_unstable_by_key(|at| at.offset);
    found.into_iter().map(|at| &at.value).collect()
}

mod generations;

pub use generations::Pair;

#[cfg(test)]
mod tests;
