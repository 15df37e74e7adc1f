//! Where messages go: one producer.

use std::fmt;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer};

use super::cluster::{Cluster, refused};
use super::events::ProducerEvents;
use super::native::{Refused, Topics};
use crate::engine::ports::{Sent, Sink};
use crate::error::{Code, Error, Result};
use crate::record::Message;

/// A delivery that succeeded wakes nobody, so that what is under way is asked for this often.
const LOOK: Duration = Duration::from_millis(1);

/// What librdkafka itself needs for a message, about: its record, key and value, two headers. The
/// queue's messages are limited too, or a queue of tiny ones would take ten times its bytes.
const MESSAGE_OVERHEAD: usize = 256;

/// What a sink needs to know.
#[derive(Clone, Debug)]
pub struct SinkOptions {
    pub cluster: Cluster,
    pub client_id: String,
    /// Keys and values that wait to be delivered; at least one message of the largest size.
    pub queue_bytes: usize,
    /// The largest key and value together. A topic may allow less.
    pub message_bytes: usize,
}

/// A sink over one producer, at least once: without idempotence, one request at a time to each
/// broker, which keeps the order when one is tried again, and costs less than half of the CPU.
pub struct KafkaSink {
    // Before the producer: dropped first.
    topics: Topics,
    producer: BaseProducer<ProducerEvents>,
    message_bytes: usize,
}

impl fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSink").field("topics", &self.topics).finish_non_exhaustive()
    }
}

impl KafkaSink {
    /// Makes the producer. The broker is not asked for anything yet.
    pub fn connect(options: SinkOptions) -> Result<Self> {
        let SinkOptions { cluster, client_id, queue_bytes, message_bytes } = options;
        let queue = queue_bytes.max(message_bytes).div_ceil(1024).to_string();
        let messages = (queue_bytes / MESSAGE_OVERHEAD).max(1_000).to_string();
        let message = message_bytes.to_string();
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
                ("queue.buffering.max.kbytes", &queue),
                ("queue.buffering.max.messages", &messages),
                ("message.max.bytes", &message),
                ("delivery.report.only.error", "true"),
            ],
        )?;
        let events = ProducerEvents::new(&client_id);
        let producer = config.create_with_context(events).map_err(|error| refused(&error))?;
        Ok(Self { topics: Topics::default(), producer, message_bytes })
    }

    fn give_up(&self, message: &Message<'_>, why: Refused) -> Error {
        let topic = message.topic;
        match why {
            RDKafkaErrorCode::MessageSizeTooLarge => {
                let size = [message.key, message.value].into_iter().flatten().map(<[u8]>::len).sum::<usize>();
                let most = self.message_bytes;
                Error::new(
                    Code::TooLarge,
                    format!("topic `{topic}`: a message of {size} bytes, where {most} are allowed"),
                )
            }
            RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition => {
                Error::new(Code::TopicMissing, format!("topic `{topic}` does not exist"))
            }
            other => Error::new(Code::Delivery, format!("topic `{topic}`: {other}")),
        }
    }
}

impl Sink for KafkaSink {
    fn send(&mut self, message: Message<'_>) -> Result<Sent> {
        self.producer.context().failure()?;
        match self.topics.produce(self.producer.client(), &message)? {
            Ok(()) => Ok(Sent::Taken),
            Err(RDKafkaErrorCode::QueueFull) => Ok(Sent::Full),
            Err(why) => Err(self.give_up(&message, why)),
        }
    }

    fn work(&mut self, wait: Duration) -> Result<usize> {
        let began = Instant::now();
        self.producer.poll(Duration::ZERO);
        loop {
            self.producer.context().failure()?;
            let under_way = usize::try_from(self.producer.in_flight_count()).unwrap_or(0);
            let left = wait.saturating_sub(began.elapsed());
            if under_way == 0 || left.is_zero() {
                return Ok(under_way);
            }
            self.producer.poll(left.min(LOOK));
        }
    }
}
