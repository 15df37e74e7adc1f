//! Custom folds go on when windows beside them change: what they are shown, their registers, what they leave out.

use super::super::unions::keeping;
use super::*;

/// The same custom folds, beside other windows, over the columns in another order.
fn beside(customs: &FeaturesDescription, windows: [Window; 2]) -> FeaturesDescription {
    let more = windows.into_iter().zip(0..).map(|(window, input)| Aggregate {
        input,
        column: Some(3),
        ..aggregate(Fold::Distinct, window)
    });
    let mut other = keeping(more.collect(), [vec![2, 1, 3, 0], vec![1, 2, 0, 3]]);
    let own = customs.aggregates.iter().cloned().map(|aggregate| {
        let filter = aggregate.filter.map(|_| [0, 1][aggregate.input as usize]);
        Aggregate { filter, ..aggregate }
    });
    other.aggregates.extend(own);
    other.custom_folds = customs.custom_folds.clone();
    other
}

struct Plans {
    own: Plan,
    union: Plan,
    view: Plan,
}

impl Plans {
    fn new(windows: [Window; 2], others: [Window; 2]) -> Self {
        let description = custom_description(windows);
        let own = Plan::new(&description).expect("all supported");
        let other = Plan::new(&beside(&description, others)).expect("all supported");
        let union = Plan::union(&[&other, &own]).expect("the same custom folds");
        Self { view: own.view(&union).expect("it holds both"), own, union }
    }

    /// What is told of the view's custom aggregates, in the order of the own ones.
    fn in_order<T: Clone>(&self, all: &[T]) -> Vec<T> {
        let place = |cell: usize| self.view.customs.iter().position(|custom| custom.cells.contains(&cell));
        let places = self.own.customs.iter().map(|custom| place(custom.cells[0]).expect("it is there"));
        places.map(|place| all[place].clone()).collect()
    }
}

/// Kept by a union from the beginning, they emit the same; so they do when they go there and back now and then.
fn emits_the_same(windows: [Window; 2], others: [Window; 2], steps: &[Keyed]) -> Result<(), TestCaseError> {
    let plans = Plans::new(windows, others);
    let Plans { own, union, view } = &plans;
    let expected = run(own, steps, |_| ());
    prop_assert_eq!(&plans.in_order(&run(view, steps, |_| ())), &expected);
    let back = |history: &History| history.convert(own, union)?.convert(union, own);
    let emitted = run(own, steps, |histories| {
        histories.iter_mut().for_each(|history| *history = back(history).expect("they fit together"));
    });
    prop_assert_eq!(&emitted, &expected);
    Ok(())
}

/// From some moment on kept by a union: what is of the one plan is always the same to the last bit.
fn goes_on(
    windows: [Window; 2],
    others: [Window; 2],
    steps: &[Keyed],
    at: prop::sample::Index,
) -> Result<(), TestCaseError> {
    let (plans, at) = (Plans::new(windows, others), at.index(steps.len()));
    let [mut live, mut moved] = [&plans.own, &plans.own].map(Live::new);
    for (index, (Arrival { event, .. }, _, ends)) in steps.iter().enumerate() {
        if *ends || index == at {
            let (left_out, moved) = (live.settle(), moved.settle());
            let is_moved = index > at;
            prop_assert_eq!(left_out, if is_moved { plans.in_order(&moved) } else { moved });
        }
        if index == at {
            let history = moved.history.convert(&plans.own, &plans.union).expect("they fit together");
            moved = Live { history, ..Live::new(&plans.view) };
        }
        if (*ends || index == at) && index >= at {
            let back = moved.history.convert(&plans.union, &plans.own).expect("they fit together");
            prop_assert_eq!(frozen::bytes(&plans.own, &back), frozen::bytes(&plans.own, &live.history));
        }
        live.take(None, event);
        moved.take(None, event);
    }
    Ok(())
}

/// The same folds in their next version.
fn next_version(customs: &FeaturesDescription) -> FeaturesDescription {
    let mut next = customs.clone();
    next.custom_folds.iter_mut().for_each(|fold| fold.version += 1);
    next
}

