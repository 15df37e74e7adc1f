//! Hopping and tumbling windows: panes, and the running values of the window that came out last.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::grid::Grid;
use super::lanes::Bytes;
use super::{Closed, Lanes};
use crate::bytes::{Reader, Write};
use crate::window::frozen::{Rising, count, within};
use crate::window::plan::Plan;

/// The entries between two borders of windows, of which there is at least one.
#[derive(Clone, Debug)]
struct Pane {
    start: i64,
    lanes: Lanes,
}

#[derive(Clone, Debug)]
pub struct Panes {
    /// By rising start.
    panes: VecDeque<Pane>,
    /// Every window that ends at or before this has come out.
    done: i64,
    /// By start, of windows that came out more than once.
    revisions: BTreeMap<i64, u32>,
    running: Option<Box<Running>>,
    /// Of the panes' lanes.
    bytes: Bytes,
}

/// The running values over a range of panes.
#[derive(Clone, Debug)]
struct Running {
    range: Range<usize>,
    lanes: Lanes,
}

impl Running {
    fn thaw(plan: &Plan, panes: usize, reader: &mut Reader<'_>) -> Option<Self> {
        let (start, end) = (within(reader, panes)? as usize, within(reader, panes)? as usize);
        (start <= end).then_some(Self { range: start..end, lanes: Lanes::thaw(plan, reader)? })
    }
}

impl Panes {
    pub fn new() -> Self {
        Self {
            panes: VecDeque::new(),
            done: i64::MIN,
            revisions: BTreeMap::new(),
            running: None,
            bytes: Bytes::default(),
        }
    }

    pub fn admit(&mut self, plan: &Plan, input: usize, entry: &[u64], watermark: i64, out: &mut Closed) {
        self.close(plan, watermark, out);
        let time = entry[0].cast_signed();
        let (index, opened) = self.pane(plan, Grid::of(plan).pane(time));
        let lanes = &mut self.panes[index].lanes;
        let before = lanes.bytes();
        lanes.add(plan, input, entry);
        lanes.keep_least();
        self.bytes = self.bytes + lanes.bytes() - before;
        if let Some(running) = self.running.as_mut().filter(|running| running.range.contains(&index)) {
            running.lanes.add(plan, input, entry);
        }
        if time < self.done {
            self.revise(plan, time, opened, out);
        }
    }

    pub fn due(&self, plan: &Plan) -> Option<i64> {
        let grid = Grid::of(plan);
        let from = grid.first_after(self.done);
        let pane = self.panes.get(self.first_at(from))?;
        Some(grid.end(from.max(grid.first_after(pane.start))))
    }

    pub fn close(&mut self, plan: &Plan, watermark: i64, out: &mut Closed) {
        if watermark <= self.done {
            return;
        }
        let grid = Grid::of(plan);
        let mut from = grid.first_after(self.done);
        self.done = watermark;
        let mut first = self.first_at(from);
        while let Some(pane) = self.panes.get(first) {
            // Windows without entries are passed over.
            let start = from.max(grid.first_after(pane.start));
            if grid.end(start) > watermark {
                break;
            }
            let end = self.first_at(grid.end(start));
            self.come_out(plan, (start, grid.end(start), 0), first..end, out);
            from = grid.next(start);
            first = self.first_at(from);
        }
    }

    pub fn forget(&mut self, plan: &Plan, horizon: i64) {
        let grid = Grid::of(plan);
        let horizon = self.closed_until(plan, horizon);
        let gone = self.gone(grid, horizon);
        if gone > 0 {
            self.let_go(plan, gone);
            let gone = self.panes.drain(..gone).map(|pane| pane.lanes.bytes()).sum();
            self.bytes = self.bytes - gone;
            if self.panes.capacity() > 16 && self.panes.len() < self.panes.capacity() / 4 {
                self.panes.shrink_to(self.panes.len() * 2);
            }
        }
        while self.revisions.first_key_value().is_some_and(|(start, _)| grid.end(*start) <= horizon) {
            self.revisions.pop_first();
        }
    }

    pub fn expiry(&self, plan: &Plan) -> Option<i64> {
        let (grid, last) = (Grid::of(plan), self.panes.back()?);
        Some(grid.end(grid.last_at(last.start)).saturating_sub(1))
    }

    pub fn len(&self) -> usize {
        self.panes.len()
    }

