//! The model stage.

use std::borrow::Cow;
use std::ops::Range;

use crate::columns::{Batch, Kind, View};
use crate::error::{Code, Refusal, Result};
use crate::pipeline::{MatrixColumn, ModelNode, NamedColumn, Stage};

use super::Flow;
use super::intake::part;
use crate::engine::bisect::bisect;
use crate::engine::lap::Activity;
use crate::engine::ports::{PluginFault, Question};
use crate::engine::work::Work;

impl Flow {
    pub(super) fn score(&mut self, work: &mut Work) -> Result<()> {
        let pipeline = std::sync::Arc::clone(&self.pipeline);
        let (Some(node), Some(model)) = (&pipeline.model, &mut self.parts.model) else { return Ok(()) };
        if work.len() == 0 {
            return Ok(());
        }
        self.breakers.passed(Stage::Score, work.len());
        self.counts.call(Stage::Score, work.len());
        self.lap.turn(Activity::Score);
        let width = node.scores.len();
        let matrix = matrix(node, work);
        let columns: Vec<View<'_>> = node.named.iter().map(|column| named(*column, work)).collect();
        let columns = Batch::assemble(node.schema.clone(), work.len(), &columns);
        let pieces = bisect(work.len(), |range: Range<usize>| {
            let (count, features) = (range.len(), node.matrix.len());
            let part = part(&columns, range.clone());
            let question = Question {
                rows: count,
                matrix: &matrix[range.start * features..range.end * features],
                columns: part.as_ref().unwrap_or(&columns),
            };
            let mut scores = Vec::with_capacity(count * width);
            match model.score(question, &mut scores) {
                Ok(()) if scores.len() == count * width => Ok(scores),
                Ok(()) => Err(failed(format!("{} scores for {count} rows of {width}", scores.len()))),
                Err(message) => Err(failed(message)),
            }
        })?;

        let (mut scores, mut refused) = (Vec::with_capacity(work.len() * width), Vec::new());
        for (range, answer) in pieces {
            match answer {
                Ok(part) => {
                    refused.extend(infinite(node, range.start, &part));
                    if scores.is_empty() { scores = part } else { scores.extend(part) }
                }
                Err(refusal) => {
                    refused.push((range.start as u32, refusal));
                    scores.resize(scores.len() + width, 0.0);
                }
            }
        }
        drop(matrix);
        work.scores = scores;
        work.score_names = width;
        self.refuse(Stage::Score, refused, work);
        self.counts.score(&work.scores, width);
        Ok(())
    }
}

fn failed(message: String) -> PluginFault {
    PluginFault { code: Code::ModelRun, message }
}

/// Rows with a score that is no number.
fn infinite<'a>(
    node: &'a ModelNode,
    first: usize,
    scores: &'a [f32],
) -> impl Iterator<Item = (u32, Refusal)> + 'a {
    let rows = scores.chunks(node.scores.len().max(1)).enumerate();
    rows.filter_map(move |(row, scores)| {
        let bad = scores.iter().position(|score| !score.is_finite())?;
        let message = format!("the score {} is {}", node.scores[bad], scores[bad]);
        Some(((first + row) as u32, Refusal::new(Code::ModelScore, message)))
    })
}

fn named(column: NamedColumn, work: &Work) -> View<'_> {
    match (column, &work.ids) {
        (NamedColumn::Id(index), Some(ids)) => ids.column(index),
        (NamedColumn::Id(_), None) => unreachable!("ids are bound only where a features stage gives them"),
        (NamedColumn::Record(index), _) => work.rows.column(index),
    }
}

/// The matrix as the model wants it; the features plugin's own where that is the same.
fn matrix<'a>(node: &ModelNode, work: &'a Work) -> Cow<'a, [f32]> {
    let same = |(index, column): (usize, &MatrixColumn)| *column == MatrixColumn::Feature(index);
    if node.matrix.len() == work.features && node.matrix.iter().enumerate().all(same) {
        return Cow::Borrowed(&work.matrix);
    }
    let mut matrix = Vec::with_capacity(work.len() * node.matrix.len());
    for row in 0..work.len() {
        matrix.extend(node.matrix.iter().map(|column| match *column {
            MatrixColumn::Feature(index) => work.matrix[row * work.features + index],
            MatrixColumn::Column(column) => single(named(column, work), row),
        }));
    }
    Cow::Owned(matrix)
}

/// NaN where there is no value.
fn single(view: View<'_>, row: usize) -> f32 {
    match view.kind() {
        _ if !view.is_valid(row) => f32::NAN,
        Kind::Boolean => f32::from(u8::from(view.boolean(row))),
        Kind::Int | Kind::Time => view.int(row) as f32,
        Kind::Float => view.float(row) as f32,
        Kind::Single => view.single(row),
        Kind::Text | Kind::Bytes | Kind::Floats => f32::NAN,
    }
}
