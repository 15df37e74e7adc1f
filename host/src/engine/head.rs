//! What a task itself keeps, beside its windows and the rows that wait: how far it has come.

use std::collections::BTreeMap;
use std::time::Duration;

use super::floor::Fence;
use super::held::Parcel;
use super::parcel::{self, Read};
use super::task::{Input, Task};
use crate::bytes::{Reader, Write};
use crate::error::{Code, Error, Result};
use crate::record::PartitionId;
use crate::state::{Op, Ops, Replay};
use crate::watermark::{BEGINNING, END, Merged, Progress};

/// How far a task has come. An end is that of its run: what is kept is how far it was before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Partition, next offset, progress.
    pub inputs: Vec<(PartitionId, Option<i64>, Progress)>,
    watermark: Progress,
    writers: BTreeMap<PartitionId, Progress>,
    passed: i64,
    settled: i64,
    /// Of inputs from some offset of which another generation speaks.
    fences: Vec<(PartitionId, Fence)>,
    quiet_writers: BTreeMap<PartitionId, u64>,
}

impl Head {
    pub fn of(task: &Task) -> Self {
        let progress = |input: &Input| match input.progress.watermark {
            END => Progress { watermark: input.reached, idle: false },
            _ => input.progress,
        };
        let inputs: Vec<_> =
            task.inputs.iter().map(|input| (input.id, input.next, progress(input))).collect();
        let writers = task.writers.iter().filter(|(_, progress)| progress.watermark != END);
        // That of the slowest, as far as is known.
        let before = inputs.iter().map(|(.., progress)| progress.watermark).min().unwrap_or(BEGINNING);
        let real = |watermark: i64| if watermark == END { before } else { watermark };
        let merged = task.watermark.progress();
        Self {
            watermark: Progress { watermark: real(merged.watermark), ..merged },
            writers: writers.map(|(id, progress)| (*id, *progress)).collect(),
            passed: real(task.passed),
            settled: real(task.settled),
            quiet_writers: task.quiet_writers.clone(),
            fences: task.inputs.iter().filter_map(|input| Some((input.id, input.fence?))).collect(),
            inputs,
        }
    }

    pub fn written(&self) -> Vec<u8> {
        let mut into = Vec::new();
        into.number(self.inputs.len() as u64);
        for (id, next, progress) in &self.inputs {
            partition(*id, &mut into);
            // No offset is below zero.
            into.signed(next.unwrap_or(-1));
            write(*progress, &mut into);
        }
        write(self.watermark, &mut into);
        into.number(self.writers.len() as u64);
        for (id, progress) in &self.writers {
            partition(*id, &mut into);
            write(*progress, &mut into);
        }
        into.signed(self.passed);
        into.signed(self.settled);
        // What older versions of Tailwater wrote ends here.
        if self.fences.is_empty() && self.quiet_writers.is_empty() {
            return into;
        }
        into.number(self.fences.len() as u64);
        for (id, Fence { to, at }) in &self.fences {
            partition(*id, &mut into);
            into.number(*to);
            into.signed(*at);
        }
        into.number(self.quiet_writers.len() as u64);
        for (id, to) in &self.quiet_writers {
            partition(*id, &mut into);
            into.number(*to);
        }
        into
    }

    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if bytes.is_empty() {
            return Some(Self { passed: i64::MIN, settled: i64::MIN, ..Self::default() });
        }
        let (mut inputs, mut writers) = (Vec::new(), BTreeMap::new());
        for _ in 0..reader.count()? {
            let id = read_partition(&mut reader)?;
            let next = Some(reader.signed()?).filter(|next| *next >= 0);
            inputs.push((id, next, read_progress(&mut reader)?));
        }
        let watermark = read_progress(&mut reader)?;
        for _ in 0..reader.count()? {
            let id = read_partition(&mut reader)?;
            writers.insert(id, read_progress(&mut reader)?);
        }
        let (passed, settled) = (reader.signed()?, reader.signed()?);
        let (mut fences, mut quiet_writers) = (Vec::new(), BTreeMap::new());
        if reader.end().is_none() {
            for _ in 0..reader.count()? {
                let id = read_partition(&mut reader)?;
                fences.push((id, Fence { to: reader.number()?, at: reader.signed()? }));
            }
            for _ in 0..reader.count()? {
                quiet_writers.insert(read_partition(&mut reader)?, reader.number()?);
            }
            reader.end()?;
        }
        Some(Self { inputs, watermark, writers, passed, settled, fences, quiet_writers })
    }

    /// The task has come as far as this. Inputs that it does not know are where they began.
    pub fn put(self, task: &mut Task) {
        for input in &mut task.inputs {
            let known = self.inputs.iter().find(|(id, ..)| *id == input.id);
            let (next, progress) =
                known.map_or((input.marked, Progress::default()), |(_, next, progress)| (*next, *progress));
            (input.next, input.marked, input.progress) = (next, next, progress);
            let fence = self.fences.iter().find(|(id, _)| *id == input.id).map(|(_, fence)| *fence);
            (input.fence, input.marked_words.fence) = (fence, fence);
            (input.told, input.told_fence, input.at_end) = (Progress::default(), None, false);
        }
        task.watermark = Merged::at(self.watermark);
        (task.writers, task.quiet_writers) = (self.writers, self.quiet_writers);
        (task.passed, task.settled) = (self.passed, self.settled);
        (task.told, task.told_quiet) = (Progress::default(), None);
    }
}

