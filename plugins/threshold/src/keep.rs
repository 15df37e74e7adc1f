//! The setting `keep`: `user_id: int, card.country: text?`.

use tailwater_sdk::{Column, Kind, position};

/// Columns that every record out has.
pub(crate) const SCORE: &str = "score";
pub(crate) const PREDICTION: &str = "prediction";

pub(crate) fn parse(keep: &str) -> Result<Vec<Column>, String> {
    let mut columns = Vec::new();
    for part in keep.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let column = column(part)?;
        if [SCORE, PREDICTION].contains(&&*column.name) || position(&columns, &column.name).is_some() {
            return Err(format!("setting `keep`: there are two columns `{}`", column.name));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn column(part: &str) -> Result<Column, String> {
    let wrong = || format!("setting `keep`: `{part}` is not like `user_id: int`");
    let (name, kind) = part.split_once(':').ok_or_else(wrong)?;
    let (name, kind) = (name.trim().to_owned(), kind.trim());
    if name.is_empty() {
        return Err(wrong());
    }
    let plain = kind.strip_suffix('?');
    let Some(kind) = Kind::named(plain.unwrap_or(kind).trim_end()) else {
        let kinds = Kind::ALL.map(Kind::name).join("`, `");
        return Err(format!("setting `keep`: `{kind}` is no kind; there are `{kinds}`"));
    };
    Ok(if plain.is_some() { Column::nullable(name, kind) } else { Column::new(name, kind) })
}
