//! What a key's windows weigh.

use super::frozen::again;
use super::rows::everything;
use super::*;
use crate::columns::Builder;

struct Bench<'a> {
    plan: &'a Plan,
    history: History,
    scratch: Scratch,
    scripts: Scripts,
    builder: Builder,
}

impl<'a> Bench<'a> {
    fn new(plan: &'a Plan) -> Self {
        let builder = Builder::new(plan.columns.as_slice().into());
        let scripts = Scripts::new(plan);
        Self { plan, history: History::new(plan), scratch: Scratch::default(), scripts, builder }
    }

    fn take(&mut self, event: &Event) {
        let Self { plan, history, scratch, scripts, builder } = self;
        let mut words = event.words(plan);
        if event.input == 0 {
            history.admit(plan, scratch, &mut words, &mut Cells(builder), scripts);
            builder.finish_row();
        } else {
            history.update(plan, event.input, &mut words, scripts);
        }
    }
}

/// Whenever what can't be seen any more is let go of, and whatever is thawed in between, the rest weighs the same.
fn same(windows: &[Window], arrivals: &[Arrival], freezes: &[bool]) -> Result<(), TestCaseError> {
    let plan = Plan::new(&description(everything(windows))).expect("all supported");
    let (mut tidy, mut lazy) = (Bench::new(&plan), Bench::new(&plan));
    let mut floor = i64::MIN;
    for (Arrival { horizon, event }, freeze) in arrivals.iter().zip(freezes.iter().cycle()) {
        if let Some(horizon) = horizon {
            floor = floor.max(*horizon);
            tidy.history.forget(&plan, *horizon);
        }
        for input in 0..2 {
            let weights = [&tidy, &lazy].map(|one| one.history.weight_at(&plan, input, floor));
            prop_assert_eq!(weights[0], weights[1], "from {} on", floor);
            prop_assert!(weights[0] <= tidy.history.weight_with(&plan, input));
        }
        tidy.take(event);
        lazy.take(event);
        if *freeze {
            tidy.history = again(&plan, &tidy.history);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn it_depends_on_the_rows_alone(
        arrivals in arrivals(0..4, 12, 60),
        windows in prop::sample::subsequence(WINDOWS.to_vec(), 1..4),
        freezes in prop::collection::vec(any::<bool>(), 1..20),
    ) {
        same(&windows, &arrivals, &freezes)?;
    }
}

/// By hand: rows at 0, 1, ... 9 in a window of five, each of six words.
#[test]
fn entries_weigh_as_long_as_they_can_be_seen() {
    let plan = Plan::new(&description(vec![aggregate(Fold::Count, Window::Sliding(5))])).expect("supported");
    let entry = plan.inputs[0].layout.stride * 8;
    let mut bench = Bench::new(&plan);
    let event = Event { input: 0, time: 0, amount: 1.0, items: None, declined: false, city: None };
    (0..10).for_each(|time| bench.take(&Event { time, ..event }));
    assert_eq!(bench.history.weight_with(&plan, 0), 11 * entry);
    for (horizon, left) in [(4, 10), (5, 9), (9, 5), (13, 1), (14, 0), (99, 0)] {
        assert_eq!(bench.history.weight_at(&plan, 0, horizon), (left + 1) * entry, "{horizon}");
    }
}

#[test]
fn values_without_entries_weigh_too() {
    for (fold, least, most) in [
        (Fold::Count, 0, 0),
        (Fold::Sum, 0, 0),
        (Fold::Distinct, 7_000, 8_000),
        (Fold::TopK(3), 72_000, 72_000),
    ] {
        let plan = Plan::new(&description(vec![aggregate(fold, Window::Forever)])).expect("supported");
        let mut bench = Bench::new(&plan);
        let event = Event { input: 0, time: 0, amount: 1.0, items: None, declined: false, city: None };
        (0..1_000).for_each(|n| bench.take(&Event { amount: f64::from(n), time: n.into(), ..event }));
        let weight = bench.history.weight_with(&plan, 0);
        assert!((least..=most).contains(&weight), "{fold:?}: {weight}");
        assert_eq!(bench.history.weight_at(&plan, 0, i64::MAX), weight);
    }
}
