//! Is a description sound in itself? Whether it fits the pipeline, and whether this host can do what
//! it asks for, is not asked here.

use std::collections::HashSet;
use std::hash::Hash;

use crate::columns::{Column, Kind};
use crate::contract::{
    Aggregate, CustomFold, FeaturesDescription, Fold, From, Input, NO_ROUTE, PreprocessorDescription,
    RulesDescription, WHOLE_VECTOR, Wanted, Window,
};
use crate::error::{Code, Error, Result};

const COLUMNS_LIMIT: usize = 4_096;
const FEATURES_LIMIT: usize = 65_536;
const INPUTS_LIMIT: usize = 64;
const AGGREGATES_LIMIT: usize = 4_096;
const CUSTOM_FOLDS_LIMIT: usize = 256;
/// Bytes of a name.
const NAME_LIMIT: usize = 256;
/// Bytes of a register.
const REGISTER_LIMIT: u32 = 64 << 10;
/// Milliseconds that a window may span: times and sizes can be added without a thought.
const SPAN_LIMIT: u64 = 1 << 53;

/// What is wrong, as a sentence that follows "describes".
type Check = Result<(), String>;

pub(super) fn check_preprocessor(described: &PreprocessorDescription) -> Result<()> {
    let checks = || {
        columns("input column", &described.input)?;
        columns("output column", &described.output)
    };
    checks().map_err(unsound)
}

pub(super) fn check_rules(described: &RulesDescription) -> Result<()> {
    let RulesDescription { input, output, routes } = described;
    let checks = || {
        within("input columns", input.len(), COLUMNS_LIMIT)?;
        names("input column", input.iter().map(|wanted| (wanted.column.name.as_str(), wanted.from as u8)))?;
        input.iter().try_for_each(wanted)?;
        columns("output column", output)?;
        within("routes", routes.len(), NO_ROUTE.into())?;
        names("route", routes.iter().map(|name| (name.as_str(), ())))?;
        refuse(routes.is_empty(), || "no route, so that every decision goes nowhere".into())
    };
    checks().map_err(unsound)
}

pub(super) fn check_features(described: &FeaturesDescription) -> Result<()> {
    let FeaturesDescription { inputs, aggregates, custom_folds, trigger: _, features, ids } = described;
    let checks = || {
        let first = inputs.first().ok_or("no input, so that no row gets features")?;
        refuse(first.updates_only, || {
            "its first input as updates only, so that no row gets features".into()
        })?;
        within("inputs", inputs.len(), INPUTS_LIMIT)?;
        inputs.iter().try_for_each(input)?;
        within("custom folds", custom_folds.len(), CUSTOM_FOLDS_LIMIT)?;
        names("custom fold", custom_folds.iter().map(|fold| (fold.name.as_str(), ())))?;
        custom_folds.iter().try_for_each(custom_fold)?;
        within("aggregates", aggregates.len(), AGGREGATES_LIMIT)?;
        names("aggregate", aggregates.iter().map(|aggregate| (aggregate.name.as_str(), ())))?;
        for aggregate in aggregates {
            self::aggregate(aggregate, inputs, custom_folds)
                .map_err(|flaw| format!("aggregate `{}` {flaw}", aggregate.name))?;
        }
        within("features", features.len(), FEATURES_LIMIT)?;
        names("feature", features.iter().map(|name| (name.as_str(), ())))?;
        columns("id column", ids)?;
        refuse(features.is_empty() && ids.is_empty(), || "neither features nor ids".into())
    };
    checks().map_err(unsound)
}

fn unsound(flaw: String) -> Error {
    Error::new(Code::PluginDescribe, format!("describes {flaw}"))
}

fn refuse(wrong: bool, flaw: impl FnOnce() -> String) -> Check {
    if wrong { Err(flaw()) } else { Ok(()) }
}

fn within(what: &str, count: usize, limit: usize) -> Check {
    refuse(count > limit, || format!("{count} {what}, where at most {limit} are allowed"))
}

/// Names, with what they must be unique beside.
fn names<'a, Beside: Eq + Hash>(what: &str, names: impl Iterator<Item = (&'a str, Beside)>) -> Check {
    let mut seen = HashSet::new();
    for (index, (name, beside)) in names.enumerate() {
        refuse(name.is_empty(), || format!("{what} {index} (counted from 0) without a name"))?;
        refuse(name.len() > NAME_LIMIT, || {
            format!("{what} {index} (counted from 0) with a name of more than {NAME_LIMIT} bytes")
        })?;
        refuse(name.contains(char::is_control), || {
            format!("{what} {index} (counted from 0) with a control character in its name")
        })?;
        refuse(!seen.insert((name, beside)), || format!("{what} `{name}` twice"))?;
    }
    Ok(())
}

fn columns(what: &str, columns: &[Column]) -> Check {
    within(&format!("{what}s"), columns.len(), COLUMNS_LIMIT)?;
    names(what, columns.iter().map(|column| (column.name.as_str(), ())))
}

fn wanted(Wanted { column: Column { name, kind, .. }, from }: &Wanted) -> Check {
    let number = matches!(kind, Kind::Single | Kind::Float);
    let possible = match from {
        From::Record => true,
        From::Feature if name == WHOLE_VECTOR => *kind == Kind::Floats,
        From::Feature | From::Score => number,
    };
    refuse(!possible, || {
        let from = if *from == From::Score { "score" } else { "feature" };
        let right = if name == WHOLE_VECTOR && from == "feature" { "floats" } else { "single or float" };
        format!("the {from} `{name}` as {kind}, which must be {right}")
    })
}

fn input(Input { source, columns, kept, .. }: &Input) -> Check {
    let place = if source.is_empty() { String::new() } else { format!("input `{source}`: ") };
    let checks = || {
        self::columns("column", columns)?;
        let mut seen = HashSet::new();
        for index in kept {
            let count = columns.len();
            refuse(*index as usize >= count, || {
                format!("kept column {index}, where there are {count} columns, counted from 0")
            })?;
            refuse(!seen.insert(index), || format!("kept column {index} twice"))?;
        }
        Ok(())
    };
    checks().map_err(|flaw: String| format!("{place}{flaw}"))
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
        (Fold::Distinct | Fold::TopK(_), Some(_)) => Ok(()),
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
