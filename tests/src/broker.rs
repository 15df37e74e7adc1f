//! A real Apache Kafka: the one that `cargo xtask test` started, or one of the user's. What is made there is removed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::program::PATIENCE;

/// For what is cleaned away: a test that failed because the broker is gone should not wait long.
const REMOVED_WITHIN: Duration = Duration::from_secs(10);

/// Address of the broker.
pub fn address() -> String {
    crate::needed("TAILWATER_KAFKA")
}

/// A prefix that no other test of this or an earlier run has.
pub fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_millis();
    format!("{name}-{now}-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed))
}

fn config() -> ClientConfig {
    at(&address())
}

fn at(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
}

/// Creates topics with so many partitions.
pub fn create(topics: &[&str], partitions: i32) {
    create_at(&address(), topics, partitions);
}

/// The same, at another broker.
pub fn create_at(brokers: &str, topics: &[&str], partitions: i32) {
    let admin: AdminClient<DefaultClientContext> = at(brokers).create().expect("an admin client");
    let new: Vec<NewTopic<'_>> =
        topics.iter().map(|name| NewTopic::new(name, partitions, TopicReplication::Fixed(-1))).collect();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let created = wait(Box::pin(async { admin.create_topics(&new, &options).await }));
    for topic in created.expect("the broker answers") {
        topic.expect("the topic is new");
    }
    // A broker answers before it knows the topic itself.
    let (consumer, began): (BaseConsumer, _) = (at(brokers).create().expect("a consumer"), Instant::now());
    let known = |topic: &&&str| {
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("the broker answers");
        let found = metadata.topics()[0].partitions();
        found.len() == partitions as usize && found.iter().all(|partition| partition.leader() >= 0)
    };
    while topics.iter().filter(known).count() < topics.len() {
        assert!(began.elapsed() < PATIENCE, "the topics do not appear");
    }
}

/// Whether a topic does not exist.
pub fn missing(topic: &str) -> bool {
    let consumer: BaseConsumer =
        config().set("allow.auto.create.topics", "false").create().expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("the broker answers");
    metadata.topics()[0].partitions().is_empty()
}

/// Removes topics and a consumer group, as far as they are there. For a `drop`: it never panics.
pub fn remove(topics: &[String], group: &str) {
    let Ok(admin) = config().create::<AdminClient<DefaultClientContext>>() else { return };
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    let options =
        AdminOptions::new().request_timeout(Some(REMOVED_WITHIN)).operation_timeout(Some(REMOVED_WITHIN));
    let removed = if topics.is_empty() {
        Ok(Vec::new())
    } else {
        wait(Box::pin(async { admin.delete_topics(&topics, &options).await }))
    };
    // A member that was killed keeps its group for some seconds. Without topics nothing else of it stays.
    let left = wait(Box::pin(async { admin.delete_groups(&[group], &options).await }));
    if let Some(error) = removed.err().or(left.err()) {
        eprintln!("{topics:?} and group {group} stay: {error}");
    }
}

/// Runs a future whose answer comes from a thread of librdkafka.
fn wait<F: Future + Unpin>(mut future: F) -> F::Output {
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

/// Writes records as a Java producer would: murmur2 over the key.
pub fn produce(topic: &str, records: impl IntoIterator<Item = (String, Vec<u8>)>) {
    produce_at(&address(), topic, records);
}

/// The same, to another broker.
pub fn produce_at(brokers: &str, topic: &str, records: impl IntoIterator<Item = (String, Vec<u8>)>) {
    let producer = Producer::at(brokers, topic);
    records.into_iter().for_each(|(key, value)| producer.send(&key, &value));
    producer.flush();
}

/// Writes a record with headers.
pub fn produce_with(topic: &str, key: &str, value: &[u8], headers: &[(&str, &str)]) {
    let producer = Producer::open(topic);
    let own = OwnedHeaders::new();
    let own = headers.iter().fold(own, |own, (key, value)| own.insert(Header { key, value: Some(*value) }));
    let sent = producer.producer.send(BaseRecord::to(topic).key(key).payload(value).headers(own));
    sent.map_err(|(error, _)| error).expect("the queue is empty");
    producer.flush();
}

/// Writes a record without a value.
pub fn produce_tombstone(topic: &str, key: &str) {
    let producer = Producer::open(topic);
    let sent = producer.producer.send(BaseRecord::<str, ()>::to(topic).key(key));
    sent.map_err(|(error, _)| error).expect("the queue is empty");
    producer.flush();
}

/// Writes to a topic now and then, as [`produce`] does.
pub struct Producer {
    topic: String,
    producer: BaseProducer,
}

impl Producer {
    pub fn open(topic: &str) -> Self {
        Self::at(&address(), topic)
    }

    fn at(brokers: &str, topic: &str) -> Self {
        let mut config = at(brokers);
        // In order and once, also where a broker is slow to answer.
        config.set("partitioner", "murmur2_random").set("linger.ms", "5").set("enable.idempotence", "true");
        Self { topic: topic.to_owned(), producer: config.create().expect("a producer") }
    }

    /// It is there after a [`flush`](Self::flush) at the latest.
    pub fn send(&self, key: &str, value: &[u8]) {
        let mut record = BaseRecord::to(&self.topic).key(key).payload(value);
        while let Err((_, back)) = self.producer.send(record) {
            record = back;
            self.producer.poll(Duration::from_millis(1));
        }
    }

    pub fn flush(&self) {
        self.producer.flush(PATIENCE).expect("all delivered");
    }
}

/// A record that was read back.
#[derive(Clone, Debug)]
pub struct Got {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: HashMap<String, String>,
}

impl Got {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(self.value.as_deref().unwrap_or_default()).expect("JSON")
    }
}

