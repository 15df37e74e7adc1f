//! A fold that takes over what an older version of it left.

use tailwater_sdk::prelude::*;
use tailwater_sdk::testing;

#[derive(Row)]
struct Payment {
    amount: f64,
}

#[derive(Register, Debug, PartialEq)]
struct Sum {
    amount: f64,
    payments: u64,
}

/// In version 1 the sum alone, in cents; in version 2 as it is.
struct Total;

impl Fold for Total {
    type Entry = Payment;
    type Register = Sum;
    type Cell = f64;
    const NAME: &'static str = "total";
    const VERSION: u32 = 3;

    fn add(sum: &mut Sum, payment: &Payment, _: Time) {
        sum.amount += payment.amount;
        sum.payments += 1;
    }

    fn merge(sum: &mut Sum, other: &Sum) {
        sum.amount += other.amount;
        sum.payments += other.payments;
    }

    fn emit(sum: &Sum) -> f64 {
        sum.amount
    }

    fn migrate(version: u32, register: &[u8]) -> Option<Sum> {
        match version {
            1 => Some(Sum { amount: i64::load(register) as f64 / 100.0, payments: 0 }),
            2 => Some(Sum { amount: f64::load(register), payments: 0 }),
            _ => None,
        }
    }
}

/// It has no `migrate`.
struct Most;

impl Fold for Most {
    type Entry = Payment;
    type Register = f64;
    type Cell = f64;
    const NAME: &'static str = "most";
    const VERSION: u32 = 2;

    fn add(most: &mut f64, payment: &Payment, _: Time) {
        *most = most.max(payment.amount);
    }

    fn merge(most: &mut f64, other: &f64) {
        *most = most.max(*other);
    }

    fn emit(most: &f64) -> f64 {
        *most
    }
}

#[derive(Windows)]
struct Card {
    #[fold(Total, "forever")]
    total: f64,
    #[fold(Most, "forever")]
    most: f64,
}

#[derive(Features)]
struct Vector {
    total: f64,
    most: f64,
}

#[features]
fn features(_: &Payment, card: &Card) -> Vector {
    Vector { total: card.total, most: card.most }
}

#[test]
fn registers_of_older_versions_are_taken_over() {
    let mut running = testing::start(plugin(), &[]).expect("no settings");
    let sum = |amount| Sum { amount, payments: 0 };
    let new: Vec<Sum> = running.migrate(0, 1, &[250_i64, -7]).expect("version 1 is known");
    assert_eq!(new, [sum(2.5), sum(-0.07)]);
    let new: Vec<Sum> = running.migrate(0, 2, &[0.0_f64, 4.5]).expect("version 2 is known");
    assert_eq!(new, [sum(0.0), sum(4.5)]);
}

#[test]
fn what_is_not_known_is_refused_in_words() {
    let mut running = testing::start(plugin(), &[]).expect("no settings");
    let why = running.migrate::<f64, Sum>(0, 4, &[1.0]).expect_err("nobody knows version 4");
    assert_eq!(why, "the fold total, version 3, has no `migrate` for registers of version 4");
    let why = running.migrate::<f64, f64>(1, 1, &[1.0]).expect_err("it has none");
    assert_eq!(why, "the fold most, version 2, has no `migrate` for registers of version 1");
    assert_eq!(
        running.migrate::<f64, f64>(2, 1, &[1.0]).expect_err("there is none"),
        "there is no such fold"
    );
}
