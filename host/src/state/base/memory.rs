//! Bases in memory: for tests, and where somebody only looks.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Base, Checkpoint, Commit, Disk, Due, Frozen, Image};
use crate::error::{Code, Error, Result};

/// A disk that ends with the process. What a task wrote stays when its base is dropped.
///
/// A checkpoint is written when [`Base::written`] is asked: all with `wait`, else one each time; so tests decide
/// when. Dropped with its base it is lost, as it may be.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Mutex<Tasks>>);

#[derive(Debug, Default)]
struct Tasks {
    kept: HashMap<String, Kept>,
    open: HashSet<String>,
}

/// Store, key.
type Name = (u8, Box<[u8]>);

#[derive(Clone, Debug, Default)]
struct Kept {
    position: Option<(Commit, Vec<u8>)>,
    images: BTreeMap<Name, Box<[u8]>>,
    dues: BTreeSet<(u8, i64, Box<[u8]>)>,
}

impl Kept {
    fn write(&mut self, checkpoint: Checkpoint) {
        for Image { store, key, bytes, due, due_before } in checkpoint.images {
            if let Some(moment) = due_before {
                self.dues.remove(&(store, moment, key.clone()));
            }
            if let Some(moment) = due {
                self.dues.insert((store, moment, key.clone()));
            }
            match bytes {
                Some(bytes) => self.images.insert((store, key), bytes),
                None => self.images.remove(&(store, key)),
            };
        }
        self.position = Some((checkpoint.commit, checkpoint.head));
    }
}

impl MemoryDisk {
    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.0.lock().expect("nothing panics while it has this")
    }
}

impl Disk for MemoryDisk {
    fn open(&self, task: &str) -> Result<Box<dyn Base>> {
        let mut tasks = self.tasks();
        if !tasks.open.insert(task.to_owned()) {
            return Err(Error::new(Code::StateLocked, format!("the state of {task} is open already")));
        }
        let kept = tasks.kept.remove(task).unwrap_or_default();
        Ok(Box::new(MemoryBase { disk: self.clone(), task: task.to_owned(), kept, coming: Vec::new() }))
    }
}

#[derive(Debug)]
struct MemoryBase {
    disk: MemoryDisk,
    task: String,
    kept: Kept,
    /// Taken, but not written.
    coming: Vec<Checkpoint>,
}

impl Base for MemoryBase {
    fn position(&self) -> Option<(Commit, &[u8])> {
        self.kept.position.as_ref().map(|(commit, head)| (*commit, head.as_slice()))
    }

    fn get(&self, store: u8, key: &[u8]) -> Result<Option<Box<[u8]>>> {
        Ok(self.kept.images.get(&(store, key.into())).cloned())
    }

    fn due(&self, store: u8, behind: Option<&Due>, until: i64, most: usize) -> Result<Vec<Due>> {
        let (moment, key) = behind.cloned().unwrap_or((i64::MIN, Box::default()));
        let dues = self.kept.dues.range((store, moment, key)..);
        let dues =
            dues.filter(|(_, moment, key)| behind.is_none_or(|last| (*moment, key) != (last.0, &last.1)));
        let dues = dues.take_while(|due| due.0 == store && due.1 <= until).take(most);
        Ok(dues.map(|(_, moment, key)| (*moment, key.clone())).collect())
    }

    fn write(&mut self, checkpoint: Checkpoint) -> Result<()> {
        self.coming.push(checkpoint);
        Ok(())
    }

    fn written(&mut self, wait: bool) -> Result<bool> {
        let count = if wait { self.coming.len() } else { self.coming.len().min(1) };
        self.coming.drain(..count).for_each(|checkpoint| self.kept.write(checkpoint));
        Ok(self.coming.is_empty())
    }

    fn frozen(&self) -> Result<Box<dyn Iterator<Item = Result<Frozen>> + Send>> {
        let images = self.kept.images.clone();
        Ok(Box::new(images.into_iter().map(|((store, key), bytes)| Ok((store, key, bytes)))))
    }

    fn clear(&mut self) -> Result<()> {
        self.coming.clear();
        self.kept = Kept::default();
        Ok(())
    }
}

impl Drop for MemoryBase {
    fn drop(&mut self) {
        let mut tasks = self.disk.tasks();
        tasks.open.remove(&self.task);
        tasks.kept.insert(take(&mut self.task), take(&mut self.kept));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::state::contract;

    proptest! {
        #[test]
        fn it_does_what_a_disk_must(steps in contract::steps()) {
            let disk = MemoryDisk::default();
            contract::holds(|| disk.clone(), steps);
        }
    }

    #[test]
    fn a_task_has_one_base_at_a_time() {
        let disk = MemoryDisk::default();
        let base = disk.open("a").unwrap();
        assert_eq!(disk.open("a").unwrap_err().code, Code::StateLocked);
        disk.open("b").unwrap();
        drop(base);
        disk.open("a").unwrap();
    }
}
