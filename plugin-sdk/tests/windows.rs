//! What the compiler says of windows that don't fit the row. It evaluates `kind_of`; so do these tests.

use std::panic::catch_unwind;

use tailwater_sdk::prelude::*;
use tailwater_sdk::{Cell, Kind, kind_of};

#[derive(Row)]
#[allow(dead_code)]
struct Payment {
    amount: f64,
    tip: Option<f64>,
    items: i64,
    at: Time,
    declined: bool,
    single: f32,
}

struct Largest;

#[derive(Row)]
struct Entry {
    amount: f64,
}

#[derive(Register)]
struct Most {
    amount: f64,
}

impl Fold for Largest {
    type Entry = Entry;
    type Register = Most;
    type Cell = Option<f64>;
    const NAME: &'static str = "largest";

    fn add(most: &mut Most, entry: &Entry, _: Time) {
        most.amount = most.amount.max(entry.amount);
    }

    fn merge(most: &mut Most, other: &Most) {
        most.amount = most.amount.max(other.amount);
    }

    fn emit(most: &Most) -> Option<f64> {
        Some(most.amount)
    }
}

/// The kind of a field's value, or what the compiler says.
fn kind<W: Windows, R: tailwater_sdk::Fields, T: Cell>(field: usize) -> Result<Kind, String> {
    catch_unwind(|| kind_of::<W, R, T>(field)).map_err(|panic| *panic.downcast::<String>().expect("a text"))
}

#[test]
fn the_kind_of_a_value_follows_from_fold_and_column() {
    #[derive(Windows)]
    #[allow(dead_code)]
    struct W {
        #[count("1h")]
        count: i64,
        #[sum("amount", "1h")]
        sum: f64,
        #[sum("at", "1h")]
        times: i64,
        #[sum("declined", "1h")]
        declined: i64,
        #[min("at", "1h")]
        first: Option<Time>,
        #[max("single", "1h")]
        most: Option<f64>,
        #[latest("declined")]
        before: Option<i64>,
        #[mean("items", "1h", filter = "declined")]
        mean: Option<f64>,
        #[fold(Largest, "1h")]
        largest: Option<f64>,
    }
    let kinds: Vec<_> = (0..9).map(|field| kind::<W, Payment, f64>(field).unwrap()).collect();
    let (float, int) = (Kind::Float, Kind::Int);
    assert_eq!(kinds, [int, float, int, int, Kind::Time, float, int, float, float]);
}

#[test]
fn mistakes_name_the_field_and_the_column() {
    #[derive(Windows)]
    #[allow(dead_code)]
    struct W {
        #[sum("amuont", "7d")]
        sum: f64,
        #[count("7d", filter = "amount")]
        filtered: i64,
        #[count("7d", filter = "decined")]
        missing: i64,
        #[mean("items", "7d")]
        mean: i64,
        #[fold(Largest, "7d")]
        largest: f64,
    }
    #[derive(Row)]
    #[allow(dead_code)]
    struct Other {
        amount: i64,
    }
    #[derive(Row)]
    #[allow(dead_code)]
    struct Gaps {
        amount: Option<f64>,
    }
    let says = |found: Result<Kind, String>| found.unwrap_err();
    assert_eq!(says(kind::<W, Payment, f64>(0)), "W::sum: the row has no column `amuont`");
    assert_eq!(says(kind::<W, Payment, i64>(1)), "W::filtered: the row has no boolean column `amount`");
    assert_eq!(says(kind::<W, Payment, i64>(2)), "W::missing: the row has no boolean column `decined`");
    assert_eq!(says(kind::<W, Payment, i64>(3)), "W::mean: the value is of another type than the field");
    let entry = "W::largest: the row lacks a column of the entry of Largest, or has it with another type";
    assert_eq!(says(kind::<W, Other, f64>(4)), entry);
    assert_eq!(says(kind::<W, Gaps, f64>(4)), entry);
    assert_eq!(kind::<W, Payment, f64>(4), Ok(Kind::Float));
}
