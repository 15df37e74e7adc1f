//! One key's entries and running values, and what a new row sees of them.
//!
//! Cost of a row in order of time: one step a lane, and one for each entry that leaves a window; the
//! size of a window does not matter, but for custom folds that can't retract: they begin anew from the
//! window's entries whenever one leaves. A straggler (older than the newest row of its key) is scored
//! in its place by a scan of its windows; it changes only rows after it.
//!
//! Entries are kept as long as the windows of the newest row hold them. So a straggler sees of its own
//! windows what is still there; `forever` has seen all that came before it.

use super::cells::Cells;
use super::entries::Entries;
use super::lane::{LaneState, Latest};
use super::plan::{ID, LaneKind, Layout, Plan, left_out};
use super::script::Scripts;

/// Memory to work in, to be used again and again.
#[derive(Debug, Default)]
pub struct Scratch {
    leaving: Vec<u64>,
    before: Vec<Option<Latest>>,
}

/// What the host remembers of a key.
#[derive(Clone, Debug)]
pub struct History {
    entries: Entries,
    /// For each size the index of the first entry that is still in.
    firsts: Box<[u32]>,
    /// As of the newest row.
    lanes: Box<[LaneState]>,
    newest: i64,
    /// Rows seen, where custom folds number them.
    seen: u64,
    /// Registers of the custom folds, one behind the other.
    pub registers: Box<[u8]>,
}

impl History {
    pub fn new(plan: &Plan) -> Self {
        let registers = plan.customs.iter().map(|custom| custom.register_bytes).sum();
        Self {
            entries: Entries::default(),
            firsts: vec![0; plan.sizes.len()].into(),
            lanes: plan.lanes.iter().map(|lane| lane.fresh()).collect(),
            newest: i64::MIN,
            seen: 0,
            registers: vec![0; registers].into(),
        }
    }

    /// Takes a row in and writes its cells. `row` has the words of [`Layout`], its id aside. `slot`: the
    /// number of this key's registers in `scripts`.
    pub fn admit(
        &mut self,
        plan: &Plan,
        scratch: &mut Scratch,
        row: &mut [u64],
        slot: u32,
        cells: &mut Cells<'_>,
        scripts: &mut Scripts,
    ) {
        if let Some(id) = plan.layout.id {
            row[id] = self.seen;
            self.seen += 1;
        }
        let time = row[0].cast_signed();
        if time < self.newest {
            self.admit_straggler(plan, scratch, row, slot, cells, scripts);
        } else {
            self.newest = time;
            self.admit_newest(plan, scratch, row, slot, cells, scripts);
        }
        self.forget(plan);
    }

    /// Marks an entry as one that a custom aggregate leaves out.
    pub fn leave_out(&mut self, plan: &Plan, custom: usize, id: u64) {
        let Some(word) = plan.layout.id else { return };
        let mut entry = Vec::new();
        for index in (0..self.entries.len(&plan.layout)).rev() {
            self.entries.read(&plan.layout, index, &mut entry);
            if entry[word] & ID == id {
                let marked = entry[word] | left_out(custom);
                return self.entries.set_word(&plan.layout, index, word, marked);
            }
        }
    }

