//! Finding columns by name, with errors that help.

use crate::columns::{Column, Kind, position};
use crate::error::{Code, Error, Result};

/// Index in `have` of a column that `who` wants.
pub(super) fn find(who: &str, wanted: &Column, have: &[Column], whose: &str) -> Result<usize> {
    let Column { name, kind, nullable } = wanted;
    let mismatch = |message: String| Err(Error::new(Code::Mismatch, message));
    let Some(index) = position(have, name) else {
        return mismatch(format!("{who} wants the column {name} ({kind}); {whose} has {}", declared(have)));
    };
    if have[index].kind != *kind {
        return mismatch(format!(
            "{who} wants the column {name} as {kind}; {whose} gives {}",
            have[index].kind
        ));
    }
    if have[index].nullable && !nullable {
        return mismatch(format!("{who} wants a value in each row of {name}; {whose} may have rows without"));
    }
    Ok(index)
}

/// For errors: `a int, b text?`.
pub fn declared(columns: &[Column]) -> String {
    if columns.is_empty() {
        return "no columns".to_owned();
    }
    let mark = |column: &Column| if column.nullable { "?" } else { "" };
    let texts: Vec<String> = columns.iter().map(|c| format!("{} {}{}", c.name, c.kind, mark(c))).collect();
    texts.join(", ")
}

/// A column from `int` or `int?`.
pub(super) fn parse(name: &str, kind: &str) -> Option<Column> {
    let (kind, nullable) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
    let kinds = [
        Kind::Boolean,
        Kind::Int,
        Kind::Float,
        Kind::Single,
        Kind::Time,
        Kind::Text,
        Kind::Bytes,
        Kind::Floats,
    ];
    let kind = kinds.into_iter().find(|known| known.name() == kind)?;
    Some(Column { name: name.to_owned(), kind, nullable })
}
