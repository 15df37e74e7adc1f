//! The changelog topics: read back while a task is restored, and trimmed when more of its state is kept elsewhere.
//! It is beside the group: it joins nothing and commits nothing.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;

use super::cluster::{Cluster, refused};
use super::consumer::{close, consuming, serve};
use super::events::{ConsumerEvents, ProducerEvents, verdict};
use super::native::{Fetched, Inbox, look_after};
use super::rows::unreadable;
use crate::engine::ports::Changelog;
use crate::error::{Code, Error, Result};

/// A broker may be away for this long. Nothing else is reason enough to believe that a changelog ends here.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// While no block comes, events are looked for this often.
const LOOK: Duration = Duration::from_millis(20);

/// Blocks taken from librdkafka at a time.
const AT_A_TIME: usize = 64;

/// What the reader of changelogs needs to know.
#[derive(Clone, Debug)]
pub struct ChangelogOptions {
    pub cluster: Cluster,
    /// That of the pipeline: whoever may read for it may read this.
    pub group: String,
    pub client_id: String,
    /// Blocks that were fetched ahead, in bytes.
    pub fetch_bytes: usize,
}

/// A reader of changelogs, one partition at a time.
pub struct KafkaChangelog {
    // Before the consumer: dropped first.
    waiting: VecDeque<Fetched>,
    current: Option<Fetched>,
    open: Option<(BaseConsumer<ConsumerEvents>, Inbox)>,
    place: Place,
    admin: AdminClient<ProducerEvents>,
    trims: Vec<Trim>,
    told: bool,
}

/// Which partition is read.
#[derive(Default)]
struct Place {
    topic: String,
    partition: i32,
    /// Its end was met, and no block came since.
    ended: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

type Trim = Pin<Box<dyn Future<Output = KafkaResult<TopicPartitionList>> + Send>>;

impl fmt::Debug for KafkaChangelog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaChangelog")
            .field("place", &format_args!("{}", self.place))
            .finish_non_exhaustive()
    }
}

impl KafkaChangelog {
    /// The broker is not asked for anything yet.
    pub fn connect(options: ChangelogOptions) -> Result<Self> {
        let ChangelogOptions { cluster, group, client_id, fetch_bytes } = options;
        let queued = (fetch_bytes / 1024).clamp(1, 1 << 20).to_string();
        let config = cluster.client(
            &[
                ("fetch.queue.backoff.ms", "10"),
                // Where nothing is there, this long passes until that is known.
                ("fetch.wait.max.ms", "10"),
            ],
            &[
                ("client.id", &client_id),
                ("group.id", &group),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("auto.offset.reset", "error"),
                ("isolation.level", "read_committed"),
                ("enable.partition.eof", "true"),
                ("queued.max.messages.kbytes", &queued),
            ],
        )?;
        let consumer: BaseConsumer<_> = config
            .create_with_context(ConsumerEvents::new(&cluster, &client_id))
            .map_err(|error| refused(&error))?;
        let inbox = Inbox::new(consumer.client())?;
        let config = cluster.client(&[], &[("client.id", &client_id)])?;
        let admin = config
            .create_with_context(ProducerEvents::new(&cluster, &client_id))
            .map_err(|error| refused(&error))?;
        Ok(Self {
            waiting: VecDeque::new(),
            current: None,
            open: Some((consumer, inbox)),
            place: Place::default(),
            admin,
            trims: Vec::new(),
            told: false,
        })
    }

    fn consumer(&self) -> Result<&(BaseConsumer<ConsumerEvents>, Inbox)> {
        self.open.as_ref().ok_or_else(|| Error::new(Code::Internal, "the changelog was closed"))
    }

    /// Takes what is there, or waits for the first of it.
    fn fill(&mut self, wait: Duration) -> Result<()> {
        let (consumer, inbox) = self.consumer()?;
        serve(consumer, inbox)?;
        let mut taken = Vec::new();
        inbox.take(Duration::ZERO, AT_A_TIME, &mut taken);
        if taken.is_empty() && !wait.is_zero() {
            // Once may not be enough: the end of the last assignment, of the same partition, comes when it comes.
            inbox.adopt(consumer.client(), &self.place.topic, self.place.partition)?;
            inbox.take(wait.min(LOOK), 1, &mut taken);
        }
        self.waiting.extend(taken);
        Ok(())
    }

