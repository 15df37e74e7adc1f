//! What is read: the topics of the sources, then those of repartition topics.

use super::columns::{find, parse};
use crate::columns::{Column, Kind, Schema};
use crate::config::{Config, Source, TimeUnit, Tombstones};
use crate::contract::PreprocessorDescription;
use crate::error::{Code, Error, Result};

/// A source. Its index is the [`SourceId`](crate::record::SourceId).
#[derive(Clone, Debug)]
pub struct SourceNode {
    /// What plugins call it.
    pub name: String,
    pub topic: String,
    pub skip_tombstones: bool,
    pub time_unit: TimeUnit,
    /// What is decoded.
    pub decoded: Schema,
    /// The rows that stages see: for the first source those that the preprocessor gives.
    pub rows: Schema,
    /// Without it its rows have no event time.
    pub times: Option<Times>,
    /// Columns of `rows` by whose values the producer partitions, where it is said, and whether that can be
    /// checked against the records' keys.
    pub partitioned_by: Vec<String>,
    pub checked: bool,
    pub table: bool,
}

/// How event times are taken. Spans are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Of the rows.
    pub column: usize,
    pub out_of_orderness: i64,
    pub lateness: i64,
    pub max_ahead: i64,
    pub idleness: std::time::Duration,
}

impl SourceNode {
    pub(super) fn of_rows(config: &Config, preprocessor: Option<&PreprocessorDescription>) -> Result<Self> {
        let source = &config.source[0];
        match preprocessor {
            Some(plugin) => {
                Self::new(source, plugin.input.as_slice().into(), plugin.output.as_slice().into())
            }
            None => Self::of_side(source),
        }
    }

    /// A source whose rows are as they were decoded.
    pub(super) fn of_side(source: &Source) -> Result<Self> {
        let columns: Schema = declared_columns(source)?.into();
        Self::new(source, columns.clone(), columns)
    }

    fn new(source: &Source, decoded: Schema, rows: Schema) -> Result<Self> {
        let times = source.event_time.as_deref().map(|name| times(source, name, &rows)).transpose()?;
        Ok(Self {
            name: source.name().to_owned(),
            topic: source.topic.clone(),
            skip_tombstones: source.tombstones == Tombstones::Skip,
            time_unit: source.time_unit,
            decoded,
            rows,
            times,
            partitioned_by: source.partitioned_by.clone(),
            checked: !source.custom_partitioner,
            table: source.table,
        })
    }

    /// For errors: the rows of this source.
    pub(super) fn whose(&self) -> String {
        format!("source {}", self.name)
    }

    pub(super) fn required_times(&self) -> Result<Times> {
        self.times.ok_or_else(|| {
            let name = &self.name;
            let message = format!(
                "windows need an event time: say in source {name} event_time = \"a column of kind time\""
            );
            Error::new(Code::Mismatch, message)
        })
    }
}

fn times(source: &Source, name: &str, rows: &[Column]) -> Result<Times> {
    let wanted = Column::nullable(name, Kind::Time);
    Ok(Times {
        column: find("source.event_time", &wanted, rows, &format!("source {}", source.name()))?,
        out_of_orderness: source.out_of_orderness.millis(),
        lateness: source.allowed_lateness.millis(),
        max_ahead: source.max_ahead.millis(),
        idleness: source.idleness.get(),
    })
}

fn declared_columns(source: &Source) -> Result<Vec<Column>> {
    let columns = source.columns.iter().map(|(name, kind)| {
        let refuse = || {
            let message = format!(
                "source.columns.{name}: {kind:?} is no kind; \
                 say one of int, float, boolean, time, text, bytes, floats"
            );
            Error::new(Code::ConfigValue, message)
        };
        parse(name, kind).ok_or_else(refuse)
    });
    columns.collect()
}
