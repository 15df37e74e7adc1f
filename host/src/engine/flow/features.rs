//! A features stage that gives a vector for each row: windows first, then the plugin.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::columns::{Batch, Builder, Column, Kind, Schema, View};
use crate::error::{Code, Refusal, Result};
use crate::pipeline::{FeaturesNode, RowColumn, Stage};
use crate::record::Records;
use crate::state::{Coming, Desk, Meeting, Slot};
use crate::window::{Cell, Cells, Plan, Scripts, hash};

use super::Flow;
use super::folds::{Folding, Hands, Item, lock};
use super::intake::part;
use super::lookups::with_looked_up;
use super::run::Flight;
use super::words::{Arrival, Readers};
use crate::engine::answers;
use crate::engine::bisect::bisect;
use crate::engine::lap::Activity;
use crate::engine::outbox::Place;
use crate::engine::task::{Task, Tasks};
use crate::engine::work::{Work, refusals};

/// What of a batch did not get through the windows.
#[derive(Default)]
struct Refused {
    /// Rows that came to the windows of another key's partition, or whose own fold failed.
    rows: BTreeMap<u32, Refusal>,
}

impl Flow {
    pub(super) fn features(
        &mut self,
        group: usize,
        stage: usize,
        records: &Records<'_>,
        flight: &mut Flight,
        tasks: &mut Tasks,
    ) -> Result<()> {
        let pipeline = Arc::clone(&self.pipeline);
        let node = &pipeline.features[stage];
        let own = Stage::Features(stage as u8);
        let refused = keyless(node, &flight.work.rows);
        self.refuse_rows(own, refused, flight);
        if flight.steps.is_empty() {
            return Ok(());
        }
        self.turn(Activity::Windows(stage as u8));
        let (cells, refused) = self.windows(group, stage, records, flight, tasks)?;
        let keep: Vec<u32> =
            (0..flight.work.len() as u32).filter(|row| !refused.rows.contains_key(row)).collect();
        let cells = if refused.rows.is_empty() { cells } else { cells.gather(&keep) };
        self.refuse_rows(own, refused.rows.into_iter().collect(), flight);
        let shown = shown(node, &cells, &flight.work);
        let refused = self.compute(stage, &shown, &mut flight.work)?;
        self.refuse_rows(own, refused, flight);
        Ok(())
    }

