//! Is the description of a features plugin sound in itself?

use std::collections::HashSet;

use super::{Check, columns, names, refuse, unsound, within};
use crate::columns::{Column, Kind};
use crate::contract::{
    Aggregate, CustomFold, FeaturesDescription, Fold, Input, Lookup, Trigger, WINDOW_REVISION, Window,
};
use crate::error::Result;

const FEATURES_LIMIT: usize = 65_536;
const INPUTS_LIMIT: usize = 64;
/// Columns of an input that a window's entry keeps.
const KEPT_LIMIT: usize = 64;
const LOOKUPS_LIMIT: usize = 64;
const AGGREGATES_LIMIT: usize = 4_096;
const CUSTOM_FOLDS_LIMIT: usize = 256;
/// Bytes of a register.
const REGISTER_LIMIT: u32 = 64 << 10;
/// Milliseconds that a window may span: times and sizes can be added without a thought.
const SPAN_LIMIT: u64 = 1 << 53;

pub(in crate::plugin) fn check_features(described: &FeaturesDescription) -> Result<()> {
    let FeaturesDescription { inputs, lookups, aggregates, custom_folds, trigger, features, ids } = described;
    let checks = || {
        self::inputs(inputs)?;
        within("custom folds", custom_folds.len(), CUSTOM_FOLDS_LIMIT)?;
        names("custom fold", custom_folds.iter().map(|fold| (fold.name.as_str(), ())))?;
        custom_folds.iter().try_for_each(custom_fold)?;
        within("aggregates", aggregates.len(), AGGREGATES_LIMIT)?;
        names("aggregate", aggregates.iter().map(|aggregate| (aggregate.name.as_str(), ())))?;
        for aggregate in aggregates {
            self::aggregate(aggregate, inputs, custom_folds)
                .map_err(|flaw| format!("aggregate `{}` {flaw}", aggregate.name))?;
        }
        if let Trigger::Close(taken) = trigger {
            super::closing::check(taken, aggregates)?;
        }
        within("lookups", lookups.len(), LOOKUPS_LIMIT)?;
        names("lookup of the table", lookups.iter().map(|lookup| (lookup.table.as_str(), &lookup.key)))?;
        for lookup in lookups {
            self::lookup(lookup, &inputs[0].columns, trigger)
                .map_err(|flaw| format!("lookup of the table `{}` {flaw}", lookup.table))?;
        }
        within("features", features.len(), FEATURES_LIMIT)?;
        names("feature", features.iter().map(|name| (name.as_str(), ())))?;
        columns("id column", ids)?;
        refuse(features.is_empty() && ids.is_empty(), || "neither features nor ids".into())
    };
    checks().map_err(unsound)
}

fn inputs(inputs: &[Input]) -> Check {
    let (first, others) = inputs.split_first().ok_or("no input, so that no row gets features")?;
    refuse(first.updates_only, || "its first input as updates only, so that no row gets features".into())?;
    refuse(!first.source.is_empty(), || {
        format!("its first input with the source `{}`, where the pipeline's rows have no name", first.source)
    })?;
    within("inputs", inputs.len(), INPUTS_LIMIT)?;
    names("further input", others.iter().map(|input| (input.source.as_str(), ())))?;
    if let Some(input) = others.iter().find(|input| !input.updates_only) {
        let source = &input.source;
        return Err(format!(
            "input `{source}` not as updates only, where only rows of the first get features"
        ));
    }
    inputs.iter().try_for_each(input)
}

fn input(Input { source, columns, kept, .. }: &Input) -> Check {
    let place = if source.is_empty() { String::new() } else { format!("input `{source}`: ") };
    let checks = || {
        self::columns("column", columns)?;
        within("kept columns", kept.len(), KEPT_LIMIT)?;
        let mut seen = HashSet::new();
        for index in kept {
            let count = columns.len();
            refuse(*index as usize >= count, || {
                format!("kept column {index}, where there are {count} columns, counted from 0")
            })?;
            refuse(!seen.insert(index), || format!("kept column {index} twice"))?;
            let Column { name, kind, .. } = &columns[*index as usize];
            refuse(*kind == Kind::Floats, || format!("kept column `{name}` of kind {kind}"))?;
        }
        Ok(())
    };
    checks().map_err(|flaw: String| format!("{place}{flaw}"))
}

