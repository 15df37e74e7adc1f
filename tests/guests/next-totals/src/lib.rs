//! The fold of the guest `totals` in its next version, which takes over what that one left.

use tailwater_sdk::prelude::*;

#[derive(Row)]
struct Payment {
    amount: f64,
}

#[derive(Register)]
struct Sum {
    amount: f64,
    /// Since version 2.
    payments: u64,
}

/// The sum of amounts.
struct Total;

impl Fold for Total {
    type Entry = Payment;
    type Register = Sum;
    type Cell = f64;
    const NAME: &'static str = "total";
    const VERSION: u32 = 2;
    const INVERTIBLE: bool = true;

    fn add(sum: &mut Sum, payment: &Payment, _: Time) {
        sum.amount += payment.amount;
        sum.payments += 1;
    }

    fn retract(sum: &mut Sum, payment: &Payment, _: Time) {
        sum.amount -= payment.amount;
        sum.payments -= 1;
    }

    fn merge(sum: &mut Sum, other: &Sum) {
        sum.amount += other.amount;
        sum.payments += other.payments;
    }

    fn emit(sum: &Sum) -> f64 {
        sum.amount
    }

    fn migrate(version: u32, register: &[u8]) -> Option<Sum> {
        (version == 1).then(|| Sum { amount: i64::load(register) as f64 / 100.0, payments: 0 })
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
