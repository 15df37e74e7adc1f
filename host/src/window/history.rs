//! One key's entries and running values, and what a new row sees of them.
//!
//! Each window has a cursor: the entries that its running values (lanes, registers) hold, as of the newest
//! row of the stage's own input. Entries of other inputs that are ahead of it wait in their list.
//!
//! Cost of a row in order of time: for each lane one step for each entry that comes and one for each that
//! leaves, amortised; the size of a window does not matter. A row of another input costs its place in the
//! list. A straggler (older than the newest row of its key) is scored in its place: from a copy of the
//! lane, moved there entry by entry, or from its window's entries, whichever is less. So it costs the
//! entries it is behind. It goes through all of its window only
//!
//! - for min and max, if the extreme is one of the entries that are newer;
//! - for `latest`, back to the first entry that counts;
//! - for custom folds that are not invertible.
//!
//! One more case costs more than a step: of last n, the extreme leaves, and others of its time stay.

mod convert;
mod forget;
mod frozen;
mod weight;

use std::ops::Range;

use super::cells::Cells;
use super::cursor::{Cursor, Side};
use super::describe;
use super::entries::Entries;
use super::lane::{LaneState, Latest};
use super::moves::Run;
use super::plan::{ID, InputPlan, Lane, LaneKind, Plan, Span, SpanKind, left_out};
use super::registers::{At, Registers};
use super::script::{Old, SCRATCH, Scripts};

pub use convert::Conversion;

/// Memory to work in, to be used again and again.
#[derive(Debug, Default)]
pub struct Scratch {
    /// For each lane of kind latest its newest entry before the row at hand.
    before: Vec<Option<Latest>>,
    /// The lanes of a straggler.
    lanes: Vec<LaneState>,
}

/// What the host remembers of a key.
#[derive(Clone, Debug)]
pub struct History {
    /// Of each input.
    entries: Box<[Entries]>,
    /// Of each span.
    cursors: Box<[Cursor]>,
    lanes: Box<[LaneState]>,
    /// Of each custom aggregate.
    registers: Box<[Registers]>,
    /// Time of the newest row of the first input.
    newest: i64,
    /// Rows seen, where custom folds number them.
    seen: u64,
}

impl History {
    pub fn new(plan: &Plan) -> Self {
        Self {
            entries: vec![Entries::default(); plan.inputs.len()].into(),
            cursors: vec![Cursor::default(); plan.spans.len()].into(),
            lanes: plan.lanes.iter().map(|lane| lane.fresh()).collect(),
            registers: vec![Registers::default(); plan.customs.len()].into(),
            newest: i64::MIN,
            seen: 0,
        }
    }

    /// Takes in a row of the first input and writes its cells: one item of the scripts, which
    /// [`Scripts::begin`] began. `row` has the words of its layout; its id is given here.
    pub fn admit(
        &mut self,
        plan: &Plan,
        scratch: &mut Scratch,
        row: &mut [u64],
        cells: &mut Cells<'_>,
        scripts: &mut Scripts,
    ) {
        self.try_entries(plan, scripts);
        let time = row[0].cast_signed();
        let id = self.number(plan, 0, row);
        scratch.before.clear();
        let before = |state| latest_of(state).filter(|latest| latest.time <= time);
        scratch.before.extend(self.lanes.iter().map(before));
        let (place, _) = self.insert(plan, 0, row, scripts);
        if time < self.newest {
            self.straggle(plan, scratch, time, place, scripts);
            cells.write(plan, &scratch.lanes, &scratch.before, time);
        } else {
            self.newest = time;
            self.advance(plan, scratch, time, place, scripts);
            cells.write(plan, &self.lanes, &scratch.before, time);
        }
        scripts.end(0, id);
    }

    /// Takes in a row of another input: an item of the scripts too, in which nothing is emitted.
    pub fn update(&mut self, plan: &Plan, input: usize, row: &mut [u64], scripts: &mut Scripts) {
        self.try_entries(plan, scripts);
        let id = self.number(plan, input, row);
        let (_, named) = self.insert(plan, input, row, scripts);
        for (index, custom) in plan.customs.iter().enumerate() {
            if plan.spans[custom.span].input == input && named & 1 << index == 0 {
                // Tried at once, for nothing but to see whether it fails.
                let script = scripts.of(index);
                script.reset(SCRATCH);
                script.add(plan, custom, SCRATCH, row);
            }
        }
        scripts.end(input, id);
    }

