//! Reads the topic of a table: whole, from its beginning, and whatever comes from then on. It is beside the
//! group: it joins nothing and commits nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::Offset;

use super::cluster::{Cluster, refused};
use super::consumer::{close, consuming, serve};
use super::events::ConsumerEvents;
use super::native::Inbox;
use super::rows::Batch;
use super::source::SourceOptions;
use crate::config::{Protocol, Start};
use crate::engine::ports::{Asked, Limit};
use crate::error::{Code, Error, Result};
use crate::record::Records;

/// So long is a broker asked where a partition ends.
const ENDS_WITHIN: Duration = Duration::from_secs(1);

/// What the reader of a table needs to know.
#[derive(Clone, Debug)]
pub struct TableOptions {
    pub cluster: Cluster,
    /// That of the pipeline: whoever may read for it may read this.
    pub group: String,
    pub client_id: String,
    pub topic: String,
    /// Those that come later are not read.
    pub partitions: i32,
    /// As of [`SourceOptions`].
    pub fetch_bytes: usize,
}

/// A reader of a whole topic. The records' source is 0, the only one that there is here.
pub struct KafkaTable {
    // Before the consumer: dropped first.
    batch: Batch,
    open: Option<(BaseConsumer<ConsumerEvents>, Inbox)>,
    topics: [String; 1],
    /// Partitions whose end has not been met yet, and where that is; none: not known before it is met.
    missing: BTreeMap<i32, Option<i64>>,
}

impl fmt::Debug for KafkaTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaTable").field("topic", &self.topics[0]).finish_non_exhaustive()
    }
}

impl KafkaTable {
    /// Begins to read.
    pub fn connect(options: TableOptions) -> Result<Self> {
        let TableOptions { cluster, group, client_id, topic, partitions, fetch_bytes } = options;
        let events = ConsumerEvents::new(&cluster, &client_id);
        let options = SourceOptions {
            cluster,
            group,
            client_id,
            topics: vec![topic.clone()],
            tables: Vec::new(),
            internal_from: 1,
            start: Start::Earliest,
            fetch_bytes,
            protocol: Protocol::Classic,
            instance: None,
            claims: None,
            asked: Asked::default(),
        };
        let consumer = options.config()?.create_with_context(events);
        let consumer: BaseConsumer<_> = consumer.map_err(|error| refused(&error))?;
        let inbox = Inbox::new(consumer.client())?;
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            inbox.adopt(consumer.client(), &topic, partition)?;
            let added = list.add_partition_offset(&topic, partition, Offset::Beginning);
            added.map_err(|error| consuming(&error))?;
        }
        let missing = ends(&consumer, &topic, partitions);
        consumer.assign(&list).map_err(|error| consuming(&error))?;
        Ok(Self { batch: Batch::default(), open: Some((consumer, inbox)), topics: [topic], missing })
    }

    /// Takes what is there; if that is nothing, waits.
    pub fn poll(&mut self, wait: Duration, limit: Limit) -> Result<usize> {
        self.batch.give_back();
        let Some((consumer, inbox)) = &self.open else { return Ok(0) };
        serve(consumer, inbox)?;
        if self.batch.is_empty() {
            self.batch.fill(inbox, wait, limit.rows.max(1));
        }
        let given = self.batch.give(limit, &self.topics).map_err(anew)?;
        for id in self.batch.ended() {
            self.missing.remove(&id.partition);
        }
        if !self.missing.is_empty() {
            for row in &self.batch.records(&self.topics).rows {
                let is_last = |end: &Option<i64>| end.is_some_and(|end| row.offset + 1 >= end);
                if self.missing.get(&row.from.partition).is_some_and(is_last) {
                    self.missing.remove(&row.from.partition);
                }
            }
        }
        Ok(given)
    }

    /// What the last poll brought.
    pub fn records(&self) -> Records<'_> {
        self.batch.records(&self.topics)
    }

    /// Whether each partition was read to its end once.
    pub fn is_loaded(&self) -> bool {
        self.missing.is_empty()
    }
}

impl Drop for KafkaTable {
    fn drop(&mut self) {
        self.batch.clear();
        let Some((consumer, inbox)) = self.open.take() else { return };
        if let Err(error) = close(consumer, inbox) {
            tracing::warn!(target: "kafka", "{error}");
        }
    }
}

/// Partitions that have something to be read, and where they end now, as far as their brokers say so. librdkafka tells an
/// end half a second after it was met; and it looks for leaders once more half a second after it was asked to read from
/// where it knows none, so this comes before.
fn ends(consumer: &BaseConsumer<ConsumerEvents>, topic: &str, partitions: i32) -> BTreeMap<i32, Option<i64>> {
    let mut ends: BTreeMap<i32, Option<i64>> = (0..partitions).map(|partition| (partition, None)).collect();
    for partition in 0..partitions {
        // Brokers that don't answer now are waited for by whoever reads.
        let Ok((first, end)) = consumer.fetch_watermarks(topic, partition, ENDS_WITHIN) else { break };
        if first < end {
            ends.insert(partition, Some(end));
        } else {
            ends.remove(&partition);
        }
    }
    ends
}

/// A table has no committed offset that could be reset.
fn anew(error: Error) -> Error {
    if error.code != Code::OffsetLost {
        return error;
    }
    let place = error.message.lines().next().unwrap_or_default();
    let message = format!(
        "{place}\n\
         The table's topic was made anew, or records were deleted from it before they were read. A new start \
         reads the topic from its beginning."
    );
    Error::new(Code::OffsetLost, message)
}
