//! Every fold and window against a model that recomputes from a list of all rows.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::columns::{Batch, Builder, Column, Kind};
use crate::contract::{Aggregate, FeaturesDescription, Fold, Input, Trigger, Window};
use crate::error::Code;

const FOLDS: [Fold; 8] = [
    Fold::Count,
    Fold::Sum,
    Fold::Mean,
    Fold::Variance,
    Fold::Min,
    Fold::Max,
    Fold::Latest,
    Fold::SinceLatest,
];
const WINDOWS: [Window; 3] = [Window::Sliding(5), Window::Sliding(20), Window::Forever];

/// Kept: a float, a nullable int, a boolean.
fn description(aggregates: Vec<Aggregate>) -> FeaturesDescription {
    let columns = vec![
        Column::new("amount", Kind::Float),
        Column::nullable("items", Kind::Int),
        Column::new("declined", Kind::Boolean),
    ];
    FeaturesDescription {
        inputs: vec![Input { source: String::new(), updates_only: false, columns, kept: vec![0, 1, 2] }],
        aggregates,
        custom_folds: Vec::new(),
        trigger: Trigger::Row,
        features: Vec::new(),
        ids: Vec::new(),
    }
}

fn everything() -> Vec<Aggregate> {
    let mut aggregates = Vec::new();
    for window in WINDOWS {
        for fold in FOLDS {
            for (column, filter) in [(0, None), (1, None), (0, Some(2)), (1, Some(2))] {
                let name = format!("a{}", aggregates.len());
                aggregates.push(Aggregate { name, input: 0, fold, column: Some(column), filter, window });
            }
        }
    }
    aggregates
}

#[derive(Clone, Copy, Debug)]
struct Event {
    time: i64,
    amount: f64,
    items: Option<i64>,
    declined: bool,
}

impl Event {
    fn words(&self) -> Vec<u64> {
        let items = self.items.unwrap_or_default().cast_unsigned();
        let flags = 0b101 | u64::from(self.items.is_some()) << 1;
        vec![self.time.cast_unsigned(), self.amount.to_bits(), items, u64::from(self.declined), flags]
    }

    /// The value that an aggregate sees.
    fn value(&self, aggregate: &Aggregate) -> Option<f64> {
        if aggregate.filter.is_some() && !self.declined {
            return None;
        }
        match aggregate.column {
            Some(0) => Some(self.amount).filter(|amount| !amount.is_nan()),
            _ => self.items.map(|items| items as f64),
        }
    }
}

/// All rows so far in order of arrival, those that no window of the newest row holds taken out.
#[derive(Default)]
struct Model {
    kept: VecDeque<Event>,
    all: Vec<Event>,
    newest: i64,
}

impl Model {
    fn admit(&mut self, row: Event, aggregates: &[Aggregate]) -> Vec<Option<f64>> {
        let cells = aggregates.iter().map(|aggregate| self.cell(row, aggregate)).collect();
        self.newest = self.newest.max(row.time);
        self.kept.push_back(row);
        self.all.push(row);
        let newest = self.newest;
        self.kept.retain(|event| event.time > newest - 20);
        cells
    }

    fn cell(&self, row: Event, aggregate: &Aggregate) -> Option<f64> {
        let in_window = |event: &&Event| match aggregate.window {
            Window::Sliding(size) => event.time > row.time - size as i64 && event.time <= row.time,
            _ => true,
        };
        let before: Vec<&Event> = match aggregate.window {
            Window::Sliding(_) => self.kept.iter().filter(in_window).collect(),
            _ => self.all.iter().collect(),
        };
        // Of one time the one that arrived last.
        let latest =
            before.iter().filter(|event| event.value(aggregate).is_some()).max_by_key(|event| event.time);
        let latest = latest.filter(|latest| latest.time <= row.time);
        match aggregate.fold {
            Fold::Latest => return latest.and_then(|latest| latest.value(aggregate)),
            Fold::SinceLatest => return latest.map(|latest| (row.time - latest.time) as f64),
            _ => {}
        }
        let values: Vec<f64> =
            before.into_iter().chain([&row]).filter_map(|event| event.value(aggregate)).collect();
        let n = values.len() as f64;
        let sum: f64 = values.iter().sum();
        let some = |value: f64| (n > 0.0).then_some(value);
        match aggregate.fold {
            Fold::Count => Some(n),
            Fold::Sum => Some(sum),
            Fold::Mean => some(sum / n),
            Fold::Variance => some(values.iter().map(|value| (value - sum / n).powi(2)).sum::<f64>() / n),
            Fold::Min => values.iter().copied().reduce(f64::min),
            Fold::Max => values.iter().copied().reduce(f64::max),
            _ => unreachable!("not tested here"),
        }
    }
}

