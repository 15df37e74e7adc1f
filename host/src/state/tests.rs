mod kept;

use super::*;
use crate::columns::{Builder, Column, Kind};
use crate::contract::{Aggregate, FeaturesDescription, Fold, Input, Trigger, Window};
use crate::window::{Cells, Closed, Scratch, Scripts, SpanKind};

fn plan(window: Window) -> Plan {
    let columns = vec![Column::new("n", Kind::Int)];
    let count =
        Aggregate { name: "n".to_owned(), input: 0, fold: Fold::Count, column: None, filter: None, window };
    let description = FeaturesDescription {
        inputs: vec![Input { source: String::new(), updates_only: false, columns, kept: vec![0] }],
        lookups: Vec::new(),
        aggregates: vec![count],
        custom_folds: Vec::new(),
        trigger: Trigger::Row,
        features: Vec::new(),
        ids: Vec::new(),
    };
    Plan::new(&description).expect("supported")
}

fn admit(store: &mut Store, retention: Retention<'_>, key: u32, time: i64) {
    let plan = retention.plan;
    let id = store.find(retention, &key.to_be_bytes(), i64::MIN).expect("in memory");
    let mut builder = Builder::new(plan.columns.as_slice().into());
    let (mut scratch, mut scripts) = (Scratch::default(), Scripts::new(plan));
    let (words, cells) = (&mut [time.cast_unsigned(), 0], &mut Cells(&mut builder));
    let meeting = Meeting { input: 0, words, record_key: 0, watermark: i64::MIN };
    let desk = Desk { scratch: &mut scratch, cells, scripts: &mut scripts };
    store.meet(retention, id, meeting, desk, None).expect("windows of rows");
}

fn forget(store: &mut Store, retention: Retention<'_>, watermark: i64) {
    store.forget(retention, watermark, None).expect("in memory");
}

#[test]
fn a_key_stays_as_long_as_a_late_row_can_see_it() {
    let plan = plan(Window::Sliding(100));
    let retention = Retention { plan: &plan, lateness: 30, expire_after: None };
    let mut store = Store::default();
    admit(&mut store, retention, 1, 0);
    admit(&mut store, retention, 2, 50);
    // At 129 a row at 99 may come still, whose window holds 0.
    for (watermark, keys) in [(129, 2), (130, 1), (179, 1), (180, 0)] {
        forget(&mut store, retention, watermark);
        assert_eq!(store.usage().keys, keys, "{watermark}");
    }
}

#[test]
fn a_key_that_goes_on_is_looked_at_again() {
    let plan = plan(Window::Sliding(100));
    let retention = Retention { plan: &plan, lateness: 0, expire_after: None };
    let mut store = Store::default();
    for time in (0..1_000).step_by(40) {
        admit(&mut store, retention, 1, time);
        forget(&mut store, retention, time);
        assert_eq!(store.usage().keys, 1);
    }
    forget(&mut store, retention, 2_000);
    assert_eq!(store.usage().keys, 0);
}

/// A timer that an earlier one took the place of outlives a key that goes at the earlier one.
#[test]
fn a_watermark_that_leaps_finds_timers_of_keys_that_are_gone() {
    let mut plan = plan(Window::Tumbling(100));
    plan.closing = Some(SpanKind::Hopping { size: 100, slide: 100 });
    let retention = Retention { plan: &plan, lateness: 1_000, expire_after: None };
    let mut store = Store::default();
    let mut closed = Closed::new(&plan);
    let mut admit = |store: &mut Store, time: i64, watermark: i64| {
        let id = store.find(retention, b"key", watermark).expect("in memory");
        let meeting = Meeting { input: 0, words: &mut [time.cast_unsigned(), 0], record_key: 0, watermark };
        store.meet_closing(retention, id, meeting, &mut closed, None).expect("windows that close");
    };
    let pass = |store: &mut Store, watermark: i64| {
        let mut closed = Closed::new(&plan);
        store.pass(retention, watermark, &mut closed, |_, _| {}, None).expect("in memory");
        closed.windows.iter().map(|(_, end, _)| *end).collect::<Vec<_>>()
    };
    admit(&mut store, 0, i64::MIN);
    assert_eq!(pass(&mut store, 100), [100]);
    admit(&mut store, 150, 100);
    assert_eq!(pass(&mut store, i64::MAX), [200]);
    assert_eq!(store.usage().keys, 0);
}

#[test]
fn what_is_seen_for_ever_goes_only_when_it_is_told_to() {
    let plan = plan(Window::Forever);
    let mut store = Store::default();
    let retention = Retention { plan: &plan, lateness: 0, expire_after: None };
    admit(&mut store, retention, 1, 0);
    forget(&mut store, retention, i64::MAX);
    assert_eq!(store.usage().keys, 1);
    let retention = Retention { expire_after: Some(500), ..retention };
    admit(&mut store, retention, 1, 10);
    forget(&mut store, retention, 510);
    assert_eq!(store.usage().keys, 1);
    forget(&mut store, retention, 511);
    assert_eq!(store.usage().keys, 0);
}

#[test]
fn memory_of_many_keys_goes_back_and_the_rest_expires_too() {
    let plan = plan(Window::Sliding(100));
    let retention = Retention { plan: &plan, lateness: 0, expire_after: None };
    let mut store = Store::default();
    (0..50_000).for_each(|key| admit(&mut store, retention, key, i64::from(key / 100)));
    let full = store.usage().bytes;
    forget(&mut store, retention, 595);
    let left = store.usage();
    assert_eq!(left.keys, 400);
    assert!(left.bytes < full / 20, "{} of {full}", left.bytes);
    forget(&mut store, retention, 600);
    assert_eq!(store.usage().keys, 0);
}

#[test]
fn keys_of_one_moment_come_in_the_order_of_their_bytes() {
    let plan = plan(Window::Sliding(100));
    let retention = Retention { plan: &plan, lateness: 0, expire_after: None };
    let mut store = Store::default();
    for key in [7, 3, 9, 1] {
        admit(&mut store, retention, key, if key == 9 { 1 } else { 0 });
    }
    let mut due = Vec::new();
    let mut keys = |store: &mut Store| {
        let moment = store.due(retention, 1_000, &mut due).expect("in memory");
        let key = |id: &u32| u32::from_be_bytes((*store.slot(*id).key).try_into().expect("four bytes"));
        (moment, due.iter().map(key).collect::<Vec<_>>())
    };
    assert_eq!(keys(&mut store), (Some(100), vec![1, 3, 7]));
    assert_eq!(keys(&mut store), (Some(101), vec![9]));
    assert_eq!(keys(&mut store), (None, vec![]));
}
