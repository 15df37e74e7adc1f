//! What a history holds, and when it lets go of it.

use super::*;
use crate::columns::Builder;

fn event(input: usize, time: i64) -> Event {
    Event { input, time, amount: 1.0, items: Some(time % 100), declined: true, city: None }
}

struct Bench {
    plan: Plan,
    history: History,
    scratch: Scratch,
    builder: Builder,
}

impl Bench {
    fn new(windows: &[Window]) -> Self {
        let folds = [Fold::Sum, Fold::Max, Fold::Latest, Fold::Distinct];
        let all = windows.iter().flat_map(|window| folds.map(|fold| aggregate(fold, *window)));
        let both = all.flat_map(|own| [Aggregate { input: 1, ..own.clone() }, own]);
        let plan = Plan::new(&description(both.collect())).expect("all supported");
        let builder = Builder::new(plan.columns.as_slice().into());
        Self { history: History::new(&plan), scratch: Scratch::default(), builder, plan }
    }

    fn take(&mut self, event: Event) {
        let (mut words, mut scripts) = (event.words(&self.plan), Scripts::new(&self.plan));
        if event.input == 0 {
            let cells = &mut Cells(&mut self.builder);
            self.history.admit(&self.plan, &mut self.scratch, &mut words, cells, &mut scripts);
        } else {
            self.history.update(&self.plan, event.input, &mut words, &mut scripts);
        }
    }

    fn forget(&mut self, horizon: i64) -> usize {
        self.history.forget(&self.plan, horizon);
        self.history.entries(&self.plan)
    }
}

#[test]
fn memory_follows_the_window() {
    let mut bench = Bench::new(&[Window::Sliding(20), Window::Forever]);
    (0..1000).for_each(|_| bench.take(event(0, 0)));
    let full = bench.history.size();
    assert_eq!(bench.forget(19), 1000);
    for n in 1..1000 {
        bench.take(event(0, n * 20));
        bench.forget(n * 20);
    }
    assert_eq!(bench.history.entries(&bench.plan), 1);
    assert!(bench.history.size() < full / 10, "{} of {full}", bench.history.size());
}

/// By hand: which of the entries at 0, 1, ... 9 are left.
#[test]
fn each_window_lets_go_of_what_no_row_can_see() {
    for (window, horizon, left) in [
        (Window::Sliding(5), 9, 5),
        (Window::Sliding(5), 13, 1),
        (Window::Sliding(5), 14, 0),
        (Window::Tumbling(5), 9, 5),
        (Window::Tumbling(5), 10, 0),
        (Window::Hopping { size: 6, slide: 3 }, 8, 7), // from 3 on
        (Window::Hopping { size: 6, slide: 3 }, 9, 4), // from 6 on
        (Window::Session(1), 10, 10),
        (Window::Session(1), 11, 0),
        (Window::Last(3), 9, 3),
        (Window::Last(3), 7, 5), // a row at 7 sees those at 5, 6 and 7
        (Window::Last(3), 99, 3),
        (Window::Last(30), 99, 10),
        (Window::Forever, 0, 0),
    ] {
        let mut bench = Bench::new(&[window]);
        (0..10).for_each(|time| bench.take(event(1, time)));
        bench.take(event(0, 9)); // so that cursors stand at their windows
        let after = bench.forget(horizon);
        // A window that has lost only a part of its entries keeps them until the next row of the key.
        let held = if (window, left) == (Window::Sliding(5), 1) { 5 } else { left };
        assert_eq!(after, held + usize::from(left > 0), "{window:?} {horizon}");
        bench.take(event(0, horizon));
        assert!(bench.forget(horizon) <= left + 2, "{window:?} {horizon}");
    }
}

#[test]
fn a_straggler_alone_is_a_session_of_its_own() {
    let mut bench = Bench::new(&[Window::Session(1)]);
    [10, 11, 12].iter().for_each(|time| bench.take(event(1, *time)));
    assert_eq!(bench.forget(4), 3);
    bench.take(event(1, 5));
    assert_eq!(bench.forget(6), 4);
    assert_eq!(bench.forget(7), 3);
}

#[test]
fn values_go_with_the_entries() {
    for window in [Window::Sliding(10_000), Window::Tumbling(10_000), Window::Session(5)] {
        let mut bench = Bench::new(&[window]);
        for time in 0..5000 {
            let event = event(time as usize % 2, time);
            bench.take(Event { amount: time as f64, ..event });
        }
        let full = bench.history.size();
        assert_eq!(bench.forget(20_000), 0);
        let size = bench.history.size();
        assert!(size < full / 20 && size < 3000, "{window:?}: {size} of {full}");
    }
}

#[test]
fn updates_that_no_row_follows_are_forgotten() {
    for window in WINDOWS {
        let mut bench = Bench::new(&[window]);
        bench.take(event(0, 0));
        for time in 0..1000 {
            bench.take(event(1, time * 4));
            bench.forget(time * 4 - 10);
        }
        let held = bench.history.entries(&bench.plan);
        let session = window == Window::Session(6);
        assert!(if session { held > 900 } else { held < 30 }, "{window:?}: {held}");
        let expiry = bench.history.expiry(&bench.plan);
        let never = matches!(window, Window::Last(_) | Window::Forever);
        assert_eq!(expiry.is_none(), never, "{window:?}");
        if let Some(expiry) = expiry {
            assert!(bench.forget(expiry) > 0, "{window:?}: {expiry}");
            assert_eq!(bench.forget(expiry + 1), 0, "{window:?}: {expiry}");
        }
    }
}
