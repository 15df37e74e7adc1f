//! A features stage: its inputs and their keys, and what the plugin sees.

use super::columns::{declared, find};
use super::lookups::LookupNode;
use super::sources::SourceNode;
use crate::columns::{Column, Kind, Schema, position};
use crate::config::Features;
use crate::contract::{FeaturesDescription, Input, Trigger, WINDOW_END, WINDOW_REVISION, WINDOW_START};
use crate::error::{Code, Error, Result};
use crate::record::SourceId;
use crate::state::{KeyColumns, Retention};
use crate::window::Plan;

/// A features stage.
#[derive(Clone, Debug)]
pub struct FeaturesNode {
    pub name: String,
    /// As the plugin numbers them; the first is that of the pipeline's rows.
    pub inputs: Vec<InputNode>,
    /// Where each column of the first input comes from.
    pub input: Vec<RowColumn>,
    pub plan: Plan,
    /// Of the plan's cells.
    pub cells: Schema,
    pub lookups: Vec<LookupNode>,
    /// The columns of all lookups, one behind the other.
    pub looked_up: Schema,
    /// What the plugin sees: its input or the closed window, then a cell an aggregate, then what is looked up.
    pub seen: Schema,
    /// The same without what is looked up.
    pub shown: Schema,
    /// For a stage that fires when windows close: its rows, the key's columns first, and which the plugin sees.
    pub closed: Option<ClosedNode>,
    /// Of the vector's numbers, in order.
    pub names: Vec<String>,
    pub ids: Schema,
    /// Milliseconds after which a silent key is forgotten with all it has seen for ever.
    pub expire_after: Option<i64>,
}

/// Rows that feed a stage.
#[derive(Clone, Debug)]
pub struct InputNode {
    pub source: SourceId,
    /// Of the source's rows.
    pub key: KeyColumns,
    pub key_names: Vec<String>,
    /// For each column that the plugin keeps in a window's entries, where it stands in the source's rows.
    pub kept: Vec<usize>,
    pub time: usize,
}

/// Where a column that a plugin sees comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowColumn {
    /// Index into the rows.
    Record(usize),
    /// Index into the vector of the stages before.
    Feature(usize),
}

impl RowColumn {
    /// Index into the rows.
    fn of_record(self) -> Option<usize> {
        match self {
            Self::Record(index) => Some(index),
            Self::Feature(_) => None,
        }
    }
}

/// Closed windows as rows: what stages behind see.
#[derive(Clone, Debug)]
pub struct ClosedNode {
    /// The key's columns, then [`WINDOW_START`], [`WINDOW_END`], [`WINDOW_REVISION`].
    pub rows: Schema,
    /// For each column that the plugin takes its index in `rows`.
    pub seen: Vec<usize>,
}

/// What a stage meets.
pub(super) struct Before<'a> {
    pub sources: &'a [SourceNode],
    /// Names of the features so far.
    pub features: &'a [String],
}

impl FeaturesNode {
    pub(super) fn new(
        name: String,
        section: &Features,
        description: &FeaturesDescription,
        before: &Before<'_>,
    ) -> Result<Self> {
        let place = |error: Error| error.at(format!("features {name}"));
        let (rows, first) = (&before.sources[0], &description.inputs[0]);
        let names = section.key.columns();
        if names.is_empty() {
            return Err(Error::new(Code::ConfigValue, "features.key: names no column"));
        }
        let plan = Plan::new(description).map_err(place)?;
        let mut inputs = Vec::new();
        for (index, input) in description.inputs.iter().enumerate() {
            let source = source_of(index, input, before.sources).map_err(place)?;
            let node = InputNode::new(source, names, input, &before.sources[usize::from(source)]);
            inputs.push(node.map_err(place)?);
        }
        let columns = first.columns.iter().map(|column| row_column(column, rows, before.features));
        let input: Vec<RowColumn> = columns.collect::<Result<_>>().map_err(place)?;
        let closed = match &description.trigger {
            Trigger::Row => None,
            Trigger::Close(wanted) => Some(ClosedNode::new(&inputs[0], rows, wanted).map_err(place)?),
        };
        let shown = match &description.trigger {
            Trigger::Row => &first.columns,
            Trigger::Close(wanted) => wanted,
        };
        let stands = |index: usize| match &closed {
            None => input[index].of_record(),
            Some(closed) => closed.key_column(index),
        };
        let keys: Vec<_> = shown.iter().enumerate().map(|(index, column)| (column, stands(index))).collect();
        let (mut lookups, mut looked_up): (Vec<LookupNode>, Vec<Column>) = Default::default();
        for lookup in &description.lookups {
            let node = LookupNode::new(lookup, before.sources, &keys, looked_up.len()).map_err(place)?;
            lookups.push(node);
            looked_up.extend(lookup.columns.iter().cloned());
        }
        Ok(Self {
            seen: shown.iter().chain(&plan.columns).chain(&looked_up).cloned().collect(),
            shown: shown.iter().chain(&plan.columns).cloned().collect(),
            lookups,
            looked_up: looked_up.into(),
            cells: plan.columns.as_slice().into(),
            inputs,
            input,
            plan,
            closed,
            names: description.features.clone(),
            ids: description.ids.as_slice().into(),
            expire_after: section.expire_after.map(|after| after.millis()),
            name,
        })
    }

