use super::*;
use crate::engine::ports::{Changelog, Ended, Sent, Sink};
use crate::error::Code;

fn flush(ports: &mut Ports) {
    while ports.sink.flush(SOON).unwrap().all > 0 {}
}

fn send(ports: &mut Ports, value: &'static str, count: usize) {
    for _ in 0..count {
        ports.sink.send(message(value)).unwrap();
    }
}

fn commit(ports: &mut Ports) -> Result<Ended, crate::error::Error> {
    let member = ports.source.member()?;
    ports.sink.commit(&[], member)
}

/// With all of a partition, in what order it came.
fn read_all(ports: &mut Ports) -> Vec<(i32, i64)> {
    let mut seen = Vec::new();
    while let Polled::Records(count) = ports.source.poll(Duration::ZERO, LIMIT).unwrap()
        && count > 0
    {
        let records = ports.source.records();
        seen.extend(records.rows.iter().map(|row| (row.from.partition, row.offset)));
    }
    seen
}

#[test]
fn polls_cut_at_random_and_keep_the_order_of_each_partition() {
    let mut seens = Vec::new();
    for seed in 0..20 {
        let cluster = cluster(seed);
        let (mut ports, mut owned) = (connect(&cluster, 1), Vec::new());
        settle(&mut ports, &mut owned);
        let started: Vec<_> = owned.iter().map(|partition| (id(*partition), Some(0))).collect();
        ports.source.start(&started).unwrap();
        let seen = read_all(&mut ports);
        for partition in 0..4 {
            let own = seen.iter().filter(|one| one.0 == partition).map(|one| one.1);
            assert!(own.eq(0..10), "{seen:?}");
        }
        assert_eq!(ports.source.ended().len(), 4);
        assert!(ports.source.ended().is_empty(), "told once");
        seens.push(seen);
    }
    seens.dedup();
    assert_eq!(seens.len(), 20);
}

#[test]
fn held_partitions_bring_little_more_and_go_on_where_they_were() {
    let cluster = cluster(3);
    for _ in 0..200 {
        cluster.produce(IN, Some(0), record("more"));
    }
    let (mut ports, mut owned) = (connect(&cluster, 1), Vec::new());
    settle(&mut ports, &mut owned);
    ports.source.start(&owned.iter().map(|partition| (id(*partition), Some(0))).collect::<Vec<_>>()).unwrap();
    ports.source.hold(&[id(0)]).unwrap();
    let held = read_all(&mut ports);
    let early = held.iter().filter(|one| one.0 == 0).count();
    assert!(early < 10 && held.len() == early + 30, "{held:?}");
    ports.source.hold(&[]).unwrap();
    let rest = read_all(&mut ports);
    assert!(rest.iter().map(|one| one.1).eq(early as i64..210));
}

#[test]
fn an_offset_that_was_never_there_is_lost() {
    let cluster = cluster(1);
    let (mut ports, mut owned) = (connect(&cluster, 1), Vec::new());
    settle(&mut ports, &mut owned);
    ports.source.start(&[(id(0), Some(99))]).unwrap();
    let polled = (0..10).map(|_| ports.source.poll(Duration::ZERO, LIMIT)).find_map(Result::err);
    assert_eq!(polled.unwrap().code, Code::OffsetLost);
    assert_eq!(ports.changelog.open(OUT, 0, 1).unwrap_err().code, Code::OffsetLost);
}

#[test]
fn messages_arrive_later_in_order_and_say_where() {
    let cluster = cluster(2);
    let mut ports = connect(&cluster, 1);
    ports.sink.begin().unwrap();
    for tag in 0..50 {
        assert_eq!(ports.sink.send(Message { tag: Some(tag), ..message("m") }).unwrap(), Sent::Taken);
    }
    assert_eq!(ports.sink.work(Duration::ZERO).unwrap().all, 50);
    ports.sink.mark();
    ports.sink.send(message("behind the mark")).unwrap();
    let mut calls = 0;
    while ports.sink.flush(SOON).unwrap().marked > 0 {
        calls += 1;
    }
    assert!(calls > 1, "{calls}");
    flush(&mut ports);
    assert!(ports.sink.landed().into_iter().eq((0..50).map(|tag| (tag, i64::from(tag)))));
    assert_eq!(commit(&mut ports).unwrap(), Ended::Committed);
}

