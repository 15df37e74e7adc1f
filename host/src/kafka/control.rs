//! The topics of releases: one that says what runs, and one that tells what happened. Each has one partition.
//!
//! - The reader is beside the group: it reads all, from the beginning, and whatever comes from then on.
//! - What is written is there when [`ControlWriter::write`] has returned, in its order, each record once. After an error
//!   some of it may be there, and the writer is of no use any more.
//! - What is larger than a record should be lies in pieces, which are not held: [`ControlFetcher`] gets them again.

use std::fmt;
use std::time::{Duration, Instant};

use rdkafka::producer::{BaseProducer, Producer};

use super::changelog::{ChangelogOptions, KafkaChangelog};
use super::cluster::{Cluster, refused};
use super::events::{ProducerEvents, denied};
use super::native::{Failure, Refused, Report, Reports, Topics};
use super::rights::denial;
use super::table::{KafkaTable, TableOptions};
use crate::engine::ports::{Asked, Changelog, Limit};
use crate::error::{Code, Error, Result};
use crate::record::Message;

/// Of a key and a value together.
pub const CONTROL_RECORD: usize = (1 << 20) + (1 << 10);

/// Records of a poll.
const LIMIT: Limit = Limit { rows: 64, bytes: 8 << 20 };
/// Fetched ahead, in bytes.
const FETCH: usize = 4 << 20;
/// Written and not delivered yet: so many records.
const UNDER_WAY: usize = 8;
/// Brokers may be away for this long while something is written.
const DELIVERED_WITHIN: Duration = Duration::from_secs(30);
/// How long a call waits before it looks again.
const LOOK: Duration = Duration::from_millis(20);

/// What clients of these topics need to know.
#[derive(Clone, Debug)]
pub struct ControlOptions {
    pub cluster: Cluster,
    /// That of the pipeline: whoever may read for it may read this.
    pub group: String,
    pub client_id: String,
    pub topic: String,
}

/// A record of such a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlRecord<'a> {
    pub offset: i64,
    pub key: Option<&'a [u8]>,
    /// None: it takes the record of this key away.
    pub value: Option<&'a [u8]>,
}

/// Reads a topic from its beginning.
#[derive(Debug)]
pub struct ControlReader(KafkaTable);

impl ControlReader {
    pub fn connect(options: &ControlOptions) -> Result<Self> {
        let ControlOptions { cluster, group, client_id, topic } = options.clone();
        let options = TableOptions { cluster, group, client_id, topic, partitions: 1, fetch_bytes: FETCH };
        KafkaTable::connect(options).map(Self)
    }

