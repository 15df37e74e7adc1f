//! The contract's types as they cross the border. wasmtime checks them against the plugin's own, so a
//! slip here shows when the first plugin is loaded.

use wasmtime::component::{ComponentType, Lift, Lower};

use crate::columns::{self, Batch};

#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Kind {
    #[component(name = "boolean")]
    Boolean,
    #[component(name = "int")]
    Int,
    #[component(name = "float")]
    Float,
    #[component(name = "single")]
    Single,
    #[component(name = "time")]
    Time,
    #[component(name = "text")]
    Text,
    #[component(name = "bytes")]
    Bytes,
    #[component(name = "floats")]
    Floats,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) nullable: bool,
}

/// A column on its way into the plugin.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct ColumnIn<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    pub(super) nullable: bool,
}

pub(super) fn columns(schema: &[columns::Column]) -> Vec<ColumnIn<'_>> {
    schema.iter().map(ColumnIn::from).collect()
}

impl<'a> From<&'a columns::Column> for ColumnIn<'a> {
    fn from(columns::Column { name, kind, nullable }: &'a columns::Column) -> Self {
        Self { name, kind: (*kind).into(), nullable: *nullable }
    }
}

/// A batch on its way into the plugin, uncopied.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Rows<'a> {
    pub(super) rows: u32,
    pub(super) spans: &'a [u32],
    pub(super) data: &'a [u8],
}

impl<'a> From<&'a Batch> for Rows<'a> {
    fn from(batch: &'a Batch) -> Self {
        let rows = u32::try_from(batch.rows()).expect("batches are bounded far below 2^32 rows");
        Self { rows, spans: batch.spans(), data: batch.data() }
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Settings<'a> {
    pub(super) columns: &'a [ColumnIn<'a>],
    pub(super) row: Rows<'a>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct RawBatch {
    pub(super) rows: u32,
    pub(super) spans: Vec<u32>,
    pub(super) data: Vec<u8>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Rejection {
    pub(super) row: u32,
    pub(super) code: u16,
    pub(super) message: String,
}

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "only plugins make them")]
pub(super) enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct PreprocessorDescription {
    pub(super) input: Vec<Column>,
    pub(super) output: Vec<Column>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Processed {
    pub(super) rows: RawBatch,
    pub(super) origin: Vec<u32>,
    pub(super) rejected: Vec<Rejection>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Input {
    pub(super) source: String,
    #[component(name = "updates-only")]
    pub(super) updates_only: bool,
    pub(super) columns: Vec<Column>,
    pub(super) kept: Vec<u32>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Lookup {
    pub(super) table: String,
    pub(super) key: String,
    pub(super) columns: Vec<Column>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Hopping {
    pub(super) size: u64,
    pub(super) slide: u64,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum Window {
    #[component(name = "sliding")]
    Sliding(u64),
    #[component(name = "tumbling")]
    Tumbling(u64),
    #[component(name = "hopping")]
    Hopping(Hopping),
    #[component(name = "session")]
    Session(u64),
    #[component(name = "last")]
    Last(u32),
    #[component(name = "forever")]
    Forever,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum Fold {
    #[component(name = "count")]
    Count,
    #[component(name = "sum")]
    Sum,
    #[component(name = "mean")]
    Mean,
    #[component(name = "variance")]
    Variance,
    #[component(name = "min")]
    Min,
    #[component(name = "max")]
    Max,
    #[component(name = "latest")]
    Latest,
    #[component(name = "since-latest")]
    SinceLatest,
    #[component(name = "distinct")]
    Distinct,
    #[component(name = "quantile")]
    Quantile(f64),
    #[component(name = "decayed-mean")]
    DecayedMean(u64),
    #[component(name = "top-k")]
    TopK(u32),
    #[component(name = "custom")]
    Custom(u32),
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Aggregate {
    pub(super) name: String,
    pub(super) input: u32,
    pub(super) fold: Fold,
    pub(super) column: Option<u32>,
    pub(super) filter: Option<u32>,
    pub(super) window: Window,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct CustomFold {
    pub(super) name: String,
    pub(super) version: u32,
    #[component(name = "register-bytes")]
    pub(super) register_bytes: u32,
    pub(super) invertible: bool,
    pub(super) cell: Column,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum Trigger {
    #[component(name = "row")]
    Row,
    #[component(name = "close")]
    Close(Vec<Column>),
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct FeaturesDescription {
    pub(super) inputs: Vec<Input>,
    pub(super) lookups: Vec<Lookup>,
    pub(super) aggregates: Vec<Aggregate>,
    #[component(name = "custom-folds")]
    pub(super) custom_folds: Vec<CustomFold>,
    pub(super) trigger: Trigger,
    pub(super) features: Vec<String>,
    pub(super) ids: Vec<Column>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Computed {
    pub(super) matrix: Vec<f32>,
    pub(super) ids: RawBatch,
    pub(super) rejected: Vec<Rejection>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Folded {
    pub(super) registers: Vec<u8>,
    pub(super) cells: RawBatch,
}

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "only plugins make them")]
pub(super) enum Origin {
    #[component(name = "record")]
    Record,
    #[component(name = "feature")]
    Feature,
    #[component(name = "score")]
    Score,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Wanted {
    pub(super) column: Column,
    #[component(name = "from")]
    pub(super) from: Origin,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct RulesDescription {
    pub(super) input: Vec<Wanted>,
    pub(super) output: Vec<Column>,
    pub(super) routes: Vec<String>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Decided {
    pub(super) rows: RawBatch,
    pub(super) route: Vec<u8>,
    pub(super) rejected: Vec<Rejection>,
}
