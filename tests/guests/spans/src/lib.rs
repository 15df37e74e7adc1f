//! Windows of a card that the guest `other-spans` has otherwise.

use tailwater_sdk::prelude::*;

#[derive(Row)]
struct Payment {
    amount: f64,
}

#[derive(Windows)]
struct Card {
    #[count("1m")]
    count: i64,
    #[sum("amount", "1m")]
    minute: f64,
    #[sum("amount", "forever")]
    ever: f64,
}

#[derive(Features)]
struct Vector {
    count: i64,
    minute: f64,
    ever: f64,
}

#[features]
fn features(_: &Payment, card: &Card) -> Vector {
    let Card { count, minute, ever } = *card;
    Vector { count, minute, ever }
}