#[test]
fn a_full_queue_takes_nothing_until_something_arrived() {
    let cluster = cluster(2);
    let mut ports = connect(&cluster, 1);
    ports.sink.begin().unwrap();
    let taken = (0..1_000).take_while(|_| ports.sink.send(message("m")).unwrap() == Sent::Taken).count();
    assert_eq!(taken, 100);
    ports.sink.work(SOON).unwrap();
    assert_eq!(ports.sink.send(message("m")).unwrap(), Sent::Taken);
}

#[test]
fn a_message_that_never_arrives_fails_its_transaction() {
    let cluster = cluster(2);
    let mut ports = connect(&cluster, 1);
    ports.sink.begin().unwrap();
    ports.sink.send(message("lost")).unwrap();
    cluster.set_faults(Faults { lost_message: 10_000, ..Faults::default() });
    flush(&mut ports);
    cluster.set_faults(Faults::default());
    ports.sink.send(message("behind")).unwrap();
    assert!(matches!(commit(&mut ports).unwrap(), Ended::Failed(_)));
    ports.sink.abort().unwrap();
    ports.sink.begin().unwrap();
    ports.sink.send(message("next")).unwrap();
    flush(&mut ports);
    assert_eq!(commit(&mut ports).unwrap(), Ended::Committed);
    cluster.advance(SOON);
    assert_eq!(values(&cluster, OUT), ["next"]);
}

#[test]
fn nobody_knows_how_a_commit_without_an_answer_ended() {
    let mut counts = [0; 4];
    for seed in 0..200 {
        let cluster = cluster(seed);
        let mut ports = connect(&cluster, 1);
        ports.sink.begin().unwrap();
        ports.sink.send(message("m")).unwrap();
        flush(&mut ports);
        cluster.set_faults(Faults { lost_answer: 10_000, ..Faults::default() });
        let ended = commit(&mut ports).map_err(|error| error.code);
        cluster.advance(Timeouts::default().transaction + SOON);
        let (there, known) = (values(&cluster, OUT).len(), ended.is_ok());
        match ended {
            Ok(ended) => assert_eq!((ended, there), (Ended::Committed, 1)),
            Err(code) => {
                assert_eq!(code, Code::Fenced);
                assert_eq!(ports.sink.begin().unwrap_err().code, Code::Fenced);
            }
        }
        counts[usize::from(known) * 2 + there] += 1;
    }
    assert!(counts[0] > 20 && counts[1] > 20 && counts[2] == 0 && counts[3] > 20, "{counts:?}");
}

#[test]
fn what_was_in_flight_at_an_abort_or_a_crash_is_never_seen() {
    for seed in 0..100 {
        let cluster = cluster(seed);
        let mut ports = connect(&cluster, 1);
        ports.sink.begin().unwrap();
        send(&mut ports, "aborted", 30);
        ports.sink.flush(Duration::from_millis(2)).unwrap();
        ports.sink.abort().unwrap();
        ports.sink.begin().unwrap();
        ports.sink.send(message("committed")).unwrap();
        flush(&mut ports);
        assert_eq!(commit(&mut ports).unwrap(), Ended::Committed);
        ports.sink.begin().unwrap();
        send(&mut ports, "crashed", 30);
        ports.sink.flush(Duration::from_millis(2)).unwrap();
        ports.seat.process.kill();
        drop(ports);
        let mut again = connect(&cluster, 1);
        again.sink.begin().unwrap();
        again.sink.send(message("committed")).unwrap();
        flush(&mut again);
        assert_eq!(commit(&mut again).unwrap(), Ended::Committed);
        cluster.advance(SOON);
        assert_eq!(values(&cluster, OUT), ["committed", "committed"], "seed {seed}");
        let (_, stable, end) = cluster.offsets(OUT, 0);
        assert_eq!(stable, end);
    }
}

