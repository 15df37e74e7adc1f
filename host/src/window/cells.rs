//! From running values to the cells of a row.

use super::exact::variance;
use super::extremes::unordered;
use super::lane::{LaneState, Latest};
use super::plan::{Cell, LaneKind, Plan};
use crate::columns::{Builder, ColumnBuilder, Kind};

/// Where the cells of a row go. Those of custom folds are left out; they come from the fold.
#[derive(Debug)]
pub struct Cells<'a>(pub &'a mut Builder);

impl Cells<'_> {
    /// `before`: for each lane of kind latest its newest entry before the row at `time`.
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
                _ => {}
            }
        }
    }
}

fn count(state: &LaneState) -> u64 {
    match state {
        LaneState::Count(count) => *count,
        _ => unreachable!("a cell names lanes of its own kind"),
    }
}

fn int_sum(state: &LaneState) -> i128 {
    match state {
        LaneState::IntSum(sum) => **sum,
        _ => unreachable!("a cell names lanes of its own kind"),
    }
}

fn float_sum(state: &LaneState) -> f64 {
    match state {
        LaneState::Float(sum) => sum.value(),
        _ => unreachable!("a cell names lanes of its own kind"),
    }
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
    let LaneState::Extremes(extremes) = state else { unreachable!("a cell names lanes of its own kind") };
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
