//! A consumer, a member of its group.

use std::cell::{Cell, OnceCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::client::{Seat, fence, fenced, until};
use super::cluster::{Cluster, Heartbeat, MemberId, MemberToken, Offset, Place, State, Stored};
use super::process::Process;
use crate::engine::ports::{Committed, Limit, Polled, Source};
use crate::engine::{Mistake, planted};
use crate::error::{Code, Error, Result};
use crate::record::{Header, PartitionId, Record, Records};

/// The longest run of one partition's records that comes at once.
const RUN: usize = 8;
/// Polls that find nothing, though something is there; in ten thousand.
const SLOW_FETCH: u32 = 1_500;

/// An owned partition.
#[derive(Debug, Default)]
struct Reading {
    /// None: not started yet.
    next: Option<i64>,
    /// Where it begins is asked for still: whatever is sought meanwhile, the answer holds.
    asking: bool,
    /// Told to be given up; nothing of it comes any more.
    revoked: bool,
    held: bool,
    /// Records that were fetched before it was held, and come nevertheless.
    prefetched: usize,
    /// Its end was told, and nothing came since.
    ended: bool,
}

/// A source over a simulated group.
#[derive(Debug)]
pub struct SimSource {
    cluster: Cluster,
    process: Arc<Process>,
    thread: usize,
    transactional_id: Option<Rc<str>>,
    instance: Option<String>,
    /// Of the cluster, by source.
    topics: Vec<usize>,
    /// Those that the group reads.
    shared: Vec<usize>,
    member: Option<MemberId>,
    epoch: Cell<i32>,
    first_token: OnceCell<MemberToken>,
    owned: BTreeMap<PartitionId, Reading>,
    batch: Vec<(PartitionId, i64, Rc<Stored>)>,
    /// Partitions whose end is to be told.
    ended: Vec<PartitionId>,
}

impl SimSource {
    /// The group hears of it with the first poll.
    pub(super) fn connect(cluster: Cluster, seat: &Seat) -> Result<Self> {
        let topics = {
            let state = cluster.state();
            let missing = |name: &String| Error::new(Code::TopicMissing, format!("topic `{name}`"));
            let find = |name: &String| state.topic(name).ok_or_else(|| missing(name));
            seat.topics.iter().map(find).collect::<Result<Vec<_>>>()?
        };
        let is_shared = |source: &usize| !seat.apart.contains(source);
        let shared = (0..topics.len()).filter(is_shared).map(|source| topics[source]).collect();
        Ok(Self {
            cluster,
            process: Arc::clone(&seat.process),
            thread: seat.thread,
            transactional_id: seat.transactional_id.as_deref().map(Rc::from),
            instance: seat.instance.clone(),
            topics,
            shared,
            member: None,
            first_token: OnceCell::new(),
            epoch: Cell::new(0),
            owned: BTreeMap::new(),
            batch: Vec::new(),
            ended: Vec::new(),
        })
    }

    fn state(&self) -> RefMut<'_, State> {
        self.cluster.state()
    }

    fn place(&self, id: PartitionId) -> Place {
        (self.topics[usize::from(id.source)], id.partition)
    }

    fn id(&self, (topic, partition): Place) -> Option<PartitionId> {
        let source = self.topics.iter().position(|one| *one == topic)?;
        Some(PartitionId { source: source as u16, partition })
    }

    fn broke(&self, law: &str, ids: &[PartitionId]) {
        let (host, thread) = (self.process.host, self.thread);
        self.process.journal.broke(format!("host {host}.{thread}: source: {law}: {ids:?}"));
    }

    /// Partitions that the group gave and that are not given back.
    fn expect_owned(&self, law: &str, ids: &[PartitionId]) {
        if !ids.iter().all(|id| self.owned.contains_key(id)) {
            self.broke(law, ids);
        }
    }

    fn ids(&self, places: &[Place]) -> Vec<PartitionId> {
        places.iter().filter_map(|place| self.id(*place)).collect()
    }

    fn note(&self, what: &str, ids: &[PartitionId]) {
        let (host, thread) = (self.process.host, self.thread);
        let parts: Vec<_> = ids.iter().map(|id| (id.source, id.partition)).collect();
        self.process.journal.note(format_args!("host {host}.{thread} {what} {parts:?}"));
    }

    /// What the group wants.
    fn hear(&mut self) -> Result<Option<Polled>> {
        let Some(member) = self.member else {
            let token = self.state().join(self.process.number, self.instance.as_deref(), &self.shared);
            self.member = Some(token.id);
            self.epoch.set(token.epoch);
            return Ok(None);
        };
        let heartbeat = self.state().heartbeat(member);
        match heartbeat {
            Heartbeat::Replaced => Err(fenced()),
            Heartbeat::Unknown => {
                let owned = self.owned.iter_mut().filter(|(_, reading)| !reading.revoked);
                let partitions: Vec<PartitionId> = owned
                    .map(|(id, reading)| {
                        reading.revoked = true;
                        *id
                    })
                    .collect();
                if self.owned.is_empty() {
                    self.member = None;
                }
                if partitions.is_empty() {
                    return Ok(None);
                }
                self.note("lost", &partitions);
                self.process.journal.tally("partitions lost");
                Ok(Some(Polled::Revoked { partitions, lost: true }))
            }
            Heartbeat::Goes { epoch, revoked, assigned } => {
                self.epoch.set(epoch);
                let mut revoked = self.ids(&revoked);
                revoked.retain(|id| self.owned.get(id).is_some_and(|reading| !reading.revoked));
                if !revoked.is_empty() {
                    self.note("is to give up", &revoked);
                    self.process.journal.tally("partitions revoked");
                    for id in &revoked {
                        if let Some(reading) = self.owned.get_mut(id) {
                            reading.revoked = true;
                        }
                    }
                    return Ok(Some(Polled::Revoked { partitions: revoked, lost: false }));
                }
                let assigned = self.ids(&assigned);
                if assigned.is_empty() {
                    return Ok(None);
                }
                self.note("gets", &assigned);
                self.owned.extend(assigned.iter().map(|id| (*id, Reading::default())));
                Ok(Some(Polled::Assigned(assigned)))
            }
        }
    }

    /// Takes runs of records of some partitions, in some order.
    fn fill(&mut self, limit: Limit) -> Result<()> {
        let Self { cluster, owned, batch, ended, topics, .. } = self;
        let mut state = cluster.state();
        let mut ids: Vec<PartitionId> = owned.keys().copied().collect();
        state.random.shuffle(&mut ids);
        let rows = state.random.between(1, limit.rows.clamp(1, 64) as u64) as usize;
        let mut bytes = 0;
        for id in ids.iter().cycle().take(ids.len() * 2) {
            let Some(reading) = owned.get_mut(id).filter(|reading| !reading.revoked) else { continue };
            let Some(mut next) = reading.next else { continue };
            reading.asking = false;
            let place = (topics[usize::from(id.source)], id.partition);
            let run = 1 + state.random.below(RUN);
            let log = state.log(place);
            if next < log.start() || next > log.end() {
                let (place, start) = (state.place(place), log.start());
                let text = format!("{place}: offset {next} is not there; the first is {start}");
                return Err(Error::new(Code::OffsetLost, text));
            }
            let run = if reading.held { run.min(reading.prefetched) } else { run };
            for _ in 0..run {
                let Some((offset, record)) = log.read(next) else {
                    next = next.max(log.stable());
                    if !std::mem::replace(&mut reading.ended, true) {
                        ended.push(*id);
                    }
                    break;
                };
                let size = [&record.key, &record.value].into_iter().flatten().map(|part| part.len());
                bytes += size.sum::<usize>();
                if batch.len() >= rows || !batch.is_empty() && bytes > limit.bytes {
                    reading.next = Some(next);
                    return Ok(());
                }
                batch.push((*id, offset, Rc::clone(record)));
                reading.prefetched = reading.prefetched.saturating_sub(1);
                reading.ended = false;
                next = offset + 1;
            }
            reading.next = Some(next);
        }
        Ok(())
    }

    fn poll_now(&mut self, wait: Duration, limit: Limit) -> Result<Polled> {
        self.batch.clear();
        let limit_time = until(&self.state(), wait);
        loop {
            if let Some(polled) = self.hear()? {
                return Ok(polled);
            }
            let slow = {
                let mut state = self.state();
                let often = if state.faults.slow > 0 { SLOW_FETCH } else { 0 };
                state.random.hits(often)
            };
            if !slow {
                self.fill(limit)?;
            }
            let mut state = self.cluster.state();
            if !self.batch.is_empty() || state.now() >= limit_time {
                return Ok(Polled::Records(self.batch.len()));
            }
            state.drift(limit_time);
        }
    }

    /// Fences foreign claims, then waits until nothing is undecided.
    fn settle(&self, ids: &[PartitionId]) -> Result<Vec<Option<Committed>>> {
        let state = &mut *self.state();
        let mut asked: Vec<Rc<str>> = Vec::new();
        let limit = until(state, state.timeouts.transaction * 3);
        loop {
            let offsets: Vec<_> = ids.iter().map(|id| state.offset(self.place(*id))).collect();
            let claims = offsets.iter().filter_map(|(_, offset)| offset.as_ref()).map(|one| &one.claim);
            let foreign = |claim: &&Rc<str>| {
                !claim.is_empty() && self.transactional_id.as_ref() != Some(claim) && !asked.contains(claim)
            };
            let foreign = claims.filter(|_| self.transactional_id.is_some()).find(foreign).cloned();
            if let Some(id) = foreign {
                self.process.journal.note(format_args!("host {} fences {id}", self.process.host));
                self.process.journal.tally("claims fenced");
                fence(state, &id)?;
                asked.push(id);
            } else if !offsets.iter().any(|(undecided, _)| *undecided) {
                let committed =
                    |Offset { next, commit, fence, .. }: Offset| Committed { next, commit, fence };
                return Ok(offsets.into_iter().map(|(_, offset)| offset.map(committed)).collect());
            } else if state.now() >= limit {
                return Err(Error::new(Code::Consuming, "committed offsets stay undecided"));
            } else {
                self.process.journal.tally("undecided offsets");
                state.drift(limit);
            }
        }
    }
}

