use std::collections::BTreeMap;

use super::*;
use crate::engine::ports::{Ended, Sink};

fn commit(ports: &mut Ports, marks: &[Mark]) -> Ended {
    ports.sink.begin().unwrap();
    let member = ports.source.member().unwrap();
    ports.sink.commit(marks, member).unwrap()
}

#[test]
fn a_partition_waits_until_it_was_released() {
    let cluster = cluster(1);
    let (mut one, mut two) = (connect(&cluster, 1), connect(&cluster, 2));
    let (mut at_one, mut at_two) = (Vec::new(), Vec::new());
    settle(&mut one, &mut at_one);
    assert_eq!(at_one, [0, 1, 2, 3]);
    settle(&mut two, &mut at_two);
    assert!(at_two.is_empty(), "nothing was given up yet");
    settle(&mut one, &mut at_one);
    settle(&mut two, &mut at_two);
    let mut all = [at_one, at_two.clone()].concat();
    all.sort_unstable();
    assert_eq!((at_two.len(), all), (2, vec![0, 1, 2, 3]));
}

#[test]
fn the_partitions_of_a_silent_member_go_to_others_after_its_session() {
    let cluster = cluster(1);
    let (mut one, mut two) = (connect(&cluster, 1), connect(&cluster, 2));
    let (mut at_one, mut at_two) = (Vec::new(), Vec::new());
    settle(&mut one, &mut at_one);
    settle(&mut two, &mut at_two);
    cluster.pause(1);
    cluster.advance(Timeouts::default().session - Duration::from_millis(1));
    settle(&mut two, &mut at_two);
    assert!(at_two.is_empty());
    cluster.advance(SOON);
    settle(&mut two, &mut at_two);
    assert_eq!(at_two, [0, 1, 2, 3]);
    cluster.resume(1);
    let told = one.source.poll(Duration::ZERO, LIMIT).unwrap();
    assert!(matches!(told, Polled::Revoked { partitions, lost: true } if partitions.len() == 4));
}

#[test]
fn each_pause_has_a_time_out_of_its_own() {
    let cluster = cluster(1);
    let (mut one, mut owned) = (connect(&cluster, 1), Vec::new());
    settle(&mut one, &mut owned);
    let session = Timeouts::default().session;
    cluster.pause(1);
    cluster.advance(session - SOON);
    cluster.resume(1);
    cluster.pause(1);
    cluster.advance(session - SOON);
    assert_eq!(cluster.members(), 1);
    cluster.advance(SOON);
    assert_eq!(cluster.members(), 0);
}

#[test]
fn who_was_put_out_joins_again_when_it_has_given_up_all() {
    let cluster = cluster(1);
    let (mut one, mut owned) = (connect(&cluster, 1), Vec::new());
    settle(&mut one, &mut owned);
    cluster.kick();
    let Polled::Revoked { partitions, lost: true } = one.source.poll(Duration::ZERO, LIMIT).unwrap() else {
        panic!("it was put out")
    };
    one.source.release(&partitions[1..]).unwrap();
    for _ in 0..3 {
        one.source.poll(Duration::ZERO, LIMIT).unwrap();
        assert_eq!(cluster.members(), 0, "one is left");
    }
    one.source.release(&partitions[..1]).unwrap();
    owned.clear();
    settle(&mut one, &mut owned);
    assert_eq!(owned, [0, 1, 2, 3]);
    assert!(cluster.journal().is_sound());
}

#[test]
fn offsets_without_a_transaction_are_a_members_alone_and_come_later() {
    let cluster = cluster(1);
    let (mut one, mut owned) = (connect(&cluster, 1), Vec::new());
    settle(&mut one, &mut owned);
    one.source.commit(&[(id(0), 3)], false).unwrap();
    assert_eq!(cluster.committed(IN, 0), None);
    cluster.advance(SOON);
    assert_eq!(cluster.committed(IN, 0), Some(3));
    one.source.commit(&[(id(0), 4)], false).unwrap();
    one.source.commit(&[(id(1), 5)], true).unwrap();
    assert_eq!((cluster.committed(IN, 0), cluster.committed(IN, 1)), (Some(4), Some(5)));
    cluster.kick();
    one.source.commit(&[(id(0), 9)], true).unwrap();
    assert_eq!(cluster.committed(IN, 0), Some(4));
}

