//! Things by key, each with a small number that stays while it is there.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

/// The hash is seeded at random, since keys are chosen by strangers.
#[derive(Debug)]
pub struct Slots<T> {
    index: HashTable<u32>,
    slots: Vec<Option<T>>,
    free: Vec<u32>,
    hasher: RandomState,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { index: HashTable::new(), slots: Vec::new(), free: Vec::new(), hasher: RandomState::new() }
    }
}

/// Not worth while with fewer.
const COMPACT_FROM: usize = 1_024;

impl<T> Slots<T> {
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of a key's thing, if it is there.
    pub fn number_of(&self, key: &[u8], key_of: impl Fn(&T) -> &[u8]) -> Option<u32> {
        let of = |id: u32| self.slots[id as usize].as_ref().map(&key_of);
        self.index.find(self.hasher.hash_one(key), |id| of(*id) == Some(key)).copied()
    }

    /// All numbers are below this.
    pub fn numbers(&self) -> u32 {
        self.slots.len() as u32
    }

    /// `None`: it was removed.
    pub fn find(&self, id: u32) -> Option<&T> {
        self.slots.get(id as usize)?.as_ref()
    }

    /// The number of a key's thing.
    pub fn find_or_insert(
        &mut self,
        key: &[u8],
        key_of: impl Fn(&T) -> &[u8],
        make: impl FnOnce() -> T,
    ) -> u32 {
        let Self { index, slots, free, hasher } = self;
        let hash = hasher.hash_one(key);
        let of = |id: u32| slots[id as usize].as_ref().map(&key_of);
        if let Some(id) = index.find(hash, |id| of(*id) == Some(key)) {
            return *id;
        }
        let id = match free.pop() {
            Some(id) => id,
            None => {
                slots.push(None);
                u32::try_from(slots.len() - 1).expect("memory ends before four billion keys")
            }
        };
        slots[id as usize] = Some(make());
        let rehash =
            |id: &u32| slots[*id as usize].as_ref().map_or(0, |thing| hasher.hash_one(key_of(thing)));
        index.insert_unique(hash, id, rehash);
        id
    }

    pub fn get(&self, id: u32) -> &T {
        self.slots[id as usize].as_ref().expect("numbers are of things that are there")
    }

    /// `None`: it was removed.
    pub fn find_mut(&mut self, id: u32) -> Option<&mut T> {
        self.slots.get_mut(id as usize)?.as_mut()
    }

    pub fn get_mut(&mut self, id: u32) -> &mut T {
        self.slots[id as usize].as_mut().expect("numbers are of things that are there")
    }

    pub fn remove(&mut self, id: u32, key_of: impl Fn(&T) -> &[u8]) {
        let hash = self.hasher.hash_one(key_of(self.get(id)));
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == id) {
            entry.remove();
            self.slots[id as usize] = None;
            self.free.push(id);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }

    /// If most are gone: moves the rest together and gives the memory back. Then says for each old number
    /// the new one.
    pub fn compact(&mut self, key_of: impl Fn(&T) -> &[u8]) -> Option<Vec<Option<u32>>> {
        if self.slots.len() < COMPACT_FROM || self.len() > self.slots.len() / 4 {
            return None;
        }
        let mut kept = Vec::with_capacity(self.len());
        let mut moved = Vec::with_capacity(self.slots.len());
        for slot in self.slots.drain(..) {
            moved.push(slot.as_ref().map(|_| kept.len() as u32));
            kept.extend(slot.map(Some));
        }
        self.slots = kept;
        self.free = Vec::new();
        let (slots, hasher) = (&self.slots, &self.hasher);
        let hash = |id: &u32| slots[*id as usize].as_ref().map_or(0, |thing| hasher.hash_one(key_of(thing)));
        self.index = HashTable::with_capacity(slots.len());
        for id in 0..slots.len() as u32 {
            self.index.insert_unique(hash(&id), id, hash);
        }
        Some(moved)
    }

    /// Bytes held by tables and slots, not what things hold outside of themselves.
    pub fn size(&self) -> usize {
        self.index.allocation_size()
            + self.slots.capacity() * size_of::<Option<T>>()
            + self.free.capacity() * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn key_of(thing: &(Box<[u8]>, u32)) -> &[u8] {
        &thing.0
    }

    proptest! {
        #[test]
        fn equals_a_map(steps in prop::collection::vec((0u16..3_000, any::<bool>()), 1..4_000)) {
            let (mut slots, mut model) = (Slots::default(), BTreeMap::new());
            for (step, (key, remove)) in steps.into_iter().enumerate() {
                let bytes: Box<[u8]> = key.to_le_bytes().into();
                let id = slots.find_or_insert(&bytes, key_of, || (bytes.clone(), step as u32));
                let expected = *model.entry(key).or_insert(step as u32);
                prop_assert_eq!(slots.get(id).1, expected);
                if remove {
                    slots.remove(id, key_of);
                    model.remove(&key);
                }
                if step % 1_000 == 0 {
                    slots.compact(key_of);
                }
                prop_assert_eq!(slots.len(), model.len());
            }
        }
    }

    #[test]
    fn memory_goes_back() {
        let mut slots = Slots::default();
        let keys: Vec<Box<[u8]>> = (0u32..20_000).map(|n| n.to_le_bytes().into()).collect();
        let ids: Vec<u32> =
            keys.iter().map(|key| slots.find_or_insert(key, key_of, || (key.clone(), 0))).collect();
        let full = slots.size();
        ids[..19_000].iter().for_each(|id| slots.remove(*id, key_of));
        let moved = slots.compact(key_of).expect("most are gone");
        assert_eq!(moved[19_500], Some(500));
        assert!(slots.size() < full / 10, "{} of {full}", slots.size());
        assert_eq!(&*slots.get(500).0, &*keys[19_500]);
        assert_eq!(slots.find_or_insert(&keys[19_500], key_of, || unreachable!()), 500);
    }
}
