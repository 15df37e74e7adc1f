//! Looking at a key from outside, while whoever has its task goes on: what the changelog says of it. Nothing is joined,
//! locked or written, and of all other keys nothing is kept in memory.

use std::time::Duration;

use super::ports::Changelog;
use super::task::TaskId;
use super::vault::{Patience, Restoring, TRIMMED_AT_MOST, WAIT};
use crate::error::{Code, Error, Result};
use crate::pipeline::Pipeline;
use crate::record::PartitionId;
use crate::state::{Commit, Disk, Image, MemoryDisk, Retention};

/// A key as of the last commit of its task that is to be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub commit: Commit,
    /// The task's inputs, and the next offset of each.
    pub inputs: Vec<(PartitionId, Option<i64>)>,
    /// Of the task.
    pub watermark: i64,
    /// The newest event time of the key.
    pub newest: i64,
    /// The watermark at which a window closes, or it is looked at whether the key is still needed.
    pub due: Option<i64>,
    /// Windows and folds, for people to read.
    pub windows: Vec<(String, String)>,
}

/// What is kept of a key of a features stage in a partition. None: nothing.
pub fn inspect(
    pipeline: &Pipeline,
    stage: usize,
    partition: i32,
    key: &[u8],
    log: &mut dyn Changelog,
) -> Result<Option<Seen>> {
    let group = pipeline.groups.iter().position(|group| group.stages.contains(&stage));
    let group = group.ok_or_else(|| Error::new(Code::Internal, "a stage without a group"))?;
    let id = TaskId { group: group as u16, partition };
    let topic = pipeline.changelogs[group].as_deref();
    let topic = topic.ok_or_else(|| Error::new(Code::Internal, "a stage without a changelog"))?;
    let place = |error: Error| error.at(format!("changelog {topic}/{partition}"));
    let mut trimmed = 0;
    loop {
        match look(pipeline, id, stage, key, (topic, &mut *log)) {
            Err(error) if error.code == Code::OffsetLost && trimmed < TRIMMED_AT_MOST => trimmed += 1,
            seen => return seen.map_err(place),
        }
    }
}

fn look(
    pipeline: &Pipeline,
    id: TaskId,
    stage: usize,
    key: &[u8],
    (topic, log): (&str, &mut dyn Changelog),
) -> Result<Option<Seen>> {
    let first = log.first(topic, id.partition)?;
    log.open(topic, id.partition, first)?;
    if log.next(WAIT)?.is_none() {
        return Ok(None);
    }
    let group = &pipeline.groups[usize::from(id.group)];
    let own = stage - group.stages.start;
    let standing: Vec<_> = id.inputs(pipeline).map(|input| (input, None)).collect();
    let base = MemoryDisk::default().open(topic)?;
    let mut restoring = Restoring::new(pipeline, id, base, &standing, 1, Duration::ZERO)?;
    restoring.only(own, key);
    let keep = |image: &Image| image.is_of_plans() || usize::from(image.store) == own && *image.key == *key;
    // What is not there at once is not committed.
    let (now, mut alive) = (|| Duration::ZERO, || Ok(()));
    let mut patience = Patience::new(&now, &mut alive, Duration::ZERO);
    restoring.read(log, (topic, id.partition), first, None, &keep, &mut patience)?;
    let (mut task, _) = restoring.finish(&standing);
    let (node, commit) = (&pipeline.features[stage], task.next_commit());
    let retention = node.retention(group.lateness);
    let Some((slot, plan)) = task.stores[own].look(retention, key)? else { return Ok(None) };
    let retention = Retention { plan, ..retention };
    let (newest, due, windows) = (slot.newest(), slot.due(retention), slot.describe(plan));
    Ok(Some(Seen {
        commit,
        inputs: task.inputs.iter().map(|input| (input.id, input.next)).collect(),
        watermark: task.watermark.watermark(),
        newest,
        due,
        windows,
    }))
}
