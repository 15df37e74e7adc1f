//! The guest `marked-buyers` with other windows: two are gone, another is reckoned from other values, one is new.

use tailwater_sdk::prelude::*;

/// Of windows that are gone. No value of a window is less than zero.
const GONE: i64 = -1;

#[derive(Settings)]
struct Marks {
    buyer: f64,
}

#[derive(Row)]
struct Purchase<'a> {
    amount: i64,
    shop: &'a str,
    id: i64,
}

#[derive(Windows)]
struct Buyer {
    #[count("1m")]
    sliding: i64,
    #[count(session("10s"))]
    session: i64,
    #[count(last(3))]
    few: i64,
    #[mean("amount", last(3))]
    mean: Option<f64>,
    #[distinct("shop", "1m")]
    shops: i64,
    #[max("amount", "forever")]
    most: Option<i64>,
    #[distinct("id", "30s")]
    ids: i64,
}

#[derive(Features)]
struct Vector {
    sliding: i64,
    hopping: i64,
    tumbling: i64,
    session: i64,
    last: i64,
    shops: i64,
    most: Option<i64>,
    ids: i64,
    buyers_build: i64,
    buyers_setting: f64,
}

#[features]
fn features(_: &Purchase<'_>, buyer: &Buyer, marks: &Marks) -> Vector {
    let Buyer { sliding, session, few, mean, shops, most, ids } = *buyer;
    Vector {
        sliding,
        hopping: GONE,
        tumbling: GONE,
        session,
        last: (mean.unwrap_or_default() * few as f64).round() as i64,
        shops,
        most,
        ids,
        buyers_build: marks::build(),
        buyers_setting: marks.buyer,
    }
}
