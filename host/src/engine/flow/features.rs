//! The features stage: windows first, then the plugin.

use std::collections::BTreeMap;

use crate::columns::{Batch, Builder, Kind, View};
use crate::error::{Code, Error, Refusal, Result};
use crate::pipeline::{FeaturesNode, Stage};
use crate::record::{PartitionId, Records};
use crate::state::KeyColumns;
use crate::window::{Cells, Plan, Scripts};

use super::folds::Registers;
use super::intake::part;
use super::{Flow, Partitions};
use crate::engine::answers;
use crate::engine::bisect::bisect;
use crate::engine::outbox::Outbox;
use crate::engine::work::{Work, refusals};

impl Flow {
    pub(super) fn features(
        &mut self,
        records: &Records<'_>,
        partitions: &mut Partitions,
        work: &mut Work,
        outbox: &mut Outbox,
    ) -> Result<()> {
        let pipeline = std::sync::Arc::clone(&self.pipeline);
        let Some(node) = &pipeline.features else { return Ok(()) };
        self.refuse(Stage::Features, incomplete(node, &work.rows), work, outbox);
        if work.len() == 0 {
            return Ok(());
        }
        let (cells, refused) = self.windows(node, records, partitions, work)?;
        let keep: Vec<u32> = (0..work.len() as u32).filter(|row| !refused.contains_key(row)).collect();
        let cells = if refused.is_empty() { cells } else { cells.gather(&keep) };
        self.refuse(Stage::Features, refused.into_iter().collect(), work, outbox);
        self.compute(node, &cells, work, outbox)
    }

    /// Sends rows to the dead letters, and counts them.
    pub(super) fn refuse(
        &self,
        stage: Stage,
        refused: Vec<(u32, Refusal)>,
        work: &mut Work,
        outbox: &mut Outbox,
    ) {
        refused.iter().for_each(|(_, refusal)| self.meter.dead_letter(stage, refusal.code));
        work.refuse(stage, refused, outbox);
    }

    /// Admits each row to the windows of its key; gives the cells, and the rows that a custom fold refused.
    fn windows(
        &mut self,
        node: &FeaturesNode,
        records: &Records<'_>,
        partitions: &mut Partitions,
        work: &Work,
    ) -> Result<(Batch, BTreeMap<u32, Refusal>)> {
        let Self { parts, scratch, cells: builder, .. } = self;
        let plan = &node.plan;
        let keys = node.key.views(&work.rows);
        let reader = RowReader::new(node, &work.rows);
        let mut scripts = Scripts::new(plan);
        let mut registers = Registers::default();
        let (mut key, mut row_words) = (Vec::new(), Vec::new());
        let mut last: Option<(PartitionId, usize)> = None;
        for (row, place) in work.places.iter().enumerate() {
            let id = records.rows[place.record as usize].from;
            let at = match last {
                Some((before, at)) if before == id => at,
                _ => partitions.index(id).ok_or_else(|| unassigned(id))?,
            };
            last = Some((id, at));
            let partition = partitions.at(at);
            KeyColumns::write(&keys, row, &mut key)
                .map_err(|_| Error::new(Code::Internal, "a row lost its key"))?;
            let history = partition.store.history(plan, &key);
            let slot =
                if plan.customs.is_empty() { 0 } else { registers.slot(id, &key, history, &mut scripts) };
            reader.read(row, &mut row_words);
            let mut cells = Cells(builder);
            history.admit(plan, scratch, &mut row_words, slot, &mut cells, &mut scripts);
            scripts.end_row(plan.layout.id.map(|id| row_words[id]));
        }
        let refused = match &mut parts.features {
            Some(plugin) if !plan.customs.is_empty() => {
                registers.run(plan, plugin.as_mut(), scripts, work.len(), partitions, builder)?
            }
            _ => BTreeMap::new(),
        };
        builder.finish_rows(work.len());
        Ok((builder.seal(), refused))
    }

