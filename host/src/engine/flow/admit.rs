//! Whether a row is in time, and when its turn is. Watermarks rise here, row by row.

use std::borrow::Cow;
use std::sync::Arc;

use crate::columns::Batch;
use crate::error::{Code, Error, Refusal, Result};
use crate::pipeline::{Order, Role, Stage, Times};
use crate::record::{PartitionId, Record, Records, SourceId};

use crate::watermark::END;

use super::intake::Taken;
use super::run::{Event, Flight, Step};
use super::{Flow, Post};
use crate::engine::held::{Parcel, Released};
use crate::engine::mistake::{Mistake, planted};
use crate::engine::outbox::Place;
use crate::engine::parcel::{self, Cells, Head, Read, Told};
use crate::engine::task::{Task, Tasks};

/// A row that was taken in, or a parcel.
#[derive(Clone, Copy)]
struct Item {
    record: u32,
    /// `None`: a parcel.
    source: Option<SourceId>,
    /// Index among the rows of its source.
    row: u32,
}

/// Where the rows of a partition go; those of one partition come in runs.
#[derive(Clone, Copy)]
struct Door {
    id: PartitionId,
    task: usize,
    input: usize,
}

/// A row that was taken in, in its batch.
#[derive(Clone, Copy)]
pub(super) struct TakenRow<'a> {
    pub records: &'a Records<'a>,
    pub record: &'a Record<'a>,
    pub source: SourceId,
    pub rows: &'a Batch,
    pub row: usize,
    pub place: Place,
    pub time: i64,
}

/// Where a row came from, and the watermark of its task before it.
#[derive(Clone, Copy)]
struct Spot {
    task: usize,
    input: usize,
    offset: i64,
    watermark: i64,
}

/// What becomes of a row.
enum Verdict {
    InTime,
    /// By so many milliseconds.
    Late(i64),
    FarAhead(String),
}

impl Flow {
    /// Sees to each row and parcel in order. Gives the rows of the first group whose turn is now; those that
    /// went through a parcel are in `released`.
    pub(super) fn admit<'r>(
        &mut self,
        records: &'r Records<'_>,
        taken: Taken,
        tasks: &mut Tasks,
        released: &mut [Vec<Released<'r>>],
        send: &mut Post<'_>,
    ) -> Result<Vec<Flight>> {
        let items = items(&taken);
        let pipeline = Arc::clone(&self.pipeline);
        let Taken { work, sides, .. } = taken;
        let (mut steps, mut keep, mut door) = (Vec::new(), Vec::with_capacity(work.len()), None);
        for item in items {
            let record = &records.rows[item.record as usize];
            let Door { task, input, .. } = find(record.from, tasks, &mut door)?;
            let Some(source) = item.source else {
                self.admit_parcel(record, item.record, (task, input), tasks, released)?;
                continue;
            };
            let (rows, places) = match source {
                0 => (&work.rows, &work.places),
                _ => (&sides[usize::from(source)].rows, &sides[usize::from(source)].places),
            };
            let (row, place) = (item.row as usize, places[item.row as usize]);
            let Some(times) = pipeline.sources[usize::from(source)].times else {
                keep.push(item.row);
                steps.push(Step { task, watermark: i64::MIN, event: Event::Row });
                continue;
            };
            let time = rows.column(times.column).int(row);
            let verdict = verdict(tasks.at(task), time, record.timestamp, &times);
            if !self.is_in_time(verdict, place, source) {
                continue;
            }
            let role = pipeline.role(source);
            let expected = self.expected(usize::from(tasks.id(task).group));
            let before = tasks.at(task).watermark.watermark();
            let one = tasks.at(task);
            one.inputs[input].progress.see(time, times.out_of_orderness);
            let rose = one.update_watermark(expected);
            let taken = TakenRow { records, record, source, rows, row, place, time };
            self.pass_on(&taken, send)?;
            match role {
                Role::Rows { .. } | Role::Side { .. } if self.holds(0) => {
                    let head = Head::of(records, record, place.index, time, &pipeline.identity.stamp);
                    let head = if source == 0 { head } else { head.into_update() };
                    let bytes = Cow::Owned(self.pack(&head, &taken));
                    let spot = Spot { task, input, offset: record.offset, watermark: before };
                    hold(&head, bytes, spot, tasks, &mut released[0]);
                }
                Role::Rows { .. } => {
                    keep.push(item.row);
                    steps.push(Step { task, watermark: before, event: Event::Row });
                }
                Role::Side { side } => {
                    let event = Event::Update { side: side as u16, row: item.row };
                    steps.push(Step { task, watermark: before, event });
                }
                Role::Passed | Role::Repartition { .. } | Role::Table => {}
            }
            if rose {
                self.rise(tasks, task, released);
            }
        }
        let flight = Flight::new(work, sides, steps, &keep, &self.pipeline.groups[0]);
        let flights = flight.cut(self.pipeline.bounds.batch_rows);
        if flights.is_empty() {
            self.flush(records, send)?;
        }
        Ok(flights)
    }

