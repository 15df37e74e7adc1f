//! The windows of the guest `buyers`, and what tells whose they are: the build of the plugin, and a setting.

use tailwater_sdk::prelude::*;

#[derive(Settings)]
struct Marks {
    buyer: f64,
}

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
    buyers_build: i64,
    buyers_setting: f64,
}

#[features]
fn features(_: &Purchase<'_>, buyer: &Buyer, marks: &Marks) -> Vector {
    let Buyer { sliding, hopping, tumbling, session, last, shops, most } = *buyer;
    let (buyers_build, buyers_setting) = (marks::build(), marks.buyer);
    Vector { sliding, hopping, tumbling, session, last, shops, most, buyers_build, buyers_setting }
}
