//! What the environment sets over a pipeline file.

use toml::{Table, Value};

use super::security::is_verbatim;
use crate::error::{Code, Error, Result};

const PREFIX: &str = "TAILWATER__";

/// One variable: `TAILWATER__SECTION__KEY=value`. The value may be a password.
pub(super) struct Override {
    pub variable: String,
    path: Vec<String>,
    value: Value,
}

/// Those of this process. Others may be no text at all.
pub(super) fn environment() -> Result<Vec<(String, String)>> {
    let ours = std::env::vars_os().filter_map(|(variable, text)| {
        let variable = variable.into_string().ok().filter(|variable| variable.starts_with(PREFIX))?;
        // The value may be a password.
        let text = text.into_string().ok().map(|text| (variable.clone(), text));
        Some(text.ok_or_else(|| Error::new(Code::ConfigValue, format!("{variable}: its value is not UTF-8"))))
    });
    ours.collect()
}

/// Those of the environment's variables that are meant for pipelines, in order of their names.
pub(super) fn of(environment: impl IntoIterator<Item = (String, String)>) -> Vec<Override> {
    let mut found: Vec<Override> = environment
        .into_iter()
        .filter_map(|(variable, text)| {
            let path: Vec<String> = variable.strip_prefix(PREFIX)?.split("__").map(str::to_owned).collect();
            let value = if is_verbatim(&path) { Value::String(text) } else { value(&text) };
            Some(Override { variable, path, value })
        })
        .collect();
    found.sort_by(|a, b| a.variable.cmp(&b.variable));
    found
}

/// As TOML if it is that (numbers, booleans, lists), else as text: write `"5"` for a text of digits.
fn value(text: &str) -> Value {
    let parsed: Option<Table> = toml::from_str(&format!("value = {text}")).ok();
    parsed.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(text.to_owned()))
}

pub(super) fn apply(table: Table, overrides: &[Override]) -> Result<Table> {
    let mut root = Value::Table(table);
    for change in overrides {
        set(&mut root, &change.path, &change.value).map_err(|part| {
            let message = format!("{}: there is no place {part:?} in the pipeline file", change.variable);
            Error::new(Code::ConfigValue, message)
        })?;
    }
    match root {
        Value::Table(table) => Ok(table),
        _ => unreachable!("the root is replaced by no path, since none is empty"),
    }
}

/// Sets what lies at a path, making tables on the way; an error is the part that leads nowhere.
fn set<'a>(place: &mut Value, path: &'a [String], value: &Value) -> std::result::Result<(), &'a str> {
    let Some((part, rest)) = path.split_first() else {
        *place = value.clone();
        return Ok(());
    };
    let inner = match place {
        Value::Table(table) => {
            // Variables are mostly in capitals.
            let known = table.keys().find(|key| key.eq_ignore_ascii_case(part)).cloned();
            let key = known.unwrap_or_else(|| part.to_lowercase());
            Some(table.entry(key).or_insert_with(|| Value::Table(Table::new())))
        }
        Value::Array(items) => part.parse().ok().and_then(|index: usize| items.get_mut(index)),
        _ => None,
    };
    set(inner.ok_or(part.as_str())?, rest, value)
}
