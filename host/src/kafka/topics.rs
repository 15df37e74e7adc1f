//! What the brokers know of topics: the check before a run; and the internal ones, which are made.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;

use super::cluster::{Cluster, refused};
use super::control::CONTROL_RECORD;
use super::events::denied;
use super::reach::Asker;
use crate::error::{Code, Error, Result};

/// A topic that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    pub name: String,
    pub partitions: usize,
}

/// Asks the brokers for these topics, all within `timeout`. An error names each one that is
/// missing, and how to create it.
pub fn topics(cluster: &Cluster, names: &[&str], timeout: Duration) -> Result<Vec<TopicInfo>> {
    let found = look_up(cluster, names, timeout)?;
    let missing: Vec<&str> =
        names.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        Ok(found.into_iter().flatten().collect())
    } else {
        Err(absent(cluster, &missing))
    }
}

/// The same, with `None` for each topic that is missing.
pub fn look_up(cluster: &Cluster, names: &[&str], timeout: Duration) -> Result<Vec<Option<TopicInfo>>> {
    let asker = Asker::new(cluster, timeout)?;
    let found = names.iter().map(|&name| match partitions(&asker.ask(name)?, name) {
        Ok(partitions) => Ok(Some(TopicInfo { name: name.to_owned(), partitions })),
        Err(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
        Err(code) if denied(code) => {
            let text = format!("topic `{name}`: {code}\nThis client lacks Describe on it.");
            Err(Error::new(Code::Denied, text))
        }
        Err(other) => Err(Error::new(Code::Consuming, format!("topic `{name}`: {other}"))),
    });
    found.collect()
}

/// How long the rows of an internal topic stay: much longer than any restart takes.
const INTERNAL: &[(&str, &str)] = &[("cleanup.policy", "delete"), ("retention.ms", "604800000")];

/// Blocks of a changelog stay until they are trimmed, as they were compressed.
const CHANGELOG: &[(&str, &str)] = &[
    ("cleanup.policy", "delete"),
    ("retention.ms", "-1"),
    ("retention.bytes", "-1"),
    ("compression.type", "producer"),
];

/// What says which release runs: of each key the last value stays.
const RELEASES: &[(&str, &str)] = &[("cleanup.policy", "compact"), ("segment.ms", "86400000")];

/// What became of releases stays for ever.
const HISTORY: &[(&str, &str)] =
    &[("cleanup.policy", "delete"), ("retention.ms", "-1"), ("retention.bytes", "-1")];

/// Makes an internal topic; `replication`: none, as the brokers have it. It is no error if another process
/// was faster.
pub fn create_internal(
    cluster: &Cluster,
    name: &str,
    partitions: usize,
    replication: Option<u16>,
    timeout: Duration,
) -> Result<()> {
    create(cluster, &New { name, partitions, replication, config: INTERNAL.to_vec() }, timeout)
}

/// The same for a changelog, whose blocks have up to `block_bytes`.
pub fn create_changelog(
    cluster: &Cluster,
    name: &str,
    partitions: usize,
    replication: Option<u16>,
    block_bytes: usize,
    timeout: Duration,
) -> Result<()> {
    // Brokers hold a whole batch against it, of which producers make up to 1 MB.
    let most = (block_bytes + BATCH_OVERHEAD).max(2 << 20).to_string();
    let mut config = CHANGELOG.to_vec();
    config.push(("max.message.bytes", &most));
    create(cluster, &New { name, partitions, replication, config }, timeout)
}

/// The same for the topic that says which release runs.
pub fn create_releases(
    cluster: &Cluster,
    name: &str,
    replication: Option<u16>,
    timeout: Duration,
) -> Result<()> {
    let most = (2 * CONTROL_RECORD).to_string();
    let mut config = RELEASES.to_vec();
    config.push(("max.message.bytes", &most));
    create(cluster, &New { name, partitions: 1, replication, config }, timeout)
}

/// The same for the topic that tells what became of releases.
pub fn create_history(
    cluster: &Cluster,
    name: &str,
    replication: Option<u16>,
    timeout: Duration,
) -> Result<()> {
    create(cluster, &New { name, partitions: 1, replication, config: HISTORY.to_vec() }, timeout)
}

/// What a broker counts of a batch of one message, beside its key and value, and generously.
const BATCH_OVERHEAD: usize = 64 << 10;

struct New<'a> {
    name: &'a str,
    partitions: usize,
    replication: Option<u16>,
    config: Vec<(&'a str, &'a str)>,
}

fn create(cluster: &Cluster, new: &New<'_>, timeout: Duration) -> Result<()> {
    let New { name, partitions, replication, config } = new;
    let client = cluster.client(&[], &[("client.id", "tailwater-internal")])?;
    let admin: AdminClient<DefaultClientContext> = client.create().map_err(|error| refused(&error))?;
    let replicas = replication.map_or(-1, i32::from);
    let topic = NewTopic::new(name, *partitions as i32, TopicReplication::Fixed(replicas));
    let topics = [config.iter().fold(topic, |topic, (key, value)| topic.set(key, value))];
    let options = AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout));
    let created = wait(Box::pin(async { admin.create_topics(&topics, &options).await }));
    let why = match created.map(|mut topics| topics.pop()) {
        Ok(Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists)))) | Ok(Some(Ok(_))) => return Ok(()),
        Ok(Some(Err((_, why)))) => why.to_string(),
        Ok(None) => "the broker says nothing of it".to_owned(),
        Err(error) => error.to_string(),
    };
    let (brokers, replicas) =
        (&cluster.brokers, replication.map_or(String::new(), |n| format!(" --replication-factor {n}")));
    let config: String = config.iter().map(|(key, value)| format!(" --config {key}={value}")).collect();
    let message = format!(
        "internal topic `{name}`: {why}\nIf this client may not create topics, let somebody else do it:\n  \
         kafka-topics.sh --bootstrap-server {brokers} --create --topic {name} --partitions {partitions}{replicas}\
         {config}"
    );
    Err(Error::new(Code::TopicRefused, message))
}

/// Runs a future whose answer comes from a thread of librdkafka.
pub(super) fn wait<F: Future + Unpin>(mut future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    loop {
        match std::pin::Pin::new(&mut future).poll(&mut context) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

fn partitions(metadata: &Metadata, name: &str) -> Result<usize, RDKafkaErrorCode> {
    let topic = metadata.topics().iter().find(|topic| topic.name() == name);
    let topic = topic.ok_or(RDKafkaErrorCode::UnknownTopicOrPartition)?;
    match topic.error() {
        Some(error) => Err(error.into()),
        None => Ok(topic.partitions().len()),
    }
}

fn absent(cluster: &Cluster, missing: &[&str]) -> Error {
    let mut message = String::new();
    for name in missing {
        message += &format!("topic `{name}` does not exist at {}\n", cluster.brokers);
    }
    message += "Tailwater creates none but internal topics. To create them:";
    for name in missing {
        let brokers = &cluster.brokers;
        message += &format!("\n  kafka-topics.sh --bootstrap-server {brokers} --create --topic {name}");
    }
    Error::new(Code::TopicMissing, message)
}
