//! From joining the group to leaving it.
//!
//! ```text
//!           ┌───────────── pause <── failed
//!           v                          ^
//!   join ─> poll ─> rows ─> keep ──────┤
//!           ^                          v
//!           └───────────────────────  kept ─> committed, now and then
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tracing::warn;

use super::keeper::{Group, Keeper, Place, Taken};
use super::patience::{Patience, Seldom};
use super::ports::{Feed, Outputs, Tally};
use super::rows::{LeftOut, Reader, Rows};
use crate::engine::ports::{Limit, Mark, Polled, Source};
use crate::error::{Code, Error, Result};
use crate::record::PartitionId;

/// What a poll may bring.
const LIMIT: Limit = Limit { rows: 8192, bytes: 4 << 20 };
/// How long it waits for a record.
const WAIT: Duration = Duration::from_millis(50);
/// How often it is looked whether something else than records matters.
const LOOK: Duration = Duration::from_millis(100);
/// How often offsets are committed.
const COMMIT_EVERY: Duration = Duration::from_millis(500);
/// How long keeping may go on when the store is to end.
const GRACE: Duration = Duration::from_secs(10);
/// A release of which rows came is known to this process within this; else they are taken by what is known.
const RELEASE_WITHIN: Duration = Duration::from_secs(30);

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The store is to end.
    Asked,
    /// Another release runs, whose outputs are others.
    Changed,
}

/// What lasts longer than a session.
pub(super) struct Around<'a> {
    pub place: &'a str,
    pub tally: &'a Tally,
    pub patience: &'a mut Patience,
    pub left_out: &'a mut Seldom,
    pub flawed: &'a mut Seldom,
}

pub(super) struct Session<'a, F: Feed> {
    member: Member<'a, F>,
    keeper: &'a mut dyn Keeper,
    reader: Reader,
    outputs: &'a Outputs,
    around: Around<'a>,
    /// The highest release whose outputs are known to be these. 0: there are no others.
    known: u64,
    /// Since when rows of a later one wait.
    ahead: Option<Instant>,
    looked: Instant,
    /// Partitions that were read to their end; none before something was assigned.
    ended: Option<BTreeSet<PartitionId>>,
}

impl<'a, F: Feed> Session<'a, F> {
    /// Joins.
    pub fn open(
        feed: &'a F,
        outputs: &'a Outputs,
        keeper: &'a mut dyn Keeper,
        reader: Reader,
        around: Around<'a>,
    ) -> Result<Self> {
        let (known, now) = (outputs.release, Instant::now());
        let member = Member::new(feed, feed.join(&outputs.topics)?);
        Ok(Self { member, keeper, reader, outputs, around, known, ahead: None, looked: now, ended: None })
    }

    /// Until something wants the end. An error: the group can't be read; what is not kept comes again.
    pub fn go(mut self) -> Result<End> {
        loop {
            if self.member.feed.asked() || self.is_through() {
                return self.leave(End::Asked);
            }
            if self.looked.elapsed() >= LOOK {
                self.looked = Instant::now();
                if self.is_changed() {
                    return self.leave(End::Changed);
                }
                let held = self.keeper.look(self.looked, &mut self.member);
                self.settle(held)?;
                self.member.commit_now_and_then()?;
            }
            match self.member.source.poll(WAIT, LIMIT)? {
                Polled::Records(0) => {}
                Polled::Records(_) => self.take()?,
                Polled::Assigned(partitions) => self.begin(&partitions)?,
                Polled::Revoked { partitions, lost } => self.give_up(&partitions, lost)?,
            }
            let ended = self.member.source.ended();
            self.ended.iter_mut().for_each(|all| all.extend(&ended));
        }
    }

    /// All that there was has been read, and no more is wanted.
    fn is_through(&self) -> bool {
        let is_read = |ended: &BTreeSet<_>| self.member.places.keys().all(|id| ended.contains(id));
        self.member.feed.until_end() && self.ended.as_ref().is_some_and(is_read)
    }

