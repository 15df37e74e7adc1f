//! The stages of one thread, and a batch's way through them.

mod decide;
mod features;
mod folds;
mod intake;
mod score;

use std::sync::Arc;

use super::lodge::Partition;
use super::meter::Meter;
use super::outbox::Outbox;
use super::ports::{Decoder, Encoder, Features, Model, Preprocessor, Rules};
use crate::columns::Builder;
use crate::error::Result;
use crate::pipeline::Pipeline;
use crate::record::{PartitionId, Records};
use crate::window::Scratch;

/// The instances that a thread owns: one of each.
pub struct Parts {
    pub decoder: Box<dyn Decoder + Send>,
    pub preprocessor: Option<Box<dyn Preprocessor + Send>>,
    pub features: Option<Box<dyn Features + Send>>,
    pub model: Option<Box<dyn Model + Send>>,
    pub rules: Option<Box<dyn Rules + Send>>,
    /// Of the decision's output.
    pub encoder: Box<dyn Encoder + Send>,
}

/// The partitions of a thread.
#[derive(Debug, Default)]
pub struct Partitions(Vec<(PartitionId, Partition)>);

impl Partitions {
    pub fn insert(&mut self, id: PartitionId, partition: Partition) {
        self.remove(id);
        self.0.push((id, partition));
    }

    pub fn remove(&mut self, id: PartitionId) -> Option<Partition> {
        let index = self.index(id)?;
        Some(self.0.swap_remove(index).1)
    }

    pub fn get_mut(&mut self, id: PartitionId) -> Option<&mut Partition> {
        self.index(id).map(|index| &mut self.0[index].1)
    }

    pub fn iter(&self) -> impl Iterator<Item = &(PartitionId, Partition)> {
        self.0.iter()
    }

    /// Where a partition is, for [`Partitions::at`], until one comes or goes.
    pub(super) fn index(&self, id: PartitionId) -> Option<usize> {
        self.0.iter().position(|(other, _)| *other == id)
    }

    pub(super) fn at(&mut self, index: usize) -> &mut Partition {
        &mut self.0[index].1
    }
}

/// A pipeline's stages, in one thread.
pub struct Flow {
    pipeline: Arc<Pipeline>,
    parts: Parts,
    meter: Arc<Meter>,
    decoded: Builder,
    /// What windows give.
    cells: Builder,
    /// Features and scores for the rules.
    numbers: Builder,
    scratch: Scratch,
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flow").field("pipeline", &self.pipeline.name).finish_non_exhaustive()
    }
}

impl Flow {
    pub fn new(pipeline: Arc<Pipeline>, parts: Parts, meter: Arc<Meter>) -> Self {
        let decoded = Builder::new(Arc::clone(&pipeline.decoded));
        let cells =
            Builder::new(pipeline.features.as_ref().map_or([].into(), |node| Arc::clone(&node.cells)));
        let numbers = Builder::new(Arc::clone(&pipeline.decision.numbers));
        Self { pipeline, parts, meter, decoded, cells, numbers, scratch: Scratch::default() }
    }

    pub fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
    }

    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Takes records through all stages; what comes of them is added to `outbox`, the windows in
    /// `partitions` are moved on. What fails of a single record becomes a dead letter; an error ends
    /// the pipeline, and nothing of this batch may be committed.
    pub fn process(
        &mut self,
        records: &Records<'_>,
        partitions: &mut Partitions,
        outbox: &mut Outbox,
    ) -> Result<()> {
        Meter::add(&self.meter.batches, 1);
        Meter::add(&self.meter.records, records.rows.len());
        let decoded = self.decode(records, outbox);
        let clean = self.preprocess(decoded, outbox)?;
        // A preprocessor may make many rows of one.
        for mut work in clean.cut(self.pipeline.bounds.batch_rows) {
            self.features(records, partitions, &mut work, outbox)?;
            self.score(&mut work, outbox)?;
            self.decide(records, work, outbox)?;
        }
        Ok(())
    }
}
