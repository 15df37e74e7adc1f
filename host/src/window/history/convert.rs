//! A history by another plan than the one it was kept by: once for each key, when a release with other windows
//! first meets it.
//!
//! What both plans have (see [`Counterparts`]) is taken over bit for bit: entries with their numbers, the cursors
//! of spans, running values, registers. A span that is new stands where the newest row would have put it, and a
//! lane that is new has the entries that are there. So it gives the cells that it would have given from the
//! beginning, if the old plan kept what the new one sees: entries that far back, and the columns. Where it did
//! not, a window holds less at first, and columns have no value; a window over all time begins with the entries that are left.

use super::{Cursor, Entries, History, run};
use crate::window::plan::{Counterparts, Plan, SpanKind};

/// How histories of one plan become those of another.
#[derive(Debug)]
pub struct Conversion<'a> {
    from: &'a Plan,
    to: &'a Plan,
    /// Parts of `to` among those of `from`.
    known: Counterparts,
}

impl<'a> Conversion<'a> {
    /// None: inputs, columns' kinds or custom folds do not fit, or windows close, so that there are no histories.
    pub fn new(from: &'a Plan, to: &'a Plan) -> Option<Self> {
        let known = Counterparts::find(to, from)?;
        to.closing.is_none().then_some(Self { from, to, known })
    }
}

impl History {
    /// This history, kept by `from`, as it is by `to`: for one key; see [`Self::convert_by`].
    pub fn convert(&self, from: &Plan, to: &Plan) -> Option<Self> {
        self.convert_by(&Conversion::new(from, to)?)
    }

    /// This history by another plan. The batch at hand is settled. None: an entry has no value in a column that
    /// the new plan has no place to say that of; by a plan that is [`Plan::loosened`] that can't be.
    pub fn convert_by(&self, Conversion { from, to, known }: &Conversion<'_>) -> Option<Self> {
        let layouts = from.inputs.iter().zip(&to.inputs).zip(&known.columns);
        let entries = self.entries.iter().zip(layouts);
        let entries = entries
            .map(|(entries, ((from, to), columns))| entries.lay_out(&from.layout, &to.layout, columns));
        let mut entries = entries.collect::<Option<Box<[Entries]>>>()?;
        let cursors = to.spans.iter().zip(&known.spans).map(|(span, known)| match known {
            Some(known) => self.cursors[*known],
            None => {
                let (mut cursor, entries) = (Cursor::default(), &entries[span.input]);
                if span.kind != SpanKind::Forever {
                    let layout = &to.inputs[span.input].layout;
                    cursor.set(&cursor.as_of(span.kind, entries, layout, self.newest));
                }
                cursor
            }
        });
        let cursors: Box<[Cursor]> = cursors.collect();
        let lanes = to.lanes.iter().zip(&known.lanes).map(|(lane, known)| match known {
            Some(known) => self.lanes[*known].clone(),
            None => {
                let span = to.spans[lane.span];
                let entries = &entries[span.input];
                run(to, lane, entries).fold(match span.kind {
                    SpanKind::Forever => 0..entries.len(to.layout_of(lane)),
                    _ => cursors[lane.span].window(),
                })
            }
        });
        let lanes = lanes.collect();
        for (input, entries) in entries.iter_mut().enumerate() {
            if !to.keeps_entries(input) {
                *entries = Entries::default();
            }
        }
        let (registers, newest, seen) = (self.registers.clone(), self.newest, self.seen);
        Some(Self { entries, cursors, lanes, registers, newest, seen })
    }
}
