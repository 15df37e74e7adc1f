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
}

/// Kept by a union from the beginning, they emit the same; so they do when they go there and back now and then.
fn emits_the_same(windows: [Window; 2], others: [Window; 2], steps: &[Keyed]) -> Result<(), TestCaseError> {
    let Plans { own, union, view } = Plans::new(windows, others);
    let expected = run(&own, steps, |_| ());
    prop_assert_eq!(&run(&view, steps, |_| ()), &expected);
    let back = |history: &History| history.convert(&own, &union)?.convert(&union, &own);
    let emitted = run(&own, steps, |histories| {
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
            prop_assert_eq!(live.settle(), moved.settle());
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

proptest! {
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
