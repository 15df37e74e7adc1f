//! The models are made by `tests/fixtures/models/make.py`.

mod answers;
mod hostile;
mod inputs;
mod library;
mod outputs;
mod trees;

use std::path::PathBuf;

use serde_json::Value;

use super::{Prepared, Runtime, ScoreSpec, Wanted};
use crate::columns::{Batch, Builder, Column, ColumnBuilder, Kind};
use crate::engine::ports::{MatrixColumn, Model, Question};
use crate::error::{Code, Result};

pub(super) fn runtime() -> Runtime {
    let named = std::env::var_os("TAILWATER_ONNXRUNTIME");
    assert!(named.is_some(), "TAILWATER_ONNXRUNTIME is not set: run the tests with `cargo xtask test`");
    Runtime::load(None).expect("ONNX Runtime loads")
}

pub(super) fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "tests", "fixtures", "models", name].iter().collect()
}

pub(super) fn open(name: &str, wanted: &Wanted<'_>) -> Result<Prepared> {
    runtime().open(&fixture(&format!("{name}.onnx")), wanted)
}

/// The code and the message of a refusal, which starts with the file's path.
pub(super) fn refusal(name: &str, wanted: &Wanted<'_>) -> (Code, String) {
    let error = open(name, wanted).expect_err("the model is refused");
    let place = format!("{}: ", fixture(&format!("{name}.onnx")).display());
    let message = error.message.strip_prefix(&place).expect("it says which file");
    (error.code, message.to_owned())
}

pub(super) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

pub(super) fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("f{at}")).collect()
}

pub(super) fn score(name: &str, output: &str, column: Option<usize>) -> ScoreSpec {
    ScoreSpec { name: name.into(), output: Some(output.into()), column }
}

/// Inputs of a model as `expected.json` has them, with the answers.
pub(super) struct Expected {
    inputs: Value,
    scores: Vec<Vec<f64>>,
}

impl Expected {
    pub(super) fn of(model: &str) -> Self {
        let text = std::fs::read_to_string(fixture("expected.json")).unwrap();
        let mut all: Value = serde_json::from_str(&text).unwrap();
        let scores = serde_json::from_value(all[model]["scores"].take()).unwrap();
        Self { inputs: all[model]["inputs"].take(), scores }
    }

    fn rows(&self) -> usize {
        self.scores.len()
    }

    /// The matrix, its columns as the model has them.
    fn matrix(&self, input: &str) -> Vec<f32> {
        let number = |value: &Value| value.as_f64().map_or(f32::NAN, |number| number as f32);
        let rows = self.inputs[input].as_array().unwrap().iter();
        rows.flat_map(|row| row.as_array().unwrap().iter().map(number)).collect()
    }

    fn columns(&self, schema: &[Column]) -> Batch {
        let mut builder = Builder::new(schema.into());
        for (index, column) in schema.iter().enumerate() {
            let values = self.inputs[&column.name].as_array().unwrap();
            values.iter().for_each(|value| push(builder.column(index), column.kind, value));
        }
        builder.finish_rows(self.rows());
        builder.seal()
    }

    fn assert(&self, scores: &[f32]) {
        let expected: Vec<f64> = self.scores.iter().flatten().copied().collect();
        assert_eq!(scores.len(), expected.len());
        for (at, (got, expected)) in scores.iter().zip(expected).enumerate() {
            let distance = (f64::from(*got) - expected).abs();
            assert!(distance <= 3e-6 * expected.abs().max(1.0), "score {at}: {got}, expected {expected}");
        }
    }
}

fn push(column: &mut ColumnBuilder, kind: Kind, value: &Value) {
    let value = if kind == Kind::Floats { value } else { value.as_array().map_or(value, |row| &row[0]) };
    match kind {
        Kind::Boolean => column.push_boolean(value.as_bool().unwrap()),
        Kind::Int | Kind::Time => column.push_int(value.as_i64().unwrap()),
        Kind::Float => column.push_float(value.as_f64().unwrap()),
        Kind::Single => column.push_single(value.as_f64().unwrap() as f32),
        Kind::Text | Kind::Bytes => column.push_bytes(value.as_str().unwrap().as_bytes()),
        Kind::Floats => {
            column.push_floats(value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32))
        }
    }
}

pub(super) fn no_columns() -> Batch {
    Batch::empty([].into())
}

/// Asks a model that takes a matrix alone.
pub(super) fn ask(model: &mut dyn Model, rows: usize, matrix: &[f32]) -> Result<Vec<f32>, String> {
    let mut scores = Vec::new();
    model.score(Question { rows, matrix, columns: &no_columns() }, &mut scores).map(|()| scores)
}

/// Lays features out as a prepared model wants them.
pub(super) fn arrange(prepared: &Prepared, features: &[f32], width: usize) -> Vec<f32> {
    let pick = |row: &[f32], column: &MatrixColumn| match column {
        MatrixColumn::Feature(at) => row[*at],
        MatrixColumn::Column(_) => unreachable!("only features are offered"),
    };
    features
        .chunks(width)
        .flat_map(|row| prepared.matrix().iter().map(move |column| pick(row, column)))
        .collect()
}