    /// Visits all panes: start and end.
    pub fn each(&self, plan: &Plan, mut visit: impl FnMut((i64, i64), &Lanes)) {
        let grid = Grid::of(plan);
        self.panes.iter().for_each(|pane| visit((pane.start, grid.pane_end(pane.start)), &pane.lanes));
    }

    /// Start, end and last revision of the windows that came out more than once.
    pub fn revised(&self, plan: &Plan) -> impl Iterator<Item = (i64, i64, u32)> {
        let grid = Grid::of(plan);
        self.revisions.iter().map(move |(start, revision)| (*start, grid.end(*start), *revision))
    }

    pub fn freeze(&self, into: &mut Vec<u8>) {
        into.number(self.panes.len() as u64);
        let mut starts = Rising::default();
        for Pane { start, lanes } in &self.panes {
            starts.freeze(*start, into);
            lanes.freeze(into);
        }
        into.signed(self.done);
        into.number(self.revisions.len() as u64);
        let mut starts = Rising::default();
        for (start, revision) in &self.revisions {
            starts.freeze(*start, into);
            into.number(u64::from(*revision));
        }
        into.byte(u8::from(self.running.is_some()));
        // Made anew it would be as exact, but for the last bit of a variance.
        if let Some(Running { range, lanes }) = self.running.as_deref() {
            [range.start, range.end].iter().for_each(|index| into.number(*index as u64));
            lanes.freeze(into);
        }
    }

    pub fn thaw(plan: &Plan, reader: &mut Reader<'_>) -> Option<Self> {
        let (grid, mut starts) = (Grid::of(plan), Rising::default());
        let panes = (0..count(reader, 1 + plan.lanes.len())?).map(|_| {
            let start = starts.thaw_above(reader).filter(|start| grid.is_pane(*start))?;
            Some(Pane { start, lanes: Lanes::thaw(plan, reader)? })
        });
        let panes = panes.collect::<Option<VecDeque<_>>>()?;
        let (done, mut starts) = (reader.signed()?, Rising::default());
        let revisions = (0..count(reader, 2)?).map(|_| {
            let start = starts.thaw_above(reader).filter(|start| grid.is_window(*start))?;
            Some((start, within(reader, u32::MAX as usize)?))
        });
        let revisions = revisions.collect::<Option<_>>()?;
        let running =
            if reader.flag()? { Some(Box::new(Running::thaw(plan, panes.len(), reader)?)) } else { None };
        let bytes = panes.iter().map(|pane| pane.lanes.bytes()).sum();
        Some(Self { panes, done, revisions, running, bytes })
    }

    /// Bytes held beside this struct.
    pub fn size(&self) -> usize {
        self.panes.capacity() * size_of::<Pane>()
            + self.bytes.held
            + self.revisions.len() * size_of::<(i64, u32)>() * 3 / 2
            + self.running.as_ref().map_or(0, |running| size_of::<Running>() + running.lanes.bytes().held)
    }

    /// See [`super::Closing::weight_at_most`].
    pub fn weight(&self) -> usize {
        self.panes.len() * size_of::<Pane>() + self.bytes.weight
    }

    /// Of that, what [`Self::forget`] would let go of.
    pub fn weight_gone(&self, plan: &Plan, horizon: i64) -> usize {
        let gone = self.gone(Grid::of(plan), self.closed_until(plan, horizon));
        self.panes.range(..gone).map(|pane| size_of::<Pane>() + pane.lanes.bytes().weight).sum()
    }

    /// What a pane weighs that is new.
    pub fn weight_of_one(plan: &Plan) -> usize {
        size_of::<Pane>() + Lanes::fresh_weight(plan)
    }

    /// The same, if an entry at this time would open one.
    pub fn weight_opened(&self, plan: &Plan, time: i64) -> usize {
        let start = Grid::of(plan).pane(time);
        let is_there = self.panes.get(self.first_at(start)).is_some_and(|pane| pane.start == start);
        if is_there { 0 } else { Self::weight_of_one(plan) }
    }

    /// A horizon at which no window is due still.
    fn closed_until(&self, plan: &Plan, horizon: i64) -> i64 {
        self.due(plan).map_or(horizon, |due| horizon.min(due - 1))
    }

    /// How many panes are of windows alone that end at the horizon or before.
    fn gone(&self, grid: Grid, horizon: i64) -> usize {
        self.panes.partition_point(|pane| grid.end(grid.last_at(pane.start)) <= horizon)
    }

