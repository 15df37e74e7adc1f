//! What can be wrong before and beside the records.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::engine::Budget;
use crate::error::{Code, Error};

fn connect(property: &str, value: &str) -> Result<KafkaSink, Error> {
    let mut cluster = Cluster::at("localhost:9092");
    cluster.properties.insert(property.to_owned(), value.to_owned());
    let client_id = "test".to_owned();
    KafkaSink::connect(SinkOptions {
        cluster,
        client_id,
        budget: Budget::new(1 << 20),
        message_bytes: 1_000,
        transactions: None,
        asked: Asked::default(),
    })
}

#[test]
fn properties_are_passed_on_or_refused_by_name() {
    for (property, value, word) in [
        ("enable.auto.commit", "true", "delivered"),
        ("metadata.broker.list", "x:1", "`brokers`"),
        ("partitioner", "random", "Java"),
        ("acks", "1", "`all`"),
        ("max.in.flight", "5", "order"),
        ("fetsch.bytes", "5", "No such configuration property"),
        ("linger.ms", "soon", "linger.ms"),
        ("session.timeout.ms", "-5", "session.timeout.ms"),
    ] {
        let error = connect(property, value).err().unwrap_or_else(|| panic!("{property} was taken"));
        assert_eq!(error.code, Code::ConfigValue);
        assert!(error.message.contains(property), "{}", error.message);
        assert!(error.message.contains(word), "{}", error.message);
    }
    for (property, value) in [("acks", "all"), ("queue.buffering.max.ms", "50"), ("compression.type", "zstd")]
    {
        connect(property, value).unwrap();
    }
}

#[test]
fn no_brokers_is_said_so() {
    let options = SinkOptions {
        cluster: Cluster::at(" "),
        client_id: "test".to_owned(),
        budget: Budget::new(1 << 20),
        message_bytes: 1_000,
        transactions: None,
        asked: Asked::default(),
    };
    let error = KafkaSink::connect(options).unwrap_err();
    assert!(error.message.contains("`brokers` is empty"), "{}", error.message);
}

#[test]
fn one_topic_can_not_be_two_sources() {
    let options = SourceOptions { cluster: Cluster::at("localhost:9092"), ..options(&["a", "b", "a"]) };
    let error = KafkaSource::connect(options).unwrap_err();
    assert_eq!(error.code, Code::ConfigValue);
    assert!(error.message.contains("`a`"), "{}", error.message);
}

#[test]
fn topics_are_found_and_missing_ones_not_created() {
    let broker = EmbeddedBroker::start(&[("a", 3), ("b", 1)]).unwrap();
    let found = topics(&broker.cluster(), &["b", "a"], GUARD).unwrap();
    let info = |name: &str, partitions| TopicInfo { name: name.to_owned(), partitions };
    assert_eq!(found, [info("b", 1), info("a", 3)]);
    for _ in 0..2 {
        let error = topics(&broker.cluster(), &["a", "nope", "neither"], GUARD).unwrap_err();
        assert_eq!(error.code, Code::TopicMissing);
        for name in ["nope", "neither"] {
            let command = format!("--bootstrap-server {} --create --topic {name}", broker.brokers());
            assert!(error.message.contains(&command), "{}", error.message);
        }
        assert!(!error.message.contains("topic `a`"), "{}", error.message);
    }
}

#[test]
fn an_unreachable_broker_is_named_with_its_reason() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cluster = Cluster::at(nobody.to_string());
    let error = topics(&cluster, &["a"], Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.code, Code::BrokerUnreachable);
    for word in [nobody.to_string().as_str(), "300ms", "refused"] {
        assert!(error.message.contains(word), "{}", error.message);
    }
}

#[test]
fn leaving_without_a_broker_takes_no_time_out() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut source =
        KafkaSource::connect(SourceOptions { cluster: Cluster::at(nobody.to_string()), ..options(&["a"]) })
            .unwrap();
    assert!(matches!(poll(&mut source, MANY), Got::Records(_)));
    let began = Instant::now();
    source.leave().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(source.keep_alive().unwrap_err().code, Code::Internal);
}

#[test]
fn a_coordinator_that_is_away_is_not_waited_for_by_whoever_is_to_end() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cluster = Cluster::at(nobody.to_string());
    let asked = Arc::new(AtomicBool::new(false));
    let when = {
        let asked = Arc::clone(&asked);
        Asked::when(move || asked.swap(true, Ordering::Relaxed))
    };
    let mut source =
        KafkaSource::connect(SourceOptions { cluster: cluster.clone(), asked: when, ..options(&["a"]) })
            .unwrap();
    let began = Instant::now();
    assert_eq!(source.committed(&[id(0, 0)]).unwrap_err().code, Code::Stuck, "it was asked when it waited");
    let transactions = Some(Transactions { id: "pipeline-1".to_owned(), topics: Vec::new() });
    let (client_id, budget, message_bytes) = ("test".to_owned(), Budget::new(1 << 20), 1_000);
    let asked = Asked::when(|| true);
    let options = SinkOptions { cluster, client_id, budget, message_bytes, transactions, asked };
    assert_eq!(KafkaSink::connect(options).unwrap_err().code, Code::Stuck);
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_delivery_that_failed_comes_out_of_the_next_call() {
    let broker = EmbeddedBroker::start(&[("a", 1)]).unwrap();
    let mut cluster = broker.cluster();
    cluster.properties.insert("message.timeout.ms".to_owned(), "300".to_owned());
    let brokers = std::mem::replace(&mut cluster.brokers, "127.0.0.1:1".to_owned());
    assert_eq!(brokers, broker.brokers());
    let client_id = "test".to_owned();
    let options = SinkOptions {
        cluster,
        client_id,
        budget: Budget::new(1 << 20),
        message_bytes: 1_000,
        transactions: None,
        asked: Asked::default(),
    };
    let mut sink = KafkaSink::connect(options).unwrap();
    assert_eq!(sink.send(message("a", None, b"v")).unwrap(), Sent::Taken);
    let began = Instant::now();
    let error = loop {
        assert!(began.elapsed() < GUARD);
        if let Err(error) = sink.work(Duration::from_millis(50)) {
            break error;
        }
    };
    assert_eq!(error.code, Code::Delivery);
    assert!(error.message.starts_with("topic `a`, partition "), "{}", error.message);
    assert_eq!(sink.work(Duration::ZERO).unwrap().all, 0, "it is told once");
}

#[test]
fn a_message_too_large_is_refused_with_its_size() {
    let broker = EmbeddedBroker::start(&[("a", 1)]).unwrap();
    let mut sink = sink(&broker);
    let error = sink.send(message("a", Some(b"key"), &[0; 100_000])).unwrap_err();
    assert_eq!(error.code, Code::TooLarge);
    assert!(error.message.contains("100003"), "{}", error.message);
    deliver(&mut sink, &[message("a", None, &[0; 100_000])]);
}
