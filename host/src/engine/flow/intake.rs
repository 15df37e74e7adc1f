//! Decode and preprocess: from records to clean rows, and to the rows of other sources.

use crate::columns::{Batch, View};
use crate::error::{Code, Refusal, Result};
use crate::pipeline::{Role, SourceNode, Stage};
use crate::record::{Record, Records};

use super::Flow;
use crate::engine::answers;
use crate::engine::bisect::bisect;
use crate::engine::lap::Activity;
use crate::engine::outbox::Place;
use crate::engine::work::{Work, refusals};

/// Rows of one source, as they came.
#[derive(Debug)]
pub(super) struct SideRows {
    pub rows: Batch,
    pub places: Vec<Place>,
}

/// What a batch of records holds.
pub(super) struct Taken {
    pub work: Work,
    /// By source; that of the first is empty.
    pub sides: Vec<SideRows>,
    /// Indices of records that are parcels.
    pub parcels: Vec<u32>,
}

impl Flow {
    pub(super) fn intake(&mut self, records: &Records<'_>) -> Result<Taken> {
        let mut places: Vec<Vec<Place>> = self.pipeline.sources.iter().map(|_| Vec::new()).collect();
        places[0].reserve(records.rows.len());
        let mut parcels = Vec::new();
        for (index, record) in records.rows.iter().enumerate() {
            let source = record.from.source;
            if let Role::Repartition { .. } = self.pipeline.role(source) {
                parcels.push(index as u32);
            } else if self.decode(record, index as u32) {
                places[usize::from(source)].push(Place { record: index as u32, index: 0 });
            }
        }
        let mut places = places.into_iter();
        let mut sides: Vec<SideRows> = self
            .decoded
            .iter_mut()
            .map(|builder| SideRows { rows: builder.seal(), places: places.next().unwrap_or_default() })
            .collect();
        let SideRows { rows, places } = sides[0].take();
        self.turn(Activity::Preprocess);
        let mut work = self.preprocess(Work::new(rows, places))?;
        self.turn(Activity::Decode);
        if let Some(refused) = timeless(&self.pipeline.sources[0], &work.rows) {
            self.refuse(Stage::Preprocess, refused, &mut work);
        }
        for (source, side) in sides.iter_mut().enumerate().skip(1) {
            self.refuse_timeless(source, side);
        }
        Ok(Taken { work, sides, parcels })
    }

    /// Whether a row came of it.
    fn decode(&mut self, record: &Record<'_>, index: u32) -> bool {
        let source = usize::from(record.from.source);
        let node = &self.pipeline.sources[source];
        if record.value.is_none() && node.skip_tombstones {
            self.counts.tombstones += 1;
            return false;
        }
        let refused =
            self.parts.decoders[source].decode(&node.topic, record, &mut self.decoded[source]).err();
        let is_row = refused.is_none();
        if let Some(refusal) = refused {
            self.count(Stage::Decode, &refusal);
            self.outbox.refuse(Place { record: index, index: 0 }, Stage::Decode, refusal);
        }
        is_row
    }

    fn preprocess(&mut self, work: Work) -> Result<Work> {
        let Some(plugin) = &mut self.parts.preprocessor else { return Ok(work) };
        let Work { rows, places, .. } = work;
        let pipeline = std::sync::Arc::clone(&self.pipeline);
        let schema = &pipeline.sources[0].rows;
        self.breakers.passed(Stage::Preprocess, rows.rows());
        self.counts.call(Stage::Preprocess, rows.rows());
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
        self.counts.dropped += places.len() - kept - refused.len();
        for (row, refusal) in refused {
            self.count(Stage::Preprocess, &refusal);
            self.outbox.refuse(places[row as usize], Stage::Preprocess, refusal);
        }
        let rows = match batches.len() {
            1 => batches.remove(0),
            _ => Batch::concat(schema.clone(), &batches),
        };
        Ok(Work::new(rows, clean))
    }

    /// Rows of another source without an event time.
    fn refuse_timeless(&mut self, source: usize, side: &mut SideRows) {
        let Some(refused) = timeless(&self.pipeline.sources[source], &side.rows) else { return };
        let mut work = side.take().into_work();
        self.refuse(Stage::Decode, refused, &mut work);
        *side = SideRows { rows: work.rows, places: work.places };
    }

    /// Sends rows to the dead letters, and counts them.
    pub(super) fn refuse(&mut self, stage: Stage, refused: Vec<(u32, Refusal)>, work: &mut Work) {
        refused.iter().for_each(|(_, refusal)| self.count(stage, refusal));
        work.refuse(stage, refused, &mut self.outbox);
    }
}

impl SideRows {
    /// Leaves nothing behind.
    pub fn take(&mut self) -> Self {
        let rows = Batch::empty(self.rows.schema().clone());
        std::mem::replace(self, Self { rows, places: Vec::new() })
    }

    fn into_work(self) -> Work {
        Work::new(self.rows, self.places)
    }
}

/// Rows without an event time, where the source has one; none of them: `None`.
fn timeless(source: &SourceNode, rows: &Batch) -> Option<Vec<(u32, Refusal)>> {
    let column = source.times?.column;
    let times: View<'_> = rows.column(column);
    if times.all_valid() {
        return None;
    }
    let name = &rows.schema()[column].name;
    let refuse =
        |row: u32| (row, Refusal::new(Code::NoKey, format!("no value in {name}, which is the event time")));
    Some((0..rows.rows() as u32).filter(|row| !times.is_valid(*row as usize)).map(refuse).collect())
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