/// How many records of a topic a group has committed, over all partitions.
pub fn committed(group: &str, topic: &str, partitions: i32) -> i64 {
    let consumer: BaseConsumer = config().set("group.id", group).create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition(topic, partition);
    }
    let committed = consumer.committed_offsets(list, PATIENCE).expect("the broker answers");
    committed.elements().iter().map(|one| one.offset().to_raw().unwrap_or(0).max(0)).sum()
}

/// How many members a group has.
pub fn members(group: &str) -> usize {
    let consumer: BaseConsumer = config().create().expect("a consumer");
    let list = consumer.fetch_group_list(Some(group), PATIENCE).expect("the broker answers");
    list.groups().iter().map(|group| group.members().len()).sum()
}

/// Reads a topic from its beginning to where it ends now, once no transaction is open there.
pub fn read_all(topic: &str) -> Vec<Got> {
    let plain: BaseConsumer =
        config().set("isolation.level", "read_uncommitted").create().expect("a consumer");
    let stable: BaseConsumer =
        config().set("isolation.level", "read_committed").create().expect("a consumer");
    let metadata = plain.fetch_metadata(Some(topic), PATIENCE).expect("the broker answers");
    let partitions: Vec<i32> = metadata.topics()[0].partitions().iter().map(|one| one.id()).collect();
    let end = |consumer: &BaseConsumer, partition: i32| {
        consumer.fetch_watermarks(topic, partition, PATIENCE).expect("the broker answers").1
    };
    let began = Instant::now();
    while partitions.iter().any(|partition| end(&stable, *partition) < end(&plain, *partition)) {
        assert!(began.elapsed() < PATIENCE, "{topic}: a transaction stays open");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut ended = std::collections::HashSet::new();
    read(&address(), topic, |_, partition| {
        ended.extend(partition);
        ended.len() == partitions.len()
    })
}

/// Reads a topic from its beginning, until `enough` says so of all that was read.
pub fn read_until(topic: &str, enough: impl FnMut(&[Got]) -> bool) -> Vec<Got> {
    read_until_at(&address(), topic, enough)
}

/// The same, from another broker.
pub fn read_until_at(brokers: &str, topic: &str, mut enough: impl FnMut(&[Got]) -> bool) -> Vec<Got> {
    read(brokers, topic, |got, _| enough(got))
}

/// `enough` is asked before each record, and told which partition was read to its end.
fn read(brokers: &str, topic: &str, enough: impl FnMut(&[Got], Option<i32>) -> bool) -> Vec<Got> {
    let mut reader = Reader::at(brokers, &[topic]);
    reader.read(enough);
    reader.got
}

/// Reads topics from their beginning on and on, each record once.
pub struct Reader {
    topics: String,
    consumer: BaseConsumer,
    got: Vec<Got>,
}

impl Reader {
    pub fn open(topics: &[&str]) -> Self {
        Self::at(&address(), topics)
    }

    fn at(brokers: &str, topics: &[&str]) -> Self {
        let mut config = at(brokers);
        config.set("enable.partition.eof", "true");
        config.set("group.id", unique("reader")).set("enable.auto.commit", "false");
        config.set("isolation.level", "read_committed").set("fetch.wait.max.ms", "10");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        for topic in topics {
            let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("the broker answers");
            for partition in metadata.topics()[0].partitions() {
                list.add_partition_offset(topic, partition.id(), Offset::Beginning).expect("a valid offset");
            }
        }
        consumer.assign(&list).expect("assigned");
        Self { topics: topics.join(", "), consumer, got: Vec::new() }
    }

    /// Reads on, until `enough` says so of all that was read so far.
    pub fn until(&mut self, mut enough: impl FnMut(&[Got]) -> bool) -> &[Got] {
        self.read(|got, _| enough(got));
        &self.got
    }

    fn read(&mut self, mut enough: impl FnMut(&[Got], Option<i32>) -> bool) {
        let Self { topics, consumer, got } = self;
        let (mut last, mut ended) = (Instant::now(), None);
        while !enough(got, ended.take()) {
            assert!(last.elapsed() < PATIENCE, "{topics}: nothing more came after {} records", got.len());
            let Some(message) = consumer.poll(Duration::from_millis(20)) else { continue };
            let message = match message {
                Err(rdkafka::error::KafkaError::PartitionEOF(partition)) => {
                    ended = Some(partition);
                    continue;
                }
                message => message.expect("readable"),
            };
            last = Instant::now();
            let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
            let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
            got.push(Got {
                topic: message.topic().to_owned(),
                partition: message.partition(),
                offset: message.offset(),
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
                headers: headers.map(|header| (header.key.to_owned(), text(header.value))).collect(),
            });
        }
    }
}