    /// Marks an entry as one that a custom aggregate leaves out.
    pub fn leave_out(&mut self, plan: &Plan, custom: usize, id: u64) {
        let input = plan.spans[plan.customs[custom].span].input;
        let (layout, entries) = (&plan.inputs[input].layout, &mut self.entries[input]);
        let Some(word) = layout.id else { return };
        let found = (0..entries.len(layout)).rfind(|index| entries.get(layout, *index)[word] & ID == id);
        if let Some(index) = found {
            let marked = entries.get(layout, index)[word] | left_out(custom);
            entries.set_word(layout, index, word, marked);
        }
    }

    /// Takes over the registers of one custom aggregate after its script was run. `registers` holds one for
    /// each of [`super::Script::registers`]; `stuck`: of [`super::Script::old`] those that the plugin could not make
    /// its own of, which stay as they are.
    pub fn settle(&mut self, plan: &Plan, custom: usize, registers: &[u8], stuck: &[Old]) {
        self.registers[custom].settle(plan.customs[custom].register_bytes, registers, stuck);
    }

    /// After [`Self::settle`], where a script was not run to its end: registers are made of entries again. Over all time
    /// they stay as far as they came.
    pub fn begin_anew(&mut self, plan: &Plan, custom: usize) {
        let span = plan.customs[custom].span;
        if plan.spans[span].kind != SpanKind::Forever {
            self.registers[custom] = Registers::begin(self.cursors[span].window().end);
        }
    }

