//! Is a description sound in itself? Whether it fits the pipeline, and whether this host can do what
//! it asks for, is not asked here.

mod closing;
mod features;

use std::collections::HashSet;
use std::hash::Hash;

use crate::columns::{Column, Kind};
use crate::contract::{From, NO_ROUTE, PreprocessorDescription, RulesDescription, WHOLE_VECTOR, Wanted};
use crate::error::{Code, Error, Result};

pub(super) use self::features::check_features;

const COLUMNS_LIMIT: usize = 4_096;
/// Bytes of a name.
const NAME_LIMIT: usize = 256;

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
