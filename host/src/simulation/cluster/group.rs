//! The consumer group: members, who has which partition, and committed offsets.
//!
//! A partition has one owner at most: it comes to the next one when the one before released it, or is no
//! member any more.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Place, Producer, ProducerId, Refused};
use crate::engine::Fence;
use crate::simulation::journal::Time;
use crate::simulation::random::Random;

pub type MemberId = u64;

/// What proves that a client is a member, as of when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberToken {
    pub(in crate::simulation) id: MemberId,
    pub(in crate::simulation) epoch: i32,
}

#[derive(Debug)]
pub(super) struct Member {
    pub instance: Option<String>,
    pub process: usize,
    pub epoch: i32,
    pub owned: BTreeSet<Place>,
    /// No heartbeat comes since.
    pub silent_since: Option<Time>,
}

/// The answer to a heartbeat.
#[derive(Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// No member any more.
    Unknown,
    /// Another one took its instance id.
    Replaced,
    Goes {
        epoch: i32,
        revoked: Vec<Place>,
        assigned: Vec<Place>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offset {
    pub next: i64,
    /// What the mark said.
    pub commit: u64,
    /// Transactional id of whoever has the partition; empty: nobody has.
    pub claim: Rc<str>,
    /// As the mark said.
    pub fence: Option<Fence>,
}

#[derive(Debug, Default)]
pub struct Group {
    pub(super) epoch: i32,
    pub(super) members: BTreeMap<MemberId, Member>,
    pub(super) replaced: BTreeSet<MemberId>,
    /// With their partitions.
    pub(super) topics: Vec<(usize, i32)>,
    target: BTreeMap<Place, MemberId>,
    owners: BTreeMap<Place, MemberId>,
    offsets: BTreeMap<Place, Offset>,
    /// Offsets of transactions that are not decided here yet.
    pending: BTreeMap<ProducerId, Vec<(Place, Offset)>>,
    epochs: BTreeMap<ProducerId, i16>,
}

impl Group {
    pub fn check(&self, token: MemberToken) -> Result<(), Refused> {
        let known = self.members.get(&token.id).is_some_and(|member| member.epoch == token.epoch);
        if known { Ok(()) } else { Err(Refused::IllegalGeneration) }
    }

    /// Deals all partitions out anew: ranges of each topic, in the order of members. Sometimes the order is another.
    pub(super) fn rebalance(&mut self, random: &mut Random) {
        self.epoch += 1;
        self.target.clear();
        let mut order: Vec<MemberId> = self.members.keys().copied().collect();
        order.sort_by_key(|id| self.members[id].instance.clone());
        let turn = if random.hits(2_000) { random.below(order.len()) } else { 0 };
        order.rotate_left(turn);
        let Some(members) = i32::try_from(order.len()).ok().filter(|count| *count > 0) else { return };
        for (topic, partitions) in &self.topics {
            let (each, more) = (partitions / members, partitions % members);
            let mut next = 0;
            for (index, member) in order.iter().enumerate() {
                let end = next + each + i32::from((index as i32) < more);
                self.target.extend((next..end).map(|partition| ((*topic, partition), *member)));
                next = end;
            }
        }
    }

    /// What a member has to give up, and else what it gets. Its epoch follows the group's when it has nothing
    /// to give up.
    pub fn heartbeat(&mut self, id: MemberId) -> Heartbeat {
        let wanted = self.target.values().filter(|owner| **owner == id).count();
        let Some(member) = self.members.get_mut(&id) else {
            let replaced = self.replaced.contains(&id);
            return if replaced { Heartbeat::Replaced } else { Heartbeat::Unknown };
        };
        if member.epoch == self.epoch && member.owned.len() == wanted {
            return Heartbeat::Goes { epoch: self.epoch, revoked: Vec::new(), assigned: Vec::new() };
        }
        let foreign = |place: &&Place| self.target.get(place) != Some(&id);
        let revoked: Vec<Place> = member.owned.iter().filter(foreign).copied().collect();
        if !revoked.is_empty() {
            return Heartbeat::Goes { epoch: member.epoch, revoked, assigned: Vec::new() };
        }
        member.epoch = self.epoch;
        let free = |place: &Place| !self.owners.contains_key(place);
        let mine = self.target.iter().filter(|(_, owner)| **owner == id).map(|(place, _)| *place);
        let assigned: Vec<Place> = mine.filter(free).collect();
        member.owned.extend(&assigned);
        self.owners.extend(assigned.iter().map(|place| (*place, id)));
        Heartbeat::Goes { epoch: self.epoch, revoked, assigned }
    }

    /// As a heartbeat does with a member that has nothing to give up.
    pub(super) fn follow(&mut self, id: MemberId) {
        if let Some(member) = self.members.get_mut(&id)
            && member.owned.iter().all(|place| self.target.get(place) == Some(&id))
        {
            member.epoch = self.epoch;
        }
    }

    pub fn release(&mut self, id: MemberId, places: &[Place]) {
        let Some(member) = self.members.get_mut(&id) else { return };
        for place in places.iter().filter(|place| member.owned.remove(place)) {
            self.owners.remove(place);
        }
    }

    pub(super) fn remove(&mut self, id: MemberId) -> Option<Member> {
        let member = self.members.remove(&id)?;
        self.owners.retain(|_, owner| *owner != id);
        Some(member)
    }

    /// What is committed for good.
    pub fn committed(&self, of: Place) -> Option<&Offset> {
        self.offsets.get(&of)
    }

    /// Whether a transaction is to be waited for.
    pub fn is_unstable(&self, of: Place) -> bool {
        self.pending.values().flatten().any(|(place, _)| *place == of)
    }

    pub(super) fn set(&mut self, of: Place, offset: Offset) {
        self.offsets.insert(of, offset);
    }

    /// Whether offsets of a transaction wait for its end.
    pub(super) fn has_pending(&self, producer: ProducerId) -> bool {
        self.pending.contains_key(&producer)
    }

    /// Offsets of a transaction, seen once its marker is there.
    pub(super) fn add(&mut self, by: Producer, offsets: Vec<(Place, Offset)>) -> Result<(), Refused> {
        let latest = self.epochs.entry(by.id).or_insert(by.epoch);
        if by.epoch < *latest {
            return Err(Refused::Fenced);
        }
        *latest = by.epoch;
        self.pending.entry(by.id).or_default().extend(offsets);
        Ok(())
    }

    pub(super) fn decide(&mut self, by: Producer, commit: bool) {
        let latest = self.epochs.entry(by.id).or_insert(by.epoch);
        *latest = by.epoch.max(*latest);
        let offsets = self.pending.remove(&by.id).unwrap_or_default();
        if commit {
            self.offsets.extend(offsets);
        }
    }
}