#[test]
fn a_crash_is_silence_and_leaving_is_not() {
    let cluster = cluster(1);
    let (mut one, mut two, mut at) = (connect(&cluster, 1), connect(&cluster, 2), Vec::new());
    settle(&mut one, &mut at);
    settle(&mut two, &mut at);
    drop(one);
    assert_eq!(cluster.members(), 2);
    two.source.leave().unwrap();
    assert_eq!(cluster.members(), 1);
    cluster.advance(Timeouts::default().session);
    assert_eq!(cluster.members(), 0);
}

#[test]
fn offsets_of_a_stale_member_are_refused() {
    let cluster = cluster(1);
    let (mut one, mut owned) = (connect(&cluster, 1), Vec::new());
    settle(&mut one, &mut owned);
    assert_eq!(commit(&mut one, &[mark(0, 5)]), Ended::Committed);
    cluster.kick();
    assert!(matches!(commit(&mut one, &[mark(0, 7)]), Ended::Failed(_)));
    one.sink.abort().unwrap();
    cluster.advance(SOON);
    assert_eq!(cluster.committed(IN, 0), Some(5));
    // Its generation was over between the question and the commit.
    settle(&mut one, &mut owned);
    one.sink.begin().unwrap();
    let member = one.source.member().unwrap();
    cluster.state().overtake(member.id);
    assert!(matches!(one.sink.commit(&[mark(0, 7)], member).unwrap(), Ended::Failed(_)));
}

#[test]
fn undecided_offsets_are_waited_for() {
    for seed in 0..20 {
        let cluster = cluster(seed);
        let (mut one, mut owned) = (connect(&cluster, 1), Vec::new());
        settle(&mut one, &mut owned);
        assert_eq!(commit(&mut one, &[mark(0, 5), mark(1, 6)]), Ended::Committed);
        // The markers are on their way.
        assert_eq!(cluster.committed(IN, 0), None);
        let found = committed(&mut one, &[id(0), id(1), id(2)]);
        assert_eq!(found, [Some(5), Some(6), None]);
    }
}

#[test]
fn who_takes_a_partition_over_fences_its_last_owner() {
    let cluster = cluster(1);
    let (mut one, mut owned) = (connect(&cluster, 1), Vec::new());
    settle(&mut one, &mut owned);
    assert_eq!(commit(&mut one, &[mark(0, 5)]), Ended::Committed);
    // A second commit is decided by whoever comes first: its offsets are there, its end is not.
    one.sink.begin().unwrap();
    one.sink.send(message("zombie")).unwrap();
    while one.sink.flush(SOON).unwrap().all > 0 {}
    cluster.pause(1);
    cluster.advance(Timeouts::default().session);
    let (mut two, mut owned) = (connect(&cluster, 2), Vec::new());
    settle(&mut two, &mut owned);
    assert_eq!(owned, [0, 1, 2, 3]);
    cluster.resume(1);
    let member = one.source.member().unwrap();
    let error = one.sink.commit(&[mark(0, 9)], member).unwrap_err();
    assert_eq!(error.code, crate::error::Code::Fenced);
    assert!(one.sink.begin().is_err(), "it is of no use any more");
    cluster.advance(SOON);
    assert_eq!((cluster.committed(IN, 0), values(&cluster, OUT).len()), (Some(5), 0));
}

#[test]
fn a_partition_that_was_given_up_has_no_claim() {
    let cluster = cluster(1);
    let (mut one, mut owned) = (connect(&cluster, 1), Vec::new());
    settle(&mut one, &mut owned);
    let given_up = Mark { last: true, ..mark(0, 5) };
    assert_eq!(commit(&mut one, &[given_up]), Ended::Committed);
    one.source.leave().unwrap();
    let (mut two, mut owned) = (connect(&cluster, 2), Vec::new());
    settle(&mut two, &mut owned);
    // Nobody was fenced.
    assert_eq!(commit(&mut one, &[]), Ended::Committed);
    one.sink.begin().unwrap();
    one.sink.send(message("mine")).unwrap();
    while one.sink.flush(SOON).unwrap().all > 0 {}
}

