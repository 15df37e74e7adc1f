//! A history by another plan than the one it was kept by: once for each key, when a release with other windows
//! first meets it.
//!
//! What both plans have (see [`Counterparts`]) is taken over bit for bit: entries with their numbers, the cursors
//! of spans, running values, registers. A span that is new stands where the newest row would have put it, and a
//! lane that is new has the entries that are there. So it gives the cells that it would have given from the
//! beginning, if the old plan kept what the new one sees: entries that far back, and the columns. Where it did
//! not, a window holds less at first, and columns have no value; a window over all time begins with the entries that are left.
//!
//! Here no plugin is run. Registers of custom folds that are new are made with the key's next row: of the entries
//! that are there, or of those of an older version of the fold, which are kept for it.

use super::{Cursor, Entries, History, Registers, run};
use crate::window::plan::{Ancestor, Counterparts, ID, Plan, SpanKind, left_out};

/// How histories of one plan become those of another.
#[derive(Debug)]
pub struct Conversion<'a> {
    from: &'a Plan,
    to: &'a Plan,
    /// Parts of `to` among those of `from`.
    known: Counterparts,
}

impl<'a> Conversion<'a> {
    /// None: inputs do not fit, or windows close, so that there are no histories.
    pub fn new(from: &'a Plan, to: &'a Plan) -> Option<Self> {
        let known = Counterparts::find(to, from)?;
        to.closing.is_none().then_some(Self { from, to, known })
    }

    /// Of an input: for each custom aggregate that goes on, the bit by which entries said that it leaves them out,
    /// and that by which they say it from now on.
    fn marks(&self, input: usize) -> Vec<(u64, u64)> {
        let customs = self.to.customs.iter().zip(&self.known.customs).enumerate();
        let own = customs.filter(|(_, (custom, _))| self.to.spans[custom.span].input == input);
        let mark = |(new, (_, ancestor)): (usize, (_, &Option<Ancestor>))| match ancestor {
            Some(Ancestor::Same(old)) => Some((left_out(*old), left_out(new))),
            _ => None,
        };
        own.filter_map(mark).collect()
    }

    /// Whether all that entries of an input say is what they say from now on.
    fn is_same(&self, input: usize, marks: &[(u64, u64)]) -> bool {
        let of_input =
            |plan: &Plan| plan.customs.iter().filter(|custom| plan.spans[custom.span].input == input).count();
        let layouts = [self.from, self.to].map(|plan| &plan.inputs[input].layout);
        layouts[0] == layouts[1]
            && of_input(self.from) == marks.len()
            && marks.iter().all(|(old, new)| old == new)
    }
}

impl History {
    /// This history, kept by `from`, as it is by `to`: for one key; see [`Self::convert_by`].
    pub fn convert(&self, from: &Plan, to: &Plan) -> Option<Self> {
        self.convert_by(&Conversion::new(from, to)?)
    }

    /// This history by another plan. The batch at hand is settled. None: an entry has no value in a column that
    /// the new plan has no place to say that of; by a plan that is [`Plan::loosened`] that can't be.
    pub fn convert_by(&self, conversion: &Conversion<'_>) -> Option<Self> {
        let Conversion { from, to, known } = conversion;
        let mut seen = self.seen;
        let layouts = from.inputs.iter().zip(&to.inputs).zip(&known.columns);
        let entries = self.entries.iter().zip(layouts).enumerate();
        let entries = entries.map(|(input, (entries, ((from, to), columns)))| {
            let marks = conversion.marks(input);
            if conversion.is_same(input, &marks) {
                return Some(entries.clone());
            }
            entries.lay_out(&from.layout, &to.layout, columns, |id| match id {
                Some(word) => {
                    let left_out = marks.iter().filter(|(old, _)| word & old != 0);
                    left_out.fold(word & ID, |word, (_, new)| word | new)
                }
                None => {
                    seen += 1;
                    seen - 1
                }
            })
        });
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
        let registers = to.customs.iter().zip(&known.customs).map(|(custom, ancestor)| {
            let input = to.spans[custom.span].input;
            match ancestor {
                Some(Ancestor::Same(own)) => self.registers[*own].clone(),
                Some(Ancestor::Older(older)) => self.registers[*older].aged(from.customs[*older].version),
                None if entries[input].len(&to.inputs[input].layout) == 0 => Registers::default(),
                None => Registers::begin(cursors[custom.span].window().end),
            }
        });
        let registers = registers.collect();
        for (input, entries) in entries.iter_mut().enumerate() {
            if !to.keeps_entries(input) {
                *entries = Entries::default();
            }
        }
        Some(Self { entries, cursors, lanes, registers, newest: self.newest, seen })
    }
}