    /// What came through a repartition topic.
    fn admit_parcel<'r>(
        &mut self,
        record: &Record<'r>,
        index: u32,
        (task, input): (usize, usize),
        tasks: &mut Tasks,
        released: &mut [Vec<Released<'r>>],
    ) -> Result<()> {
        let Role::Repartition { group } = self.pipeline.role(record.from.source) else { return Ok(()) };
        let bytes = record.value.unwrap_or_default();
        let known = |read: &Read<'_>| match read {
            Read::Row(head, _) if head.is_update => {
                self.pipeline.groups[group].side(head.origin.from.source).is_some()
            }
            Read::Row(head, _) => head.origin.from.source == 0,
            Read::Watermark(told) => self.is_writer(group, told.of),
        };
        let read = parcel::read(bytes);
        match read.and_then(|read| if known(&read) { Ok(read) } else { Err(parcel::broken()) }) {
            Err(refusal) => {
                let (place, stage) = (Place { record: index, index: 0 }, Stage::Decode);
                self.counts.dead_letter(stage, refusal.code);
                self.outbox.refuse(place, stage, refusal);
            }
            // The end of a run that was cut short is not that of this one.
            Ok(Read::Watermark(told)) if told.progress.watermark == END && told.run != self.run => {}
            Ok(Read::Watermark(Told { of, progress, quiet, .. })) => {
                let expected = self.expected(group);
                let one = tasks.at(task);
                match quiet {
                    Some(to) => drop(one.quiet_writers.insert(of, to)),
                    None => drop(one.quiet_writers.remove(&of)),
                }
                let known = one.writers.entry(of).or_default();
                known.idle = progress.idle;
                known.rise(progress.watermark);
                if one.update_watermark(expected) {
                    self.rise(tasks, task, released);
                }
            }
            Ok(Read::Row(head, _)) => {
                let before = tasks.at(task).watermark.watermark();
                let bytes = Cow::Borrowed(bytes);
                if self.holds(group) {
                    let spot = Spot { task, input, offset: record.offset, watermark: before };
                    hold(&head, bytes, spot, tasks, &mut released[group]);
                } else {
                    released[group].push(Released { task, bytes, watermark: before });
                }
            }
        }
        Ok(())
    }

    /// Whether a partition's watermark counts in the tasks of a group.
    fn is_writer(&self, group: usize, of: PartitionId) -> bool {
        let source = usize::from(of.source);
        let partitions = self.partitions.get(source).copied().unwrap_or(0);
        let rows = self.pipeline.groups[group - 1].input;
        let writes = of.source == rows || self.pipeline.groups[group].side(of.source).is_some();
        writes && (0..partitions).contains(&of.partition)
    }

    /// Whether rows of a group wait for their watermark.
    fn holds(&self, group: usize) -> bool {
        self.pipeline.order == Order::EventTime && !self.pipeline.groups[group].stages.is_empty()
    }

    fn pack(&self, head: &Head<'_>, taken: &TakenRow<'_>) -> Vec<u8> {
        let TakenRow { source, rows, row, .. } = *taken;
        let mut bytes = Vec::new();
        let layout = match source {
            0 => &self.row_layouts[0],
            _ => &self.side_layouts[usize::from(source)],
        };
        layout.pack(head, Cells { rows, row, features: &[], ids: None }, &mut bytes);
        bytes
    }

    /// The watermark of a task rose: releases what it has passed.
    pub(super) fn rise(&mut self, tasks: &mut Tasks, task: usize, released: &mut [Vec<Released<'_>>]) {
        let group = usize::from(tasks.id(task).group);
        let one = tasks.at(task);
        let watermark = one.watermark.watermark();
        if let Some(durable) = one.durable.as_mut().filter(|_| one.held.is_next(watermark)) {
            durable.journal.release(watermark);
        }
        while let Some((time, parcel)) = one.held.release(watermark) {
            one.inputs[parcel.input].release(parcel.offset);
            one.passed = one.passed.max(time);
            let bytes = Cow::Owned(parcel.bytes.into_vec());
            released[group].push(Released { task, bytes, watermark: one.passed });
        }
        one.passed = one.passed.max(watermark);
    }

    /// Puts a row aside that is not.
    fn is_in_time(&mut self, verdict: Verdict, place: Place, source: SourceId) -> bool {
        let refusal = match verdict {
            Verdict::InTime => return true,
            Verdict::FarAhead(message) => Refusal::new(Code::FarAhead, message),
            Verdict::Late(by) => {
                self.counts.late(&self.pipeline.sources[usize::from(source)].name);
                if self.pipeline.late.is_some() {
                    self.outbox.late(place, by);
                    return false;
                }
                let message = format!("{by} ms too late; there is no [late] topic");
                Refusal::new(Code::Late, message)
            }
        };
        self.counts.dead_letter(Stage::Preprocess, refusal.code);
        self.outbox.refuse(place, Stage::Preprocess, refusal);
        false
    }
}

