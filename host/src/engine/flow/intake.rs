//! Decode and preprocess: from records to clean rows.

use crate::columns::Batch;
use crate::error::Result;
use crate::pipeline::Stage;
use crate::record::Records;

use super::Flow;
use crate::engine::answers;
use crate::engine::bisect::bisect;
use crate::engine::meter::Meter;
use crate::engine::outbox::{Outbox, Place};
use crate::engine::work::{Work, refusals};

impl Flow {
    pub(super) fn decode(&mut self, records: &Records<'_>, outbox: &mut Outbox) -> Work {
        let (mut places, mut tombstones) = (Vec::with_capacity(records.rows.len()), 0);
        for (index, record) in records.rows.iter().enumerate() {
            if record.value.is_none() && self.pipeline.skip_tombstones {
                tombstones += 1;
                continue;
            }
            let place = Place { record: index as u32, index: 0 };
            let topic = &self.pipeline.topics[usize::from(record.from.source)];
            match self.parts.decoder.decode(topic, record, &mut self.decoded) {
                Ok(()) => places.push(place),
                Err(refusal) => {
                    self.meter.dead_letter(Stage::Decode, refusal.code);
                    outbox.refuse(place, Stage::Decode, refusal);
                }
            }
        }
        Meter::add(&self.meter.tombstones, tombstones);
        Work::new(self.decoded.seal(), places)
    }

    pub(super) fn preprocess(&mut self, work: Work, outbox: &mut Outbox) -> Result<Work> {
        let Some(plugin) = &mut self.parts.preprocessor else { return Ok(work) };
        let Work { rows, places, .. } = work;
        let schema = &self.pipeline.clean;
        let pieces = bisect(rows.rows(), |range| {
            let count = range.len();
            let answer = match part(&rows, range) {
                Some(part) => plugin.process(&part)?,
                None => plugin.process(&rows)?,
            };
            answers::processed(schema, count, answer)
        })?;

        let (mut batches, mut clean, mut kept, mut refused) = (Vec::new(), Vec::new(), 0, Vec::new());
        for (range, answer) in pieces {
            match answer {
                Ok((batch, origin, rejected)) => {
                    kept += push_places(&places[range.clone()], &origin, &mut clean);
                    refused.extend(refusals(range.start, rejected));
                    batches.push(batch);
                }
                Err(refusal) => refused.push((range.start as u32, refusal)),
            }
        }
        Meter::add(&self.meter.dropped, places.len() - kept - refused.len());
        for (row, refusal) in refused {
            self.meter.dead_letter(Stage::Preprocess, refusal.code);
            outbox.refuse(places[row as usize], Stage::Preprocess, refusal);
        }
        let rows = match batches.len() {
            1 => batches.remove(0),
            _ => Batch::concat(schema.clone(), &batches),
        };
        Ok(Work::new(rows, clean))
    }
}

/// The rows of a range, where it is not all of them.
pub(super) fn part(rows: &Batch, range: std::ops::Range<usize>) -> Option<Batch> {
    (range.len() < rows.rows())
        .then(|| rows.gather(&(range.start as u32..range.end as u32).collect::<Vec<_>>()))
}

/// Places of the rows out; says how many rows in they were made of.
fn push_places(places: &[Place], origin: &[u32], into: &mut Vec<Place>) -> usize {
    let (mut before, mut index, mut distinct) = (None, 0, 0);
    for row in origin {
        index = if before == Some(row) { index + 1 } else { 0 };
        distinct += usize::from(index == 0);
        before = Some(row);
        into.push(Place { record: places[*row as usize].record, index });
    }
    distinct
}
