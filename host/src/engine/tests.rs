//! The worker between scripted ports: what it does when a sink is full, partitions move, something fails.

mod failing;
pub(super) mod parts;
mod ports;
mod releases;
mod trials;

use std::sync::Arc;
use std::time::Duration;

use super::ports::{Asked, Clock, Committed};
use super::{Lodge, Step, Task, Tasks};
use crate::error::Code;
use crate::record::PartitionId;
use ports::{Event, House, id, task};

#[test]
fn a_full_sink_stops_reading_and_nothing_is_dropped() {
    let mut house = House::new(Arc::default());
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..10), Event::Records(0, 10..20)]);
    house.sink().room = Some(3);
    let mut worker = house.worker();
    assert_eq!(worker.step().expect("works"), Step::Rebalanced);
    // The sink takes three at a time and makes room only when it is worked; the step ends when all are in.
    assert_eq!(worker.step().expect("works"), Step::Worked(10));
    assert_eq!(house.source().polls, 2, "nothing was read meanwhile");
    assert_eq!(house.sink().refused, 3);
    assert_eq!(house.sink().values(), (0..10).collect::<Vec<_>>());
}

#[test]
fn the_group_hears_from_a_thread_whose_sink_is_stuck() {
    let mut house = House::new(Arc::default());
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..2)]);
    house.sink().room = Some(1);
    house.sink().stuck_for = 300;
    let mut worker = house.worker();
    worker.step().expect("works");
    worker.step().expect("works");
    // 300 waits of ten milliseconds: one sign of life each half second.
    assert_eq!(house.source().signs_of_life, 6);
}

#[test]
fn offsets_are_committed_when_all_before_them_has_arrived() {
    let mut house = House::new(Arc::default());
    let records = |offsets| Event::Records(0, offsets);
    house.script([Event::Assign(vec![0, 1]), records(0..5), Event::Records(1, 0..3)]);
    house.sink().slow = true;
    let mut worker = house.worker();
    (0..3).for_each(|_| assert!(worker.step().is_ok()));
    assert!(house.source().commits.is_empty(), "the interval is not over");
    house.clock.advance(Duration::from_millis(100));
    house.script([records(5..9), records(9..10), records(10..11)]);
    worker.step().expect("works");
    worker.step().expect("works");
    assert!(house.source().commits.is_empty(), "the marked ones are under way, and reading goes on");
    house.sink().arrive();
    worker.step().expect("works");
    // Up to the mark, though more was read since and is still under way.
    assert_eq!(house.source().commits, [(id(0), 9), (id(1), 3)]);
    assert_eq!(house.sink().under_way, [2, 0]);
}

#[test]
fn offsets_are_committed_at_once_when_nothing_is_under_way() {
    let mut house = House::new(Arc::default());
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..5)]);
    let mut worker = house.worker();
    house.clock.advance(Duration::from_secs(60));
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    assert_eq!(house.source().commits, [(id(0), 5)]);
    house.clock.advance(Duration::from_secs(60));
    worker.step().expect("works");
    assert_eq!(house.source().commits.len(), 1, "nothing new");
}

#[test]
fn state_goes_with_its_partition_to_another_worker() {
    let lodge: Arc<Lodge> = Arc::default();
    let mut house = House::new(Arc::clone(&lodge));
    let revoke = Event::Revoke { partitions: vec![0], lost: false };
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..5), revoke, Event::Assign(vec![0])]);
    let (mut first, mut second) = (house.worker(), house.worker());
    (0..3).for_each(|_| assert!(first.step().is_ok()));
    second.step().expect("works");
    assert_eq!(house.source().started, [(id(0), None), (id(0), Some(5))]);
    let input = second.tasks().inputs().next().expect("it has it");
    assert_eq!(input.next, Some(5), "what the first one left, not a new one");
}

fn standing(next: i64) -> [(PartitionId, Option<Committed>); 1] {
    [(id(0), Some(Committed { next, commit: 0, fence: None }))]
}