#[test]
fn a_changelog_shows_what_is_committed_and_waits_for_the_rest() {
    let cluster = cluster(2);
    let (mut ports, mut reader) = (connect(&cluster, 1), connect(&cluster, 2));
    for value in ["one", "two"] {
        ports.sink.begin().unwrap();
        ports.sink.send(message(value)).unwrap();
        flush(&mut ports);
        reader.changelog.open(OUT, 0, 0).unwrap();
        let seen = reader.changelog.next(Duration::ZERO).unwrap().map(|(offset, _)| offset);
        assert_eq!(seen, (value == "two").then_some(0), "what is open is not seen");
        assert_eq!(commit(&mut ports).unwrap(), Ended::Committed);
        cluster.advance(SOON);
    }
    reader.changelog.open(OUT, 0, 0).unwrap();
    assert_eq!(reader.changelog.next(SOON).unwrap(), Some((0, b"one".as_slice())));
    assert_eq!(reader.changelog.next(SOON).unwrap(), Some((2, b"two".as_slice())));
    assert_eq!(reader.changelog.next(Duration::from_millis(1)).unwrap(), None);
    reader.changelog.trim(OUT, 0, 2).unwrap();
    cluster.advance(SOON);
    assert_eq!(reader.changelog.first(OUT, 0).unwrap(), 2);
    assert_eq!(reader.changelog.open(OUT, 0, 0).unwrap_err().code, Code::OffsetLost);
}

#[test]
fn a_crash_point_stops_all_ports_before_or_after_the_call() {
    for after in [false, true] {
        let cluster = cluster(2);
        let mut ports = connect(&cluster, 1);
        ports.sink.begin().unwrap();
        ports.sink.send(message("m")).unwrap();
        flush(&mut ports);
        let member = ports.source.member().unwrap();
        ports.seat.process.crash_in(1, after);
        assert!(is_crash(&ports.sink.commit(&[], member).unwrap_err()));
        assert!(is_crash(&ports.source.poll(SOON, LIMIT).unwrap_err()));
        cluster.advance(Timeouts::default().transaction + SOON);
        assert_eq!(values(&cluster, OUT).len(), usize::from(after));
    }
}

#[test]
fn a_crash_point_counts_calls() {
    let cluster = cluster(2);
    let ports = connect(&cluster, 1);
    ports.seat.process.crash_in(3, false);
    let died = (0..5).map(|_| ports.source.keep_alive().is_err());
    assert!(died.eq([false, false, true, true, true]));
}

#[test]
fn without_transactions_what_arrived_is_there_at_once() {
    let cluster = cluster(2);
    let process = process(&cluster, 1);
    let disk = Arc::new(SimDisk::new(1, Arc::clone(&process)));
    let seat = Seat { transactional_id: None, ..seat(process) };
    let mut ports = Ports::connect(&cluster, seat, disk).unwrap();
    ports.sink.send(message("m")).unwrap();
    flush(&mut ports);
    assert_eq!(values(&cluster, OUT), ["m"]);
    ports.sink.send(message("lost")).unwrap();
    cluster.set_faults(Faults { lost_message: 10_000, ..Faults::default() });
    let error = (0..10).find_map(|_| ports.sink.flush(SOON).err());
    assert_eq!(error.unwrap().code, Code::Delivery);
    assert!(cluster.journal().is_sound());
}

#[test]
fn wrong_calls_are_told_on() {
    type Wrong = fn(&mut Ports);
    let wrong: [Wrong; 6] = [
        |ports| drop(ports.sink.send(message("outside"))),
        |ports| drop(ports.sink.begin().and_then(|()| ports.sink.begin())),
        |ports| drop(ports.sink.abort()),
        |ports| {
            ports.sink.begin().unwrap();
            ports.sink.send(message("under way")).unwrap();
            drop(commit(ports));
        },
        |ports| drop(ports.source.start(&[(id(0), None)])),
        |ports| drop(ports.source.release(&[id(0)])),
    ];
    for (index, wrong) in wrong.into_iter().enumerate() {
        let cluster = cluster(1);
        let mut ports = connect(&cluster, 1);
        assert!(cluster.journal().is_sound());
        wrong(&mut ports);
        assert!(!cluster.journal().is_sound(), "{index}");
    }
}