fn lookup(Lookup { key, columns, .. }: &Lookup, rows: &[Column], trigger: &Trigger) -> Check {
    let (among, what) = match trigger {
        Trigger::Row => (rows, "its first input's columns"),
        Trigger::Close(taken) => (taken.as_slice(), "the key columns that it takes of a closed window"),
    };
    let found = among.iter().find(|column| column.name == *key && key != WINDOW_REVISION);
    let Column { kind, .. } = found.ok_or_else(|| format!("by `{key}`, which is not among {what}"))?;
    refuse(!matches!(kind, Kind::Int | Kind::Text | Kind::Bytes), || {
        format!("by `{key}` of kind {kind}, which must be int, text or bytes")
    })?;
    refuse(columns.is_empty(), || "without columns".into())?;
    self::columns("column", columns).map_err(|flaw| format!("with {flaw}"))?;
    let certain = columns.iter().find(|column| !column.nullable);
    certain.map_or(Ok(()), |column| Err(format!("with column `{}`, which must be nullable", column.name)))
}

fn custom_fold(CustomFold { name, register_bytes, .. }: &CustomFold) -> Check {
    refuse(!(1..=REGISTER_LIMIT).contains(register_bytes), || {
        format!(
            "custom fold `{name}` with registers of {register_bytes} bytes, where 1 to {REGISTER_LIMIT} are allowed"
        )
    })
}

fn aggregate(aggregate: &Aggregate, inputs: &[Input], custom_folds: &[CustomFold]) -> Check {
    let Aggregate { input, fold, column, filter, window, .. } = aggregate;
    let count = inputs.len();
    let input = inputs.get(*input as usize);
    let input = input
        .ok_or_else(|| format!("of input {}, where there are {count}, counted from 0", aggregate.input))?;
    let kept = |index: u32| {
        let column = input.kept.get(index as usize).map(|column| &input.columns[*column as usize]);
        let count = input.kept.len();
        column.ok_or_else(|| format!("of kept column {index}, where there are {count}, counted from 0"))
    };
    let column = column.map(kept).transpose()?;
    foldable(*fold, column)?;
    if let Some(filter) = filter.map(kept).transpose()? {
        let Column { name, kind, .. } = filter;
        refuse(*kind != Kind::Boolean, || {
            format!("filtered by `{name}` of kind {kind}, which must be boolean")
        })?;
    }
    argument(*fold, custom_folds.len())?;
    span(*window)
}

/// Whether a fold can be made of a column, or of none.
fn foldable(fold: Fold, column: Option<&Column>) -> Check {
    let name = fold.name();
    match (fold, column) {
        (Fold::Count, _) | (Fold::SinceLatest | Fold::Custom(_), None) => Ok(()),
        (Fold::SinceLatest | Fold::Custom(_), Some(_)) => {
            Err(format!("with a column, where {name} takes none"))
        }
        (_, None) => Err(format!("without a column, where {name} needs one")),
        (Fold::Distinct, Some(_)) => Ok(()),
        (_, Some(Column { name: column, kind, .. })) => {
            let list = kind.is_list();
            refuse(list, || format!("as {name} of `{column}` of kind {kind}, which can't be folded"))
        }
    }
}

fn argument(fold: Fold, custom_folds: usize) -> Check {
    match fold {
        Fold::Quantile(at) => {
            refuse(!(0.0..=1.0).contains(&at), || format!("as the quantile {at}, which must be in [0, 1]"))
        }
        Fold::DecayedMean(half_life) => positive("half-life", half_life),
        Fold::TopK(k) => positive("k", k.into()),
        Fold::Custom(index) => refuse(index as usize >= custom_folds, || {
            format!("as custom fold {index}, where there are {custom_folds}, counted from 0")
        }),
        _ => Ok(()),
    }
}

fn span(window: Window) -> Check {
    match window {
        Window::Sliding(size) | Window::Tumbling(size) => positive("window", size),
        Window::Hopping { size, slide } => {
            positive("window", size)?;
            positive("slide", slide)?;
            refuse(slide > size, || format!("with a slide of {slide} ms beyond its window of {size} ms"))
        }
        Window::Session(gap) => positive("gap", gap),
        Window::Last(rows) => positive("window", rows.into()),
        Window::Forever => Ok(()),
    }
}

fn positive(what: &str, number: u64) -> Check {
    refuse(!(1..=SPAN_LIMIT).contains(&number), || {
        format!("with a {what} of {number}, where 1 to {SPAN_LIMIT} are allowed")
    })
}
