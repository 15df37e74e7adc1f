//! How much a key's windows hold, for a limit.
//!
//! It is counted by lengths alone, a few steps a lane: entries, what running values have of single ones, and registers.
//! So it is the same wherever the same rows came, also after a restart; what memory there is to grow does not count, nor
//! what every key has.

use super::History;
use crate::window::plan::{Plan, SpanKind};

impl History {
    /// Bytes with one more row of an input.
    pub fn weight_with(&self, plan: &Plan, input: usize) -> usize {
        let row = if plan.keeps_entries(input) { plan.inputs[input].layout.stride } else { 0 };
        let entries = self.entries.iter().zip(&plan.inputs);
        let words =
            row + entries.map(|(entries, of)| entries.len(&of.layout) * of.layout.stride).sum::<usize>();
        let lanes = self.lanes.iter().map(|lane| lane.weight()).sum::<usize>();
        let registers = self.registers.iter().zip(&plan.customs);
        words * size_of::<u64>()
            + lanes
            + registers.map(|(one, of)| one.weight(of, usize::MAX)).sum::<usize>()
    }

    /// The same without what no row at or after `horizon` can see, though it may be held until the key's next row.
    pub fn weight_at(&self, plan: &Plan, input: usize, horizon: i64) -> usize {
        let live: Vec<usize> =
            (0..plan.spans.len()).map(|span| self.first_live(plan, span, horizon)).collect();
        let mut words = if plan.keeps_entries(input) { plan.inputs[input].layout.stride } else { 0 };
        for (index, of) in plan.inputs.iter().enumerate().filter(|(index, _)| plan.keeps_entries(*index)) {
            let spans = plan.spans.iter().zip(&live);
            let own = spans.filter(|(span, _)| span.input == index && span.kind != SpanKind::Forever);
            let first = own.map(|(_, first)| *first).min().unwrap_or_default();
            words += (self.entries[index].len(&of.layout) - first) * of.layout.stride;
        }
        // Of a window at most those entries that are both in it and still to be seen.
        let left = |span: usize| match plan.spans[span].kind {
            SpanKind::Forever => usize::MAX,
            _ => {
                let window = self.cursors[span].window();
                window.end.saturating_sub(window.start.max(live[span]))
            }
        };
        let lanes = self.lanes.iter().zip(&plan.lanes).map(|(state, lane)| state.weight_of(left(lane.span)));
        let registers =
            self.registers.iter().zip(&plan.customs).map(|(one, of)| one.weight(of, left(of.span)));
        words * size_of::<u64>() + lanes.sum::<usize>() + registers.sum::<usize>()
    }

    /// Index of the first entry that a row at or after `horizon` can see through a span.
    fn first_live(&self, plan: &Plan, span: usize, horizon: i64) -> usize {
        let of = plan.spans[span];
        let (entries, layout) = (&self.entries[of.input], &plan.inputs[of.input].layout);
        // What is found out on the way stays in the copy.
        let mut cursor = self.cursors[span];
        let (mut low, mut high) = (0, entries.len(layout));
        while low < high {
            let middle = low.midpoint(high);
            if cursor.is_gone(of.kind, entries, layout, middle, horizon) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        low
    }
}
