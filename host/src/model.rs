//! Models in ONNX Runtime: the adapter, the only room that knows it.
//!
//! - ONNX Runtime is a library that is loaded while running, once a process: [`Runtime`].
//! - [`Runtime::open`] reads a file, says what its inputs and outputs mean, tries it on rows of zeros, or
//!   refuses it. What comes out, [`Prepared`], is bound by name, never by position alone.
//! - [`Prepared::session`] makes a model for one stream thread. It computes on the thread that calls it;
//!   nothing is shared with other sessions.
//!
//! Bounds: a file has at most [`FILE_LIMIT`] bytes, weights included; weights in other files are not
//! read. A model whose trees go in circles is refused before ONNX Runtime sees it, which can't be stopped.
//! Not bounded: what else a model computes, with loops for example. One that does not answer to rows of
//! zeros within [`LOAD_LIMIT`] is refused; its thread then never ends.

mod file;
mod graph;
mod inputs;
mod names;
mod outputs;
mod prepared;
mod probe;
mod runtime;
mod session;
mod slot;
mod trees;
mod watch;
mod wire;
mod words;

#[cfg(test)]
mod tests;

use crate::columns::Column;

pub use file::FILE_LIMIT;
pub use prepared::Prepared;
pub use runtime::Runtime;
pub use watch::LOAD_LIMIT;

/// What the pipeline wants of a model and has for it.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// In the order in which they are answered. None: one score named `score`.
    pub scores: &'a [ScoreSpec],
    /// Names of the matrix's columns, for a model whose metadata has none.
    pub feature_names: Option<&'a [String]>,
    /// What the features plugin provides, in its order.
    pub features: &'a [String],
    /// Columns that an input may be bound to: ids of the features plugin, columns of the record. Where
    /// two have the same name the first counts.
    pub columns: &'a [Column],
}

/// Where a score is found among a model's outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreSpec {
    pub name: String,
    /// An output of floats, doubles or int64, of shape `[N]` or `[N, C]`. `None`: the only one of floats
    /// or doubles.
    pub output: Option<String>,
    /// Which of the C. `None`: the only one, or of two the second, as classifiers give
    /// the probabilities of "no" and "yes".
    pub column: Option<usize>,
}

impl ScoreSpec {
    /// As if the pipeline said nothing.
    pub fn by_default() -> Self {
        Self { name: "score".into(), output: None, column: None }
    }
}