/// The cells of all rows, admitted one after another.
fn admit_all(plan: &Plan, events: &[Event]) -> Batch {
    let mut history = History::new(plan);
    let (mut scratch, mut scripts) = (Scratch::default(), Scripts::new(plan));
    let mut builder = Builder::new(plan.columns.as_slice().into());
    for event in events {
        let mut cells = Cells(&mut builder);
        history.admit(plan, &mut scratch, &mut event.words(), 0, &mut cells, &mut scripts);
        builder.finish_row();
    }
    builder.seal()
}

fn read(batch: &Batch, column: usize, row: usize) -> Option<f64> {
    let view = batch.column(column);
    view.is_valid(row)
        .then(|| if view.kind() == Kind::Float { view.float(row) } else { view.int(row) as f64 })
}

fn events(steps: std::ops::Range<i64>) -> impl Strategy<Value = Vec<Event>> {
    let event = (steps, 0i64..40, prop::option::of(-3i64..4), any::<bool>(), 0u8..20);
    let event = event.prop_map(|(step, amount, items, declined, nan)| {
        (step, if nan == 0 { f64::NAN } else { amount as f64 / 4.0 }, items, declined)
    });
    prop::collection::vec(event, 1..80).prop_map(|list| {
        let mut time = 0;
        let next = |(step, amount, items, declined)| {
            time += step;
            Event { time, amount, items, declined }
        };
        list.into_iter().map(next).collect()
    })
}

fn compare(events: &[Event]) -> Result<(), TestCaseError> {
    let aggregates = everything();
    let plan = Plan::new(&description(aggregates.clone())).expect("all supported");
    let cells = admit_all(&plan, events);
    let mut model = Model { newest: i64::MIN, ..Model::default() };
    for (row, event) in events.iter().enumerate() {
        for (column, expected) in model.admit(*event, &aggregates).into_iter().enumerate() {
            let got = read(&cells, column, row);
            let close = match (got, expected) {
                (Some(got), Some(expected)) => (got - expected).abs() < 1e-9,
                (got, expected) => got == expected,
            };
            prop_assert!(close, "row {row}, {:?}: {got:?}, expected {expected:?}", aggregates[column]);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn rows_in_order_of_time(events in events(0..8)) {
        compare(&events)?;
    }

    #[test]
    fn stragglers_too(events in events(-6..8)) {
        compare(&events)?;
    }
}

#[test]
fn lanes_are_shared() {
    let plan = Plan::new(&description(everything())).expect("all supported");
    // Per window, column and filter: count, sum, squares, least, greatest, latest; ints have two sums.
    assert_eq!(plan.lanes.len(), 3 * 2 * (6 + 7));
    assert_eq!(plan.sizes, [5, 20]);
}

#[test]
fn what_is_not_there_yet_is_refused_by_name() {
    let aggregate = |fold, window| Aggregate {
        name: "x".to_owned(),
        input: 0,
        fold,
        column: Some(0),
        filter: None,
        window,
    };
    for (fold, window, says) in [
        (Fold::Distinct, Window::Forever, "the fold distinct"),
        (Fold::Quantile(0.5), Window::Forever, "the fold quantile"),
        (Fold::DecayedMean(5), Window::Forever, "the fold decayed-mean"),
        (Fold::TopK(5), Window::Forever, "the fold top-k"),
        (Fold::Sum, Window::Tumbling(5), "the window tumbling"),
        (Fold::Sum, Window::Hopping { size: 6, slide: 2 }, "the window hopping"),
        (Fold::Sum, Window::Session(5), "the window session"),
        (Fold::Sum, Window::Last(5), "the window last"),
    ] {
        let error = Plan::new(&description(vec![aggregate(fold, window)])).expect_err("not yet");
        assert_eq!(error.code, Code::NotYet);
        assert!(error.message.starts_with("aggregate x: ") && error.message.contains(says), "{error}");
    }
}

#[test]
fn memory_follows_the_window() {
    let plan = Plan::new(&description(everything())).expect("all supported");
    let mut history = History::new(&plan);
    let (mut scratch, mut scripts) = (Scratch::default(), Scripts::new(&plan));
    let mut builder = Builder::new(plan.columns.as_slice().into());
    let mut admit = |history: &mut History, time: i64| {
        let event = Event { time, amount: 1.0, items: None, declined: true };
        let mut cells = Cells(&mut builder);
        history.admit(&plan, &mut scratch, &mut event.words(), 0, &mut cells, &mut scripts);
        builder.finish_row();
    };
    (0..1000).for_each(|_| admit(&mut history, 0));
    let full = history.size();
    assert_eq!(history.entries(&plan.layout), 1000);
    (0..1000).for_each(|n| admit(&mut history, 20 + n * 20));
    assert_eq!(history.entries(&plan.layout), 1);
    assert!(history.size() < full / 10, "{} of {full}", history.size());
}
