//! Windows that fire on close: what the host remembers of one key, and which windows come out when.
//!
//! A window [start, start + size) closes when the watermark is at its end, a session when the watermark is
//! later than its last entry by more than the gap. Only windows that hold an entry, of any input, come out,
//! in order of (end, start), first with revision 0. A window that came out and is changed by a late row comes
//! out again at once, its revision raised by one. A late row that opens a window which is already due lets
//! it come out at once.
//!
//! A late row may make sessions one, or longer, so that the session is not due any more: then it comes out
//! again when it closes. Its revision is one above the largest of those sessions' that had come out, and 0
//! if none had.
//!
//! No entries are kept, only running values of panes or of sessions. Cost of an entry: its place, found by
//! halving, and a step a lane. Cost of a window that closes: amortised, two merges and two unmerges a lane at
//! most, whatever the size and the slide; none, if one pane is all there is. A window that comes out again
//! costs as much, but min and max then look at each pane of one window that the row changed. Bytes: the lanes
//! of each pane (there are at most two a slide, and never more than entries) or session that a row may still
//! change, and the lanes of one window beside.

mod grid;
mod lanes;
mod panes;
mod sessions;

use super::cells::Cells;
use super::describe;
use super::plan::{Plan, SpanKind};
use crate::bytes::Reader;
use crate::columns::Builder;
use lanes::Lanes;
use panes::Panes;
use sessions::Sessions;

/// Windows that came out.
#[derive(Debug)]
pub struct Closed {
    /// Start, end and revision of each. The end of a session is the time of its last entry.
    pub windows: Vec<(i64, i64, u32)>,
    /// A row each: [`Plan::columns`].
    pub cells: Builder,
}

impl Closed {
    pub fn new(plan: &Plan) -> Self {
        Self { windows: Vec::new(), cells: Builder::new(plan.columns.as_slice().into()) }
    }

    fn push(&mut self, plan: &Plan, (start, end, revision): (i64, i64, u32), lanes: &Lanes) {
        self.windows.push((start, end, revision));
        Cells(&mut self.cells).write(plan, lanes.states(), &[], end);
        self.cells.finish_row();
    }
}

/// What the host remembers of a key of a stage that fires on close.
#[derive(Clone, Debug)]
pub struct Closing(Windows);

#[derive(Clone, Debug)]
enum Windows {
    Panes(Panes),
    Sessions(Sessions),
}

impl Closing {
    /// The plan has a closing window.
    pub fn new(plan: &Plan) -> Self {
        Self(match plan.closing {
            Some(SpanKind::Hopping { .. }) => Windows::Panes(Panes::new()),
            Some(SpanKind::Session(_)) => Windows::Sessions(Sessions::new()),
            _ => unreachable!("a plan has no other window that closes"),
        })
    }

    /// Takes an entry of an input in. `watermark`: as of before it. Windows that it changes and that had come
    /// out already, or are due, are appended to `out`; and first those that are due at this watermark, as
    /// [`Self::close`] does.
    pub fn admit(&mut self, plan: &Plan, input: usize, entry: &[u64], watermark: i64, out: &mut Closed) {
        match &mut self.0 {
            Windows::Panes(panes) => panes.admit(plan, input, entry, watermark, out),
            Windows::Sessions(sessions) => sessions.admit(plan, input, entry, watermark, out),
        }
    }

    /// The earliest watermark at which a window closes next.
    pub fn due(&self, plan: &Plan) -> Option<i64> {
        match &self.0 {
            Windows::Panes(panes) => panes.due(plan),
            Windows::Sessions(sessions) => sessions.due(plan),
        }
    }

    /// Lets every window come out that closes at this watermark, in order of (end, start).
    pub fn close(&mut self, plan: &Plan, watermark: i64, out: &mut Closed) {
        match &mut self.0 {
            Windows::Panes(panes) => panes.close(plan, watermark, out),
            Windows::Sessions(sessions) => sessions.close(plan, watermark, out),
        }
    }

    /// Drops what no entry at or after `horizon` can change, but for windows that have yet to come out.
    pub fn forget(&mut self, plan: &Plan, horizon: i64) {
        match &mut self.0 {
            Windows::Panes(panes) => panes.forget(plan, horizon),
            Windows::Sessions(sessions) => sessions.forget(plan, horizon),
        }
    }

    /// Once the horizon is beyond this time and all windows have come out, nothing is left. None: nothing is
    /// now.
    pub fn expiry(&self, plan: &Plan) -> Option<i64> {
        match &self.0 {
            Windows::Panes(panes) => panes.expiry(plan),
            Windows::Sessions(sessions) => sessions.expiry(plan),
        }
    }

    /// Nothing is left: the key may be dropped.
    pub fn is_empty(&self) -> bool {
        self.panes() == 0
    }

    /// Appends all that is remembered of the key: see [`super::frozen`].
    pub fn freeze(&self, into: &mut Vec<u8>) {
        match &self.0 {
            Windows::Panes(panes) => panes.freeze(into),
            Windows::Sessions(sessions) => sessions.freeze(into),
        }
    }

    /// None: that was never frozen, or it was damaged.
    pub fn thaw(plan: &Plan, reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self(match Self::new(plan).0 {
            Windows::Panes(_) => Windows::Panes(Panes::thaw(plan, reader)?),
            Windows::Sessions(_) => Windows::Sessions(Sessions::thaw(plan, reader)?),
        }))
    }

    /// For people to read: names and values, times in milliseconds.
    pub fn describe(&self, plan: &Plan) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        let mut parts = |name: String, lanes: &Lanes| {
            lines.extend(describe::lanes(plan, lanes.states(), &format!("{name}, ")));
        };
        match &self.0 {
            Windows::Panes(panes) => panes.each(plan, |(start, end), lanes| {
                parts(format!("pane from {start} to {end}"), lanes);
            }),
            Windows::Sessions(sessions) => sessions.each(|(first, last, revision), lanes| {
                parts(format!("session from {first} to {last}, next revision {revision}"), lanes);
            }),
        }
        if let Windows::Panes(panes) = &self.0 {
            lines.extend(panes.revised(plan).map(|(start, end, revision)| {
                (format!("window from {start} to {end}"), format!("came out with revision {revision}"))
            }));
        }
        lines
    }

    /// Bytes held, this struct included.
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + match &self.0 {
                Windows::Panes(panes) => panes.size(),
                Windows::Sessions(sessions) => sessions.size(),
            }
    }

    /// Bytes of panes or sessions with one more, by lengths alone: the same for all states that took in the same.
    pub fn weight_at_most(&self, plan: &Plan) -> usize {
        match &self.0 {
            Windows::Panes(panes) => panes.weight() + Panes::weight_of_one(plan),
            Windows::Sessions(sessions) => sessions.weight() + Sessions::weight_of_one(plan),
        }
    }

    /// Bytes of panes or sessions with one more entry, without those that no entry at or after `horizon` can change.
    pub fn weight_with(&self, plan: &Plan, time: i64, horizon: i64) -> usize {
        match &self.0 {
            Windows::Panes(panes) => {
                panes.weight() + panes.weight_opened(plan, time) - panes.weight_gone(plan, horizon)
            }
            Windows::Sessions(sessions) => {
                sessions.weight() + sessions.weight_opened(plan, time) - sessions.weight_gone(plan, horizon)
            }
        }
    }

    /// Panes or sessions held.
    pub fn panes(&self) -> usize {
        match &self.0 {
            Windows::Panes(panes) => panes.len(),
            Windows::Sessions(sessions) => sessions.len(),
        }
    }
}

#[cfg(test)]
mod tests;
