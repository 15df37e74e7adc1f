//! Hands the values of a question to ONNX Runtime, input by input. Buffers are kept between calls.

use std::ops::Range;

use ort::session::SessionInputValue;
use ort::value::{Tensor, TensorRef};

use crate::columns::{Kind, View};
use crate::engine::ports::Question;
use crate::model::inputs::{Element, From, Input};
use crate::model::words;

/// One input of a session.
#[derive(Debug)]
pub(super) struct Slot {
    input: Input,
    dimensions: [i64; 2],
    floats: Vec<f32>,
    doubles: Vec<f64>,
    ints: Vec<i64>,
    booleans: Vec<bool>,
    texts: Vec<String>,
}

impl Slot {
    pub(super) fn new(input: Input) -> Self {
        let (floats, doubles, ints, booleans, texts) = Default::default();
        Self { input, dimensions: [0; 2], floats, doubles, ints, booleans, texts }
    }

    /// The tensor of some rows of a question. An error says which row can't be given.
    pub(super) fn tensor<'a>(
        &'a mut self,
        question: &Question<'a>,
        rows: Range<usize>,
    ) -> Result<SessionInputValue<'a>, String> {
        self.dimensions = [rows.len() as i64, self.input.width as i64];
        match self.input.from {
            From::Matrix => {
                let width = self.input.width;
                let part = &question.matrix[rows.start * width..rows.end * width];
                let tensor = TensorRef::from_array_view((&self.dimensions[..], part));
                tensor.map(Into::into).map_err(|error| self.failed(&error))
            }
            From::Column(index) => self.column(question.columns.column(index), rows),
        }
    }

    fn column<'a>(&'a mut self, view: View<'a>, rows: Range<usize>) -> Result<SessionInputValue<'a>, String> {
        let exact =
            !matches!(self.input.element, Element::Float | Element::Double) || view.kind() == Kind::Floats;
        if exact && let Some(row) = rows.clone().find(|row| !view.is_valid(*row)) {
            let name = words::quoted(&self.input.name);
            return Err(format!("row {row} has no value for the input {name}, which knows no null"));
        }
        self.fill(view, rows)?;
        let dimensions = &self.dimensions[..self.input.rank];
        let tensor: ort::Result<SessionInputValue<'_>> = match self.input.element {
            Element::Float => TensorRef::from_array_view((dimensions, &self.floats[..])).map(Into::into),
            Element::Double => TensorRef::from_array_view((dimensions, &self.doubles[..])).map(Into::into),
            Element::Int => TensorRef::from_array_view((dimensions, &self.ints[..])).map(Into::into),
            Element::Boolean => TensorRef::from_array_view((dimensions, &self.booleans[..])).map(Into::into),
            Element::Text => Tensor::from_string_array((dimensions, &self.texts[..])).map(Into::into),
        };
        tensor.map_err(|error| self.failed(&error))
    }

    /// Copies into the buffer of the input's type: a batch's bytes need not lie aligned.
    fn fill(&mut self, view: View<'_>, rows: Range<usize>) -> Result<(), String> {
        match self.input.element {
            Element::Float if view.kind() == Kind::Floats => return self.fill_vectors(view, rows),
            Element::Float => {
                let from = (|int: i64| int as f32, |float: f64| float as f32, |single: f32| single);
                fill_numbers(&mut self.floats, view, rows, f32::NAN, from);
            }
            Element::Double => {
                let from = (|int: i64| int as f64, |float: f64| float, |single: f32| f64::from(single));
                fill_numbers(&mut self.doubles, view, rows, f64::NAN, from);
            }
            Element::Int => replace(&mut self.ints, rows.map(|row| view.int(row))),
            Element::Boolean => replace(&mut self.booleans, rows.map(|row| view.boolean(row))),
            Element::Text => return fill_texts(&mut self.texts, view, rows),
        }
        Ok(())
    }

    fn fill_vectors(&mut self, view: View<'_>, rows: Range<usize>) -> Result<(), String> {
        self.floats.clear();
        for row in rows {
            let vector = view.floats(row);
            if vector.len() != self.input.width {
                let (name, length) = (words::quoted(&self.input.name), vector.len());
                let width = self.input.width;
                return Err(format!(
                    "row {row} has {length} floats for the input {name}, which takes {width}"
                ));
            }
            self.floats.extend(vector);
        }
        Ok(())
    }

    fn failed(&self, error: &ort::Error) -> String {
        format!("the input {}: {}", words::quoted(&self.input.name), words::said(error))
    }
}

/// Strings keep their memory, as the buffer does.
fn fill_texts(buffer: &mut Vec<String>, view: View<'_>, rows: Range<usize>) -> Result<(), String> {
    buffer.resize_with(rows.len(), String::new);
    for (text, row) in buffer.iter_mut().zip(rows) {
        let value = std::str::from_utf8(view.bytes(row));
        text.clear();
        text.push_str(value.map_err(|error| format!("row {row} is not UTF-8: {error}"))?);
    }
    Ok(())
}

fn replace<T>(buffer: &mut Vec<T>, values: impl Iterator<Item = T>) {
    buffer.clear();
    buffer.extend(values);
}

/// A row without a value gets `null`.
fn fill_numbers<T: Copy>(
    buffer: &mut Vec<T>,
    view: View<'_>,
    rows: Range<usize>,
    null: T,
    (int, float, single): (impl Fn(i64) -> T, impl Fn(f64) -> T, impl Fn(f32) -> T),
) {
    match view.kind() {
        Kind::Int => replace(buffer, rows.clone().map(|row| int(view.int(row)))),
        Kind::Float => replace(buffer, rows.clone().map(|row| float(view.float(row)))),
        _ => replace(buffer, rows.clone().map(|row| single(view.single(row)))),
    }
    if !view.all_valid() {
        let nulls = rows.enumerate().filter(|(_, row)| !view.is_valid(*row));
        nulls.for_each(|(at, _)| buffer[at] = null);
    }
}
