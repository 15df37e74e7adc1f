//! Ready-made folds beside folds of its own that must give the same: one that can take entries out, one
//! that can't. An amount of 13 makes the first one trap.

use tailwater_sdk::prelude::*;

/// All that is looked at of an event, and what its entry keeps.
#[derive(Row)]
struct Entry {
    amount: f64,
}

#[derive(Register)]
struct Total {
    cents: i64,
    entries: u64,
}

/// The sum of amounts, in whole cents.
struct Cents;

impl Fold for Cents {
    type Entry = Entry;
    type Register = Total;
    type Cell = i64;
    const NAME: &'static str = "cents";
    const INVERTIBLE: bool = true;

    fn add(total: &mut Total, entry: &Entry, _: Time) {
        assert!(entry.amount != 13.0, "thirteen is too much");
        total.cents += (entry.amount * 100.0).round() as i64;
        total.entries += 1;
    }

    fn retract(total: &mut Total, entry: &Entry, _: Time) {
        total.cents -= (entry.amount * 100.0).round() as i64;
        total.entries -= 1;
    }

    fn merge(total: &mut Total, other: &Total) {
        total.cents += other.cents;
        total.entries += other.entries;
    }

    fn emit(total: &Total) -> i64 {
        total.cents
    }
}

#[derive(Register)]
struct Bounds {
    least: f64,
    greatest: f64,
    entries: u64,
}

/// Largest minus smallest amount.
struct Range;

impl Fold for Range {
    type Entry = Entry;
    type Register = Bounds;
    type Cell = f64;
    const NAME: &'static str = "range";

    fn add(bounds: &mut Bounds, entry: &Entry, _: Time) {
        if bounds.entries == 0 {
            (bounds.least, bounds.greatest) = (entry.amount, entry.amount);
        }
        bounds.least = bounds.least.min(entry.amount);
        bounds.greatest = bounds.greatest.max(entry.amount);
        bounds.entries += 1;
    }

    fn merge(bounds: &mut Bounds, other: &Bounds) {
        if other.entries > 0 {
            bounds.least = bounds.least.min(other.least);
            bounds.greatest = bounds.greatest.max(other.greatest);
            bounds.entries += other.entries;
        }
    }

    fn emit(bounds: &Bounds) -> f64 {
        bounds.greatest - bounds.least
    }
}

#[derive(Windows)]
struct Seen {
    #[fold(Cents, "1m")]
    cents_1m: i64,
    #[fold(Cents, "forever")]
    cents: i64,
    #[fold(Range, "1m")]
    range_1m: f64,
    #[sum("amount", "1m")]
    sum_1m: f64,
    #[sum("amount", "forever")]
    sum: f64,
    #[min("amount", "1m")]
    least_1m: f64,
    #[max("amount", "1m")]
    greatest_1m: f64,
}

#[derive(Features)]
struct Both {
    cents_1m: f32,
    sum_1m: f32,
    cents: f32,
    sum: f32,
    range_1m: f32,
    extremes_1m: f32,
}

#[features]
fn features(_: &Entry, seen: &Seen) -> Both {
    Both {
        cents_1m: seen.cents_1m as f32 / 100.0,
        sum_1m: seen.sum_1m as f32,
        cents: seen.cents as f32 / 100.0,
        sum: seen.sum as f32,
        range_1m: seen.range_1m as f32,
        extremes_1m: (seen.greatest_1m - seen.least_1m) as f32,
    }
}
