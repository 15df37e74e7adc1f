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
    fn new(broker: &EmbeddedBroker, protocol: Protocol) -> Self {
        let options = SourceOptions { cluster: broker.cluster(), protocol, ..options(&["a"]) };
        let source = KafkaSource::connect(options).unwrap();
        Self { source, next: BTreeMap::new(), seen: Vec::new() }
    }

    fn step(&mut self) {
        match poll(&mut self.source, Limit { rows: 3, bytes: 1 << 20 }) {
            Got::Assigned(partitions) => {
                begin(&mut self.source, &partitions);
            }
            Got::Revoked(partitions, lost) => {
                let next = partitions.iter().filter_map(|id| Some((*id, self.next.remove(id)?)));
                let next: Vec<_> = next.collect();
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
    come_and_go(Protocol::Classic);
}

#[test]
fn members_come_and_go_one_partition_at_a_time() {
    come_and_go(Protocol::Auto);
}

fn come_and_go(protocol: Protocol) {
    let broker = EmbeddedBroker::start(&[("a", 4)]).unwrap();
    let (mut sink, mut sent) = (sink(&broker), 0);
    let mut members = vec![Member::new(&broker, protocol)];
    run(&mut members, &mut sink, &mut sent, |members| members[0].partitions().len() == 4);

    members.push(Member::new(&broker, protocol));
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
fn what_is_started_again_comes_from_there_and_nothing_else() {
    let broker = EmbeddedBroker::start(&[("a", 2)]).unwrap();
    let mut sink = sink(&broker);
    let values: Vec<Vec<u8>> = (0..200u8).map(|n| vec![n]).collect();
    for partition in [0, 1] {
        let of = |value| Message { partition: Some(partition), ..message("a", None, value) };
        deliver(&mut sink, &values.iter().map(|value| of(value)).collect::<Vec<_>>());
    }
    let mut source = source(&broker, &["a"]);
    join(&mut source);
    let (mut next, mut left, began) = ([0; 2], 30, Instant::now());
    while next != [200; 2] || left > 0 {
        assert!(began.elapsed() < GUARD, "{next:?}");
        // By bytes: so some were taken and not given.
        match poll(&mut source, Limit { rows: 20, bytes: 7 }) {
            Got::Records(records) => records.iter().for_each(|seen| {
                let next = &mut next[seen.from.partition as usize];
                assert_eq!(seen.offset, *next, "{:?}", seen.from);
                *next += 1;
            }),
            other => panic!("{other:?}"),
        }
        if left > 0 {
            left -= 1;
            // One of them; at times both, or one from its beginning.
            let which = [vec![0], vec![1], vec![0, 1]][left % 3].clone();
            let to = (left * 6 % 100) as i64;
            which.iter().for_each(|n| next[*n as usize] = to);
            let to = (to > 0).then_some(to);
            source.start(&which.iter().map(|n| (id(0, *n), to)).collect::<Vec<_>>()).unwrap();
        }
    }
    assert_eq!(source.start(&[(id(0, 7), None)]).unwrap_err().code, crate::error::Code::Internal);
}

#[test]
fn who_waits_at_an_end_misses_nothing_when_others_move() {
    let broker = EmbeddedBroker::start(&[("a", 4)]).unwrap();
    let mut sink = sink(&broker);
    let mut each = |value: &[u8]| {
        let of = |partition| Message { partition: Some(partition), ..message("a", None, value) };
        deliver(&mut sink, &(0..4).map(of).collect::<Vec<_>>());
    };
    each(b"before");
    let mut members = vec![Member::new(&broker, Protocol::Auto)];
    let began = Instant::now();
    let mut ended = BTreeSet::new();
    while ended.len() < 4 {
        assert!(began.elapsed() < GUARD, "{ended:?}");
        members[0].step();
        ended.extend(members[0].source.ended());
    }
    members.push(Member::new(&broker, Protocol::Auto));
    while members[0].partitions().len() != 2 {
        assert!(began.elapsed() < GUARD);
        members.iter_mut().for_each(Member::step);
    }
    each(b"after");
    let seen =
        |members: &[Member]| -> BTreeSet<_> { members.iter().flat_map(|one| one.seen.clone()).collect() };
    while seen(&members).len() < 8 {
        assert!(began.elapsed() < GUARD, "{:?}", seen(&members));
        members.iter_mut().for_each(Member::step);
    }
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
