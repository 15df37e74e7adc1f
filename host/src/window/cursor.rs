//! Where a window lies in its list of entries, as of some row, and which entries no row can see any more.

use std::ops::Range;

use super::entries::Entries;
use super::frozen::within;
use super::plan::{Layout, SpanKind};
use crate::bytes::{Reader, Write};

/// The entries of a window as of the newest row of its key: those that its lanes hold. Entries that came
/// later and lie to one side of it are taken in when the next row needs them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    first: u32,
    end: u32,
    /// Of a session: no row can see the entries before this one.
    dead: u32,
    /// Of a session: the entries from `dead` to this one belong together, and maybe more.
    linked: u32,
}

/// Where an entry lies that was put into the list. Only inside does it change the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Before,
    Inside,
    Behind,
}

impl Cursor {
    pub fn window(&self) -> Range<usize> {
        self.first as usize..self.end as usize
    }

    pub fn set(&mut self, window: &Range<usize>) {
        (self.first, self.end) = (window.start as u32, window.end as u32);
    }

    /// The window of a row at `time`. Costs the distance from this cursor, and for a session that lies
    /// elsewhere its entries.
    pub fn as_of(&self, kind: SpanKind, entries: &Entries, layout: &Layout, time: i64) -> Range<usize> {
        let end = entries.end_at(layout, self.end as usize, time);
        let first = match kind {
            SpanKind::Session(gap) => self.session(gap, entries, layout, time, end),
            SpanKind::Last(rows) => end.saturating_sub(rows as usize),
            kind => kind.bound(time).map_or(0, |bound| entries.end_at(layout, self.first as usize, bound)),
        };
        first..end
    }

    fn session(&self, gap: u64, entries: &Entries, layout: &Layout, time: i64, end: usize) -> usize {
        let (mut first, mut next) = (end, time);
        while first > 0 {
            let before = entries.time(layout, first - 1);
            if apart(before, next, gap) {
                break;
            }
            // The entries of this cursor belong together.
            first = if self.window().contains(&(first - 1)) { self.first as usize } else { first - 1 };
            next = entries.time(layout, first);
        }
        first
    }

    /// Makes room for an entry that was put at `place`.
    pub fn insert(&mut self, place: usize) -> Side {
        let place = place as u32;
        if place < self.dead {
            (self.dead, self.linked) = (self.dead + 1, self.linked + 1);
        } else if place == self.dead {
            self.linked = place;
        }
        if place >= self.end {
            return Side::Behind;
        }
        self.end += 1;
        if place <= self.first {
            self.first += 1;
            return Side::Before;
        }
        Side::Inside
    }

    /// Whether an entry is out of sight of all rows at `horizon` or later, and of all entries that may come.
    pub fn is_gone(
        &mut self,
        kind: SpanKind,
        entries: &Entries,
        layout: &Layout,
        index: usize,
        horizon: i64,
    ) -> bool {
        match kind {
            SpanKind::Forever => true,
            SpanKind::Last(rows) => {
                let newer = index + rows as usize;
                newer < entries.len(layout) && entries.time(layout, newer) <= horizon
            }
            SpanKind::Session(gap) => {
                while index >= self.dead as usize {
                    if !self.bury(gap, entries, layout, horizon) {
                        return false;
                    }
                }
                true
            }
            kind => kind.bound(horizon).is_some_and(|bound| entries.time(layout, index) <= bound),
        }
    }

    /// Puts `dead` behind the oldest session, if nothing can join it any more. Amortised: one step an entry.
    fn bury(&mut self, gap: u64, entries: &Entries, layout: &Layout, horizon: i64) -> bool {
        let time = |index: u32| entries.time(layout, index as usize);
        let len = entries.len(layout) as u32;
        while self.linked + 1 < len && !apart(time(self.linked), time(self.linked + 1), gap) {
            self.linked += 1;
        }
        if self.linked >= len || !apart(time(self.linked), horizon, gap) {
            return false;
        }
        self.dead = self.linked + 1;
        self.linked = self.dead;
        true
    }

    pub fn freeze(&self, into: &mut Vec<u8>) {
        [self.first, self.end, self.dead, self.linked]
            .iter()
            .for_each(|index| into.number(u64::from(*index)));
    }

    /// Of a list of so many entries.
    pub fn thaw(len: usize, reader: &mut Reader<'_>) -> Option<Self> {
        let mut index = || within(reader, len);
        let cursor = Self { first: index()?, end: index()?, dead: index()?, linked: index()? };
        (cursor.first <= cursor.end && cursor.dead <= cursor.linked).then_some(cursor)
    }

    /// The oldest entries of the list are gone; none of them lies in the window.
    pub fn drop_front(&mut self, count: usize) {
        let count = count as u32;
        for index in [&mut self.first, &mut self.end, &mut self.dead, &mut self.linked] {
            *index = index.saturating_sub(count);
        }
    }
}

/// Whether two moments, the earlier one first, are too far apart for one session. A horizon may be before.
fn apart(before: i64, after: i64, gap: u64) -> bool {
    before.saturating_add_unsigned(gap) < after
}
