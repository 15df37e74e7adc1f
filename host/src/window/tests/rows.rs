//! Vectors of rows, for all windows and folds.

use super::model::{Expected, cell};
use super::*;
use crate::columns::{Batch, Builder};

const FOLDS: [Fold; 13] = [
    Fold::Count,
    Fold::Sum,
    Fold::Mean,
    Fold::Variance,
    Fold::Min,
    Fold::Max,
    Fold::Latest,
    Fold::SinceLatest,
    Fold::Distinct,
    Fold::Quantile(0.3),
    Fold::Quantile(0.9),
    Fold::DecayedMean(7),
    Fold::TopK(3),
];

/// All folds over a window, of both inputs.
pub fn everything(windows: &[Window]) -> Vec<Aggregate> {
    let mut aggregates = Vec::new();
    for (window, input) in windows.iter().flat_map(|window| [(*window, 0), (*window, 1)]) {
        for fold in FOLDS {
            for (column, filter) in [(0, None), (1, Some(2))] {
                let name = format!("a{}", aggregates.len());
                aggregates.push(Aggregate { name, input, fold, column: Some(column), filter, window });
            }
        }
        for fold in [Fold::Count, Fold::Distinct] {
            let name = format!("a{}", aggregates.len());
            aggregates.push(Aggregate { name, input, fold, column: Some(3), filter: None, window });
        }
    }
    aggregates
}

/// The cells of all rows of the first input. A history of which nothing can be seen any more is dropped.
fn run(plan: &Plan, arrivals: &[Arrival]) -> Batch {
    let mut history = History::new(plan);
    let (mut scratch, mut scripts) = (Scratch::default(), Scripts::new(plan));
    let mut builder = Builder::new(plan.columns.as_slice().into());
    for Arrival { horizon, event } in arrivals {
        if let Some(horizon) = horizon {
            history.forget(plan, *horizon);
            if history.expiry(plan).is_some_and(|expiry| expiry < *horizon) {
                assert_eq!(history.entries(plan), 0);
                history = History::new(plan);
            }
        }
        let mut words = event.words(plan);
        if event.input == 0 {
            let mut cells = Cells(&mut builder);
            history.admit(plan, &mut scratch, &mut words, &mut cells, &mut scripts);
            builder.finish_row();
        } else {
            history.update(plan, event.input, &mut words, &mut scripts);
        }
    }
    builder.seal()
}

fn agrees(batch: &Batch, column: usize, row: usize, expected: &Expected) -> bool {
    let view = batch.column(column);
    if !view.is_valid(row) {
        return *expected == Expected::Null;
    }
    let number = || if view.kind() == Kind::Float { view.float(row) } else { view.int(row) as f64 };
    match expected {
        Expected::Null => false,
        Expected::Number(expected) => (number() - expected).abs() < 1e-9,
        Expected::About(expected, error) => (number() - expected).abs() <= *error,
        Expected::Text(expected) => view.bytes(row) == expected.as_bytes(),
    }
}

fn compare(windows: &[Window], arrivals: &[Arrival]) -> Result<(), TestCaseError> {
    check(&everything(windows), arrivals)
}

fn check(aggregates: &[Aggregate], arrivals: &[Arrival]) -> Result<(), TestCaseError> {
    let plan = Plan::new(&description(aggregates.to_vec())).expect("all supported");
    let cells = run(&plan, arrivals);
    let events: Vec<Event> = arrivals.iter().map(|arrival| arrival.event).collect();
    let rows = events.iter().enumerate().filter(|(_, event)| event.input == 0);
    for (row, (index, _)) in rows.enumerate() {
        for (column, aggregate) in aggregates.iter().enumerate() {
            let expected = cell(&events[..=index], aggregate);
            prop_assert!(
                agrees(&cells, column, row, &expected),
                "row {row}, event {index}, {aggregate:?}: expected {expected:?}"
            );
        }
    }
    Ok(())
}

/// A few windows: with some of them a history ends, with others never.
pub fn windows() -> impl Strategy<Value = Vec<Window>> {
    prop::sample::subsequence(&WINDOWS[..], 1..4)
}

proptest! {
    #[test]
    fn rows_in_order_of_time(windows in windows(), arrivals in arrivals(0..8, 0, 60)) {
        compare(&windows, &arrivals)?;
    }

    #[test]
    fn stragglers_too(windows in windows(), arrivals in arrivals(-7..8, 20, 60)) {
        compare(&windows, &arrivals)?;
    }

    #[test]
    fn many_rows_in_a_window(windows in windows(), arrivals in arrivals(-2..3, 30, 120)) {
        compare(&windows, &arrivals)?;
    }
}

/// Of a session, decayed means keep no block that counts no longer, so a copy of one can't be moved back.
#[test]
fn a_straggler_in_a_long_session() {
    let windows = [Window::Session(1000)];
    let mut aggregates = everything(&windows);
    aggregates.push(aggregate(Fold::DecayedMean(1), windows[0]));
    let times = [0, 1, 2, 3, 4, 5, 900, 1800, 2700, 100];
    let event = Event { input: 0, time: 0, amount: 1.0, items: None, declined: true, city: None };
    let arrivals =
        times.map(|time| Arrival { horizon: None, event: Event { time, amount: time as f64, ..event } });
    check(&aggregates, &arrivals).expect("as the model says");
}
