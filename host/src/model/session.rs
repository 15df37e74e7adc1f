//! One session: a model on one thread.

use std::ops::Range;
use std::sync::Arc;

use ort::environment::Environment;
use ort::ep;
use ort::logging::LogLevel;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, Session, SessionInputValue};
use ort::value::DynValue;
use smallvec::SmallVec;

use crate::columns::Kind;
use crate::engine::ports::{Model, Question};
use crate::model::inputs::Input;
use crate::model::outputs::{Asked, Number, Pick};
use crate::model::slot::Slot;
use crate::model::words;

/// Rows of one call of ONNX Runtime. More gain nothing, and its intermediate results grow with them.
pub(super) const MICRO_BATCH: usize = 1024;

/// Where a model may find weights outside of its own file: a folder that nothing can be in. Without it
/// ONNX Runtime would look in the working directory.
const ELSEWHERE: (&str, &str) = ("session.model_external_initializers_file_folder_path", "/dev/null");

/// Loads a model for the calling thread alone: no thread pool, no arena that keeps the largest batch's
/// memory, nothing on stderr.
pub(super) fn load(environment: &Environment, bytes: &[u8]) -> ort::Result<Session> {
    Session::builder(environment)?
        .with_execution_providers([ep::CPU::default().with_arena_allocator(false).build()])?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_parallel_execution(false)?
        .with_memory_pattern(false)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_log_level(LogLevel::Error)?
        .with_config_entry(ELSEWHERE.0, ELSEWHERE.1)?
        .commit_from_memory(bytes)
}

/// What all sessions of a model know of its inputs.
#[derive(Debug)]
pub(super) struct Shape {
    pub inputs: Vec<Input>,
    /// Columns of the matrix; 0 if there is none.
    pub features: usize,
    /// Of the question's columns.
    pub kinds: Vec<Kind>,
    pub asked: Vec<Asked>,
}

/// A session with what it is asked, so far without a notion of scores.
pub(super) struct Asker {
    session: Session,
    options: RunOptions<HasSelectedOutputs>,
    shape: Arc<Shape>,
    slots: Vec<Slot>,
}

impl Asker {
    pub(super) fn new(session: Session, shape: Arc<Shape>) -> ort::Result<Self> {
        let selected = shape.asked.iter().fold(OutputSelector::no_default(), |all, one| all.with(&one.name));
        let options = RunOptions::new()?.with_outputs(selected);
        let slots = shape.inputs.iter().cloned().map(Slot::new).collect();
        Ok(Self { session, options, shape, slots })
    }

    /// Whether the question is of the agreed shape; if not, the caller is wrong.
    pub(super) fn check(&self, question: &Question<'_>) -> Result<(), String> {
        let Shape { features, kinds, .. } = &*self.shape;
        if question.matrix.len() != question.rows * features {
            let (got, rows) = (question.matrix.len(), question.rows);
            return Err(format!("a matrix of {got} numbers for {rows} rows of {features} features"));
        }
        let schema = question.columns.schema();
        let fits = kinds.is_empty() || question.columns.rows() == question.rows;
        if !fits || !schema.iter().map(|column| column.kind).eq(kinds.iter().copied()) {
            return Err("columns that are not those which were agreed on".into());
        }
        Ok(())
    }

