use std::sync::Arc;
use std::time::Duration;

use super::ports::{Event, House};
use crate::engine::{Arrival, Lodge, Step};

fn current(house: &House, number: u64) -> Arrival {
    Arrival::Current(Box::new(house.flow(number)))
}

#[test]
fn a_thread_goes_on_as_another_release_between_two_batches() {
    let mut house = House::new(Arc::default());
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..2)]);
    let (mut worker, relay) = house.relayed(1);
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    relay.give(current(&house, 3));
    // It came by a way that took longer.
    relay.give(current(&house, 2));
    assert_eq!(relay.at(), 1);
    house.script([Event::Records(0, 2..4)]);
    worker.step().expect("works");
    assert_eq!(house.sink().stamps, ["1-n", "1-n", "3-n", "3-n"]);
    assert_eq!(relay.at(), 3);
    assert_eq!(relay.retired().len(), 1, "the late one");
}

#[test]
fn rows_that_wait_are_finished_by_the_release_that_began_them() {
    let mut house = House::in_order(Arc::default());
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..3)]);
    let (mut worker, relay) = house.relayed(1);
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    assert!(house.sink().stamps.is_empty(), "all wait");
    relay.give(current(&house, 2));
    house.script([Event::Records(0, 3..5), Event::Records(0, 60..61)]);
    worker.step().expect("works");
    house.clock.advance(Duration::from_secs(6));
    worker.step().expect("works");
    // Before 10 ms are all but the last.
    assert_eq!(house.sink().stamps, ["1-n", "1-n", "1-n", "2-n", "2-n"]);
    assert!(relay.retired().is_empty(), "it had something to do just now");
    house.clock.advance(Duration::from_secs(6));
    worker.step().expect("works");
    house.clock.advance(Duration::from_secs(6));
    worker.step().expect("works");
    assert_eq!(relay.retired().len(), 1);
}

/// Rows wait that release 1 began; the thread that takes them over goes by release 2.
fn moved() -> House {
    let lodge: Arc<Lodge> = Arc::default();
    let mut house = House::in_order(Arc::clone(&lodge));
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..3)]);
    let (mut worker, _relay) = house.relayed(1);
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    worker.stop().expect("works");
    house.script([Event::Assign(vec![0])]);
    house
}

#[test]
fn a_task_waits_for_the_release_of_its_rows() {
    let mut house = moved();
    let (mut worker, relay) = house.relayed(2);
    assert_eq!(worker.step().expect("works"), Step::Rebalanced);
    assert_eq!(relay.asked(), ["1-n"]);
    house.script([Event::Records(0, 3..5)]);
    worker.step().expect("works");
    worker.step().expect("works");
    assert!(worker.tasks().iter().next().is_none() && relay.asked().is_empty(), "it asks once");
    relay.give(Arrival::Asked(Box::new(house.flow(1))));
    worker.step().expect("works");
    assert_eq!(house.source().started.last(), Some(&(super::id(0), Some(3))), "read on where it was");
    house.script([Event::Records(0, 3..4), Event::Records(0, 60..61)]);
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    assert_eq!(house.sink().stamps, ["1-n", "1-n", "1-n", "2-n"]);
}

#[test]
fn rows_of_a_release_that_nobody_has_are_finished_by_the_one_that_runs() {
    let mut house = moved();
    let (mut worker, relay) = house.relayed(2);
    worker.step().expect("works");
    relay.give(Arrival::Unknown("1-n".to_owned()));
    house.script([Event::Records(0, 60..61)]);
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    assert_eq!(house.sink().stamps, ["2-n", "2-n", "2-n"]);
}
