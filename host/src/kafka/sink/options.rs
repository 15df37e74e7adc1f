//! What a sink is told, and what it tells librdkafka.

use std::sync::Arc;

use rdkafka::ClientConfig;

use crate::engine::Budget;
use crate::engine::ports::Asked;
use crate::error::Result;
use crate::kafka::Cluster;

/// What a message needs on the wire beside its bytes, at most: so that a message of the largest size
/// is never refused by the producer itself.
const WIRE_OVERHEAD: usize = 64 << 10;

/// What a sink needs to know.
#[derive(Clone, Debug)]
pub struct SinkOptions {
    pub cluster: Cluster,
    pub client_id: String,
    /// Of it are the messages that wait to be delivered, with all that is kept of them. An empty queue takes any
    /// message.
    pub budget: Arc<Budget>,
    /// The largest [`Message::size`](crate::record::Message::size). A topic may allow less.
    pub message_bytes: usize,
    /// None: at least once.
    pub transactions: Option<Transactions>,
    /// Then a coordinator that is away is not waited for.
    pub asked: Asked,
}

/// For exactly-once.
#[derive(Clone, Debug)]
pub struct Transactions {
    /// The transactional id: of one thread at a time in the whole cluster; the same again after a restart.
    pub id: String,
    /// Those of the source, whose offsets are committed: the index is the source's id.
    pub topics: Vec<String>,
}

impl SinkOptions {
    /// The producer's configuration.
    pub(super) fn config(&self) -> Result<ClientConfig> {
        let Self { cluster, client_id, message_bytes, transactions, .. } = self;
        let message = (message_bytes + WIRE_OVERHEAD).to_string();
        let mut fixed = vec![
            ("client.id", client_id.as_str()),
            ("acks", "all"),
            // As Java's producers do: the same key, the same partition.
            ("partitioner", "murmur2_random"),
            // Its own bounds count values only; ours comes first.
            ("queue.buffering.max.kbytes", "2147483647"),
            ("queue.buffering.max.messages", "0"),
            ("message.max.bytes", &message),
        ];
        let mut defaults = Vec::new();
        let (linger, order) = match transactions {
            // Latency is the linger, one to one. Under load requests fill while the one before is out.
            None => {
                let order = [("enable.idempotence", "false"), ("max.in.flight.requests.per.connection", "1")];
                ("0", order)
            }
            // Latency is the time between commits, which wait for no linger: the sink says when to send. Idempotent,
            // librdkafka has one request a partition under way; once what waits behind it has lingered for long
            // enough, it is a busy loop until the answer comes, which a broker on the same machine then is late with.
            Some(Transactions { id, .. }) => {
                // A process that is gone, and that nobody replaces, holds its readers up for this long.
                defaults.push(("transaction.timeout.ms", "30000"));
                ("1000", [("enable.idempotence", "true"), ("transactional.id", id)])
            }
        };
        if !cluster.sets(&["linger.ms", "queue.buffering.max.ms"]) {
            defaults.push(("linger.ms", linger));
        }
        fixed.extend(order);
        cluster.client(&defaults, &fixed)
    }
}