    /// Hands out what is there; if that is nothing, waits. Says how many records that were.
    pub fn poll(&mut self, wait: Duration, mut take: impl FnMut(ControlRecord<'_>)) -> Result<usize> {
        let count = self.0.poll(wait, LIMIT)?;
        let records = self.0.records();
        for row in &records.rows {
            take(ControlRecord { offset: row.offset, key: row.key, value: row.value });
        }
        Ok(count)
    }

    /// Whether all has been read once that there was at the start.
    pub fn is_loaded(&self) -> bool {
        self.0.is_loaded()
    }

    /// Reads to the end, as it is then.
    pub fn load(
        &mut self,
        within: Duration,
        asked: &Asked,
        mut take: impl FnMut(ControlRecord<'_>),
    ) -> Result<()> {
        let began = Instant::now();
        while !self.is_loaded() {
            asked.check()?;
            if began.elapsed() > within {
                let text = format!("the topic of releases was not read to its end within {within:?}");
                return Err(Error::new(Code::BrokerUnreachable, text));
            }
            self.poll(LOOK, &mut take)?;
        }
        Ok(())
    }
}

/// Gets values whose offsets are known.
#[derive(Debug)]
pub struct ControlFetcher {
    log: KafkaChangelog,
    topic: String,
    /// What comes next without another request.
    next: Option<i64>,
}

impl ControlFetcher {
    pub fn connect(options: &ControlOptions) -> Result<Self> {
        let ControlOptions { cluster, group, client_id, topic } = options.clone();
        let log =
            KafkaChangelog::connect(ChangelogOptions { cluster, group, client_id, fetch_bytes: FETCH })?;
        Ok(Self { log, topic, next: None })
    }

    /// The value at an offset. An error of [`Code::ArtifactMissing`]: it is not there any more.
    pub fn get(&mut self, offset: i64) -> Result<Vec<u8>> {
        if self.next.take() != Some(offset) {
            self.log.open(&self.topic, 0, offset)?;
        }
        let gone = || Error::new(Code::ArtifactMissing, format!("{}/0/{offset} is gone", self.topic));
        let value = match self.log.next(Duration::ZERO) {
            Ok(Some((found, value))) if found == offset => value.to_vec(),
            Ok(_) => return Err(gone()),
            Err(error) if error.code == Code::OffsetLost => return Err(gone()),
            Err(error) => return Err(error),
        };
        self.next = Some(offset + 1);
        Ok(value)
    }
}

/// A record to be written.
pub type Written = (Option<String>, Option<Vec<u8>>);

/// Writes, and waits until it is written.
pub struct ControlWriter {
    // Both before the producer: dropped first.
    topics: Topics,
    reports: Reports,
    producer: BaseProducer<ProducerEvents>,
    topic: String,
}

impl fmt::Debug for ControlWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlWriter").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl ControlWriter {
    /// The broker is not asked for anything yet.
    pub fn connect(options: &ControlOptions) -> Result<Self> {
        let ControlOptions { cluster, client_id, topic, .. } = options;
        let (timeout, most) = (DELIVERED_WITHIN.as_millis().to_string(), (2 * CONTROL_RECORD).to_string());
        let fixed = [
            ("client.id", client_id.as_str()),
            ("acks", "all"),
            ("enable.idempotence", "true"),
            ("message.timeout.ms", &timeout),
            ("message.max.bytes", &most),
        ];
        let config = cluster.client(&[("linger.ms", "0")], &fixed)?;
        let producer = config.create_with_context(ProducerEvents::new(cluster, client_id));
        let producer: BaseProducer<_> = producer.map_err(|error| refused(&error))?;
        let reports = Reports::new(producer.client())?;
        Ok(Self { topics: Topics::default(), reports, producer, topic: topic.clone() })
    }

    /// Writes all of these. What makes them may fail: then what came before is there.
    pub fn write(&mut self, records: impl IntoIterator<Item = Result<Written>>) -> Result<()> {
        let mut under_way = 0;
        for record in records {
            let (key, value) = record?;
            self.settle(&mut under_way, UNDER_WAY - 1)?;
            let message = Message {
                topic: &self.topic,
                partition: Some(0),
                key: key.as_deref().map(str::as_bytes),
                value: value.as_deref(),
                timestamp: None,
                headers: &[],
                tag: None,
            };
            if message.size() > CONTROL_RECORD {
                let text = format!("a record of {} bytes; {CONTROL_RECORD} are the most", message.size());
                return Err(Error::new(Code::TooLarge, text).at(&self.topic));
            }
            let taken = self.topics.produce(self.producer.client(), &message, 0)?;
            taken.map_err(|why| undelivered(&self.topic, why))?;
            under_way += 1;
        }
        self.settle(&mut under_way, 0)
    }

    /// Waits until no more than so many are under way.
    fn settle(&mut self, under_way: &mut usize, most: usize) -> Result<()> {
        let mut failed = None;
        while *under_way > most {
            self.reports.serve(self.producer.client(), LOOK, |Report { failure, .. }| {
                *under_way -= 1;
                if let Some(Failure { why, .. }) = failure {
                    failed.get_or_insert(why);
                }
            });
            if let Some(why) = failed {
                return Err(undelivered(&self.topic, why));
            }
            if let Some(error) = self.producer.context().refusal() {
                return Err(error.at(&self.topic));
            }
        }
        Ok(())
    }
}

fn undelivered(topic: &str, why: Refused) -> Error {
    if denied(why) {
        return denial(why, &format!("topic `{topic}`: {why}"));
    }
    let code = match why {
        Refused::UnknownTopic | Refused::UnknownTopicOrPartition => Code::TopicMissing,
        Refused::MessageSizeTooLarge => Code::TopicLimit,
        _ => Code::Delivery,
    };
    let hint = if code == Code::TopicLimit {
        format!("\nThe topic needs max.message.bytes of {} at least", 2 * CONTROL_RECORD)
    } else {
        String::new()
    };
    Error::new(code, format!("topic `{topic}`: {why}{hint}"))
}
