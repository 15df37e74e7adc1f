//! The group coordinator, as clients meet it.

use std::collections::BTreeSet;

use super::group::{Member, Offset};
use super::{Cluster, Event, Heartbeat, MemberId, MemberToken, Participant, Place, Producer, Refused, State};

impl Cluster {
    /// All members of a process fall silent: it is paused.
    pub fn pause(&self, process: usize) {
        let state = &mut *self.state();
        let members: Vec<MemberId> = state.members_of(process);
        members.into_iter().for_each(|member| state.silence(member));
    }

    /// They are heard again, if they are members still.
    pub fn resume(&self, process: usize) {
        let state = &mut *self.state();
        for member in state.members_of(process) {
            if let Some(member) = state.group.members.get_mut(&member) {
                member.silent_since = None;
            }
        }
    }

    /// Heartbeats of some member were lost for too long.
    pub fn kick(&self) {
        let state = &mut *self.state();
        let members: Vec<MemberId> = state.group.members.keys().copied().collect();
        if let Some(member) = state.random.pick(&members).copied() {
            state.leave(member, "heard nothing of");
        }
    }

    pub fn members(&self) -> usize {
        self.state().group.members.len()
    }
}

impl State {
    fn members_of(&self, process: usize) -> Vec<MemberId> {
        let members = self.group.members.iter();
        members.filter(|(_, member)| member.process == process).map(|(id, _)| *id).collect()
    }

    /// With an instance id that is there already, the old member is none any more.
    pub fn join(&mut self, process: usize, instance: Option<&str>, topics: &[usize]) -> MemberToken {
        let is_same = |member: &Member| instance.is_some() && member.instance.as_deref() == instance;
        let old = self.group.members.iter().find(|(_, member)| is_same(member)).map(|(id, _)| *id);
        if let Some(old) = old {
            self.group.remove(old);
            self.group.replaced.insert(old);
        }
        let id = self.next_number();
        let counts = topics.iter().map(|topic| (*topic, self.topics[*topic].logs.len() as i32));
        self.group.topics = counts.collect();
        let instance = instance.map(str::to_owned);
        let (owned, silent_since) = (BTreeSet::new(), None);
        self.group.members.insert(id, Member { instance, process, epoch: 0, owned, silent_since });
        self.changes += 1;
        self.group.rebalance(&mut self.random);
        self.journal.note(format_args!("process {process} joins as member {id}, epoch {}", self.group.epoch));
        MemberToken { id, epoch: 0 }
    }

    pub fn leave(&mut self, id: MemberId, why: &str) {
        if let Some(member) = self.group.remove(id) {
            self.changes += 1;
            self.group.rebalance(&mut self.random);
            let (process, epoch) = (member.process, self.group.epoch);
            self.journal
                .note(format_args!("the group {why} member {id} of process {process}, epoch {epoch}"));
        }
    }

    /// Nothing is heard of a member from now on.
    pub fn silence(&mut self, id: MemberId) {
        let (now, session) = (self.now(), self.timeouts.session.as_micros() as u64);
        if let Some(member) = self.group.members.get_mut(&id)
            && member.silent_since.is_none()
        {
            member.silent_since = Some(now);
            self.schedule(now + session, Event::Session { member: id });
        }
    }

    pub(super) fn look_at_session(&mut self, id: MemberId) {
        let (now, session) = (self.now(), self.timeouts.session.as_micros() as u64);
        let silent = self.group.members.get(&id).and_then(|member| member.silent_since);
        if silent.is_some_and(|since| now >= since + session) {
            self.leave(id, "heard nothing of");
        }
    }

    pub fn heartbeat(&mut self, id: MemberId) -> Heartbeat {
        let heartbeat = self.group.heartbeat(id);
        if let Heartbeat::Goes { assigned, .. } = &heartbeat
            && !assigned.is_empty()
        {
            self.changes += 1;
        }
        heartbeat
    }

    pub fn release(&mut self, id: MemberId, places: &[Place]) {
        self.changes += 1;
        self.group.release(id, places);
    }

    /// The group changes, and a member hears of it before it expects to.
    pub fn overtake(&mut self, id: MemberId) {
        self.group.rebalance(&mut self.random);
        self.group.follow(id);
    }

    /// Whether an offset is undecided; and the last one that is not, with its claim.
    pub fn offset(&self, of: Place) -> (bool, Option<Offset>) {
        (self.group.is_unstable(of), self.group.committed(of).cloned())
    }

    /// TxnOffsetCommit. `AddOffsetsToTxn` came before.
    pub fn add_offsets(
        &mut self,
        by: Producer,
        member: MemberToken,
        offsets: Vec<(Place, Offset)>,
    ) -> Result<(), Refused> {
        let open = self.transactions.is_open(by, Participant::Offsets);
        if !open && !self.group.has_pending(by.id) {
            return Err(Refused::Fenced);
        }
        self.group.check(member)?;
        self.group.add(by, offsets)
    }

    /// Outside of any transaction. Comes later, unless it is waited for, and all that came before.
    pub fn commit_later(&mut self, member: MemberToken, offsets: Vec<(Place, i64)>, wait: bool) {
        let number = self.next_number();
        self.plain_commits.insert(number, (member, offsets));
        if wait {
            let own = self.plain_commits.iter().filter(|(_, (by, _))| by.id == member.id);
            let own: Vec<u64> = own.map(|(number, _)| *number).collect();
            own.into_iter().for_each(|number| self.commit_plainly(number));
        } else {
            let at = self.now() + 5_000;
            self.schedule(at, Event::PlainCommit { number });
        }
    }

    pub(super) fn commit_plainly(&mut self, number: u64) {
        let Some((member, offsets)) = self.plain_commits.remove(&number) else { return };
        if self.group.members.contains_key(&member.id) {
            self.changes += 1;
            for (of, next) in offsets {
                self.group.set(of, Offset { next, commit: 0, claim: "".into(), fence: None });
            }
        }
    }
}
