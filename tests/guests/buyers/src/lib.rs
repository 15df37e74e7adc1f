//! A window of each kind, by buyer.

use tailwater_sdk::prelude::*;

#[derive(Row)]
struct Purchase<'a> {
    amount: i64,
    shop: &'a str,
}

#[derive(Windows)]
struct Buyer {
    #[count("1m")]
    sliding: i64,
    #[sum("amount", hopping("1m", "20s"))]
    hopping: i64,
    #[sum("amount", tumbling("1m"))]
    tumbling: i64,
    #[count(session("10s"))]
    session: i64,
    #[sum("amount", last(3))]
    last: i64,
    #[distinct("shop", "1m")]
    shops: i64,
    #[max("amount", "forever")]
    most: Option<i64>,
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
}

#[features]
fn features(_: &Purchase<'_>, buyer: &Buyer) -> Vector {
    let Buyer { sliding, hopping, tumbling, session, last, shops, most } = *buyer;
    Vector { sliding, hopping, tumbling, session, last, shops, most }
}
