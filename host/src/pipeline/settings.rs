//! A plugin's settings: from a TOML table to a batch of one row.

use toml::{Table, Value};

use crate::columns::{Builder, Column, Kind};
use crate::contract::Settings;
use crate::error::{Code, Error, Result};

/// Tables inside become dotted names; lists of numbers become floats.
pub fn settings(table: &Table) -> Result<Settings> {
    let mut values = Vec::new();
    flatten("", table, &mut values);
    if let Some((name, _)) = values.iter().enumerate().find_map(|(index, (name, value))| {
        values[..index].iter().any(|(other, _)| other == name).then_some((name, value))
    }) {
        return Err(Error::new(Code::ConfigValue, format!("settings.{name}: is there twice")));
    }
    let columns = values.iter().map(|(name, value)| Ok(Column::new(name.clone(), kind(name, value)?)));
    let mut builder = Builder::new(columns.collect::<Result<_>>()?);
    for (index, (_, value)) in values.iter().enumerate() {
        let column = builder.column(index);
        match value {
            Value::Boolean(value) => column.push_boolean(*value),
            Value::Integer(value) => column.push_int(*value),
            Value::Float(value) => column.push_float(*value),
            Value::String(value) => column.push_bytes(value.as_bytes()),
            Value::Array(items) => column.push_floats(items.iter().filter_map(number)),
            Value::Datetime(_) | Value::Table(_) => unreachable!("has no kind, or was flattened"),
        }
    }
    builder.finish_row();
    Ok(builder.seal())
}

fn flatten<'a>(prefix: &str, table: &'a Table, into: &mut Vec<(String, &'a Value)>) {
    for (key, value) in table {
        let name = format!("{prefix}{key}");
        match value {
            Value::Table(inner) => flatten(&format!("{name}."), inner, into),
            value => into.push((name, value)),
        }
    }
}

fn kind(name: &str, value: &Value) -> Result<Kind> {
    match value {
        Value::Boolean(_) => Ok(Kind::Boolean),
        Value::Integer(_) => Ok(Kind::Int),
        Value::Float(_) => Ok(Kind::Float),
        Value::String(_) => Ok(Kind::Text),
        Value::Array(items) if items.iter().all(|item| number(item).is_some()) => Ok(Kind::Floats),
        value => {
            let message = format!(
                "settings.{name}: {} can't be given to a plugin; a list may hold numbers only, and no integer that f32 has not",
                value.type_str()
            );
            Err(Error::new(Code::ConfigValue, message))
        }
    }
}

/// An integer must be one that an `f32` can hold.
fn number(value: &Value) -> Option<f32> {
    let whole = |value: i64| (value as f32 as i64 == value).then_some(value as f32);
    value.as_float().map(|value| value as f32).or_else(|| value.as_integer().and_then(whole))
}
