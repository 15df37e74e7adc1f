//! Where the pipeline's scores are among a model's outputs. Types are checked before the probe, widths by
//! it, since many models don't declare them.

use ort::value::{Outlet, Shape, TensorElementType, ValueType};

use crate::error::{Code, Error, Result};
use crate::model::{ScoreSpec, words};

const ZIPMAP: &str = "Export the model without ZipMap (`zipmap=False`): plain tensors are needed";

/// What an output's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Float,
    Double,
    Int,
}

/// An output that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub name: String,
    pub number: Number,
}

/// A score: which of the asked outputs, and which of its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pick {
    pub asked: usize,
    pub column: usize,
}

/// Outputs to ask for, each once, and for each score the index of its own.
pub(super) fn choose(outlets: &[Outlet], specs: &[ScoreSpec]) -> Result<(Vec<Asked>, Vec<usize>)> {
    let mut asked: Vec<Asked> = Vec::new();
    let mut indices = Vec::new();
    for spec in specs {
        let (outlet, number) = match &spec.output {
            Some(name) => named(outlets, name)?,
            None => only(outlets)?,
        };
        let known = asked.iter().position(|asked| asked.name == outlet.name());
        indices.push(known.unwrap_or(asked.len()));
        if known.is_none() {
            asked.push(Asked { name: outlet.name().to_owned(), number });
        }
    }
    Ok((asked, indices))
}

fn named<'a>(outlets: &'a [Outlet], name: &str) -> Result<(&'a Outlet, Number)> {
    let Some(outlet) = outlets.iter().find(|outlet| outlet.name() == name) else {
        return Err(refusal(format!("it has no output {}. {}", words::quoted(name), there_are(outlets))));
    };
    let number = match outlet.dtype().tensor_type() {
        Some(TensorElementType::Float32) => Number::Float,
        Some(TensorElementType::Float64) => Number::Double,
        Some(TensorElementType::Int64) => Number::Int,
        Some(_) => return Err(refusal(format!("{} is neither float nor double nor int64", output(outlet)))),
        None => return Err(refusal(format!("{} can't be read. {ZIPMAP}", output(outlet)))),
    };
    match outlet.dtype().tensor_shape() {
        Some(shape) if shape.first().is_some_and(|first| *first >= 0) => Err(refusal(format!(
            "{} has a fixed number of rows, where one a row of the batch is needed",
            output(outlet)
        ))),
        _ => Ok((outlet, number)),
    }
}

/// The only output of floats or doubles. Labels, which are int64 or string, don't count.
fn only(outlets: &[Outlet]) -> Result<(&Outlet, Number)> {
    let float = |outlet: &&Outlet| {
        let ty = outlet.dtype().tensor_type();
        matches!(ty, Some(TensorElementType::Float32 | TensorElementType::Float64))
    };
    let mut floats = outlets.iter().filter(float);
    match (floats.next(), floats.next()) {
        (Some(outlet), None) => named(outlets, outlet.name()),
        (None, _)
            if outlets
                .iter()
                .any(|o| matches!(o.dtype(), ValueType::Sequence(_) | ValueType::Map { .. })) =>
        {
            Err(refusal(format!("it has no output of floats. {}. {ZIPMAP}", there_are(outlets))))
        }
        (None, _) => Err(refusal(format!("it has no output of floats. {}", there_are(outlets)))),
        _ => Err(refusal(format!(
            "say in the pipeline file which output is the score. {}",
            there_are(outlets)
        ))),
    }
}

/// Columns of an output that gave this shape for this many rows.
pub(super) fn width(asked: &Asked, shape: &Shape, rows: usize) -> Result<usize> {
    let width = match &**shape {
        [first] if *first == rows as i64 => Some(1),
        [first, second] if *first == rows as i64 && *second > 0 => usize::try_from(*second).ok(),
        _ => None,
    };
    width.ok_or_else(|| {
        let name = words::quoted(&asked.name);
        refusal(format!(
            "the output {name} has shape {shape} for a batch of {rows}, where [N] or [N, C] is needed"
        ))
    })
}

/// The column that a score is in.
pub(super) fn column(spec: &ScoreSpec, asked: &Asked, width: usize) -> Result<usize> {
    let refuse = |why: &str| {
        let (score, name) = (words::quoted(&spec.name), words::quoted(&asked.name));
        let columns = if width == 1 { "1 column".into() } else { format!("{width} columns") };
        Err(refusal(format!("score {score}: the output {name} has {columns}, {why}")))
    };
    match (spec.column, width) {
        (Some(column), _) if column < width => Ok(column),
        (Some(column), _) => refuse(&format!("counted from 0; there is no column {column}")),
        (None, 1) => Ok(0),
        // "No" and "yes", as classifiers give them.
        (None, 2) => Ok(1),
        (None, _) => refuse("say in the pipeline file which one it is"),
    }
}

fn there_are(outlets: &[Outlet]) -> String {
    let all: Vec<String> =
        outlets.iter().map(|o| format!("{}: {}", o.name(), words::shaped(o.dtype()))).collect();
    format!("Its outputs are {}", words::list(all.iter().map(String::as_str)))
}

fn output(outlet: &Outlet) -> String {
    format!("the output {} of type {}", words::quoted(outlet.name()), words::shaped(outlet.dtype()))
}

fn refusal(message: impl Into<String>) -> Error {
    Error::new(Code::ModelOutputs, message)
}
