//! The broker that the demo works with: one embedded in this process, or a real one.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{Client, ClientContext, DefaultClientContext};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tailwater::kafka::{Cluster, EmbeddedBroker};

/// Of each topic that is made.
const PARTITIONS: i32 = 4;
const LOOK_EVERY: Duration = Duration::from_millis(20);
const WITHIN: Duration = Duration::from_secs(15);

pub(crate) struct Broker {
    cluster: Cluster,
    /// Ends when dropped.
    _embedded: Option<EmbeddedBroker>,
}

/// What a pipeline reads and writes.
pub(crate) struct Topics<'a> {
    pub sources: Vec<&'a str>,
    pub outputs: Vec<&'a str>,
    /// Those that the host makes for itself, where it can.
    pub internal: Vec<&'a str>,
}

impl Broker {
    /// With these topics there, and a consumer group that is to begin where they end now: what an earlier run left
    /// has event times of its own. `say`: tells what was made.
    pub(crate) fn open(
        brokers: Option<&str>,
        group: &str,
        topics: &Topics<'_>,
        say: impl Fn(&str),
    ) -> Result<Self> {
        let Topics { sources, outputs, internal } = topics;
        if let Some(brokers) = brokers {
            make_topics(brokers, &[&sources[..], outputs].concat(), say)?;
            begin_at_end(brokers, group, &[&sources[..], internal].concat())?;
            return Ok(Self { cluster: Cluster::at(brokers), _embedded: None });
        }
        let wanted = [&sources[..], outputs, internal].concat();
        let wanted: Vec<_> = wanted.into_iter().map(|topic| (topic, PARTITIONS as usize)).collect();
        let embedded = EmbeddedBroker::start(&wanted)?;
        Ok(Self { cluster: embedded.cluster(), _embedded: Some(embedded) })
    }

    /// Removes what a run made for itself: its group and its internal topics.
    pub(crate) fn clear(&self, group: &str, topics: &[&str]) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        let options = AdminOptions::new().request_timeout(Some(WITHIN)).operation_timeout(Some(WITHIN));
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let brokers = &self.cluster.brokers;
        let topics = runtime.block_on(admin.delete_topics(topics, &options));
        topics.with_context(|| format!("internal topics of {group} can't be removed at {brokers}"))?;
        let groups = runtime.block_on(admin.delete_groups(&[group], &options));
        groups.map(drop).with_context(|| format!("group {group} can't be removed at {brokers}"))
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.cluster.brokers).set("client.id", "fraud-demo");
        config
    }

    /// For a producer of the demo's own.
    pub(crate) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        // One batch a record would keep a broker busy with little else; the embedded one looks through
        // all its batches for each fetch.
        config.set("linger.ms", "5");
        config
    }

    /// For a consumer of the demo's own.
    pub(crate) fn consumer(&self) -> ClientConfig {
        let mut config = self.client();
        for (name, value) in &self.cluster.properties {
            config.set(name, value);
        }
        config
    }
}

fn make_topics(brokers: &str, topics: &[&str], say: impl Fn(&str)) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create().context("the brokers' names")?;
    let wanted = topics.iter().map(|topic| NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(-1)));
    let wanted: Vec<_> = wanted.collect();
    let options = AdminOptions::new().request_timeout(Some(WITHIN)).operation_timeout(Some(WITHIN));
    let made = tokio::runtime::Builder::new_current_thread()
        .build()?
        .block_on(admin.create_topics(&wanted, &options));
    for result in made.with_context(|| format!("topics can't be made at {brokers}"))? {
        match result {
            Ok(topic) => say(&format!("made topic {topic} with {PARTITIONS} partitions")),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, error)) => bail!("topic {topic} can't be made at {brokers}: {error}"),
        }
    }
    // A broker answers before it knows the topic itself.
    let since = Instant::now();
    for topic in topics {
        while partitions(admin.inner(), topic)?.is_none() {
            if since.elapsed() > WITHIN {
                bail!("topic {topic} does not appear at {brokers}");
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
    Ok(())
}

/// Commits for a group of which nobody is there.
fn begin_at_end(brokers: &str, group: &str, topics: &[&str]) -> Result<()> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", group).set("allow.auto.create.topics", "false");
    let consumer: BaseConsumer = config.create().context("the brokers' names")?;
    let mut ends = TopicPartitionList::new();
    for topic in topics {
        for partition in 0..partitions(consumer.client(), topic)?.unwrap_or(0) {
            let end = end(&consumer, topic, partition)?;
            ends.add_partition_offset(topic, partition, Offset::Offset(end))?;
        }
    }
    consumer.commit(&ends, CommitMode::Sync).with_context(|| {
        format!(
            "group {group} at {brokers} can't begin anew; another demo runs there, or did until a minute ago"
        )
    })
}

/// Where a partition ends now. Who leads one that was just made may not know it yet.
pub(crate) fn end(consumer: &BaseConsumer, topic: &str, partition: i32) -> Result<i64> {
    let since = Instant::now();
    loop {
        match consumer.fetch_watermarks(topic, partition, WITHIN) {
            Ok((_, end)) => return Ok(end),
            Err(error) if since.elapsed() > WITHIN => {
                return Err(error).with_context(|| format!("the end of {topic}/{partition}"));
            }
            Err(_) => std::thread::sleep(LOOK_EVERY),
        }
    }
}

/// How many partitions a topic has. `None` while the brokers don't know it, or who leads them.
pub(crate) fn partitions<C: ClientContext>(client: &Client<C>, topic: &str) -> Result<Option<i32>> {
    let metadata = client.fetch_metadata(Some(topic), WITHIN)?;
    let found = metadata.topics().first().map_or(&[][..], |topic| topic.partitions());
    let is_led = found.iter().all(|partition| partition.leader() >= 0);
    Ok((is_led && !found.is_empty()).then_some(found.len() as i32))
}