    fn begin(&mut self, partitions: &[PartitionId]) -> Result<()> {
        let committed = self.member.source.committed(partitions)?;
        let place = |(id, committed): (&PartitionId, &Option<crate::engine::ports::Committed>)| {
            let before = committed.filter(|one| one.commit > 0).map(|one| one.commit as i64);
            (*id, Place { next: committed.map(|one| one.next), before })
        };
        let places: Vec<_> = partitions.iter().zip(&committed).map(place).collect();
        let from: Vec<_> = places.iter().map(|(id, place)| (*id, place.next)).collect();
        self.member.source.start(&from)?;
        self.member.places.extend(places.iter().copied());
        self.keeper.begin(&places);
        self.ended.get_or_insert_default();
        Ok(())
    }

    fn give_up(&mut self, partitions: &[PartitionId], lost: bool) -> Result<()> {
        if !lost {
            self.finish(partitions);
            self.member.commit(partitions)?;
        }
        self.keeper.forget(partitions);
        self.member.forget(partitions);
        self.ended.iter_mut().for_each(|ended| ended.retain(|id| !partitions.contains(id)));
        self.member.source.release(partitions)
    }

    fn leave(mut self, end: End) -> Result<End> {
        let all: Vec<_> = self.member.places.keys().copied().collect();
        self.finish(&all);
        self.keeper.forget(&all);
        self.member.commit(&all)?;
        self.member.source.leave()?;
        Ok(end)
    }

    /// Keeps what is held back. What can't be comes again, to whoever goes on.
    fn finish(&mut self, partitions: &[PartitionId]) {
        if let Err(error) = self.keeper.finish(partitions, &mut self.member) {
            let place = self.around.place;
            warn!("{place}: {} {error}; the last rows are kept by whoever goes on", error.code);
        }
    }

    fn take(&mut self) -> Result<()> {
        let rows = self.reader.read(&self.member.source.records(), &self.outputs.topics);
        if self.is_ahead(rows.newest) {
            return self.set_back(LOOK);
        }
        match self.keeper.take(&rows, &mut self.member) {
            Ok(taken) => {
                self.tell(&rows, taken);
                self.settle(Ok(()))
            }
            failed => self.settle(failed.map(drop)),
        }
    }

    /// How a step of the keeper went.
    fn settle(&mut self, went: Result<()>) -> Result<()> {
        match went {
            Ok(()) if std::mem::take(&mut self.member.has_kept) => {
                self.around.tally.went_well();
                self.around.patience.went_well(Instant::now());
                Ok(())
            }
            Ok(()) => Ok(()),
            Err(error) if error.code == Code::Internal => Err(error),
            // What was asked for is seen at once.
            Err(_) if self.member.feed.asked() => Ok(()),
            Err(error) => {
                self.around.tally.failed();
                let pause = self.around.patience.failed(&error, Instant::now());
                self.set_back(pause)
            }
        }
    }