    /// Runs some rows of a checked question and hands the outputs, in the order in which they are asked
    /// for, to `read`.
    pub(super) fn ask<R>(
        &mut self,
        question: &Question<'_>,
        rows: Range<usize>,
        read: impl FnOnce(&[Asked], &mut dyn Iterator<Item = &DynValue>) -> Result<R, String>,
    ) -> Result<R, String> {
        let slots = self.slots.iter_mut();
        let values: Result<SmallVec<[SessionInputValue<'_>; 4]>, String> =
            slots.map(|slot| slot.tensor(question, rows.clone())).collect();
        let outputs = self.session.run_with_options(&values?[..], &self.options);
        let outputs = outputs.map_err(|error| words::said(&error))?;
        let asked = &self.shape.asked;
        read(asked, &mut (0..asked.len()).map(|at| &outputs[at]))
    }
}

/// The model of one stream thread.
pub(super) struct Scorer {
    pub asker: Asker,
    /// Of each asked output.
    pub widths: Arc<[usize]>,
    /// Of each score.
    pub picks: Arc<[Pick]>,
}

impl Model for Scorer {
    fn score(&mut self, question: Question<'_>, scores: &mut Vec<f32>) -> Result<(), String> {
        self.asker.check(&question)?;
        let before = scores.len();
        scores.resize(before + question.rows * self.picks.len(), 0.0);
        let answer = self.fill(&question, &mut scores[before..]);
        if answer.is_err() {
            scores.truncate(before);
        }
        answer
    }
}

impl Scorer {
    fn fill(&mut self, question: &Question<'_>, scores: &mut [f32]) -> Result<(), String> {
        let Self { asker, widths, picks } = self;
        for first in (0..question.rows).step_by(MICRO_BATCH) {
            let rows = first..question.rows.min(first + MICRO_BATCH);
            let into = &mut scores[rows.start * picks.len()..rows.end * picks.len()];
            asker.ask(question, rows.clone(), |asked, outputs| {
                for (at, ((asked, width), output)) in asked.iter().zip(&**widths).zip(outputs).enumerate() {
                    let mine = picks.iter().enumerate().filter(|(_, pick)| pick.asked == at);
                    let columns = mine.map(|(score, pick)| (score, pick.column));
                    copy(asked, output, [rows.len(), *width], columns, into, picks.len())?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Copies columns of an output to where each score stands in its row of `scores`.
fn copy(
    asked: &Asked,
    output: &DynValue,
    [rows, width]: [usize; 2],
    columns: impl Iterator<Item = (usize, usize)>,
    scores: &mut [f32],
    scores_a_row: usize,
) -> Result<(), String> {
    let numbers = Numbers::of(asked, output)?;
    let (declared, got) = ([rows as i64, width as i64], &**numbers.shape());
    if *got != declared[..] && !(width == 1 && *got == declared[..1]) {
        let name = words::quoted(&asked.name);
        return Err(format!(
            "the output {name} has shape {got:?} for {rows} rows, where [{rows}, {width}] was agreed on"
        ));
    }
    for (score, column) in columns {
        let into = scores.iter_mut().skip(score).step_by(scores_a_row);
        match &numbers {
            Numbers::Float(_, all) => {
                into.zip(all[column..].iter().step_by(width)).for_each(|(to, from)| *to = *from)
            }
            Numbers::Double(_, all) => {
                into.zip(all[column..].iter().step_by(width)).for_each(|(to, from)| *to = *from as f32);
            }
            Numbers::Int(_, all) => {
                into.zip(all[column..].iter().step_by(width)).for_each(|(to, from)| *to = *from as f32);
            }
        }
    }
    Ok(())
}

/// What an output holds.
pub(super) enum Numbers<'a> {
    Float(&'a ort::value::Shape, &'a [f32]),
    Double(&'a ort::value::Shape, &'a [f64]),
    Int(&'a ort::value::Shape, &'a [i64]),
}

impl<'a> Numbers<'a> {
    pub(super) fn of(asked: &Asked, output: &'a DynValue) -> Result<Self, String> {
        let numbers = match asked.number {
            Number::Float => output.try_extract_tensor().map(|(shape, all)| Self::Float(shape, all)),
            Number::Double => output.try_extract_tensor().map(|(shape, all)| Self::Double(shape, all)),
            Number::Int => output.try_extract_tensor().map(|(shape, all)| Self::Int(shape, all)),
        };
        numbers.map_err(|error| format!("the output {}: {}", words::quoted(&asked.name), words::said(&error)))
    }

    pub(super) fn shape(&self) -> &'a ort::value::Shape {
        match self {
            Self::Float(shape, _) | Self::Double(shape, _) | Self::Int(shape, _) => shape,
        }
    }

    /// The first of them, as doubles.
    pub(super) fn head(&self, count: usize) -> Vec<f64> {
        match self {
            Self::Float(_, all) => all.iter().take(count).map(|n| f64::from(*n)).collect(),
            Self::Double(_, all) => all.iter().take(count).copied().collect(),
            Self::Int(_, all) => all.iter().take(count).map(|n| *n as f64).collect(),
        }
    }
}
