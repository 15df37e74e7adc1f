//! Tries a model on a row of zeros before it is trusted: declarations say little, and one changed index
//! makes a tree spin for ever.

use crate::columns::{Batch, Builder, Column, Kind, Schema};
use crate::engine::ports::Question;
use crate::error::{Code, Error, Result};
use crate::model::inputs::{From, Input};
use crate::model::outputs::{self, Asked};
use crate::model::session::{Asker, Numbers, Shape};
use crate::model::watch::{self, LOAD_LIMIT};
use crate::model::words;

/// Batches that are tried. What is fixed to one, or mixes rows, shows with the second.
const ROWS: [usize; 2] = [1, 3];

/// Answers to a row among others may differ from the answer to it alone by rounding, not by more.
const TOLERANCE: f64 = 1e-3;

/// Columns of each asked output.
pub(super) fn widths(asker: Asker, shape: &Shape, schema: &Schema) -> Result<Vec<usize>> {
    let batches = ROWS.map(|rows| (matrix(rows, shape.features), columns(schema, &shape.inputs, rows)));
    let asked = shape.asked.clone();
    let answer = watch::in_time(LOAD_LIMIT, move || try_all(asker, &asked, &batches));
    answer.unwrap_or_else(|lost| Err(failed(&format!("tried on a row of zeros, {lost}"))))
}

fn try_all(mut asker: Asker, asked: &[Asked], batches: &[(Vec<f32>, Batch); 2]) -> Result<Vec<usize>> {
    let mut alone: Option<Vec<Answer>> = None;
    for ((matrix, columns), rows) in batches.iter().zip(ROWS) {
        let question = Question { rows, matrix, columns };
        let answers = ask(&mut asker, &question).map_err(|error| match alone {
            None => failed(&format!("it fails on a row of zeros: {error}")),
            Some(_) => failed(&format!(
                "it fails on {rows} rows, though not on one: {error}. Is its batch size fixed inside?"
            )),
        })?;
        let answers: Result<Vec<Answer>> =
            asked.iter().zip(answers).map(|(one, raw)| Answer::new(one, raw, rows)).collect();
        let answers = answers?;
        match &alone {
            None => alone = Some(answers),
            Some(alone) => same(asked, alone, &answers)?,
        }
    }
    Ok(alone.into_iter().flatten().map(|answer| answer.width).collect())
}

/// The first row of an output.
struct Answer {
    width: usize,
    row: Vec<f64>,
}

impl Answer {
    fn new(asked: &Asked, (shape, numbers): Raw, rows: usize) -> Result<Self> {
        let width = outputs::width(asked, &shape, rows)?;
        Ok(Self { width, row: numbers.into_iter().take(width).collect() })
    }
}

/// Shape of an output, and its first numbers.
type Raw = (ort::value::Shape, Vec<f64>);

fn ask(asker: &mut Asker, question: &Question<'_>) -> Result<Vec<Raw>, String> {
    asker.check(question)?;
    asker.ask(question, 0..question.rows, |asked, values| {
        let raw = |(one, value)| {
            let numbers = Numbers::of(one, value)?;
            Ok((numbers.shape().clone(), numbers.head(WIDEST)))
        };
        asked.iter().zip(values).map(raw).collect()
    })
}

/// Columns that are compared at most.
const WIDEST: usize = 4096;

fn same(asked: &[Asked], alone: &[Answer], among: &[Answer]) -> Result<()> {
    for ((one, alone), among) in asked.iter().zip(alone).zip(among) {
        let close = |(a, b): (&f64, &f64)| {
            a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE * a.abs().max(1.0)
        };
        if alone.width != among.width || !alone.row.iter().zip(&among.row).all(close) {
            let message = format!(
                "the output {} gives a row of zeros another answer alone ({:?}) than among three ({:?}): it \
                 mixes the rows of a batch, and batches are cut anywhere",
                words::quoted(&one.name),
                alone.row.iter().take(4).collect::<Vec<_>>(),
                among.row.iter().take(4).collect::<Vec<_>>()
            );
            return Err(Error::new(Code::ModelOutputs, message));
        }
    }
    Ok(())
}

fn failed(message: &str) -> Error {
    Error::new(Code::ModelRun, message)
}

/// Zeros, then rows of other numbers, so that what mixes rows shows in the first one.
fn matrix(rows: usize, features: usize) -> Vec<f32> {
    (0..rows).flat_map(|row| (0..features).map(move |feature| other(row, feature))).collect()
}

fn other(row: usize, feature: usize) -> f32 {
    row as f32 * (1.0 + (feature % 7) as f32 / 4.0)
}

/// The same for columns; ids, truths and texts are zero, false and empty in all rows. Vectors are as long
/// as their input takes them.
fn columns(schema: &Schema, inputs: &[Input], rows: usize) -> Batch {
    let mut builder = Builder::new(schema.clone());
    for (index, Column { kind, .. }) in schema.iter().enumerate() {
        let width =
            inputs.iter().find(|input| input.from == From::Column(index)).map_or(0, |input| input.width);
        let column = builder.column(index);
        for row in 0..rows {
            match kind {
                Kind::Boolean => column.push_boolean(false),
                Kind::Int | Kind::Time => column.push_int(0),
                Kind::Float => column.push_float(other(row, index).into()),
                Kind::Single => column.push_single(other(row, index)),
                Kind::Text | Kind::Bytes => column.push_bytes(&[]),
                Kind::Floats => column.push_floats((0..width).map(|at| other(row, at))),
            }
        }
    }
    builder.finish_rows(rows);
    builder.seal()
}