    /// Bytes that the lanes hold, as they are kept account of and as counted anew.
    #[cfg(test)]
    pub fn recount(&self) -> (Bytes, Bytes) {
        (self.bytes, self.panes.iter().map(|pane| pane.lanes.bytes()).sum())
    }

    /// Windows that hold a late row come out again, or, if they had no entries, for the first time.
    fn revise(&mut self, plan: &Plan, time: i64, opened: bool, out: &mut Closed) {
        let grid = Grid::of(plan);
        let mut start = grid.first_after(time);
        while start <= grid.last_at(time) && grid.end(start) <= self.done {
            let range = self.first_at(start)..self.first_at(grid.end(start));
            let revision = if opened && range.len() == 1 {
                0
            } else {
                let revision = self.revisions.entry(start).or_default();
                *revision = revision.saturating_add(1);
                *revision
            };
            self.come_out(plan, (start, grid.end(start), revision), range, out);
            start = grid.next(start);
        }
    }

    fn come_out(&mut self, plan: &Plan, window: (i64, i64, u32), range: Range<usize>, out: &mut Closed) {
        if range.len() == 1 {
            return out.push(plan, window, &self.panes[range.start].lanes);
        }
        let running = self.run_over(plan, range);
        out.push(plan, window, &running.lanes);
    }

    /// Makes the running values those of a range of panes: step by step, or anew if that is less.
    fn run_over(&mut self, plan: &Plan, to: Range<usize>) -> &Running {
        let fresh = || Box::new(Running { range: to.start..to.start, lanes: Lanes::new(plan) });
        let running = self.running.get_or_insert_with(fresh);
        let from = running.range.clone();
        if from.start.abs_diff(to.start) + from.end.abs_diff(to.end) > to.len() {
            *running = fresh();
        }
        let from = std::mem::replace(&mut running.range, to.clone());
        let (panes, lanes) = (&self.panes, &mut running.lanes);
        for index in (to.start..from.start).chain(from.end..to.end) {
            lanes.merge(&panes[index].lanes);
        }
        for index in (from.start..to.start).chain(to.end..from.end) {
            lanes.unmerge(&panes[index].lanes);
        }
        if to.end < from.end {
            lanes.remake_extremes(plan, panes.range(to).map(|pane| &pane.lanes));
        } else if to.start > from.start {
            lanes.expire_extremes(panes.get(to.start).map_or(i64::MAX, |pane| pane.start));
        }
        running
    }

    /// The first panes are about to go.
    fn let_go(&mut self, plan: &Plan, gone: usize) {
        let Some(Range { start, end }) = self.running.as_ref().map(|running| running.range.clone()) else {
            return;
        };
        if end <= gone {
            self.running = None;
            return;
        }
        if start < gone {
            self.run_over(plan, gone..end);
        }
        if let Some(Running { range, .. }) = self.running.as_deref_mut() {
            *range = range.start - gone..range.end - gone;
        }
    }

    /// Index of the pane that starts there, and whether it was opened for it.
    fn pane(&mut self, plan: &Plan, start: i64) -> (usize, bool) {
        let index = self.first_at(start);
        if self.panes.get(index).is_some_and(|pane| pane.start == start) {
            return (index, false);
        }
        let lanes = Lanes::new(plan);
        self.bytes = self.bytes + lanes.bytes();
        self.panes.insert(index, Pane { start, lanes });
        if let Some(running) = &mut self.running {
            running.range.start += usize::from(index <= running.range.start);
            running.range.end += usize::from(index < running.range.end);
        }
        (index, true)
    }

    /// Index of the first pane that starts at a time or later. It is near one of the ends, mostly: it is looked
    /// for from both, in steps that double.
    fn first_at(&self, time: i64) -> usize {
        let is_before = |index: usize| self.panes[index].start < time;
        let (mut low, mut high, mut step) = (0, self.panes.len(), 1);
        while low + step < high {
            if !is_before(low + step - 1) {
                high = low + step - 1;
                break;
            }
            low += step;
            if low + step >= high {
                break;
            }
            if is_before(high - step) {
                low = high - step + 1;
                break;
            }
            high -= step;
            step *= 2;
        }
        while low < high {
            let middle = low.midpoint(high);
            if is_before(middle) { low = middle + 1 } else { high = middle }
        }
        low
    }
}
