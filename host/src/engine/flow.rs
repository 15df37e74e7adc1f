//! The stages of one thread, and a batch's way through them.
//!
//! ```text
//! records ─> intake ─> admit ──────────────────────────────> run (a group's stages) ─> score, decide, send
//!            decode,    late? too far ahead?     ┌─────────┘  └─> ship: the next group's repartition topic
//!            preprocess └─> hold until watermark ┘                                        │
//! parcels of a repartition topic ─> admit, as above <─────────────────────────────────────┘
//! ```
//!
//! What is done with a row depends on the rows before it alone, never on how batches are cut: watermarks
//! rise row by row, rows are released and windows close between two rows.

mod admit;
mod closing;
mod copies;
mod decide;
mod features;
mod folds;
mod former;
mod intake;
mod keep;
mod lookups;
mod rehearse;
mod run;
mod score;
mod ship;
mod trace;
mod words;

use std::sync::{Arc, Mutex};

use super::breaker::{Breakers, Failing};
use super::held::Released;
use super::lap::{Activity, Lap};
use super::meter::{Counts, Meter};
use super::outbox::Outbox;
use super::parcel::Layout;
use super::ports::{Decoder, Encoder, Features, Model, Preprocessor, Rules};
use super::table::Tables;
use super::task::Tasks;
use crate::columns::{Builder, Schema};
use crate::error::{Error, Refusal, Result};
use crate::pipeline::{FeaturesNode, Pipeline, Stage};
use crate::record::{Message, Records, SourceId};
use crate::state::KeyCopy;
use crate::window::Scratch;
use folds::Shared;
use former::Former;
pub use rehearse::Rehearsed;

/// The instances that a thread owns: one of each.
pub struct Parts {
    /// By source.
    pub decoders: Vec<Box<dyn Decoder + Send>>,
    pub preprocessor: Option<Box<dyn Preprocessor + Send>>,
    /// By features stage.
    pub features: Vec<Box<dyn Features + Send>>,
    pub model: Option<Box<dyn Model + Send>>,
    pub rules: Option<Box<dyn Rules + Send>>,
    /// Of the decision's output.
    pub encoder: Box<dyn Encoder + Send>,
}

/// How many partitions the topics have: by source, then the repartition topics.
pub type PartitionCounts = Arc<[i32]>;

/// A pipeline's stages, in one thread.
pub struct Flow {
    /// Its windows are views of what is kept.
    pipeline: Arc<Pipeline>,
    /// Features stages as the release has them.
    own: Vec<FeaturesNode>,
    /// Its features are taken out.
    parts: Parts,
    /// By features stage.
    plugins: Vec<Shared>,
    /// By features stage, by custom aggregate that is kept: who runs it.
    folders: Vec<Vec<Option<Shared>>>,
    meter: Arc<Meter>,
    /// Not in the meter yet.
    counts: Counts,
    partitions: PartitionCounts,
    tables: Arc<Tables>,
    /// Of decisions in the outbox, if spans are wanted.
    times: trace::Times,
    /// By source.
    decoded: Vec<Builder>,
    /// By features stage: what windows give.
    cells: Vec<Builder>,
    /// Features and scores for the rules.
    numbers: Builder,
    /// Of rows that come into a group.
    row_layouts: Vec<Layout>,
    /// By source, as it is passed on.
    side_layouts: Vec<Layout>,
    scratch: Scratch,
    outbox: Outbox,
    breakers: Breakers,
    lap: Lap,
    bytes: Vec<u8>,
    run: u64,
    formers: Vec<Former>,
    /// Which of them is at work.
    at_work: Option<usize>,
    /// Of keys of the next batch, if they are wanted, each with its stage.
    copies: Option<Vec<(usize, KeyCopy)>>,
}

/// Where messages go.
pub(super) type Post<'a> = dyn FnMut(Message<'_>) -> Result<()> + 'a;

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flow").field("pipeline", &self.pipeline.name).finish_non_exhaustive()
    }
}

impl Flow {
    pub fn new(
        pipeline: Arc<Pipeline>,
        mut parts: Parts,
        meter: Arc<Meter>,
        partitions: PartitionCounts,
        tables: Arc<Tables>,
    ) -> Self {
        let plugins = std::mem::take(&mut parts.features).into_iter();
        let builder = |schema: &Schema| Builder::new(Arc::clone(schema));
        let rows = &pipeline.sources[0].rows;
        let row_layouts = pipeline
            .groups
            .iter()
            .map(|group| Layout::new(Arc::clone(rows), group.features, pipeline.ids[..group.ids].into()));
        let side_layouts =
            pipeline.sources.iter().map(|source| Layout::new(Arc::clone(&source.rows), 0, [].into()));
        Self {
            decoded: pipeline.sources.iter().map(|source| builder(&source.decoded)).collect(),
            cells: pipeline.features.iter().map(|stage| builder(&stage.cells)).collect(),
            numbers: builder(&pipeline.decision.numbers),
            row_layouts: row_layouts.collect(),
            side_layouts: side_layouts.collect(),
            breakers: breakers(&pipeline),
            lap: Lap::default(),
            own: pipeline.features.clone(),
            pipeline,
            parts,
            plugins: plugins.map(|plugin| Arc::new(Mutex::new(plugin))).collect(),
            folders: Vec::new(),
            meter,
            counts: Counts::default(),
            partitions,
            tables,
            scratch: Scratch::default(),
            outbox: Outbox::default(),
            times: Vec::new(),
            bytes: Vec::new(),
            run: 0,
            formers: Vec::new(),
            at_work: None,
            copies: None,
        }
        .keep_own()
    }

