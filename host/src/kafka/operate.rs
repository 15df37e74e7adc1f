//! What an operator does to a pipeline's group and topics while nobody runs it.
//!
//! Nothing here joins the group. The brokers take offsets from outside only for a group without members: who commits
//! first knows, whatever [`Operator::members`] could see.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;

use super::Cluster;
use super::cluster::refused;
use super::consumer::consuming;
use super::events::{ConsumerEvents, denied};
use super::native::metadata;
use super::note::Note;
use super::places;
use super::rights::denial;
use super::source::{Claimant, Claims};
use super::topics::wait;
use crate::config::Start;
use crate::engine::ports::Asked;
use crate::engine::{Fence, Other, Words};
use crate::error::{Code, Error, Result};

/// How long the brokers may take for one answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

const CLIENT_ID: &str = "tailwater-operator";

/// A partition.
pub type Place<'a> = (&'a str, i32);

/// Works on one group.
pub struct Operator {
    cluster: Cluster,
    group: String,
    /// Sees what is committed, of records.
    reader: BaseConsumer<ConsumerEvents>,
    /// Waits for no transaction that is still open.
    asker: BaseConsumer<ConsumerEvents>,
    admin: AdminClient<DefaultClientContext>,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator").field("group", &self.group).finish_non_exhaustive()
    }
}

/// Who may have left a transaction open.
pub struct Owners {
    claimant: Claimant,
    ids: BTreeSet<String>,
}

impl Owners {
    /// Ends what they left open. One that lives is fenced: first to be sure that none does.
    pub fn end_transactions(&self) -> Result<()> {
        if self.ids.is_empty() { Ok(()) } else { self.claimant.claim(&self.ids, &Asked::default()) }
    }
}

impl std::fmt::Debug for Owners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owners").field("ids", &self.ids).finish_non_exhaustive()
    }
}

impl Operator {
    pub fn connect(cluster: Cluster, group: String) -> Result<Self> {
        let consumer = |isolation: &str| {
            let fixed = [
                ("client.id", CLIENT_ID),
                ("group.id", &group),
                ("enable.auto.commit", "false"),
                ("isolation.level", isolation),
            ];
            let events = ConsumerEvents::new(&cluster, CLIENT_ID);
            let consumer = cluster.client(&[], &fixed)?.create_with_context(events);
            consumer.map_err(|error| refused(&error))
        };
        let (reader, asker) = (consumer("read_committed")?, consumer("read_uncommitted")?);
        let admin = cluster.client(&[], &[("client.id", CLIENT_ID)])?.create();
        let admin = admin.map_err(|error| refused(&error))?;
        Ok(Self { cluster, group, reader, asker, admin })
    }

    /// Members of the group, each by its client id and host. Brokers show only those of the classic protocol.
    pub fn members(&self) -> Result<Vec<String>> {
        let list = self.asker.fetch_group_list(Some(&self.group), ANSWERED_WITHIN);
        let list = list.map_err(|error| self.failed("its members can't be seen", &error))?;
        let members = list.groups().iter().flat_map(|group| group.members());
        Ok(members.map(|member| format!("{} at {}", member.client_id(), member.client_host())).collect())
    }

