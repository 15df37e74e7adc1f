//! Messages taken from the inbox: those that the engine looks at now, and those that were over the
//! byte limit and come next.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;

use super::events::denied;
use super::native::{Fetched, Inbox};
use super::rights::denial;
use crate::engine::ports::Limit;
use crate::error::{Code, Error, Result};
use crate::record::{PartitionId, Record, Records, SourceId};

/// Nothing is taken from the inbox before all is given, so that what waits here was fetched within
/// the bound, whatever the limits of the polls are.
#[derive(Debug, Default)]
pub(super) struct Batch {
    messages: Vec<Fetched>,
    given: usize,
    /// Partitions whose end stood between the records that were given.
    ended: Vec<PartitionId>,
    /// What comes after all that was given, or from where a partition is read. `None`: from its beginning.
    next: BTreeMap<PartitionId, Option<i64>>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.len() == self.given
    }

    /// What was given before is no longer looked at.
    pub(super) fn give_back(&mut self) {
        self.messages.drain(..self.given);
        self.given = 0;
    }

    /// What was taken of these partitions and not given never is.
    pub(super) fn forget(&mut self, partitions: &[PartitionId], topics: &[String]) {
        let gone = |message: &Fetched| partitions.iter().any(|id| is_of(message, *id, topics));
        let mut at = 0;
        self.messages.retain(|message| {
            at += 1;
            at <= self.given || !gone(message)
        });
        self.ended.retain(|id| !partitions.contains(id));
        self.next.retain(|id, _| !partitions.contains(id));
    }

    /// These are read from there on.
    pub(super) fn begin(&mut self, partitions: &[(PartitionId, Option<i64>)]) {
        self.next.extend(partitions.iter().copied());
    }

    /// What comes after all that was taken, of the partitions that have begun.
    pub(super) fn positions(&self, topics: &[String]) -> Vec<(PartitionId, Option<i64>)> {
        let waiting = &self.messages[self.given..];
        let last =
            |id| waiting.iter().rev().filter_map(|one| is_of(one, id, topics).then(|| after(one))?).next();
        self.next.iter().map(|(&id, &given)| (id, last(id).or(given))).collect()
    }

    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.given = 0;
        self.ended.clear();
        self.next.clear();
    }

    /// Partitions whose end was met since the last call.
    pub(super) fn ended(&mut self) -> Vec<PartitionId> {
        std::mem::take(&mut self.ended)
    }

    /// Takes what is there; if that is nothing, waits for one message, and takes what came with it.
    pub(super) fn fill(&mut self, inbox: &Inbox, wait: Duration, rows: usize) {
        inbox.take(Duration::ZERO, rows, &mut self.messages);
        if self.messages.is_empty() && !wait.is_zero() {
            inbox.take(wait, 1, &mut self.messages);
            if !self.messages.is_empty() {
                inbox.take(Duration::ZERO, rows - 1, &mut self.messages);
            }
        }
    }

    /// Gives what the limit admits; says how many records that are.
    pub(super) fn give(&mut self, limit: Limit, topics: &[String]) -> Result<usize> {
        let (mut rows, mut bytes, mut given) = (0, 0, 0);
        let mut run = Run::default();
        for message in &self.messages {
            if let Some((code, text)) = message.error() {
                if code != RDKafkaErrorCode::PartitionEOF {
                    unreadable(message, code, text)?;
                    given += 1;
                    continue;
                }
                let id = run.id_of(message, topics, &mut self.next)?;
                self.ended.push(id);
                run.after = message.offset();
                given += 1;
                continue;
            }
            bytes += message.size();
            if rows > 0 && (bytes > limit.bytes || rows >= limit.rows) {
                break;
            }
            run.id_of(message, topics, &mut self.next)?;
            run.after = message.offset() + 1;
            rows += 1;
            given += 1;
        }
        run.close(&mut self.next);
        self.given = given;
        Ok(rows)
    }

    /// What was given last.
    pub(super) fn records(&self, topics: &[String]) -> Records<'_> {
        let mut records = Records::default();
        records.rows.reserve(self.given);
        let mut known = (None, 0);
        for message in self.messages[..self.given].iter().filter(|message| message.error().is_none()) {
            if known.0 != Some(message.topic_handle()) {
                let source = source_of(message, topics).expect("looked up when it was given");
                known = (Some(message.topic_handle()), source);
            }
            let first = records.headers.len() as u32;
            message.headers(&mut records.headers);
            records.rows.push(Record {
                from: PartitionId { source: known.1, partition: message.partition() },
                offset: message.offset(),
                timestamp: message.timestamp(),
                key: message.key(),
                value: message.value(),
                headers: first..records.headers.len() as u32,
                is_muted: false,
            });
        }
        records
    }
}

