//! When entries, and whole keys, are of no use any more.
//!
//! A horizon is a promise: no row older than it will come. So an entry that no row at or after the horizon
//! can see may go. That is never needed for what rows see, it only frees memory.
//!
//! What a window's running values hold stays until all of it may go, or until the next row of the key lets
//! them move on.

use super::History;
use crate::window::plan::{Plan, SpanKind};

impl History {
    /// Drops entries that no row at or after `horizon` can see. Cheap, where there are none.
    pub fn forget(&mut self, plan: &Plan, horizon: i64) {
        for input in 0..plan.inputs.len() {
            if plan.keeps_entries(input) && self.entries[input].len(&plan.inputs[input].layout) > 0 {
                self.forget_of(plan, input, horizon);
            }
        }
    }

    /// Once the horizon is beyond this moment, no row can see anything of this key, and it may be dropped.
    /// None: some window (forever, last n) never ends.
    pub fn expiry(&self, plan: &Plan) -> Option<i64> {
        let mut expiry = i64::MIN;
        for span in &plan.spans {
            let (entries, layout) = (&self.entries[span.input], &plan.inputs[span.input].layout);
            if matches!(span.kind, SpanKind::Last(_) | SpanKind::Forever) {
                return None;
            }
            if let Some(newest) = entries.len(layout).checked_sub(1) {
                expiry = expiry.max(span.kind.last_seen(entries.time(layout, newest))?);
            }
        }
        Some(expiry)
    }

    fn forget_of(&mut self, plan: &Plan, input: usize, horizon: i64) {
        let (entries, layout) = (&self.entries[input], &plan.inputs[input].layout);
        let kept = |kind: SpanKind| kind != SpanKind::Forever;
        let spans = || plan.spans.iter().enumerate().filter(|(_, of)| of.input == input && kept(of.kind));
        for (index, span) in spans() {
            let cursor = &mut self.cursors[index];
            let window = cursor.window();
            if !window.is_empty() && cursor.is_gone(span.kind, entries, layout, window.end - 1, horizon) {
                // Nothing is left of it: no need to take its entries away one by one.
                cursor.set(&(window.end..window.end));
                for (lane, state) in plan.lanes.iter().zip(&mut self.lanes).filter(|(of, _)| of.span == index)
                {
                    *state = lane.fresh();
                }
                for (custom, registers) in plan.customs.iter().zip(&mut self.registers) {
                    if custom.span == index {
                        registers.clear(window.end);
                    }
                }
            }
        }
        let mut gone = 0;
        while gone < entries.len(layout)
            && spans().all(|(index, span)| {
                let cursor = &mut self.cursors[index];
                let window = cursor.window();
                (window.is_empty() || gone < window.start)
                    && cursor.is_gone(span.kind, entries, layout, gone, horizon)
            })
        {
            gone += 1;
        }
        if gone == 0 {
            return;
        }
        self.entries[input].drop_front(layout, gone);
        for (index, _) in spans() {
            self.cursors[index].drop_front(gone);
        }
        for (custom, registers) in plan.customs.iter().zip(&mut self.registers) {
            if plan.spans[custom.span].input == input {
                registers.drop_front(gone);
            }
        }
    }
}