    /// Bytes held, this struct included.
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + self.entries.size()
            + size_of_val(&*self.firsts)
            + size_of_val(&*self.lanes)
            + self.lanes.iter().map(LaneState::size).sum::<usize>()
            + self.registers.len()
    }

    /// Entries held.
    pub fn entries(&self, layout: &Layout) -> usize {
        self.entries.len(layout)
    }

    fn admit_newest(
        &mut self,
        plan: &Plan,
        scratch: &mut Scratch,
        row: &[u64],
        slot: u32,
        cells: &mut Cells<'_>,
        scripts: &mut Scripts,
    ) {
        let (layout, time) = (&plan.layout, row[0].cast_signed());
        // `latest` is of before this row.
        scratch.before.clear();
        scratch.before.extend(plan.lanes.iter().zip(&self.lanes).map(|(lane, state)| match state {
            LaneState::Latest(latest) => {
                latest.filter(|latest| lane.span.is_none_or(|span| latest.time > bound(plan, span, time)))
            }
            _ => None,
        }));
        if plan.keeps_entries() {
            self.entries.insert(layout, row);
        }
        for (lane, state) in plan.lanes.iter().zip(&mut self.lanes) {
            lane.add(state, layout, row);
        }
        for span in 0..plan.sizes.len() {
            self.expire(plan, span, scratch, slot, scripts);
        }
        for (index, custom) in plan.customs.iter().enumerate() {
            let script = scripts.of(index);
            let rebuilt = !custom.invertible && script.has_expired(slot);
            if rebuilt && let Some(span) = custom.span {
                script.reset(slot);
                self.each_in(plan, self.firsts[span] as usize.., scratch, |entry| {
                    script.add(plan, custom, slot, entry)
                });
            } else {
                script.add(plan, custom, slot, row);
            }
            script.emit(slot);
        }
        cells.write(plan, &self.lanes, &scratch.before, time);
    }

    /// Lets go of what is too old for one size.
    fn expire(&mut self, plan: &Plan, span: usize, scratch: &mut Scratch, slot: u32, scripts: &mut Scripts) {
        let (layout, bound) = (&plan.layout, bound(plan, span, self.newest));
        // The newest row itself never leaves: sizes are above zero.
        while self.entries.time(layout, self.firsts[span] as usize) <= bound {
            self.entries.read(layout, self.firsts[span] as usize, &mut scratch.leaving);
            for (lane, state) in plan.lanes.iter().zip(&mut self.lanes) {
                if lane.span == Some(span) {
                    lane.retract(state, layout, &scratch.leaving);
                }
            }
            for (index, custom) in plan.customs.iter().enumerate() {
                if custom.span == Some(span) {
                    scripts.of(index).expire(plan, custom, slot, &scratch.leaving);
                }
            }
            self.firsts[span] += 1;
        }
    }

    fn admit_straggler(
        &mut self,
        plan: &Plan,
        scratch: &mut Scratch,
        row: &[u64],
        slot: u32,
        cells: &mut Cells<'_>,
        scripts: &mut Scripts,
    ) {
        let (layout, time) = (&plan.layout, row[0].cast_signed());
        let place = if plan.keeps_entries() { self.entries.insert(layout, row) } else { 0 };
        for span in 0..plan.sizes.len() {
            if time <= bound(plan, span, self.newest) {
                self.firsts[span] += 1; // already out of the newest row's window
            }
        }
        // As of its own place: from scratch, over what is kept up to it.
        let mut lanes: Box<[LaneState]> = plan.lanes.iter().map(|lane| lane.fresh()).collect();
        let mut before = vec![None; plan.lanes.len()];
        for (index, lane) in plan.lanes.iter().enumerate() {
            let Some(span) = lane.span else {
                before[index] = latest_of(&self.lanes[index]).filter(|latest| latest.time <= time);
                continue;
            };
            let from = self.first_after(layout, bound(plan, span, time));
            let state = &mut lanes[index];
            self.each_in(plan, from..place, scratch, |entry| lane.add(state, layout, entry));
            before[index] = latest_of(state);
            lane.add(state, layout, row);
        }
        for (index, custom) in plan.customs.iter().enumerate() {
            let from = custom.span.map(|span| self.first_after(layout, bound(plan, span, time)));
            match from {
                Some(from) => {
                    let (script, own) = scripts.with_temporary(index);
                    self.each_in(plan, from..=place, scratch, |entry| script.add(plan, custom, own, entry));
                    script.emit(own);
                    if custom.span.is_some_and(|span| time > bound(plan, span, self.newest)) {
                        script.add(plan, custom, slot, row);
                    }
                }
                None => {
                    scripts.of(index).add(plan, custom, slot, row);
                    scripts.of(index).emit(slot);
                }
            }
        }
        // As of the newest row: what is in its windows counts there from now on.
        for ((index, lane), state) in plan.lanes.iter().enumerate().zip(&mut self.lanes) {
            if lane.span.is_none_or(|span| time > bound(plan, span, self.newest)) {
                lane.add(state, layout, row);
            }
            if lane.span.is_none() && lane.kind != LaneKind::Latest {
                lanes[index] = state.clone(); // forever: all that was ever seen
            }
        }
        cells.write(plan, &lanes, &before, time);
    }

    /// Index of the first entry later than `bound`.
    fn first_after(&self, layout: &Layout, bound: i64) -> usize {
        let (mut low, mut high) = (0, self.entries.len(layout));
        while low < high {
            let middle = low.midpoint(high);
            if self.entries.time(layout, middle) <= bound { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn each_in(
        &self,
        plan: &Plan,
        range: impl std::ops::RangeBounds<usize>,
        scratch: &mut Scratch,
        mut visit: impl FnMut(&[u64]),
    ) {
        let from = match range.start_bound() {
            std::ops::Bound::Included(from) => *from,
            _ => 0,
        };
        let to = match range.end_bound() {
            std::ops::Bound::Included(to) => *to + 1,
            std::ops::Bound::Excluded(to) => *to,
            std::ops::Bound::Unbounded => self.entries.len(&plan.layout),
        };
        for index in from..to {
            self.entries.read(&plan.layout, index, &mut scratch.leaving);
            visit(&scratch.leaving);
        }
    }

    /// Drops entries that no window of the newest row holds.
    fn forget(&mut self, plan: &Plan) {
        let Some(gone) = self.firsts.iter().copied().min().filter(|gone| *gone > 0) else { return };
        self.entries.drop_front(&plan.layout, gone as usize);
        self.firsts.iter_mut().for_each(|first| *first -= gone);
    }
}

/// The last moment that a window of a row at `time` no longer holds.
fn bound(plan: &Plan, span: usize, time: i64) -> i64 {
    time.saturating_sub_unsigned(plan.sizes[span])
}

fn latest_of(state: &LaneState) -> Option<Latest> {
    match state {
        LaneState::Latest(latest) => *latest,
        _ => None,
    }
}
