//! Where records come from: one consumer, a member of its group.
//!
//! The consumer's own queue is polled for what is no record; the records of all partitions come into
//! an inbox beside it, so that a rebalance need not wait behind thousands of records, and a stuck
//! sink does not keep the consumer from being polled.

mod answers;
mod claims;
mod commits;
mod membership;
mod open;
mod options;
mod stable;

use std::cell::RefCell;
use std::fmt;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerGroupMetadata};
use rdkafka::topic_partition_list::Offset;

use super::consumer::{close, consuming, serve};
use super::events::{Committed, ConsumerEvents};
use super::native::{known_end, metadata};
use super::note::Note;
use super::places;
use super::rows::Batch;
use crate::config::{Protocol, Start};
use crate::engine::Words;
use crate::engine::ports::{self, Limit, Mark, Polled, Source};
use crate::error::{Code, Error, Result};
use crate::record::{PartitionId, Records};
use answers::{committed_offset, fenced, uncommitted};
pub(super) use claims::Claimant;
use commits::Commits;
use membership::{Answer, Begin, Beginnings, Membership, Turn};
use open::Open;

pub use claims::Claims;
pub use options::SourceOptions;

/// While no record comes, events are looked for this often.
const LOOK: Duration = Duration::from_millis(20);

/// Places are found in milliseconds; this long brokers may be away before a run gives up.
const FOUND_WITHIN: Duration = Duration::from_secs(60);

/// A source over one consumer. With more members in its group than partitions, it may be assigned
/// nothing: that is to be started too.
pub struct KafkaSource {
    // Batch and inbox before the consumer: dropped first.
    batch: Batch,
    /// Also moved on by [`Source::keep_alive`], while records are looked at; so are the commits.
    membership: RefCell<Membership>,
    commits: RefCell<Commits>,
    /// Partitions that are held back.
    held: Vec<PartitionId>,
    open: Option<Open>,
    claimant: Option<Claimant>,
    options: SourceOptions,
}

impl fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSource").field("topics", &self.options.topics).finish_non_exhaustive()
    }
}

impl KafkaSource {
    /// Joins the group. The broker's answer comes with the first polls.
    pub fn connect(options: SourceOptions) -> Result<Self> {
        let open = Some(Open::new(&options)?);
        let SourceOptions { cluster, group, client_id, claims, .. } = &options;
        let claimant = claims
            .clone()
            .map(|claims| Claimant::new(claims, cluster.clone(), client_id.clone(), group.clone()));
        let (batch, membership, commits) = (Batch::default(), RefCell::default(), RefCell::default());
        Ok(Self { batch, membership, commits, held: Vec::new(), open, claimant, options })
    }

    fn open(&self) -> Result<&Open> {
        self.open.as_ref().ok_or_else(gone)
    }

    /// Takes notice of everything but records.
    fn serve(&self) -> Result<()> {
        let Open { inbox, consumer } = self.open.as_ref().ok_or_else(gone)?;
        serve(consumer, inbox).map_err(|error| match error.code {
            Code::Denied => error.at(format!("group `{}`", self.options.group)),
            _ => error,
        })?;
        consumer.context().rebalances(&mut *self.membership.borrow_mut());
        self.serve_commits(consumer)
    }

    /// What became of commits; those that failed are tried again.
    fn serve_commits(&self, consumer: &BaseConsumer<ConsumerEvents>) -> Result<()> {
        let mut commits = self.commits.borrow_mut();
        for committed in consumer.context().commits() {
            match committed {
                Committed::Done(list) => {
                    let ids = list.into_iter().filter_map(|(topic, partition, offset)| {
                        let source = self.topics().iter().position(|known| *known == topic)?;
                        Some((PartitionId { source: source as u16, partition }, offset))
                    });
                    commits.confirm(ids);
                }
                // The rebalance that is under way decides.
                Committed::Failed(error) if fenced(&error) => {}
                Committed::Failed(error) => commits.failed(error.to_string(), Instant::now()),
            }
        }
        if !commits.again(Instant::now)? || self.is_superseded(consumer) {
            return Ok(());
        }
        let list = self.list(commits.waiting().map(|(id, offset)| (id, Offset::Offset(offset))))?;
        consumer.commit(&list, CommitMode::Async).map_err(|error| uncommitted(&error))
    }