    /// Where the group stands.
    pub fn committed(&self, places: &[Place<'_>]) -> Result<Vec<Option<i64>>> {
        Ok(self.standings(places)?.into_iter().map(|standing| standing.next).collect())
    }

    /// Where the group stands, and from where on it has given the floor away.
    pub fn standings(&self, places: &[Place<'_>]) -> Result<Vec<Other>> {
        standings(&self.asked(&self.asker, places)?, places)
    }

    /// Gives the floor away for good, to this generation, in all partitions: from where nothing of the group's is left to
    /// be committed. An error of [`Code::Running`]: the group has members. `aside`: a place that the group does not read.
    pub fn close(&self, places: &[Place<'_>], aside: Place<'_>, prefix: String, to: u64) -> Result<()> {
        // Only a group without members takes that.
        self.commit(&[(aside, 0)])?;
        self.owners(places, prefix)?.end_transactions()?;
        let answer = self.asked(&self.reader, places)?;
        let notes: Vec<String> = metadata(&answer);
        let mut list = TopicPartitionList::new();
        for (element, note) in answer.elements().iter().zip(&notes) {
            let Offset::Offset(at) = element.offset() else { continue };
            let words = Words { fence: Some(Fence { to, at }), quiet: Some(to), at: None };
            let note = Note { owner: None, words, ..Note::read(note) };
            let mut closed = list.add_partition(element.topic(), element.partition());
            closed.set_offset(Offset::Offset(at)).map_err(|error| consuming(&error))?;
            closed.set_metadata(note.written());
        }
        self.commit_list(&list)
    }

    fn asked(
        &self,
        asker: &BaseConsumer<ConsumerEvents>,
        places: &[Place<'_>],
    ) -> Result<TopicPartitionList> {
        let list = list(places.iter().map(|place| (*place, Offset::Invalid)))?;
        let answer = asker.committed_offsets(list, ANSWERED_WITHIN);
        // Errors and log lines, which nobody else takes.
        while asker.poll(Duration::ZERO).is_some() {}
        answer.map_err(|error| self.failed("its offsets did not come", &error))
    }

    /// Offsets of a place in these partitions.
    pub fn find(&self, places: &[Place<'_>], start: Start) -> Result<Vec<i64>> {
        places::find(&self.reader, places, start, ANSWERED_WITHIN)
    }

    /// Transactional ids, those that begin with `prefix`, of who worked on these partitions last. [`Self::commit`] forgets
    /// them.
    pub fn owners(&self, places: &[Place<'_>], prefix: String) -> Result<Owners> {
        let list = list(places.iter().map(|place| (*place, Offset::Invalid)))?;
        let (cluster, client_id) = (self.cluster.clone(), CLIENT_ID.to_owned());
        let mut claimant = Claimant::new(Claims::of_nobody(prefix), cluster, client_id, self.group.clone());
        let ids = claimant.owners(&list, || Ok(()))?;
        Ok(Owners { claimant, ids })
    }

    /// Puts the group there, and leaves nothing beside the offsets. An error of [`Code::Running`]: it has members.
    pub fn commit(&self, offsets: &[(Place<'_>, i64)]) -> Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        self.commit_list(&list(offsets.iter().map(|(place, offset)| (*place, Offset::Offset(*offset))))?)
    }

    fn commit_list(&self, list: &TopicPartitionList) -> Result<()> {
        let committed = self.asker.commit(list, CommitMode::Sync);
        committed.map_err(|error| match error.rdkafka_error_code() {
            Some(code) if has_members(code) => {
                Error::new(Code::Running, format!("group `{}` has members: {error}", self.group))
            }
            _ => Error::new(Code::Commit, self.failed("its offsets were not committed", &error).message),
        })
    }

    /// Deletes all records before these offsets.
    pub fn delete_before(&self, offsets: &[(Place<'_>, i64)]) -> Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        let list = list(offsets.iter().map(|(place, offset)| (*place, Offset::Offset(*offset))))?;
        let answer = wait(Box::pin(self.admin.delete_records(&list, &options())));
        let answer = answer.map_err(|error| undeleted("records", &error))?;
        for element in answer.elements() {
            let place = format!("records of {}/{}", element.topic(), element.partition());
            element.error().map_err(|error| undeleted(&place, &error))?;
        }
        Ok(())
    }

    /// Deletes topics.
    pub fn delete_topics(&self, topics: &[&str]) -> Result<()> {
        if topics.is_empty() {
            return Ok(());
        }
        let answer = wait(Box::pin(self.admin.delete_topics(topics, &options())));
        for deleted in answer.map_err(|error| undeleted("topics", &error))? {
            deleted
                .map_err(|(topic, code)| undeleted(&format!("topic {topic}"), &KafkaError::AdminOp(code)))?;
        }
        Ok(())
    }

    fn failed(&self, what: &str, error: &KafkaError) -> Error {
        let words = format!("group `{}`: {what}: {error}", self.group);
        match error.rdkafka_error_code() {
            Some(code) if denied(code) => denial(code, &words),
            _ => Error::new(Code::Consuming, words),
        }
    }
}

fn standings(answer: &TopicPartitionList, places: &[Place<'_>]) -> Result<Vec<Other>> {
    let (notes, elements) = (metadata(answer), answer.elements());
    let standing = |(topic, partition): &Place<'_>| {
        let at = elements.iter().position(|one| one.topic() == *topic && one.partition() == *partition);
        let at = at.ok_or_else(|| Error::new(Code::Internal, "a partition is not in the answer"))?;
        elements[at].error().map_err(|error| consuming(&error))?;
        Ok(match elements[at].offset() {
            Offset::Offset(next) => Other { next: Some(next), words: Note::read(&notes[at]).words },
            _ => Other::default(),
        })
    };
    places.iter().map(standing).collect()
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWERED_WITHIN)).operation_timeout(Some(ANSWERED_WITHIN))
}

fn list<'a>(offsets: impl Iterator<Item = (Place<'a>, Offset)>) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), offset) in offsets {
        list.add_partition_offset(topic, partition, offset).map_err(|error| consuming(&error))?;
    }
    Ok(list)
}

/// Only members may commit.
fn has_members(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as E;
    matches!(
        code,
        E::UnknownMemberId
            | E::IllegalGeneration
            | E::RebalanceInProgress
            | E::NonEmptyGroup
            | E::StaleMemberEpoch
            | E::FencedMemberEpoch
    )
}

fn undeleted(what: &str, error: &KafkaError) -> Error {
    match error.rdkafka_error_code() {
        Some(code) if denied(code) => {
            let text = format!("{what}: {error}\nThis client needs the right to Delete on internal topics.");
            Error::new(Code::Denied, text)
        }
        _ => Error::new(Code::Consuming, format!("{what} can't be deleted: {error}")),
    }
}