    /// Takes all that happens to the windows of its key, in order; gives the cells of the rows.
    fn windows(
        &mut self,
        group: usize,
        stage: usize,
        records: &Records<'_>,
        flight: &Flight,
        tasks: &mut Tasks,
    ) -> Result<(Batch, Refused)> {
        let pipeline = Arc::clone(&self.pipeline);
        let (node, own) = (&pipeline.features[stage], &pipeline.groups[group]);
        let (plan, at) = (&node.plan, stage - own.stages.start);
        let retention = node.retention(own.lateness);
        let readers = Readers::new(node, own, flight);
        let mut scripts = Scripts::new(plan);
        let mut folding = Folding::default();
        let (mut key, mut words, mut row, mut refused) = (Vec::new(), Vec::new(), 0, Refused::default());
        for step in &flight.steps {
            let Some(Arrival { input, index, place, reader }) = readers.arrival(step, flight, &mut row)
            else {
                continue;
            };
            if let Err(missing) = reader.key(index, &mut key) {
                // Rows without a key were refused before.
                self.refuse_update(stage, place, no_key(&node.inputs[input].key_names[missing.0]));
                continue;
            }
            if let Some(refusal) = too_long(&key) {
                if input > 0 {
                    self.refuse_update(stage, place, refusal);
                } else {
                    refused.rows.insert(row as u32 - 1, refusal);
                    skip(plan, &mut self.cells[stage]);
                    folding.skip();
                }
                continue;
            }
            let Task { stores, durable, .. } = tasks.at(step.task);
            let store = &mut stores[at];
            let id = store.find(retention, &key, reader.time(index))?;
            let coming = Coming { input, time: reader.time(index), watermark: step.watermark };
            let admitted = match store.excess(retention, id, coming, pipeline.bounds.key_bytes) {
                Some(bytes) => Err(no_room(&key, bytes, pipeline.bounds.key_bytes)),
                None => self.misplaced(own.key.is_none(), input, node, store.slot(id), records, place),
            };
            let generation = store.slot(id).generation;
            let record_key = match admitted {
                Ok(record_key) => record_key,
                Err(refusal) if input > 0 => {
                    self.refuse_update(stage, place, refusal);
                    continue;
                }
                Err(refusal) => {
                    refused.rows.insert(row as u32 - 1, refusal);
                    skip(plan, &mut self.cells[stage]);
                    folding.skip();
                    continue;
                }
            };
            if !plan.customs.is_empty() {
                let item = if input == 0 { Item::Row } else { Item::Update(place) };
                folding.begin((step.task, id, generation), item, &mut scripts);
            }
            reader.read(index, &mut words);
            let meeting = Meeting { input, words: &mut words, record_key, watermark: step.watermark };
            let cells = &mut Cells(&mut self.cells[stage]);
            let desk = Desk { scratch: &mut self.scratch, cells, scripts: &mut scripts };
            store.meet(retention, id, meeting, desk, durable.as_mut().map(|durable| &mut durable.journal))?;
        }
        let builder = &mut self.cells[stage];
        if !plan.customs.is_empty() {
            // Rows are counted where vectors are made of them.
            self.breakers.passed(Stage::Features(stage as u8), 0);
            let hands = Hands { plugins: &self.folders[stage], stage: stage as u8, lap: &mut self.lap };
            let failed = folding.run(plan, hands, scripts, at, tasks, builder)?;
            for (row, refusal) in failed.rows {
                refused.rows.entry(row).or_insert(refusal);
            }
            for (place, refusal) in failed.updates {
                self.refuse_update(stage, place, refusal);
            }
            failed
                .before
                .iter()
                .for_each(|refusal| self.breakers.refused(Stage::Features(stage as u8), refusal));
        }
        let builder = &mut self.cells[stage];
        builder.finish_rows(flight.work.len());
        Ok((builder.seal(), refused))
    }

    pub(super) fn refuse_update(&mut self, stage: usize, place: Place, refusal: Refusal) {
        let stage = Stage::Features(stage as u8);
        self.count(stage, &refusal);
        self.outbox.refuse(place, stage, refusal);
    }

    /// The hash of the record's key, where it is checked and not known yet; else 0. Refused: it says that the source is not
    /// partitioned as it is claimed to be: then rows of one key are in several partitions, and windows would be
    /// wrong.
    pub(super) fn misplaced(
        &self,
        is_direct: bool,
        input: usize,
        node: &FeaturesNode,
        slot: &mut Slot,
        records: &Records<'_>,
        place: Place,
    ) -> std::result::Result<u64, Refusal> {
        let source = usize::from(node.inputs[input].source);
        let own = &self.pipeline.sources[source];
        if !is_direct || !own.checked || self.partitions[source] < 2 {
            return Ok(0);
        }
        let record = &records.rows[place.record as usize];
        let key = record.key.map(hash);
        let claimed = own.partitioned_by.join(", ");
        let Some(key) = key else {
            let message = format!(
                "source {} is said to be partitioned by {claimed}, but the record has no key; \
                 if something else than keys decides the partition: custom_partitioner = true",
                own.name
            );
            return Err(Refusal::new(Code::Misplaced, message));
        };
        if let Some(news) = slot.greet(input, key) {
            return Ok(news);
        }
        let message = format!(
            "source {} is said to be partitioned by {claimed}, but one value of it came with two keys of \
             records, which are in different partitions mostly. Leave partitioned_by out, or name what decides \
             the partition; if something else than keys does: custom_partitioner = true",
            own.name
        );
        Err(Refusal::new(Code::Misplaced, message))
    }