/// Messages of one partition, one behind the other.
#[derive(Default)]
struct Run {
    /// Of two living messages equal handles mean equal topics; mostly it is the one before.
    handle: Option<usize>,
    id: Option<PartitionId>,
    after: i64,
}

impl Run {
    /// That of a message, which may begin a new run.
    fn id_of(
        &mut self,
        message: &Fetched,
        topics: &[String],
        next: &mut BTreeMap<PartitionId, Option<i64>>,
    ) -> Result<PartitionId> {
        if let Some(id) = self.id
            && self.handle == Some(message.topic_handle())
            && id.partition == message.partition()
        {
            return Ok(id);
        }
        self.close(next);
        let id = PartitionId { source: source_of(message, topics)?, partition: message.partition() };
        (self.handle, self.id) = (Some(message.topic_handle()), Some(id));
        Ok(id)
    }

    fn close(&self, next: &mut BTreeMap<PartitionId, Option<i64>>) {
        if let Some(id) = self.id {
            next.insert(id, Some(self.after));
        }
    }
}

fn is_of(message: &Fetched, id: PartitionId, topics: &[String]) -> bool {
    id.partition == message.partition() && topics[usize::from(id.source)] == message.topic()
}

/// The offset behind a record, or of an end. None: something else.
fn after(message: &Fetched) -> Option<i64> {
    match message.error() {
        None => Some(message.offset() + 1),
        Some((RDKafkaErrorCode::PartitionEOF, _)) => Some(message.offset()),
        Some(_) => None,
    }
}

fn source_of(message: &Fetched, topics: &[String]) -> Result<SourceId> {
    let name = message.topic();
    let found = topics.iter().position(|topic| topic == name);
    let source =
        found.ok_or_else(|| Error::new(Code::Internal, format!("a record of topic `{name}` came")))?;
    Ok(source as SourceId)
}

/// An error in a record's place. What a broker answers for a time, librdkafka asks again; no record is
/// passed over. What librdkafka can't read would be.
pub(super) fn unreadable(message: &Fetched, code: RDKafkaErrorCode, text: String) -> Result<()> {
    use RDKafkaErrorCode as E;
    let place = format!("{}/{}", message.topic(), message.partition());
    let code = match code {
        // A new leader is asked again where we are. What was committed is there, or it is out of range then.
        E::AutoOffsetReset if text.contains("log truncation") => Code::Fenced,
        E::AutoOffsetReset | E::OffsetOutOfRange => {
            return Err(Error::new(Code::OffsetLost, lost(&place, &text)));
        }
        E::UnknownTopicOrPartition | E::UnknownTopic | E::UnknownTopicId => Code::TopicMissing,
        code if denied(code) => return Err(denial(code, &format!("{place}: {text}"))),
        E::MessageSizeTooLarge | E::UnsupportedCompressionType => Code::Consuming,
        // Codes of the protocol are above zero, librdkafka's own below.
        code if code as i32 > 0 || matches!(code, E::BrokerTransportFailure | E::OperationTimedOut) => {
            tracing::warn!(target: "kafka", "{place}: {text}; it is asked again");
            return Ok(());
        }
        _ => Code::Consuming,
    };
    Err(Error::new(code, format!("{place}: {text}")))
}

fn lost(place: &str, text: &str) -> String {
    format!(
        "{place}: {text}\n\
         Records between the group's committed offset and what the topic still holds are gone, or the topic was \
         created anew. Nothing is skipped on its own. To go on from what is there:\n  \
         kafka-consumer-groups.sh --reset-offsets --to-earliest --execute --group GROUP --topic TOPIC"
    )
}