#[test]
fn a_revoked_partition_is_drained_committed_and_left_with_its_state() {
    let lodge: Arc<Lodge> = Arc::default();
    let mut house = House::new(Arc::clone(&lodge));
    let revoke = Event::Revoke { partitions: vec![0], lost: false };
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..5), revoke]);
    house.sink().slow = true;
    let mut worker = house.worker();
    (0..3).for_each(|_| assert!(worker.step().is_ok()));
    assert_eq!(house.source().commits, [(id(0), 5)]);
    assert_eq!(house.source().released, [id(0)]);
    assert!(worker.tasks().iter().next().is_none());
    let task = lodge.take(task(0), &standing(5)).expect("whoever gets it goes on from there");
    assert_eq!(task.inputs[0].next, Some(5));
}

/// When something was heard of the one partition last, and whether it was read to its end.
fn heard(tasks: &Tasks) -> (Duration, bool) {
    let input = tasks.inputs().next().expect("it has one");
    (input.heard, input.at_end)
}

#[test]
fn a_partition_that_nobody_reads_is_not_silent() {
    let mut house = House::new(Arc::default());
    let revoke = Event::Revoke { partitions: vec![0], lost: false };
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..5)]);
    let mut worker = house.worker();
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    house.source().ended = vec![id(0)];
    let (began, _) = heard(worker.tasks());
    for _ in 0..50 {
        house.clock.advance(Duration::from_millis(100));
        worker.step().expect("works");
    }
    assert_eq!(heard(worker.tasks()), (began, true), "it is listened to, and says nothing");
    house.clock.advance(Duration::from_secs(5));
    worker.step().expect("works");
    assert_eq!(heard(worker.tasks()), (began + Duration::from_secs(10), true), "the thread was away");
    house.script([revoke]);
    worker.step().expect("works");
    house.clock.advance(Duration::from_secs(60));
    house.script([Event::Assign(vec![0])]);
    let now = house.clock.monotonic();
    worker.step().expect("works");
    assert_eq!(heard(worker.tasks()), (now, false), "it was nobody's");
}

#[test]
fn whoever_is_to_end_leaves_what_is_new_to_others() {
    let mut house = House::new(Arc::default());
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..5), Event::Assign(vec![1])]);
    let mut worker = house.worker();
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    house.source().silent = true;
    let mut worker = worker.until(Asked::when(|| true));
    worker.step().expect("nothing is waited for");
    assert_eq!(worker.tasks().iter().count(), 1);
    worker.stop().expect("what it had is committed");
    assert_eq!(house.source().commits, [(id(0), 5)]);
    assert!(house.source().left);
}

#[test]
fn state_of_a_partition_that_was_elsewhere_meanwhile_is_dropped() {
    let lodge: Arc<Lodge> = Arc::default();
    let mut house = House::new(Arc::clone(&lodge));
    let revoke = Event::Revoke { partitions: vec![0], lost: false };
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..5), revoke]);
    let mut worker = house.worker();
    (0..3).for_each(|_| assert!(worker.step().is_ok()));
    assert!(lodge.take(task(0), &standing(9)).is_none());
}

#[test]
fn nothing_is_committed_or_kept_of_a_lost_partition() {
    let lodge: Arc<Lodge> = Arc::default();
    let mut house = House::new(Arc::clone(&lodge));
    let revoke = Event::Revoke { partitions: vec![0], lost: true };
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..5), revoke]);
    let mut worker = house.worker();
    (0..3).for_each(|_| assert!(worker.step().is_ok()));
    assert!(house.source().commits.is_empty());
    assert!(lodge.take(task(0), &standing(5)).is_none());
}

#[test]
fn rows_wait_for_the_watermark_and_hold_offsets_back() {
    let mut house = House::in_order(Arc::default());
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..3), Event::Records(0, 51..52)]);
    let mut worker = house.worker();
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    assert!(house.sink().values().is_empty());
    house.clock.advance(Duration::from_millis(100));
    worker.step().expect("works");
    assert_eq!(house.sink().values(), [0], "51 less 50 is 1, and more may come at 1");
    assert_eq!(house.source().commits, [(id(0), 1)], "1 waits");
}

