//! Rows whose turn is now, through the stages of their group.

use std::rc::Rc;
use std::sync::Arc;

use crate::columns::Batch;
use crate::error::{Refusal, Result};
use crate::pipeline::{Group, Stage};
use crate::record::{Message, Records};

use super::intake::SideRows;
use super::trace::Tracer;
use super::{Flow, Post};
use crate::engine::held::Released;
use crate::engine::lap::Activity;
use crate::engine::outbox::Place;
use crate::engine::parcel::{self, Read};
use crate::engine::task::{Task, Tasks};
use crate::engine::work::Work;

/// What happens in a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The next of the rows meets the windows.
    Row,
    /// A row of another source does.
    Update { side: u16, row: u32 },
    /// The watermark rose.
    Advance,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Index of the task.
    pub task: usize,
    /// As of before.
    pub watermark: i64,
    pub event: Event,
}

/// Rows on their way, with all that happens between them.
#[derive(Debug)]
pub(super) struct Flight {
    pub work: Work,
    /// By side of the group.
    pub sides: Rc<[SideRows]>,
    /// The n-th `Row` is the n-th row of `work`.
    pub steps: Vec<Step>,
}

impl Flight {
    /// Of rows as they came; `keep`: those of `work` that go on.
    pub fn new(work: Work, mut sides: Vec<SideRows>, steps: Vec<Step>, keep: &[u32], group: &Group) -> Self {
        let work = work.pick(keep);
        let sides = group.sides.iter().map(|side| sides[usize::from(side.source)].take()).collect();
        Self { work, sides, steps }
    }

    /// In parts of so many rows at most: a preprocessor may make many rows of one. None without steps.
    pub fn cut(self, most: usize) -> Vec<Self> {
        if self.steps.is_empty() {
            return Vec::new();
        }
        if self.work.len() <= most {
            return vec![self];
        }
        let Self { work, sides, mut steps } = self;
        let mut parts = Vec::new();
        for work in work.cut(most) {
            let mut rows = 0;
            let is_next = |step: &Step| {
                rows += usize::from(step.event == Event::Row);
                rows > work.len()
            };
            let rest = steps.iter().position(is_next).unwrap_or(steps.len());
            let rest = steps.split_off(rest);
            parts.push(Self { work, sides: Rc::clone(&sides), steps: std::mem::replace(&mut steps, rest) });
        }
        parts
    }

    /// Goes on without these rows (rising indices).
    fn leave_out(&mut self, refused: &[(u32, Refusal)]) {
        let (mut row, mut refused) = (0, refused.iter().peekable());
        self.steps.retain(|step| {
            if step.event != Event::Row {
                return true;
            }
            row += 1;
            refused.next_if(|(at, _)| *at + 1 == row).is_none()
        });
    }
}

impl Flow {
    /// Takes rows through the stages of a group, and what comes of them to where it goes.
    pub(super) fn run(
        &mut self,
        group: usize,
        records: &Records<'_>,
        mut flight: Flight,
        tasks: &mut Tasks,
        send: &mut Post<'_>,
    ) -> Result<()> {
        let stages = self.pipeline.groups[group].stages.clone();
        for stage in stages.clone() {
            if self.pipeline.features[stage].closed.is_some() {
                return self.run_closing(group, stage, records, flight, tasks, send);
            }
            self.features(group, stage, records, &mut flight, tasks)?;
        }
        if group + 1 < self.pipeline.groups.len() {
            self.ship(group + 1, records, &mut flight, send)?;
        } else {
            self.score(&mut flight.work)?;
            self.decide(records, flight.work)?;
        }
        self.flush(records, send)
    }

    /// Rows that were in parcels, through the stages of this release.
    pub(super) fn run_own_parcels(
        &mut self,
        group: usize,
        released: &[Released<'_>],
        tasks: &mut Tasks,
        send: &mut Post<'_>,
    ) -> Result<()> {
        let mut rest = released;
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(self.fitting(rest));
            rest = behind;
            let mut records = Records::default();
            let flight = self.unpack(group, part, &mut records);
            self.run(group, &records, flight, tasks, send)?;
        }
        Ok(())
    }

    /// How many of these are a batch.
    fn fitting(&self, released: &[Released<'_>]) -> usize {
        let (bounds, mut bytes) = (self.pipeline.bounds, 0);
        let fits = |one: &&Released<'_>| {
            bytes += one.bytes.len();
            bytes <= bounds.batch_bytes
        };
        released.iter().take(bounds.batch_rows).take_while(fits).count().max(1)
    }

