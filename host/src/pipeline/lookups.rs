//! What a features stage looks up in tables.

use std::ops::Range;

use super::columns::{declared, find};
use super::sources::SourceNode;
use crate::columns::{Column, Kind};
use crate::contract::Lookup;
use crate::error::{Code, Error, Result};
use crate::record::SourceId;

/// One row of a table for each row of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupNode {
    /// The table.
    pub source: SourceId,
    /// Whose values are the table's keys: a column of the stage's rows, or of its closed windows.
    pub key: usize,
    /// For each column of the table where it stands among all that the stage looks up, if it is wanted.
    pub places: Vec<Option<usize>>,
    /// All of these places.
    pub own: Range<usize>,
}

impl LookupNode {
    /// `shown`: the columns that the plugin takes, and where each stands in the rows; `first`: so many columns
    /// are looked up before.
    pub(super) fn new(
        lookup: &Lookup,
        sources: &[SourceNode],
        shown: &[(&Column, Option<usize>)],
        first: usize,
    ) -> Result<Self> {
        let source = table(&lookup.table, sources)?;
        let place = |error: Error| error.at(format!("lookup in {}", lookup.table));
        let node = &sources[usize::from(source)];
        let mut places = vec![None; node.rows.len()];
        for (index, column) in lookup.columns.iter().enumerate() {
            // What the plugin sees may be missing, whatever the table says.
            let wanted = Column::nullable(column.name.clone(), column.kind);
            let found = find("the features plugin", &wanted, &node.rows, &node.whose()).map_err(place)?;
            places[found] = Some(first + index);
        }
        let key = key(&lookup.key, shown).map_err(place)?;
        Ok(Self { source, key, places, own: first..first + lookup.columns.len() })
    }
}

fn table(name: &str, sources: &[SourceNode]) -> Result<SourceId> {
    let mismatch = |message: String| Err(Error::new(Code::Mismatch, message));
    match sources.iter().position(|source| source.name == name) {
        None => mismatch(format!(
            "a lookup in the table {name:?}, which the pipeline has not: add a [[source]] of that name with \
             table = true; {}",
            tables(sources)
        )),
        Some(source) if !sources[source].table => mismatch(format!(
            "a lookup in {name:?}, which is a source but no table: if of each key the newest record counts, say \
             there table = true; {}",
            tables(sources)
        )),
        Some(source) => Ok(source as SourceId),
    }
}

/// For errors.
fn tables(sources: &[SourceNode]) -> String {
    let names: Vec<&str> =
        sources.iter().filter(|source| source.table).map(|source| source.name.as_str()).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!("tables are: {names}")
}

/// Where the column of that name stands in the rows.
fn key(name: &str, shown: &[(&Column, Option<usize>)]) -> Result<usize> {
    let mismatch = |message: String| Err(Error::new(Code::Mismatch, message));
    let Some((column, at)) = shown.iter().find(|(column, _)| column.name == name) else {
        let columns: Vec<Column> = shown.iter().map(|(column, _)| (*column).clone()).collect();
        return mismatch(format!(
            "there is no column {name} to look up by; there are {}",
            declared(&columns)
        ));
    };
    match at {
        Some(at) if matches!(column.kind, Kind::Int | Kind::Text | Kind::Bytes) => Ok(*at),
        _ => mismatch(format!(
            "looks up by {name}, which is {}; only an int, text or bytes can be a table's key",
            column.kind
        )),
    }
}
