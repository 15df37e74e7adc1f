//! What is remembered of one key.

use smallvec::SmallVec;

use super::Retention;
use super::plans::Plans;
use crate::bytes::{Reader, Write};
use crate::error::{Code, Error, Result};
use crate::window::{Closing, History, Plan};

/// The windows of one key.
#[derive(Debug)]
pub enum Windows {
    /// Of a stage that gives a vector for each row.
    Row(History),
    /// Of a stage that gives one for each window that closes.
    Close(Box<Closing>),
}

impl Windows {
    pub(super) fn new(plan: &Plan) -> Self {
        match plan.closing {
            None => Self::Row(History::new(plan)),
            Some(_) => Self::Close(Box::new(Closing::new(plan))),
        }
    }

    fn freeze(&self, plan: &Plan, into: &mut Vec<u8>) {
        match self {
            Self::Row(history) => history.freeze(plan, into),
            Self::Close(closing) => closing.freeze(into),
        }
    }

    fn thaw(plan: &Plan, reader: &mut Reader<'_>) -> Option<Self> {
        Some(match plan.closing {
            None => Self::Row(History::thaw(plan, reader)?),
            Some(_) => Self::Close(Box::new(Closing::thaw(plan, reader)?)),
        })
    }
}

/// A key and its windows.
#[derive(Debug)]
pub struct Slot {
    pub key: Box<[u8]>,
    pub windows: Windows,
    /// By which of the store's plans they are kept.
    pub(super) kept_by: u8,
    /// By input: the hash of the record's key that came with its first row; 0: not known.
    record_keys: SmallVec<[u64; 1]>,
    /// How often it began anew.
    pub generation: u32,
    /// The newest time that came.
    pub(super) newest: i64,
    /// The watermark at which it is to be looked at; there is one such entry among the timers.
    pub(super) timer: Option<i64>,
    pub(super) standing: Standing,
}

/// How a slot stands to what is kept of it elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    /// Changed since the last commit.
    pub touched: bool,
    /// Changed since the last checkpoint was begun.
    pub dirty: bool,
    /// The checkpoint that is under way has yet to take it as it is.
    pub pending: bool,
    /// A row came since it was looked at last.
    pub used: bool,
    /// When it is due according to the base.
    pub due_before: Option<i64>,
}

impl Slot {
    pub(super) fn new(plan: &Plan, kept_by: u8, key: &[u8]) -> Self {
        Self {
            key: key.into(),
            windows: Windows::new(plan),
            kept_by,
            record_keys: SmallVec::new(),
            generation: 0,
            newest: i64::MIN,
            timer: None,
            standing: Standing::default(),
        }
    }

    /// The newest event time that came.
    pub fn newest(&self) -> i64 {
        self.newest
    }

    /// For people to read: names and values, times in milliseconds.
    pub fn describe(&self, plan: &Plan) -> Vec<(String, String)> {
        match &self.windows {
            Windows::Row(history) => history.describe(plan),
            Windows::Close(closing) => closing.describe(plan),
        }
    }

    /// Bytes held, this struct included.
    pub(super) fn size(&self) -> usize {
        let windows = match &self.windows {
            Windows::Row(history) => history.size() - size_of::<History>(),
            Windows::Close(closing) => closing.size(),
        };
        size_of::<Self>() + self.key.len() + windows
    }

    /// Whether rows of an input come with this record's key, given its hash; the first one decides: then it is given
    /// back, else 0. `None`: they come with another one.
    pub fn greet(&mut self, input: usize, key: u64) -> Option<u64> {
        if self.record_keys.len() <= input {
            self.record_keys.resize(input + 1, 0);
        }
        let known = &mut self.record_keys[input];
        if *known == 0 {
            *known = key;
            return Some(key);
        }
        (*known == key).then_some(0)
    }

    /// Whether nothing came for so long before this time that the key is to be forgotten.
    pub(super) fn is_silent(&self, retention: Retention<'_>, time: i64) -> bool {
        let ends = |after: i64| self.newest.saturating_add(after) < time;
        let began = self.newest != i64::MIN && matches!(self.windows, Windows::Row(_));
        began && retention.expire_after.is_some_and(ends)
    }

    /// The watermark at which this key must be looked at: a window closes, or nothing is left.
    pub fn due(&self, retention: Retention<'_>) -> Option<i64> {
        let Retention { plan, lateness, expire_after } = retention;
        let after = |horizon: i64| horizon.saturating_add(lateness).saturating_add(1);
        match &self.windows {
            Windows::Row(history) => {
                let silent = expire_after.map(|silence| self.newest.saturating_add(silence));
                history.expiry(plan).into_iter().chain(silent).min().map(after)
            }
            Windows::Close(closing) => closing.due(plan).or_else(|| closing.expiry(plan).map(after)),
        }
    }

    /// Keeps the windows by the plan that holds.
    pub(super) fn convert(&mut self, plans: &Plans) -> Result<()> {
        let (from, to) = (plans.of(self.kept_by), plans.current());
        if let (Windows::Row(history), Some(from), Some(to)) = (&self.windows, from, to)
            && let Some(history) = history.convert(from, to)
        {
            (self.windows, self.kept_by) = (Windows::Row(history), plans.current_mark());
            return Ok(());
        }
        Err(Error::new(Code::Internal, "windows that can't be kept in another way"))
    }

    /// As it stands in a base.
    pub(super) fn freeze(&self, plans: &Plans) -> Box<[u8]> {
        let plan = plans.of(self.kept_by).expect("a key is made by a plan of its store");
        let mut into = Vec::new();
        into.byte(u8::from(self.timer.is_some()));
        into.signed(self.timer.unwrap_or_default());
        into.signed(self.newest);
        into.number(self.record_keys.len() as u64);
        self.record_keys.iter().for_each(|key| into.word(*key));
        into.byte(self.kept_by);
        self.windows.freeze(plan, &mut into);
        into.into_boxed_slice()
    }

    /// `None`: these are not the bytes of a slot of any of the plans.
    pub(super) fn thaw(plans: &Plans, key: &[u8], bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let due = read_due(&mut reader)?;
        let newest = reader.signed()?;
        let record_keys = (0..reader.count()?).map(|_| reader.word()).collect::<Option<_>>()?;
        let kept_by = reader.byte()?;
        let windows = Windows::thaw(plans.of(kept_by)?, &mut reader)?;
        reader.end()?;
        let standing = Standing { due_before: due, ..Standing::default() };
        Some(Self {
            key: key.into(),
            windows,
            kept_by,
            record_keys,
            generation: 0,
            newest,
            timer: due,
            standing,
        })
    }
}

/// When a key is due whose slot was frozen to these bytes. Outer `None`: they are not.
pub fn due_of(bytes: &[u8]) -> Option<Option<i64>> {
    read_due(&mut Reader(bytes))
}

fn read_due(reader: &mut Reader<'_>) -> Option<Option<i64>> {
    let (is_due, due) = (reader.flag()?, reader.signed()?);
    Some(is_due.then_some(due))
}