    /// Trims that have ended: a failure is told once.
    fn look_at_trims(&mut self) {
        look_after(self.admin.inner(), &self.admin.inner().context().log);
        let mut context = Context::from_waker(Waker::noop());
        let Self { trims, told, .. } = self;
        trims.retain_mut(|trim| {
            let Poll::Ready(answer) = trim.as_mut().poll(&mut context) else { return true };
            let failed = match answer {
                Ok(list) => list.elements().iter().find_map(|one| one.error().err()),
                Err(error) => Some(error),
            };
            if let Some(error) = failed
                && !std::mem::replace(told, true)
            {
                tracing::warn!(target: "kafka", "changelogs can't be trimmed, and grow: {error}");
            }
            false
        });
    }
}

impl Changelog for KafkaChangelog {
    fn first(&mut self, topic: &str, partition: i32) -> Result<i64> {
        let (consumer, _) = self.consumer()?;
        let answer = consumer.fetch_watermarks(topic, partition, ANSWERED_WITHIN);
        answer.map(|(first, _)| first).map_err(|error| unknown(topic, partition, &error))
    }

    fn open(&mut self, topic: &str, partition: i32, from: i64) -> Result<()> {
        self.waiting.clear();
        self.current = None;
        self.place = Place { topic: topic.to_owned(), partition, ended: false };
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(from))
            .map_err(|error| consuming(&error))?;
        let (consumer, inbox) = self.consumer()?;
        consumer.unassign().map_err(|error| consuming(&error))?;
        inbox.adopt(consumer.client(), topic, partition)?;
        consumer.assign(&list).map_err(|error| consuming(&error))
    }

    fn next(&mut self, wait: Duration) -> Result<Option<(i64, &[u8])>> {
        let began = Instant::now();
        self.current = None;
        while self.current.is_none() {
            let Some(message) = self.waiting.pop_front() else {
                let left = wait.saturating_sub(began.elapsed());
                if self.place.ended && left.is_zero() {
                    return Ok(None);
                }
                if began.elapsed() >= ANSWERED_WITHIN.max(wait) {
                    let text = format!("{}: no broker answered within {:?}", self.place, began.elapsed());
                    return Err(Error::new(Code::Consuming, text));
                }
                self.fill(if self.place.ended { left } else { LOOK })?;
                continue;
            };
            match message.error() {
                None => {
                    self.place.ended = false;
                    self.current = Some(message);
                }
                Some((RDKafkaErrorCode::PartitionEOF, _)) => {
                    self.place.ended = true;
                    return Ok(None);
                }
                Some((code, text)) => unreadable(&message, code, text).map_err(gone)?,
            }
        }
        Ok(self.current.as_ref().map(|block| (block.offset(), block.value().unwrap_or_default())))
    }

    fn trim(&mut self, topic: &str, partition: i32, before: i64) -> Result<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(before))
            .map_err(|error| consuming(&error))?;
        let options = AdminOptions::new().operation_timeout(Some(ANSWERED_WITHIN));
        self.trims.push(Box::pin(self.admin.delete_records(&list, &options)));
        self.look_at_trims();
        Ok(())
    }
}

impl Drop for KafkaChangelog {
    fn drop(&mut self) {
        self.waiting.clear();
        self.current = None;
        let Some((consumer, inbox)) = self.open.take() else { return };
        if let Err(error) = close(consumer, inbox) {
            tracing::warn!(target: "kafka", "{error}");
        }
    }
}

fn unknown(topic: &str, partition: i32, error: &KafkaError) -> Error {
    // It was there when the run began. Now its leader may be away, which librdkafka says in these words too.
    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownPartition) {
        return Error::new(
            Code::BrokerUnreachable,
            format!("{topic}/{partition} has no leader, or is not there"),
        );
    }
    Error::new(verdict(error).unwrap_or(Code::Consuming), format!("{topic}/{partition}: {error}"))
}

/// A changelog has no committed offset that could be reset.
fn gone(error: Error) -> Error {
    if error.code != Code::OffsetLost {
        return error;
    }
    let place = error.message.lines().next().unwrap_or_default();
    let text = format!("{place}\nBlocks of the changelog are gone, or the topic was made anew.");
    Error::new(Code::OffsetLost, text)
}
