//! Every fold and window against a model that recomputes from a list of all events.

mod converting;
mod customs;
pub mod frozen;
mod memory;
mod model;
mod planning;
mod rows;
mod unions;
mod weight;

use proptest::prelude::*;

use super::*;
use crate::columns::{Column, Kind};
use crate::contract::{Aggregate, FeaturesDescription, Fold, Input, Trigger, Window};

const WINDOWS: [Window; 11] = [
    Window::Sliding(5),
    Window::Sliding(20),
    Window::Tumbling(8),
    Window::Hopping { size: 12, slide: 4 },
    Window::Hopping { size: 10, slide: 7 },
    Window::Session(3),
    Window::Session(6),
    Window::Last(1),
    Window::Last(4),
    Window::Last(11),
    Window::Forever,
];

/// Two inputs that keep a float, a nullable int, a boolean and a nullable text.
fn description(aggregates: Vec<Aggregate>) -> FeaturesDescription {
    let columns = vec![
        Column::new("amount", Kind::Float),
        Column::nullable("items", Kind::Int),
        Column::new("declined", Kind::Boolean),
        Column::nullable("city", Kind::Text),
    ];
    let input = Input { source: String::new(), updates_only: false, columns, kept: vec![0, 1, 2, 3] };
    FeaturesDescription {
        inputs: vec![input.clone(), Input { source: "labels".to_owned(), updates_only: true, ..input }],
        lookups: Vec::new(),
        aggregates,
        custom_folds: Vec::new(),
        trigger: Trigger::Row,
        features: Vec::new(),
        ids: Vec::new(),
    }
}

fn aggregate(fold: Fold, window: Window) -> Aggregate {
    Aggregate { name: "x".to_owned(), input: 0, fold, column: Some(0), filter: None, window }
}

/// A row of one of the inputs.
#[derive(Clone, Copy, Debug)]
struct Event {
    input: usize,
    time: i64,
    amount: f64,
    items: Option<i64>,
    declined: bool,
    city: Option<u64>,
}

impl Event {
    fn words(&self, plan: &Plan) -> Vec<u64> {
        let InputPlan { layout, kept_from, .. } = &plan.inputs[self.input];
        let value = |name: &str| match name {
            "amount" => Some(self.amount.to_bits()),
            "items" => self.items.map(i64::cast_unsigned),
            "declined" => Some(u64::from(self.declined)),
            _ => self.city,
        };
        let kept = layout.kept.iter().zip(kept_from);
        let kept = kept.map(|(column, from)| from.and_then(|_| value(&column.name)));
        let kept: Vec<_> = kept.map(|value| (value.unwrap_or(f64::NAN.to_bits()), value.is_some())).collect();
        let mut words = vec![self.time.cast_unsigned()];
        words.extend(kept.iter().map(|(word, _)| word));
        words.push((0..).zip(&kept).map(|(index, (_, valid))| u64::from(*valid) << index).sum());
        words.resize(layout.stride, 0);
        words
    }
}

/// An event, and whether the horizon moves on before it.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    horizon: Option<i64>,
    event: Event,
}

/// Events whose times differ by `steps` from one to the next, some of them up to `back` late, but never
/// before a horizon.
fn arrivals(steps: std::ops::Range<i64>, back: i64, count: usize) -> impl Strategy<Value = Vec<Arrival>> {
    let time = prop_oneof![3 => steps, 1 => Just(0)];
    let amount =
        prop_oneof![19 => (0i64..40).prop_map(|quarters| quarters as f64 / 4.0), 1 => Just(f64::NAN)];
    let values = (amount, prop::option::of(-3i64..4), any::<bool>(), prop::option::of(0u64..6));
    let horizon = prop_oneof![3 => Just(None), 1 => (-6i64..30).prop_map(Some)];
    let back = prop_oneof![7 => Just(0), 1 => 0..=back];
    let step = (0..2usize, (time, back), values, horizon);
    prop::collection::vec(step, 1..count).prop_map(|list| {
        let (mut time, mut floor) = (0, i64::MIN);
        let next =
            |(input, (step, back), (amount, items, declined, city), lag): (_, (i64, i64), _, Option<i64>)| {
                let horizon = lag.map(|lag| time - lag);
                floor = floor.max(horizon.unwrap_or(i64::MIN));
                time = (time + step).max(floor);
                let late = (time - back).max(floor);
                Arrival { horizon, event: Event { input, time: late, amount, items, declined, city } }
            };
        list.into_iter().map(next).collect()
    })
}