/// How a release is seen that runs by `view`, if folds that it lacks are run by the one of `other`.
fn with_hands(view: &Plan, other: &Plan) -> Plan {
    let mut all = view.clone();
    for (custom, theirs) in all.customs.iter_mut().zip(&other.customs) {
        if !custom.is_own() {
            custom.runs.clone_from(&theirs.runs);
        }
    }
    all
}

/// Some rows by one version of the folds, the others by the next, straight or by a union of both. These are as if it
/// had been so from the beginning; and so is what the version before comes back to.
fn begins_with_entries(
    windows: [Window; 2],
    steps: &[Keyed],
    at: prop::sample::Index,
    together: bool,
) -> Result<(), TestCaseError> {
    let description = custom_description(windows);
    let [old, new] =
        [description.clone(), next_version(&description)].map(|it| Plan::new(&it).expect("all supported"));
    let union = Plan::union(&[&new, &old]).expect("two versions").loosened();
    let views = [&old, &new].map(|plan| plan.view(&union).expect("it holds both"));
    let by = if together { with_hands(&views[1], &views[0]) } else { new.clone() };
    let at = at.index(steps.len() + 1);
    let (mut before, mut live) = (Live::new(&old), Live::new(&old));
    let mut events = Vec::new();
    for (index, (Arrival { event, horizon }, _, ends)) in steps.iter().enumerate() {
        if *ends || index == at {
            prop_assert_eq!(before.settle().len(), old.customs.len());
            live.settle();
        }
        if index == at {
            let history = live.history.convert(&old, &by).expect("they fit together");
            live = Live { history: frozen::again(&by, &history), ..Live::new(&by) };
        }
        before.take(*horizon, event);
        live.take(*horizon, event);
        events.push(*event);
        if index < at {
            continue;
        }
        live.settle();
        before.settle();
        live.history = frozen::again(&by, &live.history);
        for aggregate in &description.aggregates {
            let name = &aggregate.name;
            let cell = by.columns.iter().position(|column| column.name == *name).expect("it is there");
            let custom =
                by.customs.iter().position(|custom| custom.cells.contains(&cell)).expect("it is own");
            let got = live.emitted[custom].last().expect("an item of a row");
            prop_assert_eq!(
                got,
                &expected(&events, aggregate),
                "event {} {:?}: {:?}",
                index,
                event,
                aggregate
            );
        }
    }
    if together && at < steps.len() {
        let back = live.history.convert(&by, &old).expect("they fit together");
        prop_assert_eq!(frozen::bytes(&old, &back), frozen::bytes(&old, &before.history));
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_new_version_begins_with_the_entries_that_are_there(
        windows in two_windows(), steps in keyed(-7..8, 20, 80), at: prop::sample::Index, together: bool,
    ) {
        begins_with_entries(windows, &steps, at, together)?;
    }

    #[test]
    fn a_new_version_begins_with_many_entries(
        windows in long_windows(), steps in keyed(-2..3, 60, 300), at: prop::sample::Index, together: bool,
    ) {
        begins_with_entries(windows, &steps, at, together)?;
    }

    #[test]
    fn folds_emit_the_same_beside_other_windows(
        windows in two_windows(), others in two_windows(), steps in keyed(-7..8, 20, 80),
    ) {
        emits_the_same(windows, others, &steps)?;
    }

    #[test]
    fn folds_of_many_rows_emit_the_same(
        windows in long_windows(), others in two_windows(), steps in keyed(-2..3, 60, 300),
    ) {
        emits_the_same(windows, others, &steps)?;
    }

    #[test]
    fn registers_are_taken_over(
        windows in two_windows(), others in two_windows(), steps in keyed(-7..8, 20, 80),
        at: prop::sample::Index,
    ) {
        goes_on(windows, others, &steps, at)?;
    }

    #[test]
    fn many_registers_are_taken_over(
        windows in long_windows(), others in two_windows(), steps in keyed(-2..3, 60, 300),
        at: prop::sample::Index,
    ) {
        goes_on(windows, others, &steps, at)?;
    }
}