    /// One of the flows of a run of this number, which no earlier run of the pipeline had.
    pub fn of_run(self, run: u64) -> Self {
        Self { run, ..self }
    }

    pub fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
    }

    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Takes records as far as they can go now; what comes of them is sent, the windows in `tasks` are
    /// moved on. What fails of a single record becomes a dead letter; an error ends the pipeline, and
    /// nothing of this batch may be committed.
    pub fn process(
        &mut self,
        records: &Records<'_>,
        tasks: &mut Tasks,
        send: &mut dyn FnMut(Message<'_>) -> Result<()>,
    ) -> Result<()> {
        self.turn(Activity::Decode);
        let taken = self.intake(records)?;
        self.copy_keys(records, &taken, tasks);
        self.counts.batches += 1;
        self.counts.read(&records.rows);
        self.counts.call(Stage::Decode, records.rows.len() - taken.parcels.len());
        self.counts.records += records.rows.len() - taken.parcels.len();
        let mut released = self.released();
        let flights = self.admit(records, taken, tasks, &mut released, send)?;
        for flight in flights {
            self.run(0, records, flight, tasks, send)?;
        }
        self.run_released(released, tasks, send)
    }

    /// What watermarks that rose without a row let go: held rows, windows that close.
    pub fn advance(
        &mut self,
        tasks: &mut Tasks,
        send: &mut dyn FnMut(Message<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut released = self.released();
        for task in 0..tasks.len() {
            let expected = self.expected(usize::from(tasks.id(task).group));
            if tasks.at(task).update_watermark(expected) {
                self.rise(tasks, task, &mut released);
            }
        }
        self.run_released(released, tasks, send)
    }

    /// The thread does something else from now on.
    pub fn turn(&mut self, to: Activity) {
        self.lap.turn(to);
        if to == Activity::Source {
            self.lap.tell(&self.meter.spent);
        }
    }

    /// What was done since the last time is done for good, or never was.
    pub fn settle_counts(&mut self, done: bool) {
        self.each_former(|former| former.settle_counts(done));
        let counts = std::mem::take(&mut self.counts);
        if done {
            self.meter.add(counts, &self.pipeline);
        }
    }

    /// Stages that have failed beyond their error budget since they were asked about last.
    pub fn failing(&mut self) -> Vec<Failing> {
        let mut failing = self.breakers.spent();
        self.each_former(|former| failing.extend(former.failing()));
        failing
    }

    /// The stage because of which a batch was given up. Nothing of the batch is left here.
    pub fn gave_up(&mut self, error: Error) -> Failing {
        if let Some(former) = self.at_work.take() {
            self.clear();
            return self.formers[former].flow.gave_up(error);
        }
        self.clear();
        self.breakers.gave_up(&error.message)
    }

    fn clear(&mut self) {
        self.outbox.clear();
        self.times.clear();
        let builders = self.decoded.iter_mut().chain(&mut self.cells).chain([&mut self.numbers]);
        builders.for_each(Builder::clear);
    }

    /// A row is going to the dead letters.
    fn count(&mut self, stage: Stage, refusal: &Refusal) {
        self.counts.dead_letter(stage, refusal.code);
        self.breakers.refused(stage, refusal);
    }

    /// By group: nothing yet.
    fn released<'r>(&self) -> Vec<Vec<Released<'r>>> {
        self.pipeline.groups.iter().map(|_| Vec::new()).collect()
    }

    fn run_released(
        &mut self,
        released: Vec<Vec<Released<'_>>>,
        tasks: &mut Tasks,
        send: &mut Post<'_>,
    ) -> Result<()> {
        for (group, released) in released.into_iter().enumerate() {
            self.run_parcels(group, &released, tasks, send)?;
            self.settle(group, tasks, send)?;
        }
        Ok(())
    }

    /// How many inputs, or writers of its repartition topic, a task of a group must know of.
    pub(super) fn expected(&self, group: usize) -> usize {
        let Some(own) = self.pipeline.groups.get(group) else { return 1 };
        if own.key.is_none() {
            return 1 + own.sides.len();
        }
        let count = |source: SourceId| self.partitions[usize::from(source)] as usize;
        let rows = count(self.pipeline.groups[group - 1].input);
        rows + own.sides.iter().map(|side| count(side.source)).sum::<usize>()
    }
}

/// Each stage's group is the one whose partitions wait for it.
fn breakers(pipeline: &Pipeline) -> Breakers {
    let features =
        pipeline.groups.iter().enumerate().flat_map(|(group, own)| {
            own.stages.clone().map(move |stage| (Stage::Features(stage as u8), group))
        });
    let last = pipeline.groups.len() - 1;
    let others = [(Stage::Preprocess, 0), (Stage::Score, last), (Stage::Rules, last)];
    Breakers::new(pipeline.bounds.errors, &pipeline.identity, others.into_iter().chain(features))
}
