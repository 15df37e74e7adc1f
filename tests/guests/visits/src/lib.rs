//! A vector for each visit of a buyer: purchases that are no further apart than ten seconds.

use tailwater_sdk::prelude::*;

#[derive(Row)]
struct Purchase {
    amount: i64,
}

#[derive(Row)]
struct Visit {
    #[column("@revision")]
    revision: i64,
}

#[derive(Windows)]
struct Spent {
    #[count(session("10s"))]
    purchases: i64,
    #[sum("amount", session("10s"))]
    sum: i64,
}

#[derive(Features)]
struct Vector {
    purchases: i64,
    sum: i64,
    again: bool,
}

#[features(on_close = Purchase)]
fn features(visit: &Visit, spent: &Spent) -> Vector {
    Vector { purchases: spent.purchases, sum: spent.sum, again: visit.revision > 0 }
}
