//! Windows of a card that the guest `spans` has otherwise: one goes, one is shorter, one keeps another column.

use tailwater_sdk::prelude::*;

#[derive(Row)]
struct Payment {
    amount: f64,
    id: i64,
}

#[derive(Windows)]
struct Card {
    #[sum("amount", "30s")]
    lately: f64,
    #[max("amount", "1m")]
    most: Option<f64>,
    #[min("id", "30s")]
    first: Option<i64>,
    #[sum("amount", "forever")]
    ever: f64,
}

#[derive(Features)]
struct Vector {
    lately: f64,
    most: Option<f64>,
    first: Option<i64>,
    ever: f64,
}

#[features]
fn features(_: &Payment, card: &Card) -> Vector {
    let Card { lately, most, first, ever } = *card;
    Vector { lately, most, first, ever }
}
