//! What comes out, recomputed from all events: no panes, no running values, nothing is forgotten.

use std::collections::BTreeMap;

use super::{Event, Kind};
use crate::contract::{Aggregate, Fold, Window};

/// A window as it came out: start, end, revision, and which events are in it, in order of arrival.
pub type Out = (i64, i64, u32, Vec<usize>);

#[derive(Default)]
pub struct Model {
    pub events: Vec<Event>,
    /// Of hopping windows by start, the revision that came out last.
    revisions: BTreeMap<i64, u32>,
    /// Sessions as they came out last, and with which revision.
    sessions: Vec<(Vec<usize>, u32)>,
}

impl Model {
    /// Takes an event in, or none, and lets come out what is due at a watermark.
    pub fn step(&mut self, window: Window, event: Option<Event>, watermark: i64) -> Vec<Out> {
        let changed = event.map(|event| {
            self.events.push(event);
            event.time
        });
        match window {
            Window::Session(gap) => self.step_sessions(gap as i64, watermark),
            Window::Tumbling(size) => self.step_hopping(size as i64, size as i64, changed, watermark),
            Window::Hopping { size, slide } => {
                self.step_hopping(size as i64, slide as i64, changed, watermark)
            }
            _ => unreachable!("not tested here"),
        }
    }

    fn step_hopping(&mut self, size: i64, slide: i64, changed: Option<i64>, watermark: i64) -> Vec<Out> {
        let Some(oldest) = self.events.iter().map(|event| event.time).min() else { return Vec::new() };
        let newest = self.events.iter().map(|event| event.time).max().unwrap_or_default();
        let starts = (oldest - size..=newest).filter(|start| start.rem_euclid(slide) == 0);
        let mut out = Vec::new();
        for start in starts.filter(|start| start + size <= watermark) {
            let holds = |time: i64| start <= time && time < start + size;
            let held: Vec<usize> =
                (0..self.events.len()).filter(|index| holds(self.events[*index].time)).collect();
            let revision = match self.revisions.get(&start) {
                None => 0,
                Some(revision) if changed.is_some_and(holds) => revision + 1,
                Some(_) => continue,
            };
            if !held.is_empty() {
                self.revisions.insert(start, revision);
                out.push((start, start + size, revision, held));
            }
        }
        out
    }

    fn step_sessions(&mut self, gap: i64, watermark: i64) -> Vec<Out> {
        let mut order: Vec<usize> = (0..self.events.len()).collect();
        order.sort_by_key(|index| self.events[*index].time);
        let time = |index: &usize| self.events[*index].time;
        let mut out = Vec::new();
        for session in order.chunk_by(|a, b| time(b) - time(a) <= gap) {
            let (start, end) = (time(&session[0]), time(&session[session.len() - 1]));
            let mut held = session.to_vec();
            held.sort_unstable();
            let known = self.sessions.iter().any(|(before, _)| *before == held);
            if end + gap >= watermark || known {
                continue;
            }
            let joined = self.sessions.iter().filter(|(before, _)| before.iter().any(|i| held.contains(i)));
            let revision = joined.map(|(_, revision)| revision + 1).max().unwrap_or(0);
            self.sessions.push((held.clone(), revision));
            out.push((start, end, revision, held));
        }
        out
    }

    /// The cell of an aggregate over some events.
    pub fn cell(&self, aggregate: &Aggregate, held: &[usize]) -> Cell {
        let held = held.iter().map(|index| self.events[*index]);
        let held = held.filter(|event| event.input == aggregate.input as usize);
        let held = held.filter(|event| aggregate.filter.is_none() || event.declined);
        let values: Vec<(i64, f64)> = held
            .filter_map(|event| Some((event.time, event.value(aggregate.column)?)))
            .filter(|(_, value)| !value.is_nan())
            .collect();
        let n = values.len() as f64;
        let sum: f64 = values.iter().map(|(_, value)| value).sum();
        let mut sorted: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
        sorted.sort_by(f64::total_cmp);
        let mut different = sorted.clone();
        different.dedup();
        let some = |value: f64| if n > 0.0 { Cell::Near(value, 1e-9) } else { Cell::Null };
        match aggregate.fold {
            Fold::Count => Cell::Near(n, 0.0),
            Fold::Sum => Cell::Near(sum, 1e-9),
            Fold::Distinct => Cell::Near(different.len() as f64, 0.0),
            Fold::Mean => some(sum / n),
            Fold::Variance => {
                some(values.iter().map(|(_, value)| (value - sum / n).powi(2)).sum::<f64>() / n)
            }
            _ if values.is_empty() => Cell::Null,
            Fold::Min => Cell::Near(sorted[0], 0.0),
            Fold::Max => Cell::Near(sorted[sorted.len() - 1], 0.0),
            Fold::Quantile(q) => {
                let exact = sorted[(q * (n - 1.0)).floor() as usize];
                Cell::Near(exact, exact.abs() / 100.0)
            }
            Fold::DecayedMean(half_life) => {
                let weight = |time: i64| (time as f64 / half_life as f64).exp2();
                let weights: f64 = values.iter().map(|(time, _)| weight(*time)).sum();
                some(values.iter().map(|(time, value)| weight(*time) * value).sum::<f64>() / weights)
            }
            Fold::TopK(k) => {
                let times = |value: f64| sorted.iter().filter(|other| **other == value).count();
                different.sort_by_key(|value| std::cmp::Reverse(times(*value)));
                let json = |value: &f64| match aggregate.column {
                    Some(0) => format!("{value:?}"),
                    _ => format!("{value}"),
                };
                let list: Vec<String> = different.iter().take(k as usize).map(json).collect();
                Cell::Text(format!("[{}]", list.join(",")))
            }
            _ => unreachable!("not tested here"),
        }
    }
}

/// What is expected of a cell.
#[derive(Debug)]
pub enum Cell {
    Null,
    /// A number, and how far off it may be.
    Near(f64, f64),
    Text(String),
}

impl Cell {
    pub fn is(&self, view: crate::columns::View<'_>, row: usize) -> bool {
        match self {
            Self::Null => !view.is_valid(row),
            Self::Near(..) | Self::Text(_) if !view.is_valid(row) => false,
            Self::Text(text) => view.bytes(row) == text.as_bytes(),
            Self::Near(value, off) => {
                let got = if view.kind() == Kind::Float { view.float(row) } else { view.int(row) as f64 };
                (got - value).abs() <= *off
            }
        }
    }
}
