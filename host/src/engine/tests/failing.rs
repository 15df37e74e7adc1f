//! Plugins that spin for nearly all rows, at least once.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::ports::{Event, House, id};
use crate::engine::{Arrival, SPINNING_LIMIT, Step};
use crate::pipeline::Stage;
use crate::record::PartitionId;

/// Rows of a batch; more than may spin.
const ROWS: i64 = SPINNING_LIMIT as i64 + 1;
const WAIT: Duration = Duration::from_secs(10);

fn last_start(house: &House) -> Option<(PartitionId, Option<i64>)> {
    house.source().started.last().copied()
}

#[test]
fn what_spins_before_any_window_is_read_again_from_before_the_batch() {
    let mut house = House::new(Arc::default());
    house.preprocesses = true;
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..ROWS), Event::Records(0, ROWS..3 * ROWS)]);
    let (mut worker, relay) = house.relayed(1);
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    house.spins.store(true, Relaxed);
    worker.step().expect("the run goes on");
    let failing = relay.failing();
    assert!(failing.len() == 1 && failing[0].stage == Stage::Preprocess, "{failing:?}");
    assert_eq!(house.source().held, [id(0)]);
    assert_eq!(last_start(&house), Some((id(0), Some(ROWS))));
    assert_eq!(house.sink().values(), (0..ROWS).collect::<Vec<_>>(), "and nothing of it is anywhere");

    // It is tried again, and spins still; then a release comes that does not.
    house.clock.advance(WAIT);
    worker.step().expect("works");
    assert!(house.source().held.is_empty());
    house.script([Event::Records(0, ROWS..3 * ROWS)]);
    worker.step().expect("works");
    assert_eq!(house.source().held, [id(0)]);
    house.spins.store(false, Relaxed);
    relay.give(Arrival::Current(Box::new(house.flow(2))));
    worker.step().expect("works");
    assert!(house.source().held.is_empty(), "it may go well now");
    assert_eq!(last_start(&house), Some((id(0), Some(ROWS))));
    house.script([Event::Records(0, ROWS..3 * ROWS)]);
    worker.step().expect("works");
    assert_eq!(house.sink().values(), (0..3 * ROWS).collect::<Vec<_>>(), "each once");
}

#[test]
fn what_spins_behind_windows_begins_anew_where_it_was_marked() {
    let mut house = House::in_order(Arc::default());
    house.script([Event::Assign(vec![0, 1]), Event::Records(0, 0..2), Event::Records(0, 70..71)]);
    let mut worker = house.worker();
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    house.clock.advance(Duration::from_millis(100));
    worker.step().expect("works");
    assert_eq!(house.sink().values(), [0, 1]);
    assert_eq!(house.source().commits, [(id(0), 70)], "the last one waits");

    house.spins.store(true, Relaxed);
    house.script([Event::Records(0, 71..71 + 2 * ROWS), Event::Records(0, 200..201)]);
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    assert_eq!(house.source().held, [id(0), id(1)]);
    assert!(house.source().started.contains(&(id(0), Some(70))), "with what waited before the batch");
    let input = worker.tasks().inputs().find(|input| input.id == id(0)).expect("it is there");
    assert_eq!((input.next, worker.tasks().held_bytes()), (Some(70), 0));

    house.spins.store(false, Relaxed);
    house.clock.advance(WAIT);
    assert_eq!(worker.step().expect("works"), Step::Idle);
    house.script([Event::Records(0, 70..71 + 2 * ROWS), Event::Records(0, 200..201)]);
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    assert_eq!(house.sink().values()[2..], (70..71 + 2 * ROWS).collect::<Vec<_>>());
}

#[test]
fn a_bounded_run_ends_instead() {
    let mut house = House::new(Arc::default());
    house.preprocesses = true;
    house.spins.store(true, Relaxed);
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..ROWS)]);
    let mut worker = house.worker_until_end();
    worker.step().expect("works");
    let error = worker.step().expect_err("it ends");
    assert_eq!(error.code, crate::error::Code::PluginFailing);
    assert!(house.source().commits.is_empty());
}
