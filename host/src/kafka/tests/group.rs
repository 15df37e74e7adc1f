//! Members of one group.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// A member that commits what it has read when it must, and only then.
struct Member {
    source: KafkaSource,
    next: BTreeMap<PartitionId, i64>,
    seen: Vec<(PartitionId, i64)>,
}

impl Member {
    fn new(broker: &EmbeddedBroker) -> Self {
        Self { source: source(broker, &["a"]), next: BTreeMap::new(), seen: Vec::new() }
    }

    fn step(&mut self) {
        match poll(&mut self.source, Limit { rows: 3, bytes: 1 << 20 }) {
            Got::Assigned(partitions) => {
                begin(&mut self.source, &partitions);
            }
            Got::Revoked(partitions, lost) => {
                let next: Vec<_> = std::mem::take(&mut self.next).into_iter().collect();
                if !lost {
                    self.source.commit(&next, true).unwrap();
                }
                self.source.release(&partitions).unwrap();
            }
            Got::Records(records) => {
                for one in records {
                    self.seen.push((one.from, one.offset));
                    self.next.insert(one.from, one.offset + 1);
                }
            }
        }
    }

    fn partitions(&self) -> BTreeSet<PartitionId> {
        self.next.keys().copied().collect()
    }
}

/// Until `done`, with new records all the time.
fn run(members: &mut [Member], sink: &mut KafkaSink, sent: &mut usize, done: impl Fn(&[Member]) -> bool) {
    let began = Instant::now();
    while !done(members) {
        assert!(began.elapsed() < GUARD, "{:?}", members.iter().map(Member::partitions).collect::<Vec<_>>());
        for n in 0..20u8 {
            // All of it is to be read before the guard's time is over.
            if *sent < 5_000 || n < 4 {
                assert_eq!(sink.send(message("a", Some(&[n]), b"v")).unwrap(), Sent::Taken);
                *sent += 1;
            }
        }
        drain(sink);
        members.iter_mut().for_each(Member::step);
    }
}

#[test]
fn members_come_and_go_and_nothing_is_skipped() {
    let broker = EmbeddedBroker::start(&[("a", 4)]).unwrap();
    let (mut sink, mut sent) = (sink(&broker), 0);
    let mut members = vec![Member::new(&broker)];
    run(&mut members, &mut sink, &mut sent, |members| members[0].partitions().len() == 4);

    members.push(Member::new(&broker));
    run(&mut members, &mut sink, &mut sent, |members| {
        members.iter().all(|member| member.partitions().len() == 2)
    });

    let mut gone = members.remove(0);
    let next: Vec<_> = std::mem::take(&mut gone.next).into_iter().collect();
    gone.source.commit(&next, true).unwrap();
    gone.source.leave().unwrap();
    run(&mut members, &mut sink, &mut sent, |members| members[0].partitions().len() == 4);

    let began = Instant::now();
    // The embedded broker takes no commit while the group rebalances, as others do: some come twice.
    let all =
        |members: &[Member]| -> BTreeSet<_> { gone.seen.iter().chain(&members[0].seen).copied().collect() };
    while all(&members).len() < sent {
        assert!(began.elapsed() < GUARD, "{} of {sent}", all(&members).len());
        members[0].step();
    }
    let mut next = BTreeMap::new();
    for (from, offset) in all(&members) {
        let expected = next.entry(from).or_insert(0);
        assert_eq!(offset, *expected, "{from:?}: skipped");
        *expected += 1;
    }
}

#[test]
fn a_new_member_goes_on_where_the_group_committed() {
    let broker = EmbeddedBroker::start(&[("a", 2)]).unwrap();
    let messages: Vec<_> = (0..10).map(|_| message("a", Some(b"k"), b"v")).collect();
    deliver(&mut sink(&broker), &messages);

    let mut first = source(&broker, &["a"]);
    let partitions = join(&mut first);
    assert_eq!(first.committed(&partitions).unwrap(), [None, None]);
    let from = read(&mut first, 10)[0].from;
    first.commit(&[(from, 3)], false).unwrap();
    first.commit(&[(from, 4)], true).unwrap();
    first.leave().unwrap();

    let mut second = source(&broker, &["a"]);
    join(&mut second);
    let found = second.committed(&[from]).unwrap();
    assert_eq!(found[0].map(|one| one.next), Some(4));
    assert_eq!(read(&mut second, 6)[0].offset, 4);
}

#[test]
fn a_group_that_begins_at_the_end_sees_all_that_comes_later() {
    let broker = EmbeddedBroker::start(&[("a", 1)]).unwrap();
    let mut sink = sink(&broker);
    let latest = || {
        KafkaSource::connect(SourceOptions {
            cluster: broker.cluster(),
            start: Start::Latest,
            ..options(&["a"])
        })
        .unwrap()
    };
    deliver(&mut sink, &[message("a", None, b"before")]);
    let mut first = latest();
    join(&mut first);
    // Nobody has read this one when another member goes on.
    deliver(&mut sink, &[message("a", None, b"between")]);
    first.leave().unwrap();
    let mut second = latest();
    join(&mut second);
    deliver(&mut sink, &[message("a", None, b"after")]);
    let values: Vec<_> = read(&mut second, 2).into_iter().filter_map(|one| one.value).collect();
    assert_eq!(values, [b"between".to_vec(), b"after".to_vec()]);
}

#[test]
fn an_offset_that_the_broker_has_not_stops_the_source() {
    let broker = EmbeddedBroker::start(&[("a", 1)]).unwrap();
    deliver(&mut sink(&broker), &[message("a", None, b"v")]);
    let mut first = source(&broker, &["a"]);
    join(&mut first);
    first.commit(&[(id(0, 0), 1_000)], true).unwrap();
    first.leave().unwrap();

    let mut second = source(&broker, &["a"]);
    join(&mut second);
    let began = Instant::now();
    let error = loop {
        assert!(began.elapsed() < GUARD);
        if let Err(error) = second.poll(Duration::from_millis(50), MANY) {
            break error;
        }
    };
    assert_eq!(error.code, crate::error::Code::OffsetLost);
    assert!(error.message.starts_with("a/0: "), "{}", error.message);
}
