//! A store over a base: keys come into memory when they are met or due, leave it when there is no room, and what
//! changed is committed, taken back, or written by a checkpoint.

use std::cmp::Reverse;
use std::sync::Arc;

use super::base::{Base, Behind, Due, Image, lock};
use super::changes::Changes;
use super::journal::{Journal, Op};
use super::plans::{Plans, read_plan};
use super::slot::{Slot, Windows};
use super::{Desk, Meeting, Retention, Store};
use crate::columns::Builder;
use crate::error::{Code, Error, Result};
use crate::window::{Cells, Closed, Plan, Scratch, Scripts};

/// Bytes of a key that nobody has counted yet.
const PER_KEY: usize = 600;

/// So many keys that are due are asked for at a time.
const DUE_AT_ONCE: usize = 1_024;

/// What a store with a base has beside.
#[derive(Debug)]
pub(super) struct Backed {
    pub base: Behind,
    pub changes: Changes,
    /// All keys of the base that are due up to here are in memory, or gone.
    fetched: Option<Due>,
    /// No other key of the base is due before this; none: no other is ever.
    next: Option<i64>,
    /// Bytes that a key takes in memory, as of when they were counted last.
    per_key: usize,
}

impl Backed {
    pub fn new(base: Behind) -> Self {
        Self { base, changes: Changes::default(), fetched: None, next: Some(i64::MIN), per_key: PER_KEY }
    }

    /// A key of the base. One that is damaged is of no use to the next who opens it either.
    fn read(&self, store: u8, plans: &Plans, key: &[u8]) -> Result<Option<Slot>> {
        let mut base = lock(&self.base);
        let found = base.get(store, key).and_then(|bytes| {
            bytes.map(|bytes| Slot::thaw(plans, key, &bytes).ok_or_else(damaged)).transpose()
        });
        clear_if_damaged(&mut **base, found)
    }

    /// By which plans its keys are kept. None: nothing is here.
    fn plans(&self, store: u8) -> Result<Option<Plans>> {
        let (place, key) = Plans::place(store);
        let mut base = lock(&self.base);
        let found = base
            .get(place, &key)
            .and_then(|bytes| bytes.map(|bytes| Plans::read(&bytes).ok_or_else(damaged)).transpose());
        clear_if_damaged(&mut **base, found)
    }

    /// The next keys that are due.
    fn due(&self, store: u8) -> Result<Vec<Due>> {
        let mut base = lock(&self.base);
        let due = base.due(store, self.fetched.as_ref(), i64::MAX, DUE_AT_ONCE);
        clear_if_damaged(&mut **base, due)
    }

    /// What is in the base may be due whenever.
    fn look_anew(&mut self) {
        (self.fetched, self.next) = (None, Some(i64::MIN));
    }
}

/// What rows that are read back from a journal are given to: nobody looks at what comes of them.
#[derive(Debug)]
pub struct Replay<'a> {
    retention: Retention<'a>,
    gear: Option<Gear>,
    words: Vec<u64>,
    /// Only these keys are met; none: all.
    only: Option<Vec<Box<[u8]>>>,
}

/// For one plan.
#[derive(Debug)]
struct Gear {
    plan: Arc<Plan>,
    cells: Builder,
    closed: Closed,
    scratch: Scratch,
    scripts: Scripts,
}

impl Gear {
    fn new(plan: &Arc<Plan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            cells: Builder::new(plan.columns.as_slice().into()),
            closed: Closed::new(plan),
            scratch: Scratch::default(),
            scripts: Scripts::new(plan),
        }
    }
}

impl<'a> Replay<'a> {
    /// Its plan is that of a store which says nothing of its own.
    pub fn new(retention: Retention<'a>) -> Self {
        Self { retention, gear: None, words: Vec::new(), only: None }
    }

    /// Of journals only this key is met; or none.
    pub fn only(&mut self, key: Option<&[u8]>) {
        self.only = Some(key.into_iter().map(Into::into).collect());
    }
}

