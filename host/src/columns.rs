//! Typed columns in one blob: how rows travel inside the host and across the plugin border.
//!
//! The layout is that of `batch` in `plugin-sdk/wit/tailwater.wit`, so that a batch crosses the border
//! by two copies, whatever its schema. A [`Batch`] is sound by construction: it comes out of a
//! [`Builder`], or out of [`Batch::check`], which trusts nothing.

mod builder;
mod check;
mod view;

use std::sync::Arc;

pub use builder::{Builder, ColumnBuilder};
pub use check::{Flaw, Limits};
pub use view::View;

/// Numbers that `spans` holds for a column: position and length of validity, offsets and values.
pub const SPANS_PER_COLUMN: usize = 6;

/// What a column holds. The order is that of the WIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 0 or 1, a byte each.
    Boolean,
    /// `i64`.
    Int,
    /// `f64`.
    Float,
    /// `f32`: features and scores.
    Single,
    /// `i64`, milliseconds since the epoch, UTC, within [`TIMES`].
    Time,
    /// UTF-8.
    Text,
    /// Any bytes.
    Bytes,
    /// A list of `f32`.
    Floats,
}

/// What a [`Kind::Time`] may hold: the times that ECMAScript's dates have, some 275,000 years to either
/// side. So there is room to add and subtract sizes of windows.
pub const TIMES: std::ops::RangeInclusive<i64> = -8_640_000_000_000_000..=8_640_000_000_000_000;

impl Kind {
    /// Bytes of one value, or of one element where [`Kind::is_list`].
    pub fn width(self) -> usize {
        match self {
            Self::Boolean | Self::Text | Self::Bytes => 1,
            Self::Single | Self::Floats => 4,
            Self::Int | Self::Float | Self::Time => 8,
        }
    }

    /// Whether values differ in length, so that the column has offsets.
    pub fn is_list(self) -> bool {
        matches!(self, Self::Text | Self::Bytes | Self::Floats)
    }

    /// As written in settings, errors and the WIT.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Float => "float",
            Self::Single => "single",
            Self::Time => "time",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Floats => "floats",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One column of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// A dot leads into a nested object where the column meets JSON: `card.country`.
    pub name: String,
    pub kind: Kind,
    /// Whether rows without a value may occur.
    pub nullable: bool,
}

impl Column {
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind, nullable: false }
    }

    pub fn nullable(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind, nullable: true }
    }
}

/// Columns in order, shared by all batches of a stage.
pub type Schema = Arc<[Column]>;

/// Index of a column by its name.
pub fn position(schema: &[Column], name: &str) -> Option<usize> {
    schema.iter().position(|column| column.name == name)
}

/// Rows by column. Sound: every span, offset, text and validity has been checked or was built here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    schema: Schema,
    rows: usize,
    spans: Vec<u32>,
    data: Vec<u8>,
}

impl Batch {
    /// No rows.
    pub fn empty(schema: Schema) -> Self {
        Builder::new(schema).seal()
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// As they cross the border.
    pub fn spans(&self) -> &[u32] {
        &self.spans
    }

    /// As they cross the border.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Column `index` of the schema.
    pub fn column(&self, index: usize) -> View<'_> {
        let spans = &self.spans[index * SPANS_PER_COLUMN..][..SPANS_PER_COLUMN];
        let part = |n: usize| &self.data[spans[n] as usize..][..spans[n + 1] as usize];
        View::new(self.schema[index].kind, self.rows, part(0), part(2), part(4))
    }

    pub fn columns(&self) -> impl Iterator<Item = View<'_>> {
        (0..self.schema.len()).map(|index| self.column(index))
    }

    /// The given rows, in that order; an index may come several times.
    pub fn gather(&self, rows: &[u32]) -> Self {
        let mut builder = Builder::new(Arc::clone(&self.schema));
        for (index, view) in self.columns().enumerate() {
            builder.column(index).extend_rows(view, rows);
        }
        builder.finish_rows(rows.len());
        builder.seal()
    }

    /// All rows of several batches of one schema, in order.
    pub fn concat(schema: Schema, batches: &[Self]) -> Self {
        let mut builder = Builder::new(schema);
        for batch in batches {
            for (index, view) in batch.columns().enumerate() {
                (0..batch.rows).for_each(|row| builder.column(index).push_from(view, row));
            }
            builder.finish_rows(batch.rows);
        }
        builder.seal()
    }

    /// A batch of whole columns of other batches, copied once. All have `rows` rows and the kinds
    /// of `schema`.
    pub fn assemble(schema: Schema, rows: usize, columns: &[View<'_>]) -> Self {
        debug_assert!(columns.iter().zip(&*schema).all(|(v, c)| v.kind() == c.kind && v.rows() == rows));
        builder::assemble(schema, rows, columns.iter().map(|view| view.parts()))
    }
}

#[cfg(test)]
mod tests;