    fn is_superseded(&self, consumer: &BaseConsumer<ConsumerEvents>) -> bool {
        self.membership.borrow().superseded(self.topics()) || consumer.assignment_lost()
    }

    /// Where a group begins that is to see what comes from some moment on: there, and from then on wherever it is,
    /// whoever goes on.
    fn begin_at(&self, partitions: &[PartitionId], offsets: &mut [Option<i64>]) -> Result<()> {
        let consumer = &self.open()?.consumer;
        let is_new = |(id, offset): &(&PartitionId, &mut Option<i64>)| {
            offset.is_none() && usize::from(id.source) < self.options.internal_from
        };
        let new: Vec<_> = partitions.iter().zip(offsets).filter(is_new).collect();
        if new.is_empty() {
            return Ok(());
        }
        let places: Vec<_> = new.iter().map(|(id, _)| (self.topic(**id), id.partition)).collect();
        let found = places::find(consumer, &places, self.options.start, FOUND_WITHIN)?;
        let mut begin = Vec::new();
        for ((id, offset), place) in new.into_iter().zip(found) {
            *offset = Some(place);
            begin.push((*id, Offset::Offset(place)));
        }
        consumer.commit(&self.list(begin)?, CommitMode::Sync).map_err(|error| uncommitted(&error))
    }

    /// What the engine has to answer next.
    fn turn(&self) -> Result<Option<Polled>> {
        loop {
            let turn = self.membership.borrow_mut().turn(self.topics());
            match turn {
                None => return Ok(None),
                Some(Turn::Assigned(partitions)) => return Ok(Some(Polled::Assigned(partitions))),
                Some(Turn::Revoked { partitions, lost }) => {
                    let lost = lost || self.open()?.consumer.assignment_lost();
                    return Ok(Some(Polled::Revoked { partitions, lost }));
                }
                Some(Turn::NothingHeld(named)) => self.unassign(&named)?,
            }
        }
    }

    /// Those are forgotten already.
    fn unassign(&self, partitions: &[PartitionId]) -> Result<()> {
        self.go_on(&[])?;
        self.open()?.unassign(&self.list(partitions.iter().map(|&id| (id, Offset::Invalid)))?)
    }

    /// Says where all others are read on, before an event about some is answered. librdkafka has stopped all of
    /// them for it, and would go on from where it believes to have been: behind an end, that is one record too
    /// far (2.12).
    fn go_on(&self, first: &[Begin]) -> Result<()> {
        let open = self.open()?;
        let mut others = self.batch.positions(self.topics());
        others.retain(|(id, _)| first.iter().all(|(new, _)| new != id));
        if others.is_empty() || !open.is_incremental() {
            Ok(())
        } else {
            open.seek(self.beginnings(&others)?)
        }
    }

    /// A new member, where the one before is of no use any more.
    fn join_anew(&mut self) -> Result<()> {
        self.leave()?;
        self.held.clear();
        *self.membership.get_mut() = Membership::default();
        self.open = Some(Open::new(&self.options)?);
        Ok(())
    }

    /// The same error, unless another protocol is to be tried.
    fn fall_back(&mut self, error: Error) -> Result<Polled> {
        if !self.open()?.must_fall_back(self.options.protocol) {
            return Err(error);
        }
        let (client, why) = (&self.options.client_id, &error.message);
        tracing::info!(target: "kafka", client, "the brokers do not have the protocol `consumer`, so it is `classic`: {why}");
        self.options.protocol = Protocol::Classic;
        self.join_anew()?;
        Ok(Polled::Records(0))
    }

    fn topics(&self) -> &[String] {
        &self.options.topics
    }

    fn topic(&self, id: PartitionId) -> &str {
        &self.options.topics[usize::from(id.source)]
    }

    fn try_poll(&mut self, wait: Duration, limit: Limit) -> Result<Polled> {
        self.batch.give_back();
        self.serve()?;
        if let Some(turn) = self.turn()? {
            return Ok(turn);
        }
        if self.batch.is_empty()
            && let Some(turn) = self.fill(wait, limit.rows.max(1))?
        {
            return Ok(turn);
        }
        self.batch.give(limit, &self.options.topics).map(Polled::Records)
    }

