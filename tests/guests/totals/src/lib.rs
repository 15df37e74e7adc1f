//! A fold that the guest `next-totals` has in its next version.

use tailwater_sdk::prelude::*;

#[derive(Row)]
struct Payment {
    amount: f64,
}

/// The sum of amounts, kept in cents.
struct Total;

impl Fold for Total {
    type Entry = Payment;
    type Register = i64;
    type Cell = f64;
    const NAME: &'static str = "total";
    const INVERTIBLE: bool = true;

    fn add(cents: &mut i64, payment: &Payment, _: Time) {
        *cents += (payment.amount * 100.0).round() as i64;
    }

    fn retract(cents: &mut i64, payment: &Payment, _: Time) {
        *cents -= (payment.amount * 100.0).round() as i64;
    }

    fn merge(cents: &mut i64, other: &i64) {
        *cents += other;
    }

    fn emit(cents: &i64) -> f64 {
        *cents as f64 / 100.0
    }
}

#[derive(Windows)]
struct Card {
    #[fold(Total, "1m")]
    minute: f64,
    #[fold(Total, "forever")]
    ever: f64,
}

#[derive(Features)]
struct Vector {
    minute: f64,
    ever: f64,
}

#[features]
fn features(_: &Payment, card: &Card) -> Vector {
    let Card { minute, ever } = *card;
    Vector { minute, ever }
}