impl Store {
    /// A key as it is remembered, if it is, and by which plan.
    pub fn look(&mut self, retention: Retention<'_>, key: &[u8]) -> Result<Option<(&Slot, &Plan)>> {
        let known = self.slots.number_of(key, |slot| &slot.key);
        let is_known = match &self.behind {
            Some(backed) if !backed.changes.is_gone(key) => {
                backed.read(self.index, &self.plans, key)?.is_some()
            }
            _ => false,
        };
        let id = match known {
            None if is_known => Some(self.enter(retention, key)?),
            known => known,
        };
        Ok(id.and_then(|id| {
            let slot = self.slots.get(id);
            Some((slot, &**self.plans.of(slot.kept_by)?))
        }))
    }

    /// The number of a key that is not in memory.
    pub(super) fn enter(&mut self, retention: Retention<'_>, key: &[u8]) -> Result<u32> {
        self.plans.begin(retention.plan)?;
        let found = match &mut self.behind {
            Some(backed) if !backed.changes.is_gone(key) => backed.read(self.index, &self.plans, key)?,
            _ => None,
        };
        let is_known = found.is_some();
        let mut slot = found.unwrap_or_else(|| Slot::new(retention.plan, self.plans.current_mark(), key));
        if let Some(backed) = &mut self.behind
            && let Some(due) = backed.changes.comes_back(key)
        {
            slot.standing.due_before = Some(due);
        }
        let id = self.slots.find_or_insert(key, |slot| &slot.key, || slot);
        if is_known {
            self.wind(retention, id);
        }
        Ok(id)
    }

    /// A key came from the base: it is looked at when it would have been, had it stayed in memory.
    fn wind(&mut self, retention: Retention<'_>, id: u32) {
        let Slot { timer, newest, kept_by, .. } = *self.slots.get(id);
        self.timers.extend(timer.map(|due| Reverse((due, id))));
        if kept_by == self.plans.current_mark() {
            self.touch(retention, id, newest);
        }
    }

    /// Takes over by which plans the keys of its base are kept.
    pub fn begin(&mut self) -> Result<()> {
        if let Some(backed) = &self.behind {
            self.plans = backed.plans(self.index)?.unwrap_or_default();
        }
        Ok(())
    }

    /// Brings keys into memory that are due.
    pub(super) fn fetch_due(&mut self, retention: Retention<'_>, until: i64) -> Result<()> {
        loop {
            let Some(backed) =
                self.behind.as_mut().filter(|backed| backed.next.is_some_and(|next| next <= until))
            else {
                return Ok(());
            };
            let due = backed.due(self.index)?;
            let all = due.len() < DUE_AT_ONCE;
            let first_later = due.iter().position(|(moment, _)| *moment > until).unwrap_or(due.len());
            backed.next = due.get(first_later).map(|(moment, _)| *moment);
            if first_later == due.len() && !all {
                backed.next = due.last().map(|(moment, _)| *moment);
            }
            for (moment, key) in due.into_iter().take(first_later) {
                let backed = self.behind.as_mut().expect("it was there before");
                let is_gone = backed.changes.is_gone(&key);
                backed.fetched = Some((moment, key.clone()));
                if !is_gone && self.slots.number_of(&key, |slot| &slot.key).is_none() {
                    self.enter(retention, &key)?;
                }
            }
        }
    }

    /// All that changed so far is committed.
    pub fn commit(&mut self) {
        if let Some(backed) = &mut self.behind {
            backed.changes.commit(&mut self.slots);
        }
    }

    /// Begins a checkpoint of what is there now, which is committed. The one before is written.
    pub fn begin_checkpoint(&mut self) {
        if let Some(backed) = &mut self.behind {
            backed.changes.begin(&self.plans, self.index, &mut self.slots);
        }
    }

    /// Freezes more keys of the checkpoint, of about so many bytes. Whether all are.
    pub fn freeze(&mut self, most: usize) -> bool {
        let Some(backed) = &mut self.behind else { return true };
        backed.changes.go_on(&self.plans, self.index, &mut self.slots, most)
    }