    fn beginnings(&self, partitions: &[Begin]) -> Result<TopicPartitionList> {
        let from = |offset: Option<i64>| offset.map_or(Offset::Beginning, Offset::Offset);
        self.list(partitions.iter().map(|&(id, offset)| (id, from(offset))))
    }

    /// Waits for a first message, then takes what is there. Returns early if there is a turn.
    fn fill(&mut self, wait: Duration, rows: usize) -> Result<Option<Polled>> {
        let began = Instant::now();
        loop {
            let left = wait.saturating_sub(began.elapsed());
            let Open { inbox, .. } = self.open.as_ref().ok_or_else(gone)?;
            self.batch.fill(inbox, left.min(LOOK), rows);
            if !self.batch.is_empty() || left <= LOOK {
                return Ok(None);
            }
            self.serve()?;
            if let Some(turn) = self.turn()? {
                return Ok(Some(turn));
            }
        }
    }

    fn list(&self, offsets: impl IntoIterator<Item = (PartitionId, Offset)>) -> Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (id, offset) in offsets {
            let topic = self.topic(id);
            list.add_partition_offset(topic, id.partition, offset).map_err(|error| consuming(&error))?;
        }
        Ok(list)
    }
}

impl Source for KafkaSource {
    type Member = ConsumerGroupMetadata;

    fn poll(&mut self, wait: Duration, limit: Limit) -> Result<Polled> {
        self.try_poll(wait, limit).or_else(|error| self.fall_back(error))
    }

