//! Releases are tried with what is really kept of the keys.

use std::sync::Arc;

use super::ports::{Event, House};
use crate::contract::Window;
use crate::engine::Sample;
use crate::pipeline::Stage;

/// Twenty numbers, before which there were forty.
fn sampled() -> Sample {
    let mut house = House::counting(Arc::default(), Window::Sliding(1_000));
    house.script([Event::Assign(vec![0]), Event::Records(0, 0..40), Event::Records(0, 40..60)]);
    let (mut worker, relay) = house.relayed(1);
    (0..2).for_each(|_| assert!(worker.step().is_ok()));
    relay.want_sample();
    worker.step().expect("works");
    assert_eq!(house.sink().stamps.len(), 60);
    let sample = relay.sample().expect("it was wanted");
    assert_eq!((sample.len(), sample.keys.len()), (20, 2));
    // What is kept is as it would have been.
    assert_eq!(worker.tasks().iter().map(|(_, task)| task.usage().entries).sum::<usize>(), 60);
    sample
}

/// How many rows fail of a plugin that stands no more than so many.
fn failed(sample: &Sample, most: i64, window: Window) -> Option<u64> {
    let mut house = House::counting(Arc::default(), window);
    house.most = Some(most);
    let rehearsed = house.flow(2).rehearse(sample).expect("nothing else fails");
    let failing = rehearsed.failing.first();
    assert!(failing.is_none_or(|failing| failing.stage == Stage::Features(0)));
    failing.map(|failing| failing.failed)
}

#[test]
fn rows_meet_the_windows_that_they_met() {
    let sample = sampled();
    // Of each half the counts are 21 to 30.
    for (most, expected) in [(30, None), (25, Some(10)), (20, Some(20))] {
        assert_eq!(failed(&sample, most, Window::Sliding(1_000)), expected, "{most}");
    }
    let mut bare = sample.clone();
    bare.keys.clear();
    assert_eq!(failed(&bare, 10, Window::Sliding(1_000)), None, "there are no more");
}

#[test]
fn windows_are_taken_over_as_at_a_swap() {
    let sample = sampled();
    // Fifteen of each half are less than 30 ms apart.
    for (most, expected) in [(15, None), (14, Some(20))] {
        assert_eq!(failed(&sample, most, Window::Sliding(30)), expected, "{most}");
    }
    assert_eq!(failed(&sample, 10, Window::Forever), Some(20), "made of what is there");
}

#[test]
fn what_is_too_much_to_copy_begins_empty() {
    let sample = sampled();
    let mut lacking = sample.clone();
    lacking.keys.remove(0);
    assert_eq!(failed(&lacking, 20, Window::Sliding(1_000)), Some(10));
}
