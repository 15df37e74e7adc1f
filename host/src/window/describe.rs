//! What a key's running values are, for people to read: names and values.

use super::extremes::unordered;
use super::lane::{LaneState, Latest};
use super::plan::{Lane, LaneKind, Layout, Plan, is_float};

/// Of many values the most frequent ones alone are shown.
const SHOWN: usize = 5;

/// A line for each lane, its name with something before it.
pub fn lanes<'a>(
    plan: &'a Plan,
    states: &'a [LaneState],
    before: &'a str,
) -> impl Iterator<Item = (String, String)> + 'a {
    plan.lanes.iter().zip(states).map(move |(lane, state)| {
        (format!("{before}{}", name(plan, lane)), value(lane, plan.layout_of(lane), state))
    })
}

fn name(plan: &Plan, lane: &Lane) -> String {
    let (span, kept) = (plan.spans[lane.span], &plan.layout_of(lane).kept);
    let part = |word: &str, column: Option<usize>| {
        column.map_or(String::new(), |column| format!(" {word} {}", kept[column].name))
    };
    let (of, when) = (part("of", lane.column), part("where", lane.filter));
    format!("input {}, {}: {}{of}{when}", span.input, span.kind, lane.kind.name())
}

fn value(lane: &Lane, layout: &Layout, state: &LaneState) -> String {
    let float = lane.column.is_some_and(|column| is_float(layout.kept[column].kind));
    let order = |order: i64| {
        let order = if lane.kind == LaneKind::Greatest { !order } else { order };
        if float { unordered(order).to_string() } else { order.to_string() }
    };
    let none = || "none".to_owned();
    match state {
        LaneState::Count(count) => count.to_string(),
        LaneState::IntSum(sum) => sum.to_string(),
        LaneState::Float(sum) => sum.value().to_string(),
        LaneState::Extremes(extremes) => extremes.least().map_or_else(none, order),
        LaneState::Latest(Some(Latest { time, word })) if float => {
            format!("{} at {time}", f64::from_bits(*word))
        }
        LaneState::Latest(Some(Latest { time, word })) => format!("{} at {time}", word.cast_signed()),
        LaneState::Latest(None) => none(),
        LaneState::Distinct(distinct) => distinct.estimate().to_string(),
        LaneState::Quantile(quantiles) => match [0.0, 0.5, 1.0].map(|q| quantiles.quantile(q)) {
            [Some(least), Some(middle), Some(greatest)] => {
                format!("{least} to {greatest}, half below {middle}")
            }
            _ => none(),
        },
        LaneState::Decayed(decayed) => decayed.mean().map_or_else(none, |mean| mean.to_string()),
        LaneState::Frequencies(frequencies) => {
            let top = frequencies.top().take(SHOWN);
            let top: Vec<String> = top.map(|(value, count)| format!("{} {count}x", order(value))).collect();
            if top.is_empty() { none() } else { top.join(", ") }
        }
    }
}
