//! What a plugin tells its host about itself. The shapes are those of `wit/tailwater.wit`.

use std::borrow::Cow;

use crate::column::Column;

/// What `describe` answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Description {
    /// Of a preprocessor.
    Preprocessor(PreprocessorDescription),
    /// Of a features plugin.
    Features(FeaturesDescription),
    /// Of a rules plugin.
    Rules(RulesDescription),
}

/// Of a preprocessor.
#[derive(Clone, Debug, PartialEq)]
pub struct PreprocessorDescription {
    /// What the host is to decode from the records.
    pub input: Vec<Column>,
    /// What comes out.
    pub output: Vec<Column>,
}

/// Of a features plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct FeaturesDescription {
    /// The first is the one whose rows get feature vectors.
    pub inputs: Vec<Input>,
    /// Tables of reference data: each gives columns behind those of the aggregates.
    pub lookups: Vec<Lookup>,
    /// Each becomes a column behind those of the first input, or of the closed window.
    pub aggregates: Vec<Aggregate>,
    /// The plugin's own.
    pub custom_folds: Vec<CustomFold>,
    /// When there is a vector.
    pub trigger: Trigger,
    /// Names of the vector's numbers, in order.
    pub features: Vec<Cow<'static, str>>,
    /// Columns beside the vector.
    pub ids: Vec<Column>,
}

/// A stream of rows that feeds windows.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Name of the pipeline's source; empty for the first, the rows of the pipeline itself.
    pub source: Cow<'static, str>,
    /// Its rows change windows and get no vectors: all but the first.
    pub updates_only: bool,
    /// What a row has.
    pub columns: Vec<Column>,
    /// Indices into `columns`: what a window's entry keeps.
    pub kept: Vec<u32>,
}

/// A table of reference data in which the host looks a record up for each row.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// As the pipeline calls it.
    pub table: Cow<'static, str>,
    /// The row's column that has the record's key.
    pub key: Cow<'static, str>,
    /// Of the table's records, all nullable.
    pub columns: Vec<Column>,
}

/// A value of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The field's.
    pub name: Cow<'static, str>,
    /// Index into the inputs.
    pub input: u32,
    /// What is made of the entries.
    pub fold: Fold,
    /// Index into the input's `kept`.
    pub column: Option<u32>,
    /// Index into the input's `kept`, of a boolean.
    pub filter: Option<u32>,
    /// Which entries.
    pub window: Window,
}

/// What is made of the entries in a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fold {
    /// How many there are.
    Count,
    /// Of a column.
    Sum,
    /// Of a column.
    Mean,
    /// Of a column, of the population.
    Variance,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// Of the newest entry before the row.
    Latest,
    /// Milliseconds from the newest entry before the row.
    SinceLatest,
    /// Number of different values, estimated.
    Distinct,
    /// In [0, 1], estimated.
    Quantile(f64),
    /// A mean with weights that halve in that many milliseconds.
    DecayedMean(u64),
    /// The most frequent values.
    TopK(u32),
    /// One of the plugin's own.
    Custom(u32),
}

/// Which entries a row sees. In milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last that many milliseconds before each row, exact.
    Sliding(u64),
    /// One after another, that long.
    Tumbling(u64),
    /// Overlapping ones.
    Hopping {
        /// How long one is.
        size: u64,
        /// From the start of one to that of the next.
        slide: u64,
    },
    /// Rows no further apart than that.
    Session(u64),
    /// That many rows of the key.
    Last(u32),
    /// All that came before.
    Forever,
}

/// A fold that the plugin executes itself.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomFold {
    /// The fold's.
    pub name: Cow<'static, str>,
    /// Of the register's bytes.
    pub version: u32,
    /// Size of a register.
    pub register_bytes: u32,
    /// Whether an entry can be taken out again.
    pub invertible: bool,
    /// What it emits.
    pub cell: Column,
}

/// When there is a vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// For each row of the first input.
    Row,
    /// For each window that closes. These of its columns are taken: any of the key's, `@start`, `@end`,
    /// `@revision`.
    Close(Vec<Column>),
}

/// Of a rules plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct RulesDescription {
    /// What a row has.
    pub input: Vec<Wanted>,
    /// What a decision's record holds.
    pub output: Vec<Column>,
    /// Names of the ways out.
    pub routes: Vec<Cow<'static, str>>,
}

/// A column that rules want.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Name, kind, and whether rows without a value may occur.
    pub column: Column,
    /// Where it comes from.
    pub from: Origin,
}

/// Where a column of a rules plugin comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The cleaned record.
    Record,
    /// The feature vector; the whole of it, if the name is `*`.
    Feature,
    /// The model.
    Score,
}
