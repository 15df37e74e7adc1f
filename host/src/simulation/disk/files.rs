//! What is kept of one task, and how it was before.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::state::{Checkpoint, Commit, Due, Frozen, Image};

/// How many checkpoints can be undone.
const UNDONE: usize = 3;

type Key = (u8, Box<[u8]>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    bytes: Box<[u8]>,
    due: Option<i64>,
}

#[derive(Debug)]
struct Undo {
    position: Option<(Commit, Vec<u8>)>,
    keys: Vec<(Key, Option<Kept>)>,
}

/// The keys of one task as of one checkpoint.
#[derive(Debug, Default)]
pub struct Files {
    position: Option<(Commit, Vec<u8>)>,
    keys: BTreeMap<Key, Kept>,
    due: BTreeSet<(u8, i64, Box<[u8]>)>,
    before: VecDeque<Undo>,
}

impl Files {
    pub fn position(&self) -> Option<(Commit, &[u8])> {
        self.position.as_ref().map(|(commit, head)| (*commit, head.as_slice()))
    }

    pub fn get(&self, store: u8, key: &[u8]) -> Option<Box<[u8]>> {
        Some(self.keys.get(&(store, key.into()))?.bytes.clone())
    }

    pub fn due(&self, store: u8, behind: Option<&Due>, until: i64, most: usize) -> Vec<Due> {
        let (moment, key) = behind.cloned().unwrap_or((i64::MIN, Box::default()));
        let from = self.due.range((store, moment, key)..);
        let from =
            from.filter(|(_, moment, key)| behind.is_none_or(|last| (*moment, key) != (last.0, &last.1)));
        let own = from.take_while(|(other, due, _)| *other == store && *due <= until);
        own.take(most).map(|(_, due, key)| (*due, key.clone())).collect()
    }

    pub fn all(&self) -> Vec<Frozen> {
        self.keys.iter().map(|((store, key), kept)| (*store, key.clone(), kept.bytes.clone())).collect()
    }

    fn put(&mut self, key: &Key, kept: Option<Kept>) -> Option<Kept> {
        if let Some(due) = kept.as_ref().and_then(|kept| kept.due) {
            self.due.insert((key.0, due, key.1.clone()));
        }
        let due_now = kept.as_ref().and_then(|kept| kept.due);
        let old = match kept {
            Some(kept) => self.keys.insert(key.clone(), kept),
            None => self.keys.remove(key),
        };
        if let Some(due) = old.as_ref().and_then(|old| old.due).filter(|due| due_now != Some(*due)) {
            self.due.remove(&(key.0, due, key.1.clone()));
        }
        old
    }

    /// An error: what the checkpoint says of what was before is not so, or it has a key twice.
    pub fn apply(&mut self, checkpoint: Checkpoint) -> Result<(), String> {
        let Checkpoint { commit, head, images } = checkpoint;
        let mut law = Ok(());
        let mut seen = BTreeSet::new();
        let mut keys = Vec::with_capacity(images.len());
        for Image { store, key, bytes, due, due_before } in images {
            let key = (store, key);
            if !seen.insert(key.clone()) {
                law = Err(format!("key {key:?} comes twice in checkpoint {commit}"));
            }
            let old = self.put(&key, bytes.map(|bytes| Kept { bytes, due }));
            let was = old.as_ref().and_then(|old| old.due);
            if was != due_before {
                law = Err(format!(
                    "key {key:?} was due at {was:?}, not {due_before:?}, before checkpoint {commit}"
                ));
            }
            keys.push((key, old));
        }
        let position = self.position.replace((commit, head));
        self.before.push_back(Undo { position, keys });
        if self.before.len() > UNDONE {
            self.before.pop_front();
        }
        law
    }

    /// Goes so many checkpoints back, as far as is known.
    pub fn undo(&mut self, count: usize) {
        for _ in 0..count {
            let Some(Undo { position, keys }) = self.before.pop_back() else { return };
            self.position = position;
            for (key, old) in keys.into_iter().rev() {
                self.put(&key, old);
            }
        }
    }
}
