//! Sessions: entries no further apart than the gap.

use std::collections::VecDeque;

use super::lanes::Bytes;
use super::{Closed, Lanes};
use crate::bytes::{Reader, Write};
use crate::columns::TIMES;
use crate::window::frozen::{Rising, count, within};
use crate::window::plan::{Plan, SpanKind};

#[derive(Clone, Debug)]
struct Session {
    /// Times of the first and the last entry.
    first: i64,
    last: i64,
    lanes: Lanes,
    /// With which revision it comes out next.
    revision: u32,
    /// Whether it came out as it is now.
    out: bool,
}

#[derive(Clone, Debug)]
pub struct Sessions {
    /// By rising time, further apart than the gap; those that are out come first.
    sessions: VecDeque<Session>,
    /// Of their lanes.
    bytes: Bytes,
}

impl Sessions {
    pub fn new() -> Self {
        Self { sessions: VecDeque::new(), bytes: Bytes::default() }
    }

    pub fn admit(&mut self, plan: &Plan, input: usize, entry: &[u64], watermark: i64, out: &mut Closed) {
        self.close(plan, watermark, out);
        let index = self.session(plan, entry[0].cast_signed());
        let session = &mut self.sessions[index];
        session.out = false;
        let before = session.lanes.bytes();
        session.lanes.add(plan, input, entry);
        self.bytes = self.bytes + session.lanes.bytes() - before;
        if session.closes_after(plan) < watermark {
            session.come_out(plan, out);
        }
    }

    pub fn due(&self, plan: &Plan) -> Option<i64> {
        let next = self.sessions.get(self.next())?;
        Some(next.closes_after(plan).saturating_add(1))
    }

    pub fn close(&mut self, plan: &Plan, watermark: i64, out: &mut Closed) {
        for session in self.sessions.range_mut(self.next()..) {
            if session.closes_after(plan) >= watermark {
                break;
            }
            session.come_out(plan, out);
        }
    }

    pub fn forget(&mut self, plan: &Plan, horizon: i64) {
        let gone = self.sessions.drain(..self.gone(plan, horizon)).map(|session| session.lanes.bytes()).sum();
        self.bytes = self.bytes - gone;
        if self.sessions.capacity() > 16 && self.sessions.len() < self.sessions.capacity() / 4 {
            self.sessions.shrink_to(self.sessions.len() * 2);
        }
    }

    pub fn expiry(&self, plan: &Plan) -> Option<i64> {
        self.sessions.back().map(|last| last.closes_after(plan))
    }

    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Visits all sessions: first and last time, and the revision with which it comes out next.
    pub fn each(&self, mut visit: impl FnMut((i64, i64, u32), &Lanes)) {
        let sessions = self.sessions.iter();
        sessions.for_each(|session| visit((session.first, session.last, session.revision), &session.lanes));
    }

    pub fn freeze(&self, into: &mut Vec<u8>) {
        into.number(self.sessions.len() as u64);
        let mut times = Rising::default();
        for Session { first, last, lanes, revision, out } in &self.sessions {
            times.freeze(*first, into);
            times.freeze(*last, into);
            lanes.freeze(into);
            into.number(u64::from(*revision));
            into.byte(u8::from(*out));
        }
    }

    pub fn thaw(plan: &Plan, reader: &mut Reader<'_>) -> Option<Self> {
        let (mut sessions, mut times) = (VecDeque::new(), Rising::default());
        for _ in 0..count(reader, 4 + plan.lanes.len())? {
            let (first, last) = (times.thaw(reader)?, times.thaw(reader)?);
            let lanes = Lanes::thaw(plan, reader)?;
            let (revision, out) = (within(reader, u32::MAX as usize)?, reader.flag()?);
            let comes_after = |before: &Session| before.closes_after(plan) < first && (before.out || !out);
            if !(TIMES.contains(&first) && TIMES.contains(&last) && sessions.back().is_none_or(comes_after)) {
                return None;
            }
            sessions.push_back(Session { first, last, lanes, revision, out });
        }
        let bytes = sessions.iter().map(|session| session.lanes.bytes()).sum();
        Some(Self { sessions, bytes })
    }

