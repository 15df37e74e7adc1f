//! A real Apache Kafka, as `cargo xtask test` started it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::program::PATIENCE;

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
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address());
    config
}

/// Creates topics with so many partitions.
pub fn create(topics: &[&str], partitions: i32) {
    let admin: AdminClient<DefaultClientContext> = config().create().expect("an admin client");
    let new: Vec<NewTopic<'_>> =
        topics.iter().map(|name| NewTopic::new(name, partitions, TopicReplication::Fixed(1))).collect();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let created = wait(Box::pin(async { admin.create_topics(&new, &options).await }));
    for topic in created.expect("the broker answers") {
        topic.expect("the topic is new");
    }
    // A broker answers before it knows the topic itself.
    let (consumer, began): (BaseConsumer, _) = (config().create().expect("a consumer"), Instant::now());
    let known = |topic: &&&str| {
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("the broker answers");
        let found = metadata.topics()[0].partitions();
        found.len() == partitions as usize && found.iter().all(|partition| partition.leader() >= 0)
    };
    while topics.iter().filter(known).count() < topics.len() {
        assert!(began.elapsed() < PATIENCE, "the topics do not appear");
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
    let producer: BaseProducer =
        config().set("partitioner", "murmur2_random").set("linger.ms", "5").create().expect("a producer");
    for (key, value) in records {
        let mut record = BaseRecord::to(topic).key(&key).payload(&value);
        while let Err((_, back)) = producer.send(record) {
            record = back;
            producer.poll(Duration::from_millis(1));
        }
    }
    producer.flush(PATIENCE).expect("all delivered");
}

/// A record that was read back.
#[derive(Clone, Debug)]
pub struct Got {
    pub partition: i32,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: HashMap<String, String>,
}

impl Got {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(self.value.as_deref().unwrap_or_default()).expect("JSON")
    }
}

/// Reads a topic from its beginning, until `enough` says so of all that was read.
pub fn read_until(topic: &str, mut enough: impl FnMut(&[Got]) -> bool) -> Vec<Got> {
    let mut config = config();
    config.set("group.id", unique("reader")).set("enable.auto.commit", "false");
    config.set("isolation.level", "read_committed").set("fetch.wait.max.ms", "10");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("the broker answers");
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        list.add_partition_offset(topic, partition.id(), Offset::Beginning).expect("a valid offset");
    }
    consumer.assign(&list).expect("assigned");
    let (mut got, mut last) = (Vec::new(), Instant::now());
    while !enough(&got) {
        assert!(last.elapsed() < PATIENCE, "{topic}: nothing more came after {} records", got.len());
        let Some(message) = consumer.poll(Duration::from_millis(20)) else { continue };
        let message = message.expect("readable");
        last = Instant::now();
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
        got.push(Got {
            partition: message.partition(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.map(|header| (header.key.to_owned(), text(header.value))).collect(),
        });
    }
    got
}