    /// Reads what is not kept again, after a while.
    fn set_back(&mut self, pause: Duration) -> Result<()> {
        let (places, began) = (&self.member.places, Instant::now());
        let all: Vec<_> = places.iter().map(|(id, place)| (*id, *place)).collect();
        self.keeper.forget(&all.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        while began.elapsed() < pause && !self.member.feed.asked() {
            self.member.source.keep_alive()?;
            std::thread::sleep(LOOK.min(pause.saturating_sub(began.elapsed())));
        }
        self.member.source.start(&all.iter().map(|(id, place)| (*id, place.next)).collect::<Vec<_>>())?;
        self.keeper.begin(&all);
        self.ended.iter_mut().for_each(BTreeSet::clear);
        Ok(())
    }

    fn is_same(&self, outputs: &Outputs) -> bool {
        let own = self.outputs;
        let has = |column| own.columns.contains(column);
        outputs.windows == own.windows
            && outputs.columns.iter().all(has)
            && outputs.topics.iter().all(|topic| own.topics.contains(topic))
    }

    fn is_changed(&mut self) -> bool {
        let outputs = self.member.feed.outputs();
        let is_same = self.is_same(&outputs);
        if is_same {
            self.known = self.known.max(outputs.release);
        }
        !is_same
    }

    /// Whether rows are of a release that this process does not know yet: nor does it know their columns.
    fn is_ahead(&mut self, newest: u64) -> bool {
        if self.known == 0 || newest <= self.known {
            self.ahead = None;
            return false;
        }
        if self.is_changed() {
            return true;
        }
        let since = *self.ahead.get_or_insert_with(Instant::now);
        if newest > self.known && since.elapsed() < RELEASE_WITHIN {
            return true;
        }
        if newest > self.known {
            let (place, known) = (self.around.place, self.known);
            warn!(
                "{place}: rows of release {newest} come, but {known} runs here: they are kept by its columns"
            );
            self.known = newest;
        }
        self.ahead = None;
        false
    }

    fn tell(&mut self, rows: &Rows, taken: Taken) {
        let Around { place, tally, left_out, flawed, .. } = &mut self.around;
        let all: Vec<&LeftOut> = rows.left_out.iter().chain(&taken.left_out).collect();
        tally.kept.fetch_add((rows.batch.rows() - taken.left_out.len()) as u64, Relaxed);
        tally.flawed.fetch_add(taken.flawed.len() as u64, Relaxed);
        tally.left_out.fetch_add(all.len() as u64, Relaxed);
        let more =
            |unsaid: u64| if unsaid > 0 { format!("; so were {unsaid} others") } else { String::new() };
        if let Some(LeftOut { from, offset, why }) = all.first()
            && let Some(unsaid) = left_out.say(Instant::now())
        {
            let (topic, others) =
                (&self.outputs.topics[usize::from(from.source)], unsaid + all.len() as u64 - 1);
            let (code, more) = (Code::StoreForeign, more(others));
            warn!("{place}: {code} {topic}/{}/{offset} is left out: {why}{more}", from.partition);
        }
        if let Some(flaw) = taken.flawed.first()
            && let Some(unsaid) = flawed.say(Instant::now())
        {
            let (code, more) = (Code::StoreValue, more(unsaid + taken.flawed.len() as u64 - 1));
            warn!("{place}: {code} a row is kept in part: {flaw}{more}");
        }
    }
}

/// The place in the group, and what of it is kept.
struct Member<'a, F: Feed> {
    feed: &'a F,
    source: F::Source,
    places: BTreeMap<PartitionId, Place>,
    uncommitted: BTreeMap<PartitionId, i64>,
    committed: Instant,
    /// Since the last look.
    has_kept: bool,
    asked: std::cell::Cell<Option<Instant>>,
}

impl<'a, F: Feed> Member<'a, F> {
    fn new(feed: &'a F, source: F::Source) -> Self {
        let (places, uncommitted, asked) = Default::default();
        Self { feed, source, places, uncommitted, committed: Instant::now(), has_kept: false, asked }
    }

    fn commit_now_and_then(&mut self) -> Result<()> {
        if self.uncommitted.is_empty() || self.committed.elapsed() < COMMIT_EVERY {
            return Ok(());
        }
        self.committed = Instant::now();
        let offsets: Vec<_> = std::mem::take(&mut self.uncommitted).into_iter().collect();
        self.source.commit(&offsets, false)
    }

    /// What of these is kept, and what is under way.
    fn commit(&mut self, partitions: &[PartitionId]) -> Result<()> {
        let kept = partitions.iter().filter_map(|id| self.uncommitted.remove_entry(id));
        let offsets: Vec<_> = kept.collect();
        self.source.commit(&offsets, true)
    }

    fn forget(&mut self, partitions: &[PartitionId]) {
        for id in partitions {
            self.places.remove(id);
            self.uncommitted.remove(id);
        }
    }

    fn is_at(&mut self, id: PartitionId, place: Place) {
        self.has_kept = true;
        if let Some(known) = self.places.get_mut(&id) {
            *known = place;
        }
    }
}

impl<F: Feed> Group for Member<'_, F> {
    fn alive(&self) -> Result<()> {
        if self.feed.asked() {
            let since = self.asked.get().unwrap_or_else(Instant::now);
            self.asked.set(Some(since));
            if since.elapsed() > GRACE {
                let text = format!("it did not end within {GRACE:?}");
                return Err(Error::new(Code::Stuck, text));
            }
        }
        self.source.keep_alive()
    }

    fn kept(&mut self, next: &[(PartitionId, i64)]) {
        for (id, next) in next {
            self.is_at(*id, Place { next: Some(*next), before: None });
            self.uncommitted.insert(*id, *next);
        }
    }

    fn commit(&mut self, marks: &[Mark]) -> Result<bool> {
        let is_done = self.source.commit_marks(marks)?;
        for Mark { of, next, commit, .. } in marks.iter().filter(|_| is_done) {
            let before = (*commit > 0).then_some(*commit as i64);
            self.is_at(*of, Place { next: Some(*next), before });
        }
        Ok(is_done)
    }
}
