//! The features stage: keys, event time, and what the plugin sees.

use super::columns::find;
use crate::columns::{Column, Kind, Schema, position};
use crate::config::{Features, Source};
use crate::contract::{FeaturesDescription, Trigger};
use crate::error::{Code, Error, Result};
use crate::state::KeyColumns;
use crate::window::Plan;

/// A features stage. Indices are of the clean rows.
#[derive(Clone, Debug)]
pub struct FeaturesNode {
    pub key: KeyColumns,
    pub event_time: usize,
    /// Where each column of the plugin's input comes from.
    pub input: Vec<usize>,
    pub plan: Plan,
    /// Of the plan's cells.
    pub cells: Schema,
    /// What the plugin sees: its input, then a cell an aggregate.
    pub seen: Schema,
    /// Of the vector's numbers, in order.
    pub names: Vec<String>,
    pub ids: Schema,
}

impl FeaturesNode {
    pub(super) fn new(
        section: &Features,
        source: &Source,
        description: &FeaturesDescription,
        clean: &[Column],
    ) -> Result<Self> {
        if description.inputs.len() > 1 {
            return Err(Error::new(
                Code::NotYet,
                "features: more than one input is not supported by this version",
            ));
        }
        if description.trigger == Trigger::Close {
            return Err(Error::new(
                Code::NotYet,
                "features: the trigger close is not supported by this version",
            ));
        }
        let input = &description.inputs[0];
        if input.updates_only {
            return Err(Error::new(Code::Mismatch, "features: the first input can't be updates-only"));
        }
        if !input.source.is_empty() {
            let message = format!(
                "features: an input from the source {:?}; more than the rows of the pipeline is not \
                 supported by this version, and they have no name",
                input.source
            );
            return Err(Error::new(Code::NotYet, message));
        }
        let columns = input.columns.iter();
        let columns = columns.map(|column| find("the features plugin", column, clean, "the cleaned record"));
        let plan = Plan::new(description).map_err(|error| error.at("features"))?;
        Ok(Self {
            key: KeyColumns::new(key(section, source, clean)?),
            event_time: required_event_time(source, clean)?,
            input: columns.collect::<Result<_>>()?,
            seen: input.columns.iter().chain(&plan.columns).cloned().collect(),
            cells: plan.columns.as_slice().into(),
            plan,
            names: description.features.clone(),
            ids: description.ids.as_slice().into(),
        })
    }
}

/// Keys must be what the source is partitioned by, else one key's rows meet in several places.
fn key(section: &Features, source: &Source, clean: &[Column]) -> Result<Vec<usize>> {
    let names = section.key.columns();
    let mut found = Vec::new();
    for name in names {
        let Some(index) = position(clean, name) else {
            let message = format!(
                "features.key: there is no column {name}; the cleaned record has {}",
                super::declared(clean)
            );
            return Err(Error::new(Code::Mismatch, message));
        };
        found.push(index);
    }
    if found.is_empty() {
        return Err(Error::new(Code::ConfigValue, "features.key: names no column"));
    }
    // A key may be finer than the partitions, but not coarser.
    let partitioned = &source.partitioned_by;
    if partitioned.is_empty() || !partitioned.iter().all(|column| names.contains(column)) {
        let message = format!(
            "features are kept by {names:?}, but source {} is said to be partitioned by {partitioned:?}. \
             If its producer sends all records of one key to one partition, say so: partitioned_by = {names:?}. \
             If not, windows would be wrong, and repartitioning is not supported by this version",
            source.topic
        );
        return Err(Error::new(Code::Mismatch, message));
    }
    Ok(found)
}

fn required_event_time(source: &Source, clean: &[Column]) -> Result<usize> {
    let Some(name) = &source.event_time else {
        let message = format!(
            "windows need an event time: say in source {} event_time = \"a column of kind time\"",
            source.topic
        );
        return Err(Error::new(Code::Mismatch, message));
    };
    event_time(name, clean)
}

pub(super) fn event_time(name: &str, clean: &[Column]) -> Result<usize> {
    let wanted = Column::nullable(name, Kind::Time);
    find("source.event_time", &wanted, clean, "the cleaned record")
}
