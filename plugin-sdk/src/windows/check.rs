//! Do windows fit the rows? Evaluated at compile time: a panic is a compile error.

use super::{Aggregate, CustomFold, Lookup, Side, Windows};
use crate::column::{Column, Kind};
use crate::describe::{Fold, Window};
use crate::row::Fields;

/// Kind of an aggregate's value.
pub(super) const fn cell_kind(
    wanted: &Aggregate,
    rows: &[Column],
    sides: &[Side],
    folds: &[CustomFold],
) -> Kind {
    let Aggregate { fold, mistakes, .. } = wanted;
    let columns = if wanted.input == 0 { rows } else { sides[wanted.input - 1].columns };
    if let Some(filter) = wanted.filter {
        match kind_of(columns, filter) {
            Some(Kind::Boolean) => {}
            _ => panic!("{}", mistakes.filter),
        }
    }
    let column = match wanted.column {
        None => None,
        Some(name) => match kind_of(columns, name) {
            None => panic!("{}", mistakes.column),
            Some(Kind::Floats) => panic!("{}", mistakes.kind),
            Some(Kind::Text | Kind::Bytes) if !matches!(fold, Fold::Count | Fold::Distinct) => {
                panic!("{}", mistakes.kind)
            }
            kind => kind,
        },
    };
    match fold {
        Fold::Count | Fold::SinceLatest | Fold::Distinct => Kind::Int,
        Fold::Sum | Fold::Min | Fold::Max | Fold::Latest => match column {
            Some(Kind::Float | Kind::Single) | None => Kind::Float,
            Some(Kind::Time) if !matches!(fold, Fold::Sum) => Kind::Time,
            Some(_) => Kind::Int,
        },
        Fold::Mean | Fold::Variance | Fold::Quantile(_) | Fold::DecayedMean(_) => Kind::Float,
        Fold::TopK(_) => Kind::Text,
        Fold::Custom(index) => {
            let fold = &folds[*index as usize];
            check_entry(fold.entry, columns, mistakes.column);
            fold.kind
        }
    }
}

/// An entry's columns must be columns of the rows, of the same kind, which can be kept, and nullable if
/// those are.
const fn check_entry(entry: &[Column], columns: &[Column], mistake: &str) {
    let mut n = 0;
    while n < entry.len() {
        assert!(!entry[n].kind.is_list(), "an entry of a fold keeps no texts, bytes and lists of floats");
        match find(columns, entry[n].constant_name()) {
            Some(at) if columns[at].kind.is(entry[n].kind) => {
                assert!(entry[n].nullable || !columns[at].nullable, "{}", mistake);
            }
            _ => panic!("{}", mistake),
        }
        n += 1;
    }
}

/// The row must have the keys that `W` looks up by. `R`: what is given to the function.
#[doc(hidden)]
pub const fn check_lookups<W: Windows, R: Fields>() {
    let mut n = 0;
    while n < W::LOOKUPS.len() {
        let Lookup { key, mistake, .. } = W::LOOKUPS[n];
        match kind_of(R::COLUMNS, key) {
            Some(Kind::Int | Kind::Text | Kind::Bytes) => {}
            _ => panic!("{}", mistake),
        }
        n += 1;
    }
}

/// What is asked for must be known of closed windows. `R`: columns of one.
#[doc(hidden)]
pub const fn check_closing<W: Windows, R: Fields>() {
    assert!(
        !W::AGGREGATES.is_empty(),
        "a function on closed windows takes values of windows, which are at least one"
    );
    let window = W::AGGREGATES[0].window;
    let mut n = 0;
    while n < W::AGGREGATES.len() {
        let Aggregate { fold, window: other, mistakes, .. } = &W::AGGREGATES[n];
        let known = !matches!(fold, Fold::Latest | Fold::SinceLatest | Fold::Custom(_));
        assert!(known && closes_alike(window, *other), "{}", mistakes.closing);
        n += 1;
    }
    check_closed(R::COLUMNS);
}

const fn closes_alike(window: Window, other: Window) -> bool {
    match (window, other) {
        (Window::Tumbling(a), Window::Tumbling(b)) | (Window::Session(a), Window::Session(b)) => a == b,
        (Window::Hopping { size, slide }, Window::Hopping { size: other, slide: by }) => {
            size == other && slide == by
        }
        _ => false,
    }
}

const fn check_closed(columns: &[Column]) {
    let mut n = 0;
    while n < columns.len() {
        let name = columns[n].constant_name();
        let time = columns[n].kind.is(Kind::Time);
        assert!(!columns[n].nullable, "a column of a closed window has a value in each: it is no Option");
        assert!(time || !same(name, "@start"), "`@start` of a closed window is a Time");
        assert!(time || !same(name, "@end"), "`@end` of a closed window is a Time");
        assert!(
            columns[n].kind.is(Kind::Int) || !same(name, "@revision"),
            "`@revision` of a closed window is an i64"
        );
        n += 1;
    }
}

const fn kind_of(columns: &[Column], name: &str) -> Option<Kind> {
    match find(columns, name) {
        Some(at) => Some(columns[at].kind),
        None => None,
    }
}

const fn find(columns: &[Column], name: &str) -> Option<usize> {
    let mut n = 0;
    while n < columns.len() {
        if same(columns[n].constant_name(), name) {
            return Some(n);
        }
        n += 1;
    }
    None
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut n = 0;
    while n < a.len() && n < b.len() && a[n] == b[n] {
        n += 1;
    }
    n == a.len() && n == b.len()
}