    /// Bytes held beside this struct.
    pub fn size(&self) -> usize {
        self.sessions.capacity() * size_of::<Session>() + self.bytes.held
    }

    /// See [`super::Closing::weight_at_most`].
    pub fn weight(&self) -> usize {
        self.sessions.len() * size_of::<Session>() + self.bytes.weight
    }

    /// Of that, what [`Self::forget`] would let go of.
    pub fn weight_gone(&self, plan: &Plan, horizon: i64) -> usize {
        let gone = self.sessions.range(..self.gone(plan, horizon));
        gone.map(|session| size_of::<Session>() + session.lanes.bytes().weight).sum()
    }

    /// What a session weighs that is new.
    pub fn weight_of_one(plan: &Plan) -> usize {
        size_of::<Session>() + Lanes::fresh_weight(plan)
    }

    /// The same, if an entry at this time would open one.
    pub fn weight_opened(&self, plan: &Plan, time: i64) -> usize {
        let (index, high) = self.near(plan, time);
        let is_there = self.sessions.get(index).is_some_and(|session| session.first <= high);
        if is_there { 0 } else { Self::weight_of_one(plan) }
    }

    /// How many came out and can't be changed any more.
    fn gone(&self, plan: &Plan, horizon: i64) -> usize {
        self.sessions.partition_point(|session| session.out && session.closes_after(plan) < horizon)
    }

    /// Index of the first session that an entry at `time` may belong to, and before which moment that begins.
    fn near(&self, plan: &Plan, time: i64) -> (usize, i64) {
        let gap = gap(plan);
        let (low, high) = (time.saturating_sub_unsigned(gap), time.saturating_add_unsigned(gap));
        (self.sessions.partition_point(|session| session.last < low), high)
    }

    /// Bytes that the lanes hold, as they are kept account of and as counted anew.
    #[cfg(test)]
    pub fn recount(&self) -> (Bytes, Bytes) {
        (self.bytes, self.sessions.iter().map(|session| session.lanes.bytes()).sum())
    }

    /// Index of the first session that has yet to come out.
    fn next(&self) -> usize {
        self.sessions.partition_point(|session| session.out)
    }

    /// Index of the session that an entry at `time` belongs to: those that it brings together are one.
    fn session(&mut self, plan: &Plan, time: i64) -> usize {
        let (index, high) = self.near(plan, time);
        let joins = |session: Option<&Session>| session.is_some_and(|session| session.first <= high);
        if !joins(self.sessions.get(index)) {
            let lanes = Lanes::new(plan);
            self.bytes = self.bytes + lanes.bytes();
            let session = Session { first: time, last: time, lanes, revision: 0, out: false };
            self.sessions.insert(index, session);
            return index;
        }
        if joins(self.sessions.get(index + 1))
            && let Some(mut next) = self.sessions.remove(index + 1)
        {
            let session = &mut self.sessions[index];
            let before = session.lanes.bytes() + next.lanes.bytes();
            // What they hold decides, not the memory they have: a thawed state has another.
            if session.lanes.steps() < next.lanes.steps() {
                std::mem::swap(&mut session.lanes, &mut next.lanes);
            }
            session.lanes.merge(&next.lanes);
            session.lanes.keep_least();
            self.bytes = self.bytes + session.lanes.bytes() - before;
            session.last = next.last;
            session.revision = session.revision.max(next.revision);
        }
        let session = &mut self.sessions[index];
        (session.first, session.last) = (session.first.min(time), session.last.max(time));
        index
    }
}

impl Session {
    /// It closes when the watermark is later than this.
    fn closes_after(&self, plan: &Plan) -> i64 {
        self.last.saturating_add_unsigned(gap(plan))
    }

    fn come_out(&mut self, plan: &Plan, out: &mut Closed) {
        out.push(plan, (self.first, self.last, self.revision), &self.lanes);
        self.revision = self.revision.saturating_add(1);
        self.out = true;
    }
}

fn gap(plan: &Plan) -> u64 {
    match plan.closing {
        Some(SpanKind::Session(gap)) => gap,
        _ => unreachable!("a key's windows are those of its plan"),
    }
}
