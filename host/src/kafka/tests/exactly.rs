//! Transactions, as far as the mock cluster can judge: what a refusal does to them. What is read of them, it can't.

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::topic_partition_list::Offset;
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Err};

use super::*;
use crate::engine::ports::{Ended, Mark};
use crate::engine::{Budget, Words};
use crate::error::{Code, Error};

type Mock = MockCluster<'static, DefaultProducerContext>;

fn mock() -> Mock {
    let mock = MockCluster::new(1).unwrap();
    mock.create_topic("in", 1, 1).unwrap();
    mock.create_topic("out", 1, 1).unwrap();
    mock
}

fn connect(mock: &Mock) -> Result<KafkaSink, Error> {
    KafkaSink::connect(SinkOptions {
        cluster: Cluster::at(mock.bootstrap_servers()),
        client_id: "test".to_owned(),
        budget: Budget::new(1 << 20),
        message_bytes: 100_000,
        transactions: Some(Transactions { id: "pipeline-1".to_owned(), topics: vec!["in".to_owned()] }),
        asked: Asked::default(),
    })
}

/// A member, never mind of what.
fn reader(mock: &Mock) -> KafkaSource {
    KafkaSource::connect(SourceOptions { cluster: Cluster::at(mock.bootstrap_servers()), ..options(&["in"]) })
        .unwrap()
}

fn out<'a>(value: &'a [u8], tag: Option<u32>) -> Message<'a> {
    Message { tag, ..message("out", Some(b"k"), value) }
}

fn flush(sink: &mut KafkaSink) -> Result<(), Error> {
    let began = Instant::now();
    while sink.flush(Duration::from_millis(10))?.all > 0 {
        assert!(began.elapsed() < GUARD, "not delivered in time");
    }
    Ok(())
}

/// One transaction of one message.
fn transaction(sink: &mut KafkaSink, source: &KafkaSource) -> Result<Ended, Error> {
    sink.begin()?;
    sink.send(out(b"v", None))?;
    flush(sink)?;
    sink.commit(
        &[Mark { of: id(0, 0), next: 1, commit: 1, last: false, words: Words::default() }],
        source.member()?,
    )
}

#[test]
fn what_landed_is_told_by_tag_and_offset() {
    let mock = mock();
    let (mut sink, source) = (connect(&mock).unwrap(), reader(&mock));
    sink.begin().unwrap();
    for (value, tag) in [(b"a", Some(7)), (b"b", None), (b"c", Some(0))] {
        sink.send(out(value, tag)).unwrap();
    }
    flush(&mut sink).unwrap();
    assert_eq!(sink.landed(), [(7, 0), (0, 2)]);
    assert_eq!(sink.landed(), []);
    assert_eq!(sink.commit(&[], source.member().unwrap()).unwrap(), Ended::Committed);
    sink.begin().unwrap();
    sink.send(out(b"d", Some(8))).unwrap();
    flush(&mut sink).unwrap();
    sink.abort().unwrap();
    assert_eq!(sink.landed(), [], "an aborted message lies nowhere");
}

#[test]
fn what_lingers_is_sent_when_it_is_waited_for() {
    let mock = mock();
    let mut cluster = Cluster::at(mock.bootstrap_servers());
    cluster.properties.insert("linger.ms".to_owned(), "20000".to_owned());
    let transactions = Some(Transactions { id: "pipeline-1".to_owned(), topics: Vec::new() });
    let (client_id, budget, message_bytes) = ("test".to_owned(), Budget::new(1 << 20), 1_000);
    let options =
        SinkOptions { cluster, client_id, budget, message_bytes, transactions, asked: Asked::default() };
    let mut sink = KafkaSink::connect(options).unwrap();
    sink.begin().unwrap();
    sink.send(out(b"v", None)).unwrap();
    assert_eq!(sink.work(Duration::from_millis(20)).unwrap().all, 1);
    let began = Instant::now();
    flush(&mut sink).unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "it lingered");
}

#[test]
fn a_transaction_that_lost_a_message_fails_and_the_next_one_goes_on() {
    let mock = mock();
    let (mut sink, source) = (connect(&mock).unwrap(), reader(&mock));
    mock.request_errors(Api::Produce, &[Err::RD_KAFKA_RESP_ERR_UNKNOWN]);
    let Ended::Failed(why) = transaction(&mut sink, &source).unwrap() else { panic!("committed") };
    assert!(why.contains("topic `out`"), "{why}");
    assert_eq!(sink.send(out(b"more", Some(1))).unwrap(), Sent::Taken, "it is lost with all the rest");
    flush(&mut sink).unwrap();
    sink.abort().unwrap();
    // A message that was refused leaves a gap in the sequence, which costs one transaction more.
    let mut ended = transaction(&mut sink, &source).unwrap();
    if ended != Ended::Committed {
        sink.abort().unwrap();
        ended = transaction(&mut sink, &source).unwrap();
    }
    assert_eq!(ended, Ended::Committed);
}

