//! What the host remembers: for each partition a store, in it for each key a history.
//! In memory; it moves with its partition from thread to thread.

mod key;

use hashbrown::HashMap;

pub use key::{KeyColumns, MissingKey};

use crate::window::{History, Plan};

/// The keys of one partition. The hash is seeded at random, since keys are chosen by strangers;
/// nothing depends on its order.
#[derive(Debug, Default)]
pub struct Store {
    keys: HashMap<Box<[u8]>, History>,
}

impl Store {
    /// The history of a key; a fresh one if it was not seen before.
    pub fn history(&mut self, plan: &Plan, key: &[u8]) -> &mut History {
        self.keys.entry_ref(key).or_insert_with(|| History::new(plan))
    }

    /// Keys, kept entries, and bytes held, tables included. Walks all keys.
    pub fn usage(&self, plan: &Plan) -> Usage {
        let table = self.keys.allocation_size();
        self.keys.iter().fold(
            Usage { keys: self.keys.len(), entries: 0, bytes: table },
            |usage, (key, history)| Usage {
                entries: usage.entries + history.entries(&plan.layout),
                bytes: usage.bytes + key.len() + history.size() - size_of::<History>(),
                ..usage
            },
        )
    }
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub keys: usize,
    pub entries: usize,
    pub bytes: usize,
}
