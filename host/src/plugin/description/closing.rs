//! What only the descriptions of plugins have to obey that work on closed windows.

use super::{Check, columns, refuse};
use crate::columns::{Column, Kind};
use crate::contract::{Aggregate, Fold, WINDOW_END, WINDOW_REVISION, WINDOW_START, Window};

/// `taken`: columns of a closed window.
pub(super) fn check(taken: &[Column], aggregates: &[Aggregate]) -> Check {
    columns("column of a closed window", taken)?;
    taken.iter().try_for_each(column)?;
    let first = aggregates.first().ok_or("the trigger close, but no aggregate, so that no window closes")?;
    let closes = matches!(first.window, Window::Tumbling(_) | Window::Hopping { .. } | Window::Session(_));
    refuse(!closes, || {
        let Aggregate { name, window, .. } = first;
        format!(
            "the trigger close, but aggregate `{name}` with a {} window, which never closes",
            window.name()
        )
    })?;
    for Aggregate { name, fold, window, .. } in aggregates {
        refuse(*window != first.window, || {
            format!("the trigger close, but aggregates `{}` and `{name}` with different windows", first.name)
        })?;
        refuse(matches!(fold, Fold::Latest | Fold::SinceLatest | Fold::Custom(_)), || {
            format!("the trigger close, but aggregate `{name}` as {}, which a row alone can see", fold.name())
        })?;
    }
    Ok(())
}

fn column(Column { name, kind, nullable }: &Column) -> Check {
    refuse(*nullable, || format!("column `{name}` of a closed window as nullable, which it never is"))?;
    let right = match name.as_str() {
        WINDOW_START | WINDOW_END => Kind::Time,
        WINDOW_REVISION => Kind::Int,
        _ => *kind,
    };
    refuse(*kind != right, || format!("column `{name}` of a closed window as {kind}, which must be {right}"))
}