    /// What the checkpoint found, when all is frozen.
    pub fn take_images(&mut self) -> Vec<Image> {
        self.behind.as_mut().map(|backed| std::mem::take(&mut backed.changes.images)).unwrap_or_default()
    }

    /// The checkpoint is written.
    pub fn written(&mut self) {
        if let Some(backed) = &mut self.behind {
            backed.changes.leaving.clear();
            backed.look_anew();
        }
    }

    /// Takes back what changed since the last commit, as far as the base goes: what was committed since the
    /// base's checkpoint is to be [replayed](Self::replay) for the keys that are given back. No checkpoint is
    /// under way.
    pub fn roll_back<'a>(&mut self, retention: Retention<'a>) -> Result<Replay<'a>> {
        let mut replay = Replay::new(retention);
        self.begin()?;
        let Some(backed) = &mut self.behind else { return Ok(replay) };
        let mut keys: Vec<Box<[u8]>> = std::mem::take(&mut backed.changes.forgotten);
        for id in std::mem::take(&mut backed.changes.touched) {
            if let Some(slot) = self.slots.find_mut(id).filter(|slot| slot.standing.touched) {
                keys.push(slot.key.clone());
                self.slots.remove(id, |slot| &slot.key);
            }
        }
        for key in &keys {
            backed.changes.gone.remove(key);
        }
        backed.look_anew();
        let base = Backed::new(Arc::clone(&backed.base));
        keys.sort_unstable();
        keys.dedup();
        for key in &keys {
            if let Some(slot) = base.read(self.index, &self.plans, key)? {
                let id = self.slots.find_or_insert(key, |slot| &slot.key, || slot);
                self.wind(retention, id);
            }
        }
        replay.only = Some(keys);
        Ok(replay)
    }

    /// Does once more what a journal says was done.
    pub fn replay(&mut self, op: &Op<'_>, replay: &mut Replay<'_>) -> Result<()> {
        if let Op::KeepBy { plan, .. } = *op {
            self.plans.put(&read_plan(plan).ok_or_else(foreign)?)?;
            return Ok(());
        }
        self.plans.begin(replay.retention.plan)?;
        let plan = Arc::clone(self.plans.current().expect("it has begun"));
        if replay.gear.as_ref().is_none_or(|gear| !Arc::ptr_eq(&gear.plan, &plan)) {
            replay.gear = Some(Gear::new(&plan));
        }
        let Replay { retention, gear, words, only } = replay;
        let Some(Gear { cells, closed, scratch, scripts, .. }) = gear else { return Ok(()) };
        let plan = &*plan;
        let retention = Retention { plan, ..*retention };
        let is_met = |key: &[u8]| {
            only.as_ref().is_none_or(|only| only.binary_search_by(|one| (**one).cmp(key)).is_ok())
        };
        match *op {
            Op::Row { input, watermark, record_key, key, words: bytes, .. } if is_met(key) => {
                let layout = plan.inputs.get(input).map(|input| &input.layout).ok_or_else(foreign)?;
                words.clear();
                words.extend(
                    bytes
                        .chunks_exact(8)
                        .map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes"))),
                );
                if words.len() != layout.stride {
                    return Err(foreign());
                }
                let meeting = Meeting { input, words: words.as_mut_slice(), record_key, watermark };
                let id = self.find(retention, key, meeting.time())?;
                if record_key != 0 {
                    self.slot(id).greet(input, record_key);
                }
                if plan.closing.is_some() {
                    self.meet_closing(retention, id, meeting, closed, None)?;
                    closed.windows.clear();
                    drop(closed.cells.seal());
                } else {
                    scripts.begin(id);
                    let cells = &mut Cells(cells);
                    self.meet(retention, id, meeting, Desk { scratch, cells, scripts }, None)?;
                    if input == 0 {
                        cells.0.abandon_row();
                    }
                }
            }
            Op::Pass { watermark, .. } => {
                self.pass(retention, watermark, closed, |_, _| {}, None)?;
                closed.windows.clear();
                drop(closed.cells.seal());
            }
            Op::Forget { watermark, .. } => self.forget(retention, watermark, None)?,
            Op::Registers { custom, key, bytes, .. } if is_met(key) => {
                let history = self.history(retention, key)?;
                let mut reader = crate::bytes::Reader(bytes);
                let thawed = history.thaw_registers(plan, custom, &mut reader);
                thawed.and_then(|()| reader.end()).ok_or_else(foreign)?;
            }
            Op::LeaveOut { custom, key, id, .. } if is_met(key) => {
                if custom >= plan.customs.len() {
                    return Err(foreign());
                }
                self.history(retention, key)?.leave_out(plan, custom, id);
            }
            _ => {}
        }
        Ok(())
    }

    /// Windows of a key that are there, or are made.
    fn history(&mut self, retention: Retention<'_>, key: &[u8]) -> Result<&mut crate::window::History> {
        let id = self.find(retention, key, i64::MIN)?;
        match &mut self.slots.get_mut(id).windows {
            Windows::Row(history) => Ok(history),
            Windows::Close(_) => Err(foreign()),
        }
    }

    /// Writes down the registers of custom folds of keys that changed since the last commit. Those of keys that are
    /// not kept by the plan that holds were written down when it came.
    pub fn journal_registers(&self, journal: &mut Journal) {
        let Some(backed) = &self.behind else { return };
        let Some(plan) = self.plans.current().filter(|plan| !plan.customs.is_empty()) else { return };
        for id in &backed.changes.touched {
            let Some(slot) = self.slots.find(*id) else { continue };
            let Windows::Row(history) = &slot.windows else { continue };
            if slot.standing.touched && slot.kept_by == self.plans.current_mark() {
                (0..plan.customs.len()).for_each(|custom| {
                    journal.registers(self.index, &slot.key, custom, |into| {
                        history.freeze_registers(plan, custom, into);
                    });
                });
            }
        }
    }

    /// Bytes held, and how many of them can't leave memory before a checkpoint; estimated.
    pub fn held(&self) -> (usize, usize) {
        let Some(backed) = &self.behind else { return (0, 0) };
        (self.slots.len() * backed.per_key, backed.changes.dirty.len() * backed.per_key)
    }

    /// Keys that may leave memory leave it, those first that were not met for long, until about so many bytes
    /// are held. No checkpoint is under way.
    pub fn evict(&mut self, most: usize) {
        if self.held().0 <= most {
            return;
        }
        let mut held = self.usage().bytes;
        if let Some(backed) = &mut self.behind {
            backed.per_key = held / self.slots.len().max(1);
        }
        if held <= most {
            return;
        }
        for _ in 0..2 {
            for id in 0..self.slots.numbers() {
                if held <= most {
                    break;
                }
                let Some(slot) = self.slots.find_mut(id) else { continue };
                let standing = &mut slot.standing;
                if standing.touched || standing.dirty || std::mem::take(&mut standing.used) {
                    continue;
                }
                held -= held.min(slot.size());
                self.slots.remove(id, |slot| &slot.key);
            }
        }
        self.timers
            .retain(|Reverse((due, id))| self.slots.find(*id).is_some_and(|slot| slot.timer == Some(*due)));
        if let Some(backed) = &mut self.behind {
            backed.look_anew();
        }
    }
}

fn clear_if_damaged<T>(base: &mut dyn Base, found: Result<T>) -> Result<T> {
    if found.as_ref().is_err_and(|error| error.code == Code::StateDamaged) {
        base.clear()?;
    }
    found
}

fn damaged() -> Error {
    Error::new(Code::StateDamaged, "a key's windows can't be read back")
}

fn foreign() -> Error {
    Error::new(Code::ChangelogDamaged, "a row in the changelog is not one of these windows")
}