    /// Rows and updates of parcels, as a batch; `records` are those that they were made of.
    fn unpack<'r>(
        &mut self,
        group: usize,
        released: &'r [Released<'_>],
        records: &mut Records<'r>,
    ) -> Flight {
        let own = &self.pipeline.groups[group];
        let mut rows = self.row_layouts[group].unpacked();
        let mut sides: Vec<_> =
            own.sides.iter().map(|side| self.side_layouts[usize::from(side.source)].unpacked()).collect();
        let mut side_places: Vec<Vec<Place>> = own.sides.iter().map(|_| Vec::new()).collect();
        let (mut places, mut steps) = (Vec::new(), Vec::with_capacity(released.len()));
        for Released { task, bytes, watermark } in released {
            let Ok(Read::Row(head, rest)) = parcel::read(bytes) else { continue };
            let place = Place { record: records.rows.len() as u32, index: head.origin.index };
            head.record(records);
            let side = own.side(head.origin.from.source).filter(|_| head.is_update);
            let (layout, into) = match side {
                Some(side) => (&self.side_layouts[usize::from(own.sides[side].source)], &mut sides[side]),
                None => (&self.row_layouts[group], &mut rows),
            };
            if let Err(refusal) = layout.unpack(&head, rest, into) {
                self.counts.dead_letter(Stage::Decode, refusal.code);
                self.outbox.refuse(place, Stage::Decode, refusal);
                continue;
            }
            let event = match side {
                Some(side) => {
                    side_places[side].push(place);
                    Event::Update { side: side as u16, row: side_places[side].len() as u32 - 1 }
                }
                None => {
                    places.push(place);
                    Event::Row
                }
            };
            steps.push(Step { task: *task, watermark: *watermark, event });
        }
        let mut work = Work::new(rows.rows.seal(), places);
        (work.matrix, work.features) = (rows.features, self.row_layouts[group].features);
        work.ids = (!self.row_layouts[group].ids.is_empty()).then(|| rows.ids.seal());
        let sides = sides.into_iter().zip(side_places);
        let sides = sides.map(|(mut side, places)| SideRows { rows: side.rows.seal(), places }).collect();
        Flight { work, sides, steps }
    }

    /// Sends rows to the dead letters, and goes on without them.
    pub(super) fn refuse_rows(&mut self, stage: Stage, refused: Vec<(u32, Refusal)>, flight: &mut Flight) {
        if !refused.is_empty() {
            flight.leave_out(&refused);
            self.refuse(stage, refused, &mut flight.work);
        }
    }

    /// Sends what waits in the outbox.
    pub(super) fn flush(&mut self, records: &Records<'_>, send: &mut Post<'_>) -> Result<()> {
        self.turn(Activity::Send);
        match self.meter.traces.get() {
            None => self.outbox.each(&self.pipeline, records, |_, _, message| send(message))?,
            Some(traces) => {
                let mut tracer = Tracer::new(traces, &self.pipeline, records, &self.times, &self.lap);
                let send = |place, route, message: Message<'_>| tracer.send(place, route, message, send);
                self.outbox.each(&self.pipeline, records, send)?;
            }
        }
        self.times.clear();
        self.outbox.clear();
        Ok(())
    }

    /// Lets windows close and forgets keys whose time is over, in tasks of a group whose watermark rose.
    pub(super) fn settle(&mut self, group: usize, tasks: &mut Tasks, send: &mut Post<'_>) -> Result<()> {
        let pipeline = Arc::clone(&self.pipeline);
        let own = &pipeline.groups[group];
        let mut steps = Vec::new();
        for task in 0..tasks.len() {
            if usize::from(tasks.id(task).group) != group {
                continue;
            }
            let one = tasks.at(task);
            if one.settled == one.passed {
                continue;
            }
            one.settled = one.passed;
            let watermark = one.passed;
            steps.push(Step { task, watermark, event: Event::Advance });
            let Task { stores, durable, .. } = one;
            for (store, stage) in stores.iter_mut().zip(&pipeline.features[own.stages.clone()]) {
                if stage.closed.is_none() {
                    let journal = durable.as_mut().map(|durable| &mut durable.journal);
                    store.forget(stage.retention(own.lateness), watermark, journal)?;
                }
            }
        }
        let closes =
            self.pipeline.features[own.stages.clone()].last().is_some_and(|stage| stage.closed.is_some());
        if !closes || steps.is_empty() {
            return Ok(());
        }
        let rows = Batch::empty(self.pipeline.sources[0].rows.clone());
        let flight = Flight { work: Work::new(rows, Vec::new()), sides: Rc::default(), steps };
        let stage = own.stages.end - 1;
        self.run_closing(group, stage, &Records::default(), flight, tasks, send)
    }
}
