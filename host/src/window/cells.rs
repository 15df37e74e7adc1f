//! From running values to the cells of a row.

use std::fmt::Write;

use super::exact::variance;
use super::extremes::unordered;
use super::lane::{LaneState, Latest};
use super::plan::{Cell, Lane, LaneKind, Plan};
use crate::columns::{Builder, ColumnBuilder, Kind};

/// Where the cells of a row go. Those of custom folds are left out; they come from the fold.
#[derive(Debug)]
pub struct Cells<'a>(pub &'a mut Builder);

impl Cells<'_> {
    /// `before`: for each lane of kind latest its newest entry before the row at `time`; empty, where there
    /// are no such lanes.
    pub fn write(&mut self, plan: &Plan, lanes: &[LaneState], before: &[Option<Latest>], time: i64) {
        for (index, cell) in plan.cells.iter().enumerate() {
            let column = self.0.column(index);
            match *cell {
                Cell::Count(lane) => column.push_int(count(&lanes[lane]).cast_signed()),
                Cell::IntSum(lane) => column.push_int(clamp(int_sum(&lanes[lane]))),
                Cell::FloatSum(lane) => column.push_float(float_sum(&lanes[lane])),
                Cell::Mean { count: n, sum } => push(column, mean(count(&lanes[n]), &lanes[sum])),
                Cell::Variance { count: n, sum, squares } => {
                    push(column, spread(count(&lanes[n]), &lanes[sum], &lanes[squares]));
                }
                Cell::Extreme(lane) => push_order(column, plan, lane, &lanes[lane]),
                Cell::Latest(lane) => push_word(column, before[lane].map(|latest| latest.word)),
                Cell::SinceLatest(lane) => match before[lane] {
                    Some(latest) => column.push_int(time.saturating_sub(latest.time)),
                    None => column.push_null(),
                },
                Cell::Distinct(lane) => column.push_int(distinct(&lanes[lane]).cast_signed()),
                Cell::Quantile { lane, q } => push(column, quantile(&lanes[lane], q)),
                Cell::DecayedMean(lane) => push(column, decayed_mean(&lanes[lane])),
                Cell::TopK { lane, k } => match top(plan, &plan.lanes[lane], &lanes[lane], k) {
                    Some(list) => column.push_bytes(list.as_bytes()),
                    None => column.push_null(),
                },
                Cell::Custom(_) => {}
            }
        }
    }
}

fn count(state: &LaneState) -> u64 {
    let LaneState::Count(count) = state else { foreign() };
    *count
}

fn int_sum(state: &LaneState) -> i128 {
    let LaneState::IntSum(sum) = state else { foreign() };
    **sum
}

fn float_sum(state: &LaneState) -> f64 {
    let LaneState::Float(sum) = state else { foreign() };
    sum.value()
}

fn distinct(state: &LaneState) -> u64 {
    let LaneState::Distinct(distinct) = state else { foreign() };
    distinct.estimate()
}

fn quantile(state: &LaneState, q: f64) -> Option<f64> {
    let LaneState::Quantile(quantiles) = state else { foreign() };
    quantiles.quantile(q)
}

fn decayed_mean(state: &LaneState) -> Option<f64> {
    let LaneState::Decayed(decayed) = state else { foreign() };
    decayed.mean()
}

/// The most frequent values as a JSON array.
fn top(plan: &Plan, lane: &Lane, state: &LaneState, k: u32) -> Option<String> {
    let LaneState::Frequencies(frequencies) = state else { foreign() };
    let kind = lane.column.map_or(Kind::Int, |column| plan.layout_of(lane).kept[column].kind);
    let mut list = String::new();
    for (value, _) in frequencies.top().take(k as usize) {
        list.push(if list.is_empty() { '[' } else { ',' });
        write_json(kind, value, &mut list);
    }
    (!list.is_empty()).then(|| list + "]")
}

/// JSON has no infinite numbers.
fn write_json(kind: Kind, value: i64, into: &mut String) {
    // The shortest digits that read as the same number, of a single as the same single.
    let written = match kind {
        Kind::Boolean => write!(into, "{}", value == 1),
        Kind::Float | Kind::Single if !unordered(value).is_finite() => write!(into, "null"),
        Kind::Float => write!(into, "{:?}", unordered(value)),
        Kind::Single => write!(into, "{:?}", unordered(value) as f32),
        _ => write!(into, "{value}"),
    };
    written.expect("a string takes all that is written");
}

fn foreign() -> ! {
    unreachable!("a cell names lanes of its own kind")
}

fn mean(count: u64, sum: &LaneState) -> Option<f64> {
    let sum = match sum {
        LaneState::IntSum(sum) => **sum as f64,
        sum => float_sum(sum),
    };
    (count > 0).then(|| sum / count as f64)
}

fn spread(count: u64, sum: &LaneState, squares: &LaneState) -> Option<f64> {
    match (sum, squares) {
        (LaneState::Float(sum), LaneState::Float(squares)) if count > 0 => {
            Some(variance(count, sum, squares))
        }
        _ => None,
    }
}

/// An int sum beyond 64 bits stays at the bound.
fn clamp(sum: i128) -> i64 {
    sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

fn push(column: &mut ColumnBuilder, value: Option<f64>) {
    match value {
        Some(value) => column.push_float(value),
        None => column.push_null(),
    }
}

fn push_order(column: &mut ColumnBuilder, plan: &Plan, lane: usize, state: &LaneState) {
    let LaneState::Extremes(extremes) = state else { foreign() };
    let greatest = plan.lanes[lane].kind == LaneKind::Greatest;
    let order = extremes.least().map(|order| if greatest { !order } else { order });
    match (order, column.kind()) {
        (None, _) => column.push_null(),
        (Some(order), Kind::Float) => column.push_float(unordered(order)),
        (Some(order), _) => column.push_int(order),
    }
}

fn push_word(column: &mut ColumnBuilder, word: Option<u64>) {
    match (word, column.kind()) {
        (None, _) => column.push_null(),
        (Some(word), Kind::Float) => column.push_float(f64::from_bits(word)),
        (Some(word), _) => column.push_int(word.cast_signed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_values_are_json() {
        let json = |kind, value| {
            let mut text = String::new();
            write_json(kind, value, &mut text);
            text
        };
        let float = super::super::extremes::ordered;
        assert_eq!(json(Kind::Int, -7), "-7");
        assert_eq!(json(Kind::Time, 1_700_000_000_000), "1700000000000");
        assert_eq!((json(Kind::Boolean, 1), json(Kind::Boolean, 0)), ("true".into(), "false".into()));
        assert_eq!(json(Kind::Float, float(0.1)), "0.1");
        assert_eq!(json(Kind::Single, float(f64::from(0.1f32))), "0.1");
        assert_eq!(json(Kind::Float, float(1e300)), "1e300");
        assert_eq!(json(Kind::Float, float(-2.0)), "-2.0");
        assert_eq!(json(Kind::Float, float(f64::NEG_INFINITY)), "null");
    }
}