fn partition(id: PartitionId, into: &mut Vec<u8>) {
    into.number(id.source.into());
    into.signed(id.partition.into());
}

fn read_partition(reader: &mut Reader<'_>) -> Option<PartitionId> {
    let source = reader.number()?.try_into().ok()?;
    Some(PartitionId { source, partition: reader.signed()?.try_into().ok()? })
}

fn write(progress: Progress, into: &mut Vec<u8>) {
    into.signed(progress.watermark);
    into.byte(u8::from(progress.idle));
}

fn read_progress(reader: &mut Reader<'_>) -> Option<Progress> {
    Some(Progress { watermark: reader.signed()?, idle: reader.flag()? })
}

impl Task {
    /// Does once more what a journal says was done.
    pub(super) fn redo(&mut self, journal: &[u8], replays: &mut [Replay<'_>]) -> Result<()> {
        let mut ops = Ops::of(journal);
        while let Some(op) = ops.read_next() {
            let op = op.ok_or_else(foreign)?;
            match op {
                Op::Hold { input, offset, parcel } => self.hold_again(input, offset, parcel)?,
                Op::Release { watermark } => {
                    while let Some((_, parcel)) = self.held.release(watermark) {
                        self.inputs[parcel.input].release(parcel.offset);
                    }
                }
                _ => {
                    let store = usize::from(op.store().unwrap_or(u8::MAX));
                    let (Some(own), Some(replay)) = (self.stores.get_mut(store), replays.get_mut(store))
                    else {
                        return Err(foreign());
                    };
                    own.replay(&op, replay)?;
                }
            }
        }
        Ok(())
    }

    /// All rows that wait, to be [read](Self::read_held) again.
    pub(super) fn held_written(&self) -> Vec<u8> {
        let mut into = Vec::new();
        for parcel in self.held.iter() {
            into.number(parcel.input as u64);
            into.signed(parcel.offset);
            into.list(&parcel.bytes);
        }
        into
    }

    pub(super) fn read_held(&mut self, bytes: &[u8]) -> Result<()> {
        let mut reader = Reader(bytes);
        while reader.end().is_none() {
            let mut read = || Some((reader.number()?.try_into().ok()?, reader.signed()?, reader.list()?));
            let (input, offset, parcel) = read().ok_or_else(foreign)?;
            self.hold_again(input, offset, parcel)?;
        }
        Ok(())
    }

    pub(super) fn forget_held(&mut self) {
        self.held = Default::default();
        self.inputs.iter_mut().for_each(Input::forget_held);
    }

    fn hold_again(&mut self, input: usize, offset: i64, bytes: &[u8]) -> Result<()> {
        let Ok(Read::Row(head, _)) = parcel::read(bytes) else { return Err(foreign()) };
        self.inputs.get_mut(input).ok_or_else(foreign)?.hold(offset);
        if let Some(twice) = self.held.hold(&head, Parcel { bytes: bytes.into(), input, offset }) {
            self.inputs[twice.input].release(twice.offset);
        }
        Ok(())
    }

    /// Inputs as they are assigned: those of the group on this partition, from the beginning.
    pub(super) fn set_inputs(&mut self, ids: &[PartitionId], now: Duration) {
        self.inputs = ids.iter().map(|id| Input::new(*id, None, now)).collect();
    }
}

fn foreign() -> Error {
    Error::new(Code::ChangelogDamaged, "a journal has something that is none of a task's")
}