/// Keeps a row until its turn; if that is over already, it is now.
fn hold<'r>(
    head: &Head<'_>,
    bytes: Cow<'r, [u8]>,
    spot: Spot,
    tasks: &mut Tasks,
    released: &mut Vec<Released<'r>>,
) {
    let Spot { task, input, offset, watermark } = spot;
    let one = tasks.at(task);
    if head.time < watermark {
        released.push(Released { task, bytes, watermark: one.passed });
        return;
    }
    one.inputs[input].hold(offset);
    if let Some(durable) = one.durable.as_mut().filter(|_| !planted(Mistake::ForgetsHeld)) {
        durable.journal.hold(input, offset, &bytes);
    }
    let parcel = Parcel { bytes: bytes.into_owned().into(), input, offset };
    if let Some(twice) = one.held.hold(head, parcel) {
        one.inputs[twice.input].release(twice.offset);
    }
}

fn verdict(task: &Task, time: i64, timestamp: Option<i64>, times: &Times) -> Verdict {
    if let Some(timestamp) = timestamp
        && time > timestamp.saturating_add(times.max_ahead)
    {
        let ahead = time.saturating_sub(timestamp);
        let most = times.max_ahead;
        return Verdict::FarAhead(format!(
            "the event time is {ahead} ms ahead of the record's timestamp; max_ahead is {most} ms"
        ));
    }
    let watermark = task.watermark.watermark();
    if time < watermark.saturating_sub(times.lateness) {
        return Verdict::Late(watermark.saturating_sub(time));
    }
    Verdict::InTime
}

fn find(id: PartitionId, tasks: &Tasks, door: &mut Option<Door>) -> Result<Door> {
    if let Some(known) = door.filter(|known| known.id == id) {
        return Ok(known);
    }
    let (task, input) = tasks.find(id).ok_or_else(|| {
        Error::new(Code::Internal, format!("a record of partition {} came unassigned", id.partition))
    })?;
    let found = Door { id, task, input };
    *door = Some(found);
    Ok(found)
}

/// All rows and parcels, in the order of their records.
fn items(taken: &Taken) -> Vec<Item> {
    let rows = |source: SourceId, places: &[Place]| {
        let item = move |(row, place): (usize, &Place)| Item {
            record: place.record,
            source: Some(source),
            row: row as u32,
        };
        places.iter().enumerate().map(item).collect::<Vec<_>>()
    };
    let mut items = rows(0, &taken.work.places);
    let own = items.len();
    for (source, side) in taken.sides.iter().enumerate().skip(1) {
        items.extend(rows(source as SourceId, &side.places));
    }
    items.extend(taken.parcels.iter().map(|record| Item { record: *record, source: None, row: 0 }));
    if items.len() > own {
        // Stable: rows of one record keep their order.
        items.sort_by_key(|item| item.record);
    }
    items
}
