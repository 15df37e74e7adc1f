//! By which plans the windows of a store's keys are kept.
//!
//! Releases may want other windows, so plans change while keys are remembered. Each key says by which plan its
//! windows are kept, and is converted when it is met next. What is on disk or in a changelog brings its plans along.

use std::sync::Arc;

use super::base::Image;
use crate::bytes::{Reader, Write};
use crate::error::{Code, Error, Result};
use crate::window::Plan;

/// So many different plans a store may have had.
const MOST: usize = 64;

/// Among the stores of a base, the one of the plans: its keys are indices of stores.
const STORE: u8 = u8::MAX;

/// All plans that any key may be kept by, and the one that holds now.
#[derive(Clone, Debug, Default)]
pub(super) struct Plans {
    all: Vec<Arc<Plan>>,
    current: usize,
}

impl Plans {
    /// Another plan holds from now on. Whether that is news.
    pub fn put(&mut self, plan: &Plan) -> Result<bool> {
        if self.is_current(plan) {
            return Ok(false);
        }
        let print = plan.fingerprint();
        self.current = match self.all.iter().position(|one| one.fingerprint() == print) {
            Some(known) => known,
            None if self.all.len() < MOST => {
                let (cells, columns) = Default::default();
                self.all.push(Arc::new(Plan { cells, columns, ..plan.clone() }));
                self.all.len() - 1
            }
            None => {
                let text = format!(
                    "windows were changed {MOST} times: these can't be taken over. Begin anew with `tailwater reset`"
                );
                return Err(Error::new(Code::StateOther, text));
            }
        };
        Ok(true)
    }

    /// Whether it is the plan that holds.
    pub fn is_current(&self, plan: &Plan) -> bool {
        self.current().is_some_and(|current| current.fingerprint() == plan.fingerprint())
    }

    /// The first plan holds, where none does.
    pub fn begin(&mut self, plan: &Plan) -> Result<()> {
        if self.all.is_empty() { self.put(plan).map(drop) } else { Ok(()) }
    }

    pub fn current(&self) -> Option<&Arc<Plan>> {
        self.all.get(self.current)
    }

    /// What a key says that is kept by the plan that holds.
    pub fn current_mark(&self) -> u8 {
        self.current as u8
    }

    /// A plan that is known holds from now on.
    pub fn hold(&mut self, mark: u8) {
        self.current = usize::from(mark).min(self.all.len().saturating_sub(1));
    }

    /// The plan of a key that says so.
    pub fn of(&self, mark: u8) -> Option<&Arc<Plan>> {
        self.all.get(usize::from(mark))
    }

    /// As they stand in a base.
    pub fn image(&self, store: u8) -> Image {
        let mut bytes = Vec::new();
        // It is never due.
        bytes.byte(0);
        bytes.signed(0);
        bytes.number(self.current as u64);
        bytes.number(self.all.len() as u64);
        for plan in &self.all {
            let mut written = Vec::new();
            plan.write(&mut written);
            bytes.list(&written);
        }
        let (key, bytes) = ([store].into(), Some(bytes.into()));
        Image { store: STORE, key, bytes, due: None, due_before: None }
    }

    /// Where the plans of a store stand in a base.
    pub fn place(store: u8) -> (u8, [u8; 1]) {
        (STORE, [store])
    }

    /// None: these are no plans.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let (_, _) = (reader.flag()?, reader.signed()?);
        let current = usize::try_from(reader.number()?).ok()?;
        let count = reader.count().filter(|count| *count <= MOST)?;
        let all = (0..count).map(|_| read_plan(reader.list()?).map(Arc::new)).collect::<Option<Vec<_>>>()?;
        reader.end()?;
        // There are none before the first key.
        (current < all.len() || current == 0).then_some(Self { all, current })
    }
}

/// A plan that was written, and nothing behind it.
pub(super) fn read_plan(bytes: &[u8]) -> Option<Plan> {
    let mut reader = Reader(bytes);
    let plan = Plan::read(&mut reader)?;
    reader.end()?;
    Some(plan)
}

impl Image {
    /// Whether it is of all keys of its task: it says by which plans they are kept.
    pub fn is_of_plans(&self) -> bool {
        self.store == STORE
    }
}
