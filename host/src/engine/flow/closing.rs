//! A features stage that gives a vector for each window that closes.

use std::sync::Arc;

use crate::columns::{Batch, Builder, View};
use crate::error::Result;
use crate::pipeline::{ClosedNode, Stage};
use crate::record::{Record, Records, WindowId};
use crate::state::{Coming, KeyReader, Meeting};
use crate::window::Closed;

use super::features::{keyless, no_key, no_room, too_long};
use super::run::Flight;
use super::words::{Arrival, Readers};
use super::{Flow, Post};
use crate::engine::lap::Activity;
use crate::engine::outbox::Place;
use crate::engine::task::{Task, TaskId, Tasks};
use crate::engine::work::Work;

/// Windows that came out, in order.
struct Out {
    closed: Closed,
    /// For each its key, and the task.
    keys: Vec<(Box<[u8]>, TaskId)>,
}

impl Flow {
    /// Takes all that happens to the windows of its key, in order, and what closes on to model and rules.
    pub(super) fn run_closing(
        &mut self,
        group: usize,
        stage: usize,
        records: &Records<'_>,
        mut flight: Flight,
        tasks: &mut Tasks,
        send: &mut Post<'_>,
    ) -> Result<()> {
        let pipeline = Arc::clone(&self.pipeline);
        let node = &pipeline.features[stage];
        let Some(shape) = &node.closed else { return Ok(()) };
        let refused = keyless(node, &flight.work.rows);
        self.refuse_rows(Stage::Features(stage as u8), refused, &mut flight);
        self.turn(Activity::Windows(stage as u8));
        let out = self.close(group, stage, records, &flight, tasks)?;
        self.flush(records, send)?;
        let Out { closed: Closed { windows, mut cells }, keys } = out;
        if windows.is_empty() {
            return Ok(());
        }
        let texts: Vec<Vec<u8>> = keys.iter().map(|(key, _)| text(key, shape)).collect();
        let records = Records {
            rows: keys
                .iter()
                .zip(&texts)
                .map(|((_, task), key)| {
                    let from = crate::record::PartitionId {
                        source: pipeline.groups[usize::from(task.group)].input,
                        partition: task.partition,
                    };
                    Record {
                        from,
                        offset: 0,
                        timestamp: None,
                        key: Some(key),
                        value: None,
                        headers: 0..0,
                        is_muted: false,
                    }
                })
                .collect(),
            windows: windows
                .iter()
                .map(|&(start, end, revision)| WindowId { start, end, revision })
                .collect(),
            ..Records::default()
        };
        let rows = rows(shape, &windows, &keys);
        let places = (0..windows.len() as u32).map(|record| Place { record, index: 0 }).collect();
        let cells = cells.seal();
        let all = Work::new(rows, places);
        let mut start = 0;
        for mut work in all.cut(pipeline.bounds.batch_rows) {
            let range: Vec<u32> = (start..start + work.len() as u32).collect();
            start += work.len() as u32;
            let cells = cells.gather(&range);
            let columns = shape.seen.iter().map(|column| work.rows.column(*column)).chain(cells.columns());
            let columns: Vec<View<'_>> = columns.collect();
            let shown = Batch::assemble(node.shown.clone(), work.len(), &columns);
            let refused = self.compute(stage, &shown, &mut work)?;
            self.refuse(Stage::Features(stage as u8), refused, &mut work);
            self.score(&mut work)?;
            self.decide(&records, work)?;
        }
        self.flush(&records, send)
    }

    fn close(
        &mut self,
        group: usize,
        stage: usize,
        records: &Records<'_>,
        flight: &Flight,
        tasks: &mut Tasks,
    ) -> Result<Out> {
        let pipeline = Arc::clone(&self.pipeline);
        let (node, own) = (&pipeline.features[stage], &pipeline.groups[group]);
        let at = stage - own.stages.start;
        let retention = node.retention(own.lateness);
        let readers = Readers::new(node, own, flight);
        let mut out = Out { closed: Closed::new(&node.plan), keys: Vec::new() };
        let (mut key, mut words, mut row) = (Vec::new(), Vec::new(), 0);
        for step in &flight.steps {
            let id = tasks.id(step.task);
            let Task { stores, durable, .. } = tasks.at(step.task);
            let (store, mut journal) =
                (&mut stores[at], durable.as_mut().map(|durable| &mut durable.journal));
            let Out { closed, keys } = &mut out;
            let came_out = |closed: &Closed, key: &[u8]| keys.resize(closed.windows.len(), (key.into(), id));
            store.pass(retention, step.watermark, closed, came_out, journal.as_deref_mut())?;
            let Some(Arrival { input, index, place, reader }) = readers.arrival(step, flight, &mut row)
            else {
                continue;
            };
            if let Err(missing) = reader.key(index, &mut key) {
                self.refuse_update(stage, place, no_key(&node.inputs[input].key_names[missing.0]));
                continue;
            }
            if let Some(refusal) = too_long(&key) {
                self.refuse_update(stage, place, refusal);
                continue;
            }
            let found = store.find(retention, &key, reader.time(index))?;
            let coming = Coming { input, time: reader.time(index), watermark: step.watermark };
            let admitted = match store.excess(retention, found, coming, pipeline.bounds.key_bytes) {
                Some(bytes) => Err(no_room(&key, bytes, pipeline.bounds.key_bytes)),
                None => self.misplaced(own.key.is_none(), input, node, store.slot(found), records, place),
            };
            let record_key = match admitted {
                Ok(record_key) => record_key,
                Err(refusal) => {
                    self.refuse_update(stage, place, refusal);
                    continue;
                }
            };
            reader.read(index, &mut words);
            let meeting = Meeting { input, words: &mut words, record_key, watermark: step.watermark };
            store.meet_closing(retention, found, meeting, closed, journal)?;
            keys.resize(closed.windows.len(), (key.as_slice().into(), id));
        }
        Ok(out)
    }
}

/// The key's columns as text, `|` between.
fn text(key: &[u8], shape: &ClosedNode) -> Vec<u8> {
    let (mut reader, mut text) = (KeyReader::new(key), Vec::new());
    for (index, column) in shape.key_columns().iter().enumerate() {
        if index > 0 {
            text.push(b'|');
        }
        reader.text(column.kind, &mut text);
    }
    text
}

fn rows(shape: &ClosedNode, windows: &[(i64, i64, u32)], keys: &[(Box<[u8]>, TaskId)]) -> Batch {
    let mut builder = Builder::new(shape.rows.clone());
    let first = shape.key_columns().len();
    for ((start, end, revision), (key, _)) in windows.iter().zip(keys) {
        let mut reader = KeyReader::new(key);
        (0..first).for_each(|column| reader.read(builder.column(column)));
        builder.column(first).push_int(*start);
        builder.column(first + 1).push_int(*end);
        builder.column(first + 2).push_int((*revision).into());
        builder.finish_row();
    }
    builder.seal()
}
