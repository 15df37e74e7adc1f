//! The encoder: from a row to a JSON object.

use super::path::{Branch, Tree};
use super::{base64, string};
use crate::columns::{Batch, Column, Kind, View};
use crate::engine::ports::Encoder;
use crate::error::Result;

/// A column, and what is written before its value.
#[derive(Debug)]
struct Step {
    before: Box<[u8]>,
    column: usize,
}

#[derive(Debug)]
pub(super) struct JsonEncoder {
    steps: Vec<Step>,
    /// Written behind the last value.
    end: Box<[u8]>,
}

impl JsonEncoder {
    pub(super) fn new(columns: &[Column]) -> Result<Self> {
        let tree = Tree::new(columns.iter().map(|column| column.name.as_str()).enumerate())?;
        let (mut steps, mut text) = (Vec::new(), Vec::new());
        lay_out(&tree, 0, &mut text, &mut steps);
        Ok(Self { steps, end: text.into() })
    }
}

/// `text` gathers what stands between two values. The tree bounds how deep this goes.
fn lay_out(tree: &Tree<'_>, object: usize, text: &mut Vec<u8>, steps: &mut Vec<Step>) {
    text.push(b'{');
    for (index, (name, branch)) in tree.objects[object].iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        string::write(name.as_bytes(), text);
        text.push(b':');
        match *branch {
            Branch::Object(nested) => lay_out(tree, nested, text, steps),
            Branch::Column(column) => steps.push(Step { before: std::mem::take(text).into(), column }),
        }
    }
    text.push(b'}');
}

impl Encoder for JsonEncoder {
    fn encode(&mut self, rows: &Batch, row: usize, into: &mut Vec<u8>) {
        debug_assert_eq!(rows.schema().len(), self.steps.len(), "the batch has other columns");
        for step in &self.steps {
            into.extend_from_slice(&step.before);
            write(rows.column(step.column), row, into);
        }
        into.extend_from_slice(&self.end);
    }
}

fn write(column: View<'_>, row: usize, into: &mut Vec<u8>) {
    if !column.is_valid(row) {
        return into.extend_from_slice(b"null");
    }
    match column.kind() {
        Kind::Boolean => into.extend_from_slice(if column.boolean(row) { b"true" } else { b"false" }),
        Kind::Int | Kind::Time => {
            into.extend_from_slice(itoa::Buffer::new().format(column.int(row)).as_bytes())
        }
        Kind::Float => {
            let value = column.float(row);
            write_number(value, value.is_finite(), into);
        }
        Kind::Single => {
            let value = column.single(row);
            write_number(value, value.is_finite(), into);
        }
        Kind::Text => string::write(column.bytes(row), into),
        Kind::Bytes => {
            into.push(b'"');
            base64::encode(column.bytes(row), into);
            into.push(b'"');
        }
        Kind::Floats => {
            into.push(b'[');
            for (index, value) in column.floats(row).enumerate() {
                if index > 0 {
                    into.push(b',');
                }
                write_number(value, value.is_finite(), into);
            }
            into.push(b']');
        }
    }
}

/// The shortest text that reads back as the same bits.
fn write_number(value: impl zmij::Float, finite: bool, into: &mut Vec<u8>) {
    if finite {
        into.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        into.extend_from_slice(b"null");
    }
}