    /// Asks the plugin for the vectors.
    fn compute(
        &mut self,
        node: &FeaturesNode,
        cells: &Batch,
        work: &mut Work,
        outbox: &mut Outbox,
    ) -> Result<()> {
        let Some(plugin) = &mut self.parts.features else { return Ok(()) };
        let columns: Vec<View<'_>> =
            node.input.iter().map(|column| work.rows.column(*column)).chain(cells.columns()).collect();
        let seen = Batch::assemble(node.seen.clone(), work.len(), &columns);
        let features = node.names.len();
        let pieces = bisect(seen.rows(), |range| {
            let count = range.len();
            let answer = match part(&seen, range) {
                Some(part) => plugin.compute(&part)?,
                None => plugin.compute(&seen)?,
            };
            answers::computed(features, &node.ids, count, answer)
        })?;
        let (mut matrix, mut ids, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for (range, answer) in pieces {
            match answer {
                Ok((part, part_ids, rejected)) => {
                    refused.extend(refusals(range.start, rejected));
                    if matrix.is_empty() {
                        matrix = part
                    } else {
                        matrix.extend(part)
                    }
                    ids.push(part_ids);
                }
                Err(refusal) => {
                    refused.push((range.start as u32, refusal));
                    matrix.resize(matrix.len() + features, 0.0);
                    ids.push(filler(node));
                }
            }
        }
        work.ids = Some(match ids.len() {
            1 => ids.remove(0),
            _ => Batch::concat(node.ids.clone(), &ids),
        });
        work.matrix = matrix;
        work.features = features;
        self.refuse(Stage::Features, refused, work, outbox);
        Ok(())
    }
}

fn unassigned(id: PartitionId) -> Error {
    Error::new(Code::Internal, format!("a record of partition {} came unassigned", id.partition))
}

/// One row of ids that nobody looks at.
fn filler(node: &FeaturesNode) -> Batch {
    let mut builder = Builder::new(node.ids.clone());
    for (index, column) in node.ids.iter().enumerate() {
        builder.column(index).push_filler(column.nullable);
    }
    builder.finish_row();
    builder.seal()
}

/// Rows without a key or an event time.
fn incomplete(node: &FeaturesNode, rows: &Batch) -> Vec<(u32, Refusal)> {
    let needed: Vec<usize> = node.key.columns().iter().copied().chain([node.event_time]).collect();
    let gaps: Vec<usize> = needed.into_iter().filter(|column| !rows.column(*column).all_valid()).collect();
    if gaps.is_empty() {
        return Vec::new();
    }
    let missing = |row: usize| gaps.iter().find(|column| !rows.column(**column).is_valid(row));
    let refuse = |row: usize| {
        let column = &rows.schema()[*missing(row)?].name;
        Some((row as u32, Refusal::new(Code::NoKey, format!("no value in {column}, which windows need"))))
    };
    (0..rows.rows()).filter_map(refuse).collect()
}

/// Reads what a window keeps of a row.
struct RowReader<'a> {
    time: View<'a>,
    kept: Vec<View<'a>>,
    plan: &'a Plan,
}

impl<'a> RowReader<'a> {
    fn new(node: &'a FeaturesNode, rows: &'a Batch) -> Self {
        let kept = node.plan.kept_from.iter().map(|input| rows.column(node.input[*input])).collect();
        Self { time: rows.column(node.event_time), kept, plan: &node.plan }
    }

    fn read(&self, row: usize, words: &mut Vec<u64>) {
        words.clear();
        words.push(self.time.int(row).cast_unsigned());
        let mut flags = 0;
        for (index, view) in self.kept.iter().enumerate() {
            let valid = view.is_valid(row);
            flags |= u64::from(valid) << index;
            words.push(if valid { word(*view, row) } else { f64::NAN.to_bits() });
        }
        if self.plan.layout.flags.is_some() {
            words.push(flags);
        }
        words.resize(self.plan.layout.stride, 0);
    }
}

fn word(view: View<'_>, row: usize) -> u64 {
    match view.kind() {
        Kind::Boolean => u64::from(view.boolean(row)),
        Kind::Float => view.float(row).to_bits(),
        Kind::Single => f64::from(view.single(row)).to_bits(),
        _ => view.int(row).cast_unsigned(),
    }
}
