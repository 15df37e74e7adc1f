//! Where messages go: one producer.

use std::fmt;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer};

use super::cluster::{Cluster, refused};
use super::events::{ProducerEvents, denied};
use super::native::{Failure, Refused, Report, Reports, Topics};
use crate::engine::ports::{Sent, Sink, UnderWay};
use crate::error::{Code, Error, Result};
use crate::record::Message;

/// What librdkafka keeps of a message beside its bytes, about.
const MESSAGE_OVERHEAD: usize = 256;

/// What a message needs on the wire beside its bytes, at most: so that a message of the largest size
/// is never refused by the producer itself.
const WIRE_OVERHEAD: usize = 64 << 10;

/// What a sink needs to know.
#[derive(Clone, Debug)]
pub struct SinkOptions {
    pub cluster: Cluster,
    pub client_id: String,
    /// Bytes of messages that wait to be delivered, with all that is kept of them. An empty queue takes
    /// any message.
    pub queue_bytes: usize,
    /// The largest [`Message::size`]. A topic may allow less.
    pub message_bytes: usize,
}

/// A sink over one producer, at least once: without idempotence, one request at a time to each
/// broker, which keeps the order when one is tried again, and costs less than half of the CPU.
pub struct KafkaSink {
    // Both before the producer: dropped first.
    topics: Topics,
    reports: Reports,
    producer: BaseProducer<ProducerEvents>,
    under_way: Tally,
    failure: Option<Error>,
    queue_bytes: usize,
    message_bytes: usize,
}

impl fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSink").field("topics", &self.topics).finish_non_exhaustive()
    }
}

/// What is under way. Messages are counted in two parts, before the mark and after it; the next mark
/// takes the other part.
#[derive(Debug, Default)]
struct Tally {
    bytes: usize,
    messages: [usize; 2],
    part: usize,
}

impl Tally {
    /// Size and part of a message, as librdkafka carries it.
    fn tag(&self, size: usize) -> usize {
        size << 1 | self.part
    }

    fn add(&mut self, tag: usize) {
        self.bytes += tag >> 1;
        self.messages[tag & 1] += 1;
    }

    fn remove(&mut self, tag: usize) {
        self.bytes -= tag >> 1;
        self.messages[tag & 1] -= 1;
    }
}

impl KafkaSink {
    /// Makes the producer. The broker is not asked for anything yet.
    pub fn connect(options: SinkOptions) -> Result<Self> {
        let SinkOptions { cluster, client_id, queue_bytes, message_bytes } = options;
        let message = (message_bytes + WIRE_OVERHEAD).to_string();
        // Latency is the linger, one to one. Under load requests fill while the one before is out.
        let linger = [("linger.ms", "0")];
        let lingers = cluster.sets(&["linger.ms", "queue.buffering.max.ms"]);
        let config = cluster.client(
            if lingers { &[] } else { &linger },
            &[
                ("client.id", &client_id),
                ("enable.idempotence", "false"),
                ("max.in.flight.requests.per.connection", "1"),
                ("acks", "all"),
                // As Java's producers do: the same key, the same partition.
                ("partitioner", "murmur2_random"),
                // Its own bounds count values only; ours comes first.
                ("queue.buffering.max.kbytes", "2147483647"),
                ("queue.buffering.max.messages", "0"),
                ("message.max.bytes", &message),
            ],
        )?;
        let events = ProducerEvents::new(&client_id);
        let producer: BaseProducer<_> =
            config.create_with_context(events).map_err(|error| refused(&error))?;
        Ok(Self {
            topics: Topics::default(),
            reports: Reports::new(producer.client())?,
            producer,
            under_way: Tally::default(),
            failure: None,
            queue_bytes,
            message_bytes,
        })
    }

    /// The first failure since the last call.
    fn check(&mut self) -> Result<()> {
        let failure = self.failure.take();
        failure.or_else(|| self.producer.context().refusal()).map_or(Ok(()), Err)
    }

    fn give_up(&self, message: &Message<'_>, why: Refused) -> Error {
        let topic = message.topic;
        match why {
            RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition => {
                Error::new(Code::TopicMissing, format!("topic `{topic}` does not exist"))
            }
            other => Error::new(Code::Delivery, format!("topic `{topic}`: {other}")),
        }
    }
}

fn undelivered(Failure { topic, partition, why }: Failure<'_>, message_bytes: usize) -> Error {
    let place = format!("topic `{topic}`, partition {partition}: {why}");
    match why {
        RDKafkaErrorCode::MessageSizeTooLarge => {
            let message = format!(
                "{place}\nThe topic allows less than `limits.record`, {message_bytes} bytes: \
                 raise its `max.message.bytes`, or lower the limit. Nothing was committed; the record comes again."
            );
            Error::new(Code::TopicLimit, message)
        }
        RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition => {
            Error::new(Code::TopicMissing, place)
        }
        why if denied(why) => Error::new(Code::Denied, place),
        _ => Error::new(Code::Delivery, place),
    }
}

impl Sink for KafkaSink {
    type Member = ();

    fn send(&mut self, message: Message<'_>) -> Result<Sent> {
        self.check()?;
        let size = message.size();
        if size > self.message_bytes {
            let (topic, most) = (message.topic, self.message_bytes);
            let text = format!("topic `{topic}`: a message of {size} bytes, where {most} are allowed");
            return Err(Error::new(Code::TooLarge, text));
        }
        let size = size + MESSAGE_OVERHEAD;
        if self.under_way.bytes > 0 && self.under_way.bytes + size > self.queue_bytes {
            return Ok(Sent::Full);
        }
        let tag = self.under_way.tag(size);
        match self.topics.produce(self.producer.client(), &message, tag)? {
            Ok(()) => {
                self.under_way.add(tag);
                Ok(Sent::Taken)
            }
            Err(RDKafkaErrorCode::QueueFull) => Ok(Sent::Full),
            Err(why) => Err(self.give_up(&message, why)),
        }
    }

    fn work(&mut self, wait: Duration) -> Result<UnderWay> {
        let Self { reports, producer, under_way, failure, message_bytes, .. } = self;
        reports.serve(producer.client(), wait, |Report { tag, failure: why }| {
            under_way.remove(tag);
            if let Some(why) = why {
                failure.get_or_insert_with(|| undelivered(why, *message_bytes));
            }
        });
        self.check()?;
        let Tally { messages, part, .. } = self.under_way;
        Ok(UnderWay { all: messages[0] + messages[1], marked: messages[part ^ 1] })
    }

    fn mark(&mut self) {
        debug_assert_eq!(self.under_way.messages[self.under_way.part ^ 1], 0, "the part before is done");
        self.under_way.part ^= 1;
    }
}