#[test]
fn an_instance_has_one_member() {
    let cluster = cluster(1);
    let static_seat = |host| Seat { instance: Some("a".to_owned()), ..seat(process(&cluster, host)) };
    let mut one = SimSource::connect(cluster.clone(), &static_seat(1)).unwrap();
    one.poll(Duration::ZERO, LIMIT).unwrap();
    let mut two = SimSource::connect(cluster.clone(), &static_seat(2)).unwrap();
    two.poll(Duration::ZERO, LIMIT).unwrap();
    assert_eq!(cluster.members(), 1);
    assert_eq!(one.poll(Duration::ZERO, LIMIT).unwrap_err().code, crate::error::Code::Fenced);
    assert!(matches!(two.poll(Duration::ZERO, LIMIT).unwrap(), Polled::Assigned(ids) if ids.len() == 4));
}

/// Members that crash, pause, are kicked and come; each commits for all that it thinks is its own. What one
/// committed is never committed again by another who began there: offsets of a partition form a chain.
#[test]
fn no_partition_has_two_owners_whose_commits_both_succeed() {
    let mut commits = 0;
    for seed in 0..300 {
        let cluster = cluster(seed);
        let mut random = Random::new(seed);
        let mut members: Vec<(Ports, BTreeMap<i32, i64>)> = Vec::new();
        let mut chain: BTreeMap<i32, i64> = BTreeMap::new();
        let mut paused = 0;
        for step in 0..200 {
            cluster.advance(Duration::from_millis(random.between(0, 2_000)));
            match random.below(12) {
                0 if members.len() < 4 => members.push((connect(&cluster, step + 10), BTreeMap::new())),
                1 if !members.is_empty() => drop(members.swap_remove(random.below(members.len()))),
                2 => cluster.kick(),
                3 => {
                    paused = random.below(members.len().max(1));
                    members.get(paused).into_iter().for_each(|one| cluster.pause(one.0.seat.process.number));
                }
                4 => members.iter().for_each(|one| cluster.resume(one.0.seat.process.number)),
                _ => {
                    let index = random.below(members.len());
                    // A zombie that does not look before it commits.
                    let looks = index != paused || random.coin();
                    let Some((ports, owned)) = members.get_mut(index) else { continue };
                    if looks {
                        follow(ports, owned);
                    }
                    let marks: Vec<_> =
                        owned.iter().map(|(partition, next)| mark(*partition, next + 1)).collect();
                    ports.sink.begin().unwrap();
                    let member = ports.source.member().unwrap();
                    match ports.sink.commit(&marks, member) {
                        Ok(Ended::Committed) => {
                            for (partition, next) in owned {
                                let last = chain.insert(*partition, *next + 1).unwrap_or(0);
                                assert_eq!(last, *next, "seed {seed}: {partition} goes on where it was");
                                *next += 1;
                                commits += 1;
                            }
                        }
                        Ok(Ended::Failed(_)) => ports.sink.abort().unwrap(),
                        Err(_) => drop(members.swap_remove(index)),
                    }
                }
            }
        }
        assert!(cluster.journal().is_sound(), "{:?}", cluster.journal().broken());
    }
    assert!(commits > 10_000, "{commits}");
}

fn follow(ports: &mut Ports, owned: &mut BTreeMap<i32, i64>) {
    match ports.source.poll(Duration::ZERO, LIMIT).unwrap() {
        Polled::Assigned(ids) => {
            let offsets = committed(ports, &ids);
            let next = ids.iter().zip(&offsets).map(|(id, next)| (id.partition, next.unwrap_or(0)));
            owned.extend(next);
            ports.source.start(&ids.iter().map(|id| (*id, None)).collect::<Vec<_>>()).unwrap();
        }
        Polled::Revoked { partitions, .. } => {
            owned.retain(|partition, _| !partitions.contains(&id(*partition)));
            ports.source.release(&partitions).unwrap();
        }
        Polled::Records(_) => {}
    }
}
