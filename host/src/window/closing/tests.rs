//! Windows that close, against a model which recomputes each of them from all events.

mod cost;
mod frozen;
mod model;
mod rules;

use proptest::prelude::*;

use super::*;
use crate::columns::{Column, Kind};
use crate::contract::{Aggregate, FeaturesDescription, Fold, Input, Trigger, Window};
use model::Model;

const FOLDS: [Fold; 13] = [
    Fold::Count,
    Fold::Sum,
    Fold::Mean,
    Fold::Variance,
    Fold::Min,
    Fold::Max,
    Fold::Distinct,
    Fold::Quantile(0.0),
    Fold::Quantile(0.5),
    Fold::Quantile(0.9),
    Fold::DecayedMean(7),
    Fold::TopK(1),
    Fold::TopK(3),
];

/// Every fold over a float and over a nullable int of the first input, with and without a filter; some over
/// the second input.
fn aggregates(window: Window) -> Vec<Aggregate> {
    let mut list = Vec::new();
    let first = [(0, 0, None), (0, 1, None), (0, 0, Some(2)), (0, 1, Some(2)), (1, 0, None)];
    for fold in FOLDS {
        for (input, column, filter) in first {
            let name = format!("a{}", list.len());
            list.push(Aggregate { name, input, fold, column: Some(column), filter, window });
        }
    }
    list
}

fn plan_of(aggregates: Vec<Aggregate>) -> Plan {
    let columns = vec![
        Column::new("amount", Kind::Float),
        Column::nullable("items", Kind::Int),
        Column::new("declined", Kind::Boolean),
    ];
    let input = |updates_only| Input {
        source: String::new(),
        updates_only,
        columns: columns.clone(),
        kept: vec![0, 1, 2],
    };
    Plan::new(&FeaturesDescription {
        inputs: vec![input(false), input(true)],
        lookups: Vec::new(),
        aggregates,
        custom_folds: Vec::new(),
        trigger: Trigger::Close(Vec::new()),
        features: Vec::new(),
        ids: Vec::new(),
    })
    .expect("all supported")
}

#[derive(Clone, Copy, Debug)]
struct Event {
    time: i64,
    input: usize,
    amount: f64,
    items: Option<i64>,
    declined: bool,
}

impl Event {
    fn at(time: i64) -> Self {
        Self { time, input: 0, amount: 1.0, items: None, declined: true }
    }

    fn words(&self) -> Vec<u64> {
        let items = self.items.unwrap_or_default().cast_unsigned();
        let flags = 0b101 | u64::from(self.items.is_some()) << 1;
        vec![self.time.cast_unsigned(), self.amount.to_bits(), items, u64::from(self.declined), flags]
    }

    fn value(&self, column: Option<u32>) -> Option<f64> {
        match column {
            Some(0) => Some(self.amount),
            _ => self.items.map(|items| items as f64),
        }
    }
}

/// A row comes, then the watermark rises.
#[derive(Clone, Copy, Debug)]
struct Step {
    event: Event,
    rise: i64,
    closes: bool,
    forgets: bool,
}

/// Rows at most `late` behind the watermark that the steps before them make.
fn steps(late: i64) -> impl Strategy<Value = Vec<Step>> {
    let event = (-late..12, 0u8..5, -20i64..20, prop::option::of(-3i64..4), any::<bool>(), 0u8..20);
    let step = (event, prop_oneof![Just(0), 0i64..4, 0i64..60], any::<bool>(), any::<bool>());
    prop::collection::vec(step, 1..50).prop_map(|list| {
        let mut watermark = 0;
        let next = |((after, input, amount, items, declined, nan), rise, closes, forgets)| {
            let amount = if nan == 0 { f64::NAN } else { amount as f64 / 4.0 };
            let input = usize::from(input == 0);
            let event = Event { time: watermark + after, input, amount, items, declined };
            watermark += rise;
            Step { event, rise, closes, forgets }
        };
        list.into_iter().map(next).collect()
    })
}

/// All that comes out, in order, and each window's cells, are those of the model.
fn compare(window: Window, late: i64, steps: &[Step]) -> Result<(), TestCaseError> {
    let aggregates = aggregates(window);
    let plan = plan_of(aggregates.clone());
    let (mut closing, mut model) = (Closing::new(&plan), Model::default());
    let mut out = Closed::new(&plan);
    let (mut watermark, mut expected) = (0, Vec::new());
    for step in steps {
        closing.admit(&plan, step.event.input, &step.event.words(), watermark, &mut out);
        expected.extend(model.step(window, Some(step.event), watermark));
        watermark += step.rise;
        let due = closing.due(&plan);
        expected.extend(model.step(window, None, watermark));
        // Whoever does not close windows finds them closed by the next row.
        if step.closes {
            let before = out.windows.len();
            closing.close(&plan, watermark, &mut out);
            prop_assert_eq!(out.windows.len() > before, due.is_some_and(|due| due <= watermark));
            prop_assert!(closing.due(&plan).is_none_or(|due| due > watermark));
        }
        if step.forgets {
            closing.forget(&plan, watermark - late);
        }
        let (bytes, counted) = match &closing.0 {
            Windows::Panes(panes) => panes.recount(),
            Windows::Sessions(sessions) => sessions.recount(),
        };
        prop_assert_eq!(bytes, counted);
    }
    expected.extend(model.step(window, None, i64::MAX / 2));
    closing.close(&plan, i64::MAX / 2, &mut out);
    prop_assert_eq!(closing.due(&plan), None);
    closing.forget(&plan, i64::MAX / 2);
    prop_assert!(closing.is_empty());
    let windows: Vec<_> =
        expected.iter().map(|(start, end, revision, _)| (*start, *end, *revision)).collect();
    prop_assert_eq!(&out.windows, &windows);
    let cells = out.cells.seal();
    for (row, (start, end, revision, held)) in expected.iter().enumerate() {
        for (column, aggregate) in aggregates.iter().enumerate() {
            let cell = model.cell(aggregate, held);
            let fine = cell.is(cells.column(column), row);
            prop_assert!(fine, "{start}..{end} revision {revision}, {aggregate:?}: not {cell:?}");
        }
    }
    Ok(())
}

fn hopping() -> impl Strategy<Value = Window> {
    (1u64..25, 1u64..25).prop_map(|(a, b)| Window::Hopping { size: a.max(b), slide: a.min(b) })
}

proptest! {
    #[test]
    fn tumbling_windows(size in 1u64..30, steps in steps(0)) {
        compare(Window::Tumbling(size), 0, &steps)?;
    }

    #[test]
    fn tumbling_windows_and_late_rows(size in 1u64..30, steps in steps(40)) {
        compare(Window::Tumbling(size), 40, &steps)?;
    }

    #[test]
    fn hopping_windows(window in hopping(), steps in steps(0)) {
        compare(window, 0, &steps)?;
    }

    #[test]
    fn hopping_windows_and_late_rows(window in hopping(), steps in steps(40)) {
        compare(window, 40, &steps)?;
    }

    #[test]
    fn sessions(gap in 1u64..15, steps in steps(0)) {
        compare(Window::Session(gap), 0, &steps)?;
    }

    #[test]
    fn sessions_and_late_rows(gap in 1u64..15, steps in steps(40)) {
        compare(Window::Session(gap), 40, &steps)?;
    }
}