#[test]
fn what_no_second_try_would_mend_is_an_error() {
    let mock = mock();
    let mut sink = connect(&mock).unwrap();
    sink.begin().unwrap();
    mock.request_errors(Api::Produce, &[Err::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    sink.send(out(b"v", None)).unwrap();
    assert_eq!(flush(&mut sink).unwrap_err().code, Code::Denied);
}

#[test]
fn what_is_under_way_does_not_hold_an_abort_up() {
    let mock = mock();
    let (mut sink, source) = (connect(&mock).unwrap(), reader(&mock));
    sink.begin().unwrap();
    for _ in 0..100 {
        sink.send(out(b"v", Some(1))).unwrap();
    }
    sink.abort().unwrap();
    assert_eq!(sink.work(Duration::ZERO).unwrap(), UnderWay::default());
    assert_eq!(transaction(&mut sink, &source).unwrap(), Ended::Committed);
}

#[test]
fn the_group_decides_whether_a_transaction_fails_or_the_run() {
    let failed = [
        Err::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
        Err::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
        Err::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
        Err::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
        Err::RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH,
    ];
    let mock = mock();
    let (mut sink, source) = (connect(&mock).unwrap(), reader(&mock));
    for error in failed {
        mock.request_errors(Api::TxnOffsetCommit, &[error]);
        let ended = transaction(&mut sink, &source).unwrap();
        assert!(matches!(ended, Ended::Failed(_)), "{error:?}: {ended:?}");
        sink.abort().unwrap();
    }
    assert_eq!(transaction(&mut sink, &source).unwrap(), Ended::Committed);
    mock.request_errors(Api::TxnOffsetCommit, &[Err::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED]);
    assert_eq!(transaction(&mut sink, &source).unwrap_err().code, Code::Denied);
}

#[test]
fn a_coordinator_that_is_not_ready_is_asked_again() {
    let mock = mock();
    let (mut sink, source) = (connect(&mock).unwrap(), reader(&mock));
    mock.request_errors(Api::EndTxn, &[Err::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS; 2]);
    assert_eq!(transaction(&mut sink, &source).unwrap(), Ended::Committed);
}

#[test]
fn a_fenced_sink_says_so_ever_after() {
    let mock = mock();
    let (mut sink, source) = (connect(&mock).unwrap(), reader(&mock));
    mock.request_errors(Api::EndTxn, &[Err::RD_KAFKA_RESP_ERR_PRODUCER_FENCED]);
    let error = transaction(&mut sink, &source).unwrap_err();
    assert_eq!(error.code, Code::Fenced);
    assert!(error.message.contains("`pipeline-1`"), "{}", error.message);
    assert_eq!(sink.send(out(b"v", None)).unwrap_err().code, Code::Fenced);
    assert_eq!(sink.abort().unwrap_err().code, Code::Fenced);
    assert_eq!(sink.begin().unwrap_err().code, Code::Fenced);
}

#[test]
fn who_may_not_begin_learns_it_at_once() {
    let mock = mock();
    mock.request_errors(Api::InitProducerId, &[Err::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED]);
    assert_eq!(connect(&mock).unwrap_err().code, Code::Denied);
    mock.request_errors(Api::InitProducerId, &[Err::RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT]);
    let error = connect(&mock).unwrap_err();
    assert_eq!(error.code, Code::ConfigValue);
    assert!(error.message.contains("`transaction.max.timeout.ms`"), "{}", error.message);
}

/// What a member is told of a group that has committed an offset with these words.
fn committed_after(mock: &Mock, group: &str, words: &str) -> Result<Vec<Option<i64>>, Error> {
    let cluster = Cluster::at(mock.bootstrap_servers());
    let consumer: BaseConsumer = cluster.client(&[], &[("group.id", group)]).unwrap().create().unwrap();
    let mut list = TopicPartitionList::new();
    let mut element = list.add_partition("in", 0);
    element.set_offset(Offset::Offset(3)).unwrap();
    element.set_metadata(words);
    consumer.commit(&list, CommitMode::Sync).unwrap();
    let claims = Some(Claims { prefix: "pipeline-".to_owned(), own: "pipeline-a-".to_owned(), kept: false });
    let options = SourceOptions { cluster, group: group.to_owned(), claims, ..options(&["in"]) };
    let committed = KafkaSource::connect(options).unwrap().committed(&[id(0, 0)])?;
    Ok(committed.into_iter().map(|one| one.map(|one| one.next)).collect())
}

#[test]
fn what_another_process_left_is_ended_before_offsets_are_read() {
    let mock = mock();
    // Whoever begins under any id gets this.
    let refuse = [Err::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED];
    mock.request_errors(Api::InitProducerId, &refuse);
    for (group, nobody) in [("1", "7"), ("2", "7 pipeline-a-0"), ("3", "7 pipelines-b-0"), ("4", "a tool's")]
    {
        assert_eq!(committed_after(&mock, group, nobody).unwrap(), [Some(3)], "{nobody}");
    }
    let error = committed_after(&mock, "5", "7 pipeline-b-0").unwrap_err();
    assert_eq!(error.code, Code::Denied);
    assert!(error.message.contains("`pipeline-b-0`"), "{}", error.message);
    assert_eq!(
        committed_after(&mock, "6", "7 pipeline-b-0").unwrap(),
        [Some(3)],
        "it is claimed, and nothing more"
    );
}

#[test]
fn without_a_transaction_there_is_nothing_to_end() {
    let mock = mock();
    let (mut sink, source) = (connect(&mock).unwrap(), reader(&mock));
    assert_eq!(sink.commit(&[], source.member().unwrap()).unwrap_err().code, Code::Internal);
    assert_eq!(sink.abort().unwrap_err().code, Code::Internal);
    let broker = EmbeddedBroker::start(&[("out", 1)]).unwrap();
    assert_eq!(super::sink(&broker).begin().unwrap_err().code, Code::Internal);
}