#[test]
fn rows_that_wait_move_with_their_task_and_are_not_read_again() {
    let lodge: Arc<Lodge> = Arc::default();
    let mut house = House::in_order(Arc::clone(&lodge));
    let revoke = Event::Revoke { partitions: vec![0], lost: false };
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..3), revoke, Event::Assign(vec![0])]);
    let (mut first, mut second) = (house.worker(), house.worker());
    (0..3).for_each(|_| assert!(first.step().is_ok()));
    assert_eq!(house.source().commits, [(id(0), 0)], "the first one waits still");
    house.script([Event::Records(0, 100..101)]);
    (0..2).for_each(|_| assert!(second.step().is_ok()));
    assert_eq!(house.source().started[1], (id(0), Some(3)));
    assert_eq!(house.sink().values(), [0, 1, 2]);
}

#[test]
fn with_too_much_held_only_what_is_behind_is_read() {
    let mut house = House::in_order(Arc::default());
    house.script([Event::Assign(vec![0, 1]), Event::Records(0, 900..910), Event::Records(1, 0..1)]);
    let mut worker = house.worker();
    for _ in 0..3 {
        house.clock.advance(Duration::from_millis(10));
        worker.step().expect("works");
    }
    assert_eq!(house.source().held, [id(0)], "it is ahead");
    house.script([Event::Records(1, 1000..1001)]);
    for _ in 0..2 {
        house.clock.advance(Duration::from_millis(10));
        worker.step().expect("works");
    }
    assert_eq!(house.source().held, [id(1)], "now the other one is");
    house.script([Event::Records(0, 1001..1002)]);
    for _ in 0..2 {
        house.clock.advance(Duration::from_millis(10));
        worker.step().expect("works");
    }
    assert!(house.source().held.is_empty(), "little is held");
}

#[test]
fn a_bounded_run_is_done_when_all_went_through() {
    let mut house = House::in_order(Arc::default());
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..3)]);
    let mut worker = house.worker_until_end();
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    assert!(!worker.is_done());
    house.source().ended.push(id(0));
    house.clock.advance(Duration::from_secs(1));
    worker.step().expect("works");
    // What comes behind the end is not part of the run.
    house.script([Event::Records(0, 3..5)]);
    worker.step().expect("works");
    assert!(worker.is_done());
    assert_eq!(house.sink().values(), [0, 1, 2]);
    assert_eq!(house.source().held, [id(0)]);
    worker.stop().expect("works");
    assert_eq!(house.source().commits.last(), Some(&(id(0), 3)));
}

#[test]
fn a_failed_delivery_ends_the_worker_and_commits_nothing() {
    let mut house = House::new(Arc::default());
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..5)]);
    let mut worker = house.worker();
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    house.sink().broken = true;
    house.clock.advance(Duration::from_millis(200));
    assert_eq!(worker.step().expect_err("it ends").code, Code::Delivery);
    assert!(house.source().commits.is_empty());
}

#[test]
fn a_clean_end_commits_and_leaves() {
    let lodge: Arc<Lodge> = Arc::default();
    let mut house = House::new(Arc::clone(&lodge));
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..5)]);
    house.sink().slow = true;
    let mut worker = house.worker();
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    worker.stop().expect("works");
    assert_eq!(house.source().commits, [(id(0), 5)]);
    assert!(house.source().left);
    assert!(lodge.take(task(0), &standing(5)).is_some(), "another thread goes on without reading state back");
}

#[test]
fn what_nobody_takes_over_is_dropped_at_the_second_sweep() {
    let lodge: Arc<Lodge> = Arc::default();
    for (sweeps, is_there) in [(1, true), (2, false)] {
        lodge.leave(task(0), Task::new(0));
        (0..sweeps).for_each(|_| lodge.sweep());
        assert_eq!(lodge.take(task(0), &[]).is_some(), is_there, "{sweeps}");
    }
}
