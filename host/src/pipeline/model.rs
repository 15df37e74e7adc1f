//! What the model takes, and from where.

use crate::columns::Schema;

/// Where a column of the input matrix comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatrixColumn {
    /// Index into the features plugin's vector.
    Feature(usize),
    /// A number of the named columns that were on offer.
    Column(NamedColumn),
}

/// A column that can be bound by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedColumn {
    /// Index into the features plugin's ids.
    Id(usize),
    /// Index into the clean rows.
    Record(usize),
}

/// A model stage.
#[derive(Clone, Debug)]
pub struct ModelNode {
    /// Columns of the input matrix, in order.
    pub matrix: Vec<MatrixColumn>,
    /// Columns taken by name, in the order of `schema`.
    pub named: Vec<NamedColumn>,
    pub schema: Schema,
    /// Names of the scores, in order.
    pub scores: Vec<String>,
}