impl Source for SimSource {
    type Member = MemberToken;

    fn poll(&mut self, wait: Duration, limit: Limit) -> Result<Polled> {
        let process = Arc::clone(&self.process);
        process.call("poll", || self.poll_now(wait, limit))
    }

    fn records(&self) -> Records<'_> {
        let mut records = Records::default();
        for (from, offset, stored) in &self.batch {
            let start = records.headers.len() as u32;
            let headers = stored.headers.iter();
            records.headers.extend(headers.map(|(name, value)| Header { name, value: value.as_deref() }));
            records.rows.push(Record {
                from: *from,
                offset: *offset,
                timestamp: Some(stored.timestamp),
                key: stored.key.as_deref(),
                value: stored.value.as_deref(),
                headers: start..records.headers.len() as u32,
                is_muted: false,
            });
        }
        records
    }

    fn committed(&mut self, partitions: &[PartitionId]) -> Result<Vec<Option<Committed>>> {
        self.process.call("committed", || {
            self.expect_owned("offsets of what is not assigned", partitions);
            let offsets = self.settle(partitions)?;
            let journal = &self.process.journal;
            journal.note(format_args!("host {}.{} finds {offsets:?}", self.process.host, self.thread));
            Ok(offsets)
        })
    }

    fn start(&mut self, partitions: &[(PartitionId, Option<i64>)]) -> Result<()> {
        let process = Arc::clone(&self.process);
        process.call("start", || {
            let ids: Vec<PartitionId> = partitions.iter().map(|(id, _)| *id).collect();
            self.expect_owned("started, and not assigned", &ids);
            let is_fresh =
                |(_, reading): &(&PartitionId, &Reading)| reading.next.is_none() && !reading.revoked;
            let fresh: Vec<PartitionId> = self.owned.iter().filter(is_fresh).map(|(id, _)| *id).collect();
            let named = fresh.iter().filter(|id| ids.contains(id)).count();
            if named != 0 && named != fresh.len() {
                self.broke("an assignment is started by half", &fresh);
            }
            for (id, from) in partitions {
                let start = self.cluster.state().log(self.place(*id)).start();
                if let Some(reading) = self.owned.get_mut(id) {
                    let (revoked, held) = (reading.revoked, reading.held);
                    let next = if reading.asking { reading.next } else { Some(from.unwrap_or(start)) };
                    let asking = reading.asking || from.is_none();
                    *reading = Reading { next, asking, revoked, held, ..Reading::default() };
                }
                self.ended.retain(|other| other != id);
            }
            // What was polled last stays to be seen; what would come of the old place does not.
            Ok(())
        })
    }

    fn hold(&mut self, partitions: &[PartitionId]) -> Result<()> {
        let process = Arc::clone(&self.process);
        process.call("hold", || {
            self.expect_owned("held, and not assigned", partitions);
            let mut state = self.cluster.state();
            for (id, reading) in &mut self.owned {
                let held = partitions.contains(id);
                if held && !reading.held {
                    reading.prefetched = state.random.below(RUN);
                }
                reading.held = held;
            }
            Ok(())
        })
    }

    fn ended(&mut self) -> Vec<PartitionId> {
        std::mem::take(&mut self.ended)
    }

    fn release(&mut self, partitions: &[PartitionId]) -> Result<()> {
        let process = Arc::clone(&self.process);
        process.call("release", || {
            let revoked = |id: &PartitionId| self.owned.get(id).is_some_and(|reading| reading.revoked);
            if !partitions.iter().all(revoked) {
                self.broke("released, and not revoked", partitions);
            }
            self.owned.retain(|id, _| !partitions.contains(id));
            self.ended.retain(|id| !partitions.contains(id));
            self.batch.clear();
            self.note("gave up", partitions);
            let places: Vec<Place> = partitions.iter().map(|id| self.place(*id)).collect();
            if let Some(member) = self.member {
                self.state().release(member, &places);
            }
            Ok(())
        })
    }

    fn commit(&mut self, offsets: &[(PartitionId, i64)], wait: bool) -> Result<()> {
        self.process.call("commit offsets", || {
            let Some(id) = self.member else { return Ok(()) };
            let member = MemberToken { id, epoch: self.epoch.get() };
            let offsets = offsets.iter().map(|(id, next)| (self.place(*id), *next)).collect();
            self.state().commit_later(member, offsets, wait);
            Ok(())
        })
    }

    fn member(&self) -> Result<MemberToken> {
        self.process.call("member", || {
            let token = MemberToken { id: self.member.unwrap_or(0), epoch: self.epoch.get() };
            let mut state = self.state();
            let stale = state.faults.stale_member;
            if state.random.hits(stale) {
                state.overtake(token.id);
            }
            let first = *self.first_token.get_or_init(|| token);
            Ok(if planted(Mistake::StaleMember) { first } else { token })
        })
    }

    fn keep_alive(&self) -> Result<()> {
        // Heartbeats come from a thread of their own as long as the process lives.
        self.process.call("keep alive", || Ok(()))
    }

    fn leave(&mut self) -> Result<()> {
        let process = Arc::clone(&self.process);
        process.call("leave", || {
            self.batch.clear();
            self.owned.clear();
            if let Some(member) = self.member.take() {
                self.state().leave(member, "lets go of");
            }
            Ok(())
        })
    }
}

impl Drop for SimSource {
    /// As a crash: nobody is told.
    fn drop(&mut self) {
        if let Some(member) = self.member {
            self.state().silence(member);
        }
    }
}