    /// Whether a source feeds it, or is looked up by it.
    pub fn takes(&self, source: SourceId) -> bool {
        self.sides().chain(self.lookups.iter().map(|lookup| lookup.source)).any(|taken| taken == source)
    }

    /// How long its keys are remembered.
    pub fn retention(&self, lateness: i64) -> Retention<'_> {
        Retention { plan: &self.plan, lateness, expire_after: self.expire_after }
    }

    /// Sources that feed it beside the rows.
    pub fn sides(&self) -> impl Iterator<Item = SourceId> {
        self.inputs[1..].iter().map(|input| input.source)
    }
}

impl InputNode {
    fn new(id: SourceId, key: &[String], input: &Input, source: &SourceNode) -> Result<Self> {
        let mut columns = Vec::new();
        for name in key {
            let Some(index) = position(&source.rows, name) else {
                let whose = source.whose();
                let message =
                    format!("key: there is no column {name}; {whose} has {}", declared(&source.rows));
                return Err(Error::new(Code::Mismatch, message));
            };
            columns.push(index);
        }
        let kept = input.kept.iter().map(|column| {
            let column = &input.columns[*column as usize];
            find("the features plugin", column, &source.rows, &source.whose())
        });
        let times = source.required_times()?;
        Ok(Self {
            source: id,
            key: KeyColumns::new(columns),
            key_names: key.to_vec(),
            kept: kept.collect::<Result<_>>()?,
            time: times.column,
        })
    }
}

fn source_of(index: usize, input: &Input, sources: &[SourceNode]) -> Result<SourceId> {
    if index == 0 {
        return Ok(0);
    }
    let mismatch = |message: String| Err(Error::new(Code::Mismatch, message));
    let name = &input.source;
    let names: Vec<&str> = sources[1..].iter().map(|source| source.name.as_str()).collect();
    match sources.iter().position(|source| source.name == *name) {
        None => mismatch(format!(
            "an input from the source {name:?}, which the pipeline has not: add a [[source]] of that name; \
             beside that of its rows it has: {}",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        )),
        Some(0) => mismatch(format!("an input from {name:?}: the source of the rows is the first input")),
        Some(source) if sources[source].table => mismatch(format!(
            "an input from {name:?}, which is a table: rows of tables are looked up, they feed no windows"
        )),
        Some(source) => Ok(source as SourceId),
    }
}

/// A column of the rows, or a feature of an earlier stage.
fn row_column(wanted: &Column, rows: &SourceNode, features: &[String]) -> Result<RowColumn> {
    let feature = features.iter().position(|name| *name == wanted.name);
    match feature.filter(|_| position(&rows.rows, &wanted.name).is_none()) {
        Some(index) if wanted.kind == Kind::Single => Ok(RowColumn::Feature(index)),
        Some(_) => Err(Error::new(
            Code::Mismatch,
            format!("the features plugin wants the feature {} as {}; it is single", wanted.name, wanted.kind),
        )),
        None => find("the features plugin", wanted, &rows.rows, "the cleaned record").map(RowColumn::Record),
    }
}

impl ClosedNode {
    fn new(input: &InputNode, source: &SourceNode, wanted: &[Column]) -> Result<Self> {
        // A row without a key never meets a window.
        let key = input
            .key
            .columns()
            .iter()
            .map(|column| Column { nullable: false, ..source.rows[*column].clone() });
        let own = [
            Column::new(WINDOW_START, Kind::Time),
            Column::new(WINDOW_END, Kind::Time),
            Column::new(WINDOW_REVISION, Kind::Int),
        ];
        let rows: Schema = key.chain(own).collect();
        let seen = wanted.iter().map(|column| find("the features plugin", column, &rows, "a closed window"));
        Ok(Self { seen: seen.collect::<Result<_>>()?, rows })
    }

    /// Where a column that the plugin takes stands in the rows, if it is one of the key's.
    fn key_column(&self, seen: usize) -> Option<usize> {
        Some(self.seen[seen]).filter(|column| *column < self.key_columns().len())
    }

    /// Columns of the key.
    pub fn key_columns(&self) -> &[Column] {
        &self.rows[..self.rows.len() - 3]
    }
}
