//! A vector for each minute of a buyer.

use tailwater_sdk::prelude::*;

#[derive(Row)]
struct Purchase {
    amount: i64,
}

#[derive(Row)]
struct Minute<'a> {
    buyer: &'a str,
    #[column("@start")]
    start: Time,
    #[column("@end")]
    end: Time,
}

#[derive(Windows)]
struct Spent {
    #[count(tumbling("1m"))]
    purchases: i64,
    #[sum("amount", tumbling("1m"))]
    sum: i64,
    #[max("amount", tumbling("1m"))]
    most: Option<i64>,
}

#[derive(Features)]
struct Vector {
    purchases: i64,
    sum: i64,
    most: Option<i64>,
    seconds: i64,
    letters: i64,
}

#[features(on_close = Purchase)]
fn features(minute: &Minute<'_>, spent: &Spent) -> Vector {
    let Spent { purchases, sum, most } = *spent;
    let seconds = (minute.end.0 - minute.start.0) / 1_000;
    Vector { purchases, sum, most, seconds, letters: minute.buyer.len() as i64 }
}
