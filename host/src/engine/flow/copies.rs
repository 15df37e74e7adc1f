//! What windows hold of the keys of a batch, before it: copied for whoever tries another release on its records.

use std::collections::HashSet;

use super::Flow;
use super::intake::Taken;
use crate::engine::sample::{COPIED, ROWS, Sample};
use crate::engine::task::Tasks;
use crate::error::{Code, Error, Result};
use crate::pipeline::FeaturesNode;
use crate::record::Records;
use crate::state::{KeyColumns, KeyCopy};

impl Flow {
    /// Keys of the next batch are copied before it is worked on.
    pub(in crate::engine) fn want_copies(&mut self) {
        self.copies = Some(Vec::new());
    }

    /// What was copied.
    pub(in crate::engine) fn take_copies(&mut self) -> Vec<(usize, KeyCopy)> {
        self.copies.take().unwrap_or_default()
    }

    /// Copies keys of the first rows, of all stages whose tasks are here.
    pub(super) fn copy_keys(&mut self, records: &Records<'_>, taken: &Taken, tasks: &Tasks) {
        let Some(mut copies) = self.copies.take() else { return };
        let mut room = COPIED;
        for (group, own) in self.pipeline.groups.iter().enumerate() {
            for stage in own.stages.clone() {
                let mut seen = HashSet::new();
                for (partition, key) in keys(&self.pipeline.features[stage], records, taken) {
                    if seen.contains(&key) {
                        continue;
                    }
                    let at = Place { group, partition, store: stage - own.stages.start };
                    if let Some(copy) = find(at, &key, room, tasks) {
                        room -= copy.size();
                        copies.push((stage, copy));
                    }
                    seen.insert(key);
                }
            }
        }
        self.copies = Some(copies);
    }

    /// Lays the copies of a sample into tasks that nobody else has: windows go over as at a swap.
    pub(super) fn lay(&self, sample: &Sample, tasks: &mut Tasks) -> Result<()> {
        for (group, own) in self.pipeline.groups.iter().enumerate() {
            let Some(task) = (0..tasks.len()).find(|index| usize::from(tasks.id(*index).group) == group)
            else {
                continue;
            };
            let stores = &mut tasks.at(task).stores;
            for (stage, copy) in sample.keys.iter().filter(|(stage, _)| own.stages.contains(stage)) {
                let node = &self.pipeline.features[*stage];
                let laid = stores[stage - own.stages.start].lay(node.retention(own.lateness), copy);
                laid.map_err(|error| {
                    let text = format!("what is kept of a key can't be taken over: {error}");
                    Error::new(Code::ReleaseFailed, text).at(format!("features {}", node.name))
                })?;
            }
        }
        Ok(())
    }
}

/// Where a key is, as far as is known.
struct Place {
    group: usize,
    /// From which its row came.
    partition: i32,
    /// Of the task's.
    store: usize,
}

/// Behind a repartition topic a key may be in any partition, and is looked for in memory alone.
fn find(Place { group, partition, store }: Place, key: &[u8], most: usize, tasks: &Tasks) -> Option<KeyCopy> {
    let is_direct = group == 0;
    let own = tasks.iter().filter(|(id, _)| usize::from(id.group) == group);
    let mut own = own.filter(|(id, _)| !is_direct || id.partition == partition);
    own.find_map(|(_, task)| task.stores[store].copy_of(key, most, is_direct))
}

/// Keys that rows have in a stage, each with the partition that its row came from.
fn keys(stage: &FeaturesNode, records: &Records<'_>, taken: &Taken) -> Vec<(i32, Vec<u8>)> {
    let mut keys = Vec::new();
    for input in &stage.inputs {
        let (rows, places) = match usize::from(input.source) {
            0 => (&taken.work.rows, &taken.work.places),
            source => (&taken.sides[source].rows, &taken.sides[source].places),
        };
        let views = input.key.views(rows);
        for (row, place) in places.iter().enumerate().take(ROWS) {
            let mut key = Vec::new();
            if KeyColumns::write(&views, row, &mut key).is_ok() {
                keys.push((records.rows[place.record as usize].from.partition, key));
            }
        }
    }
    keys
}