    /// Looks up what the plugin wants beside what it is shown, asks it for the vectors, and puts them behind
    /// those of earlier stages. Gives the rows that were refused.
    pub(super) fn compute(
        &mut self,
        stage: usize,
        shown: &Batch,
        work: &mut Work,
    ) -> Result<Vec<(u32, Refusal)>> {
        let node = &self.pipeline.features[stage];
        let mut plugin = lock(&self.plugins[stage]);
        let features = node.names.len();
        self.lap.turn(Activity::Features(stage as u8));
        let (tables, rows) = (&self.tables, &work.rows);
        self.breakers.passed(Stage::Features(stage as u8), shown.rows());
        self.counts.call(Stage::Features(stage as u8), shown.rows());
        let pieces = bisect(shown.rows(), |range| {
            let count = range.len();
            let part = part(shown, range.clone());
            let shown = part.as_ref().unwrap_or(shown);
            let answer = match node.lookups.is_empty() {
                true => plugin.compute(shown)?,
                false => plugin.compute(&with_looked_up(node, tables, rows, range, shown)?)?,
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
        let ids = match ids.len() {
            1 => ids.remove(0),
            _ => Batch::concat(node.ids.clone(), &ids),
        };
        work.extend(matrix, features, ids);
        Ok(refused)
    }
}

/// The batch that the plugin sees, but for what is looked up.
fn shown(node: &FeaturesNode, cells: &Batch, work: &Work) -> Batch {
    let earlier: Schema = node
        .input
        .iter()
        .zip(&*node.shown)
        .filter(|(from, _)| matches!(from, RowColumn::Feature(_)))
        .map(|(_, column)| Column::new(column.name.clone(), Kind::Single))
        .collect();
    let mut builder = Builder::new(earlier);
    let features = node.input.iter().filter_map(|from| match from {
        RowColumn::Feature(index) => Some(*index),
        RowColumn::Record(_) => None,
    });
    for (column, feature) in features.enumerate() {
        let column = builder.column(column);
        work.matrix.chunks(work.features).for_each(|row| column.push_single(row[feature]));
    }
    builder.finish_rows(work.len());
    let (earlier, mut next) = (builder.seal(), 0);
    let columns = node.input.iter().map(|from| match from {
        RowColumn::Record(column) => work.rows.column(*column),
        RowColumn::Feature(_) => {
            next += 1;
            earlier.column(next - 1)
        }
    });
    let columns: Vec<View<'_>> = columns.chain(cells.columns()).collect();
    Batch::assemble(node.shown.clone(), work.len(), &columns)
}

/// Cells of a row that did not come to its windows; those of custom folds come with them.
fn skip(plan: &Plan, cells: &mut Builder) {
    for (index, (cell, column)) in plan.cells.iter().zip(&plan.columns).enumerate() {
        if !matches!(cell, Cell::Custom(_)) {
            cells.column(index).push_filler(column.nullable);
        }
    }
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

/// Bytes of a key.
const LONGEST_KEY: usize = 60_000;

pub(super) fn too_long(key: &[u8]) -> Option<Refusal> {
    let text = || format!("a key of {} bytes; windows have keys of {LONGEST_KEY} at most", key.len());
    (key.len() > LONGEST_KEY).then(|| Refusal::new(Code::TooLarge, text()))
}

/// A key whose windows would hold so many bytes.
pub(super) fn no_room(key: &[u8], bytes: usize, most: usize) -> Refusal {
    let key = hash(key);
    let text = format!(
        "with it the windows of its key, whose hash is {key:016x}, would hold {bytes} bytes; limits.state_per_key \
         is {most}"
    );
    Refusal::new(Code::KeyFull, text)
}

pub(super) fn no_key(column: &str) -> Refusal {
    Refusal::new(Code::NoKey, format!("no value in {column}, which windows need"))
}

/// Rows without a key.
pub(super) fn keyless(node: &FeaturesNode, rows: &Batch) -> Vec<(u32, Refusal)> {
    let needed = node.inputs[0].key.columns().iter().copied();
    let gaps: Vec<usize> = needed.filter(|column| !rows.column(*column).all_valid()).collect();
    if gaps.is_empty() {
        return Vec::new();
    }
    let missing = |row: usize| gaps.iter().find(|column| !rows.column(**column).is_valid(row));
    let refuse = |row: usize| Some((row as u32, no_key(&rows.schema()[*missing(row)?].name)));
    (0..rows.rows()).filter_map(refuse).collect()
}