    /// Bytes held, this struct included.
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + self.entries.iter().map(|entries| size_of::<Entries>() + entries.size()).sum::<usize>()
            + size_of_val(&*self.cursors)
            + self.lanes.iter().map(|lane| size_of::<LaneState>() + lane.size()).sum::<usize>()
            + self.registers.iter().map(|one| size_of::<Registers>() + one.size()).sum::<usize>()
    }

    /// Entries held, of all inputs.
    pub fn entries(&self, plan: &Plan) -> usize {
        self.entries.iter().zip(&plan.inputs).map(|(entries, input)| entries.len(&input.layout)).sum()
    }

    /// For people to read: names and values, times in milliseconds.
    pub fn describe(&self, plan: &Plan) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        for (index, (entries, InputPlan { layout, .. })) in self.entries.iter().zip(&plan.inputs).enumerate()
        {
            let time = |entry| entries.time(layout, entry);
            let value = match entries.len(layout) {
                0 => "none".to_owned(),
                count => format!("{count}, from {} to {}", time(0), time(count - 1)),
            };
            lines.push((format!("input {index}, entries"), value));
        }
        lines.extend(describe::lanes(plan, &self.lanes, ""));
        lines
    }

    /// Folds that are new to the key try the entries that are there.
    fn try_entries(&mut self, plan: &Plan, scripts: &mut Scripts) {
        for (number, custom) in plan.customs.iter().enumerate() {
            let registers = &mut self.registers[number];
            if registers.is_untried() {
                let entries = &self.entries[plan.spans[custom.span].input];
                registers.try_all(&mut At { plan, custom, entries, script: scripts.of(number) });
            }
        }
    }

    fn number(&mut self, plan: &Plan, input: usize, row: &mut [u64]) -> Option<u64> {
        let id = plan.inputs[input].layout.id?;
        row[id] = self.seen;
        self.seen += 1;
        Some(row[id])
    }

    /// Puts a row in its list, and into those values that hold its place. Gives its place, and the custom
    /// aggregates that took it in: a bit for each.
    fn insert(&mut self, plan: &Plan, input: usize, row: &[u64], scripts: &mut Scripts) -> (usize, u32) {
        let layout = &plan.inputs[input].layout;
        let place = if plan.keeps_entries(input) { self.entries[input].insert(layout, row) } else { 0 };
        let mut named = 0;
        for (index, span) in plan.spans.iter().enumerate().filter(|(_, span)| span.input == input) {
            let forever = span.kind == SpanKind::Forever;
            let side = if forever { Side::Inside } else { self.cursors[index].insert(place) };
            if side == Side::Inside {
                for (lane, state) in plan.lanes.iter().zip(&mut self.lanes) {
                    if lane.span == index {
                        lane.add(state, layout, row);
                    }
                }
            }
            for (number, custom) in plan.customs.iter().enumerate().filter(|(_, of)| of.span == index) {
                let script = scripts.of(number);
                let at = &mut At { plan, custom, entries: &self.entries[input], script };
                let registers = &mut self.registers[number];
                match side {
                    Side::Inside if forever => {
                        registers.add(at, row);
                        named |= 1 << number;
                    }
                    Side::Inside => named |= u32::from(registers.insert_inside(at, place)) << number,
                    Side::Before => registers.insert_before(),
                    Side::Behind => {}
                }
            }
        }
        (place, named)
    }

    /// Moves all windows on to a row at `time`, which is at `place`.
    fn advance(
        &mut self,
        plan: &Plan,
        scratch: &mut Scratch,
        time: i64,
        place: usize,
        scripts: &mut Scripts,
    ) {
        for (index, span) in plan.spans.iter().enumerate() {
            let entries = &self.entries[span.input];
            let (from, to) = windows(plan, span, &self.cursors[index], entries, time);
            if span.kind != SpanKind::Forever {
                // `latest` is of before this row.
                let before = if span.input == 0 { to.start..place } else { to.clone() };
                for (number, lane) in plan.lanes.iter().enumerate().filter(|(_, of)| of.span == index) {
                    let (run, state) = (run(plan, lane, entries), &mut self.lanes[number]);
                    if lane.kind != LaneKind::Latest {
                        run.advance(state, &from, &to);
                        continue;
                    }
                    run.advance(state, &from, &before);
                    scratch.before[number] = latest_of(state);
                    run.advance(state, &before, &to);
                }
            }
            for (number, custom) in plan.customs.iter().enumerate().filter(|(_, of)| of.span == index) {
                let registers = &mut self.registers[number];
                let at = &mut At { plan, custom, entries, script: scripts.of(number) };
                if span.kind == SpanKind::Forever {
                    registers.emit_main(at);
                } else {
                    registers.advance(at, &from, &to);
                    registers.emit(at, &to);
                }
            }
            self.cursors[index].set(&to);
        }
    }

    /// What a row sees that is older than the windows: the lanes in `scratch`, and what scripts emit.
    fn straggle(
        &mut self,
        plan: &Plan,
        scratch: &mut Scratch,
        time: i64,
        place: usize,
        scripts: &mut Scripts,
    ) {
        scratch.lanes.clear();
        for (number, (lane, state)) in plan.lanes.iter().zip(&self.lanes).enumerate() {
            let span = &plan.spans[lane.span];
            let (entries, run) = (&self.entries[span.input], run(plan, lane, &self.entries[span.input]));
            let (from, to) = windows(plan, span, &self.cursors[lane.span], entries, time);
            scratch.lanes.push(match lane.kind {
                _ if span.kind == SpanKind::Forever => state.clone(),
                LaneKind::Latest => {
                    scratch.before[number] = run.latest(to, (span.input == 0).then_some(place));
                    lane.fresh()
                }
                _ => run.as_of(state, &from, &to),
            });
        }
        for (number, custom) in plan.customs.iter().enumerate() {
            let span = &plan.spans[custom.span];
            let (entries, script) = (&self.entries[span.input], scripts.of(number));
            let (from, to) = windows(plan, span, &self.cursors[custom.span], entries, time);
            let at = &mut At { plan, custom, entries, script };
            if span.kind == SpanKind::Forever {
                self.registers[number].emit_main(at);
            } else {
                self.registers[number].emit_as_of(at, &from, &to);
            }
        }
    }
}

fn latest_of(state: &LaneState) -> Option<Latest> {
    match state {
        LaneState::Latest(latest) => *latest,
        _ => None,
    }
}

/// The window at which a span stands, and that of a row at `time`.
fn windows(
    plan: &Plan,
    span: &Span,
    cursor: &Cursor,
    entries: &Entries,
    time: i64,
) -> (Range<usize>, Range<usize>) {
    let to = match span.kind {
        SpanKind::Forever => 0..0,
        kind => cursor.as_of(kind, entries, &plan.inputs[span.input].layout, time),
    };
    (cursor.window(), to)
}

fn run<'a>(plan: &'a Plan, lane: &'a Lane, entries: &'a Entries) -> Run<'a> {
    let leave_together = !matches!(plan.spans[lane.span].kind, SpanKind::Last(_));
    Run { entries, layout: plan.layout_of(lane), lane, leave_together }
}