    fn records(&self) -> Records<'_> {
        self.batch.records(self.topics())
    }

    fn committed(&mut self, partitions: &[PartitionId]) -> Result<Vec<Option<ports::Committed>>> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let list = self.list(partitions.iter().map(|&id| (id, Offset::Invalid)))?;
        if let Some(claimant) = &mut self.claimant {
            claimant.settle(&list, &self.options.asked)?;
        }
        let mut claimant = self.claimant.take();
        let answer = stable::committed(&self.open()?.consumer, claimant.as_mut(), list, || {
            self.options.asked.check()?;
            self.keep_alive()
        });
        self.claimant = claimant;
        let answer = answer?;
        let mut offsets = partitions
            .iter()
            .map(|&id| committed_offset(&answer, self.topic(id), id))
            .collect::<Result<Vec<_>>>()?;
        if self.options.start != Start::Earliest {
            self.begin_at(partitions, &mut offsets)?;
        }
        let notes: Vec<String> = metadata(&answer);
        let places: Vec<(String, i32)> =
            answer.elements().iter().map(|one| (one.topic().to_owned(), one.partition())).collect();
        let note = |id: PartitionId| {
            let is_own =
                |(topic, partition): &(String, i32)| *partition == id.partition && topic == self.topic(id);
            let at = places.iter().position(is_own);
            at.map_or_else(Note::default, |at| Note::read(&notes[at]))
        };
        let committed = |(id, next): (&PartitionId, Option<i64>)| {
            let Note { commit, words: Words { fence, .. }, .. } = note(*id);
            next.map(|next| ports::Committed { next, commit, fence })
        };
        Ok(partitions.iter().zip(offsets).map(committed).collect())
    }

    fn start(&mut self, partitions: &[(PartitionId, Option<i64>)]) -> Result<()> {
        let begun = self.membership.get_mut().start(partitions);
        let Beginnings { first, again } = begun.ok_or_else(|| {
            let text = "what was assigned is started as a whole, and what is not there not at all";
            Error::new(Code::Internal, text)
        })?;
        let ids: Vec<PartitionId> = again.iter().map(|(id, _)| *id).collect();
        self.batch.forget(&ids, &self.options.topics);
        self.batch.begin(partitions);
        let open = self.open()?;
        if !again.is_empty() {
            open.seek(self.beginnings(&again)?)?;
        }
        let Some(first) = first else { return Ok(()) };
        for (id, _) in &first {
            open.inbox.adopt(open.consumer.client(), self.topic(*id), id.partition)?;
        }
        self.go_on(&first)?;
        open.assign(&self.beginnings(&first)?)
    }

    fn hold(&mut self, partitions: &[PartitionId]) -> Result<()> {
        let Open { inbox, consumer } = self.open()?;
        for id in self.held.iter().filter(|id| !partitions.contains(id)) {
            inbox.adopt(consumer.client(), self.topic(*id), id.partition)?;
        }
        for id in partitions.iter().filter(|id| !self.held.contains(id)) {
            inbox.hold(consumer.client(), self.topic(*id), id.partition)?;
        }
        self.held = partitions.to_vec();
        Ok(())
    }

    fn ended(&mut self) -> Vec<PartitionId> {
        self.batch.ended()
    }

    fn end(&self, id: PartitionId) -> Option<i64> {
        let topic = self.topics().get(usize::from(id.source))?;
        known_end(self.open.as_ref()?.consumer.client(), topic, id.partition)
    }

    fn release(&mut self, partitions: &[PartitionId]) -> Result<()> {
        self.held.retain(|id| !partitions.contains(id));
        // What was fetched and not given is their next owner's.
        self.batch.forget(partitions, &self.options.topics);
        self.commits.get_mut().forget(partitions);
        match self.membership.get_mut().release(partitions) {
            Answer::Later => Ok(()),
            Answer::Unassign(named) => self.unassign(&named),
            Answer::JoinAnew => {
                let client = &self.options.client_id;
                tracing::warn!(target: "kafka", client, "the group went on without this thread; it joins anew");
                self.join_anew()
            }
        }
    }

    fn commit(&mut self, offsets: &[(PartitionId, i64)], wait: bool) -> Result<()> {
        self.commits.get_mut().add(offsets);
        self.serve()?;
        let waiting: Vec<_> = self.commits.borrow().waiting().collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let consumer = &self.open()?.consumer;
        if self.is_superseded(consumer) {
            tracing::warn!(target: "kafka", "nothing is committed: the partitions were lost to other members");
            return Ok(());
        }
        let list = self.list(waiting.iter().map(|&(id, offset)| (id, Offset::Offset(offset))))?;
        // With a coordinator that is silent, a wait ends by librdkafka's `socket.timeout.ms`.
        let mode = if wait { CommitMode::Sync } else { CommitMode::Async };
        match consumer.commit(&list, mode) {
            Ok(()) if wait => self.commits.get_mut().confirm(waiting),
            Ok(()) => {}
            Err(error) if fenced(&error) => {
                tracing::warn!(target: "kafka", "nothing was committed: {error}");
            }
            Err(error) => return Err(uncommitted(&error)),
        }
        Ok(())
    }

    fn commit_marks(&mut self, marks: &[Mark]) -> Result<bool> {
        self.serve()?;
        let consumer = &self.open()?.consumer;
        if self.is_superseded(consumer) {
            return Ok(false);
        }
        let mut list = TopicPartitionList::with_capacity(marks.len());
        for Mark { of, next, commit, .. } in marks {
            let mut element = list.add_partition(self.topic(*of), of.partition);
            element.set_offset(Offset::Offset(*next)).map_err(|error| uncommitted(&error))?;
            element.set_metadata(Note { commit: *commit, ..Note::default() }.written());
        }
        match consumer.commit(&list, CommitMode::Sync) {
            Ok(()) => Ok(true),
            Err(error) if fenced(&error) => Ok(false),
            Err(error) => Err(uncommitted(&error)),
        }
    }

    fn member(&self) -> Result<ConsumerGroupMetadata> {
        let member = self.open()?.consumer.group_metadata();
        member.ok_or_else(|| Error::new(Code::Internal, "the consumer is in no group"))
    }

    fn keep_alive(&self) -> Result<()> {
        match self.serve() {
            // The next poll does it.
            Err(_) if self.open()?.must_fall_back(self.options.protocol) => Ok(()),
            served => served,
        }
    }

    fn leave(&mut self) -> Result<()> {
        self.batch.clear();
        let Some(Open { inbox, consumer }) = self.open.take() else { return Ok(()) };
        close(consumer, inbox)
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            tracing::warn!(target: "kafka", "{error}");
        }
    }
}

fn gone() -> Error {
    Error::new(Code::Internal, "the source has left its group")
}
