//! A vector for each minute of a shop, with what a table says of the shop.

use tailwater_sdk::prelude::*;

#[derive(Row)]
struct Purchase {
    amount: i64,
}

#[derive(Row)]
struct Minute<'a> {
    #[column("@start")]
    start: Time,
    shop: &'a str,
}

#[derive(Windows)]
struct Sold {
    #[lookup("sellers", "shop", "risk")]
    risk: Option<f64>,
    #[sum("amount", tumbling("1m"))]
    sum: i64,
}

#[derive(Features)]
struct Vector {
    risk: Option<f64>,
    sum: i64,
    second: i64,
    letters: i64,
}

#[features(on_close = Purchase)]
fn features(minute: &Minute<'_>, sold: &Sold) -> Vector {
    let Sold { risk, sum } = *sold;
    Vector { risk, sum, second: minute.start.0 / 1_000 % 60, letters: minute.shop.len() as i64 }
}
