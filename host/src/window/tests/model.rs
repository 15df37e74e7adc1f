//! What a row sees, found anew from the list of all events.

use super::*;

/// What windows of a row at `time` hold of one input, by rising time: `events` are all so far, in order
/// of arrival, the row itself being the last one.
pub fn window(events: &[Event], input: usize, window: Window, time: i64) -> Vec<Event> {
    let mut seen: Vec<Event> = events.iter().copied().filter(|event| event.input == input).collect();
    if window == Window::Forever {
        return seen;
    }
    seen.retain(|event| event.time <= time);
    seen.sort_by_key(|event| event.time);
    let from = match window {
        Window::Sliding(size) => later(&seen, time - size as i64 + 1),
        Window::Tumbling(size) => later(&seen, oldest_start(time, size, size)),
        Window::Hopping { size, slide } => later(&seen, oldest_start(time, size, slide)),
        Window::Session(gap) => {
            let (mut first, mut next) = (seen.len(), time);
            while first > 0 && next - seen[first - 1].time <= gap as i64 {
                first -= 1;
                next = seen[first].time;
            }
            first
        }
        Window::Last(rows) => seen.len() - seen.len().min(rows as usize),
        Window::Forever => 0,
    };
    seen.split_off(from)
}

fn later(seen: &[Event], start: i64) -> usize {
    seen.iter().filter(|event| event.time < start).count()
}

fn oldest_start(time: i64, size: u64, slide: u64) -> i64 {
    let holds = |start: &i64| start % slide as i64 == 0 && start + size as i64 > time;
    (time - size as i64..=time).find(holds).expect("a window holds every time")
}

/// The value that an aggregate sees of an event.
fn value(event: &Event, aggregate: &Aggregate) -> Option<f64> {
    if aggregate.filter.is_some() && !event.declined {
        return None;
    }
    match aggregate.column {
        Some(0) => Some(event.amount).filter(|amount| !amount.is_nan()),
        Some(1) => event.items.map(|items| items as f64),
        Some(2) => Some(f64::from(u8::from(event.declined))),
        Some(3) => event.city.map(|city| city as f64),
        _ => Some(0.0),
    }
}

/// What an aggregate should be: a number, or a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    Null,
    Number(f64),
    /// With an error of at most that much.
    About(f64, f64),
    Text(String),
}

/// The cell of an aggregate for the last of the events.
pub fn cell(events: &[Event], aggregate: &Aggregate) -> Expected {
    let (row, before) = events.split_last().expect("a row");
    let input = aggregate.input as usize;
    let mut entries = window(events, input, aggregate.window, row.time);
    if matches!(aggregate.fold, Fold::Latest | Fold::SinceLatest) {
        if aggregate.window == Window::Forever {
            entries = window(before, input, aggregate.window, row.time);
        } else if input == 0 {
            entries.pop(); // the row itself
        }
        return latest(&entries, aggregate, row.time);
    }
    let seen: Vec<(i64, f64)> =
        entries.iter().filter_map(|event| Some((event.time, value(event, aggregate)?))).collect();
    let values: Vec<f64> = seen.iter().map(|(_, value)| *value).collect();
    let n = values.len() as f64;
    let sum: f64 = values.iter().sum();
    let some = |value: f64| if n > 0.0 { Expected::Number(value) } else { Expected::Null };
    match aggregate.fold {
        Fold::Count => Expected::Number(n),
        Fold::Sum => Expected::Number(sum),
        Fold::Mean => some(sum / n),
        Fold::Variance => some(values.iter().map(|value| (value - sum / n).powi(2)).sum::<f64>() / n),
        Fold::Min => some(values.iter().copied().fold(f64::INFINITY, f64::min)),
        Fold::Max => some(values.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        Fold::Distinct => {
            let mut different = values;
            different.sort_by(f64::total_cmp);
            different.dedup();
            let n = different.len() as f64;
            Expected::About(n, if n < 8.0 { 0.0 } else { 1.0 })
        }
        Fold::Quantile(_) if values.is_empty() => Expected::Null,
        Fold::Quantile(q) => {
            let mut rising = values;
            rising.sort_by(f64::total_cmp);
            let value = rising[(q * (n - 1.0)).floor() as usize];
            Expected::About(value, value.abs() / 100.0)
        }
        Fold::DecayedMean(half_life) => {
            let weight = |time: i64| (-((row.time - time) as f64) / half_life as f64).exp2();
            let weights: f64 = seen.iter().map(|(time, _)| weight(*time)).sum();
            some(seen.iter().map(|(time, value)| weight(*time) * value).sum::<f64>() / weights)
        }
        Fold::TopK(k) => top(values, k as usize, aggregate.column == Some(0)),
        Fold::Latest | Fold::SinceLatest | Fold::Custom(_) => unreachable!("answered elsewhere"),
    }
}

/// Of two values that are as frequent the smaller one is first.
fn top(mut values: Vec<f64>, k: usize, float: bool) -> Expected {
    values.sort_by(f64::total_cmp);
    let mut runs: Vec<&[f64]> = values.chunk_by(|one, other| one == other).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
    let write = |run: &&[f64]| if float { format!("{:?}", run[0]) } else { format!("{}", run[0]) };
    let list: Vec<String> = runs.iter().take(k).map(write).collect();
    if list.is_empty() { Expected::Null } else { Expected::Text(format!("[{}]", list.join(","))) }
}

fn latest(entries: &[Event], aggregate: &Aggregate, time: i64) -> Expected {
    // Of one time the one that arrived last.
    let counting = entries.iter().filter(|event| value(event, aggregate).is_some());
    let latest = counting.max_by_key(|event| event.time).filter(|latest| latest.time <= time);
    match latest {
        None => Expected::Null,
        Some(latest) if aggregate.fold == Fold::SinceLatest => Expected::Number((time - latest.time) as f64),
        Some(latest) => value(latest, aggregate).map_or(Expected::Null, Expected::Number),
    }
}
