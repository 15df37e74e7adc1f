//! What plugins declare and what they answer, in the host's own types: the WIT without WebAssembly.
//!
//! Shapes, units and meanings are documented in `plugin-sdk/wit/tailwater.wit`.

use crate::columns::{Batch, Column};

/// Of a `preprocessor`.
#[derive(Clone, Debug, PartialEq)]
pub struct PreprocessorDescription {
    pub input: Vec<Column>,
    pub output: Vec<Column>,
}

/// Of a `features` or `custom-features` plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct FeaturesDescription {
    pub inputs: Vec<Input>,
    pub lookups: Vec<Lookup>,
    pub aggregates: Vec<Aggregate>,
    pub custom_folds: Vec<CustomFold>,
    pub trigger: Trigger,
    pub features: Vec<String>,
    pub ids: Vec<Column>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    pub source: String,
    pub updates_only: bool,
    pub columns: Vec<Column>,
    /// Indices into `columns`.
    pub kept: Vec<u32>,
}

/// A table of reference data that the host looks rows up in before the call.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    pub table: String,
    /// A column of the first input, or of those of [`Trigger::Close`].
    pub key: String,
    /// All nullable.
    pub columns: Vec<Column>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub name: String,
    pub input: u32,
    pub fold: Fold,
    /// Index into the input's `kept`.
    pub column: Option<u32>,
    /// Index into the input's `kept`.
    pub filter: Option<u32>,
    pub window: Window,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fold {
    Count,
    Sum,
    Mean,
    Variance,
    Min,
    Max,
    Latest,
    SinceLatest,
    Distinct,
    Quantile(f64),
    DecayedMean(u64),
    TopK(u32),
    Custom(u32),
}

impl Fold {
    /// As in the WIT.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Variance => "variance",
            Self::Min => "min",
            Self::Max => "max",
            Self::Latest => "latest",
            Self::SinceLatest => "since-latest",
            Self::Distinct => "distinct",
            Self::Quantile(_) => "quantile",
            Self::DecayedMean(_) => "decayed-mean",
            Self::TopK(_) => "top-k",
            Self::Custom(_) => "custom",
        }
    }
}

/// In milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    Sliding(u64),
    Tumbling(u64),
    Hopping { size: u64, slide: u64 },
    Session(u64),
    Last(u32),
    Forever,
}

impl Window {
    /// As in the WIT.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sliding(_) => "sliding",
            Self::Tumbling(_) => "tumbling",
            Self::Hopping { .. } => "hopping",
            Self::Session(_) => "session",
            Self::Last(_) => "last",
            Self::Forever => "forever",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct CustomFold {
    pub name: String,
    pub version: u32,
    pub register_bytes: u32,
    pub invertible: bool,
    pub cell: Column,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    Row,
    /// Columns of the closed window that the plugin takes: of its key, [`WINDOW_START`], [`WINDOW_END`],
    /// [`WINDOW_REVISION`].
    Close(Vec<Column>),
}

/// Of a `rules` plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct RulesDescription {
    pub input: Vec<Wanted>,
    pub output: Vec<Column>,
    pub routes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    pub column: Column,
    pub from: From,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    Record,
    Feature,
    Score,
}

/// Of a closed window, of kind time.
pub const WINDOW_START: &str = "@start";
/// Of a closed window, of kind time.
pub const WINDOW_END: &str = "@end";
/// How often a closed window came out before, of kind int.
pub const WINDOW_REVISION: &str = "@revision";
/// The feature of this name is the whole vector.
pub const WHOLE_VECTOR: &str = "*";
/// The route of a decision that goes nowhere.
pub const NO_ROUTE: u8 = 255;
/// Bytes that are kept of a plugin's rejection message.
pub const MESSAGE_LIMIT: usize = 1024;

/// A batch as a plugin gave it: not to be trusted before [`Batch::check`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawBatch {
    pub rows: u32,
    pub spans: Vec<u32>,
    pub data: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub row: u32,
    pub code: u16,
    pub message: String,
}

/// Answer of `process`.
#[derive(Clone, Debug, Default)]
pub struct Processed {
    pub rows: RawBatch,
    pub origin: Vec<u32>,
    pub rejected: Vec<Rejection>,
}

/// Answer of `compute`.
#[derive(Clone, Debug, Default)]
pub struct Computed {
    pub matrix: Vec<f32>,
    pub ids: RawBatch,
    pub rejected: Vec<Rejection>,
}

/// Answer of `fold`.
#[derive(Clone, Debug, Default)]
pub struct Folded {
    pub registers: Vec<u8>,
    pub cells: RawBatch,
}

/// Answer of `decide`.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    pub rows: RawBatch,
    pub route: Vec<u8>,
    pub rejected: Vec<Rejection>,
}

/// A tape for `fold`: instructions over registers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tape(Vec<u32>);

impl Tape {
    pub fn reset(&mut self, register: u32) {
        self.push(0, register, 0);
    }

    pub fn add(&mut self, register: u32, entry: u32) {
        self.push(1, register, entry);
    }

    pub fn retract(&mut self, register: u32, entry: u32) {
        self.push(2, register, entry);
    }

    pub fn merge(&mut self, register: u32, other: u32) {
        self.push(3, register, other);
    }

    pub fn emit(&mut self, register: u32) {
        self.push(4, register, 0);
    }

    /// As it crosses the border.
    pub fn words(&self) -> &[u32] {
        &self.0
    }

    fn push(&mut self, operation: u32, register: u32, argument: u32) {
        debug_assert!(register < 1 << 28);
        self.0.extend([operation << 28 | register, argument]);
    }
}

/// The settings of a plugin: a batch of one row.
pub type Settings = Batch;
