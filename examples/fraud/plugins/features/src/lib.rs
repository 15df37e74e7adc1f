//! What is usual for a card, and how far a transaction is from it.

use tailwater_sdk::prelude::*;

#[derive(Row, Clone)]
pub struct Transaction {
    event_time: Time,
    amount_eur: f64,
    is_online: bool,
    is_abroad: bool,
    is_declined: bool,
}

/// Of the card, the transaction itself included.
#[derive(Windows, Clone, Default)]
pub struct History {
    #[count("1h")]
    count_1h: i64,
    #[count("1d")]
    count_1d: i64,
    #[count("7d")]
    count_7d: i64,
    #[sum("amount_eur", "1d")]
    sum_1d: f64,
    #[mean("amount_eur", "7d")]
    mean_7d: f64,
    #[mean("amount_eur", "30d")]
    mean_30d: f64,
    #[max("amount_eur", "30d")]
    max_30d: f64,
    #[count("1h", filter = "is_declined")]
    declined_1h: i64,
    #[count("1d", filter = "is_abroad")]
    abroad_1d: i64,
    #[count("forever")]
    seen: i64,
    #[since_latest]
    since_latest: Option<i64>,
}

/// `None`: not known, which the model takes for a missing value.
#[derive(Features, Debug, PartialEq)]
pub struct Vector {
    amount: f64,
    /// Of the day, in UTC.
    hour: u32,
    weekend: bool,
    night: bool,
    online: bool,
    abroad: bool,
    count_1h: i64,
    count_1d: i64,
    count_7d: i64,
    sum_1d: f64,
    mean_7d: f64,
    mean_30d: f64,
    /// Amount to the mean of 30 days; unknown for a card's first transactions.
    ratio_to_mean: Option<f64>,
    max_30d: f64,
    declined_1h: i64,
    abroad_1d: i64,
    seconds_since_latest: Option<f64>,
}

/// A mean of fewer transactions says nothing.
const ENOUGH: i64 = 3;

#[features]
fn features(t: &Transaction, h: &History) -> Vector {
    let hour = t.event_time.hour_of_day();
    Vector {
        amount: t.amount_eur,
        hour,
        weekend: t.event_time.is_weekend(),
        night: hour < 6,
        online: t.is_online,
        abroad: t.is_abroad,
        count_1h: h.count_1h,
        count_1d: h.count_1d,
        count_7d: h.count_7d,
        sum_1d: h.sum_1d,
        mean_7d: h.mean_7d,
        mean_30d: h.mean_30d,
        ratio_to_mean: (h.seen >= ENOUGH && h.mean_30d > 0.0).then(|| t.amount_eur / h.mean_30d),
        max_30d: h.max_30d,
        declined_1h: h.declined_1h,
        abroad_1d: h.abroad_1d,
        seconds_since_latest: h.since_latest.map(|millis| millis as f64 / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tailwater_sdk::testing;

    /// A Saturday, 04:30.
    const AT: Time = Time(1_772_253_000_000);

    fn transaction() -> Transaction {
        Transaction {
            event_time: AT,
            amount_eur: 60.0,
            is_online: true,
            is_abroad: false,
            is_declined: false,
        }
    }

    #[test]
    fn the_clock_is_that_of_the_event() {
        let vector = features(&transaction(), &History::default());
        assert_eq!((vector.hour, vector.night, vector.weekend), (4, true, true));
        let noon = Transaction { event_time: Time(AT.0 + 8 * 3_600_000), ..transaction() };
        assert!(!features(&noon, &History::default()).night);
    }

    #[test]
    fn a_new_card_has_no_usual_amount() {
        let ratio = |seen| {
            let history = History { seen, mean_30d: 20.0, ..History::default() };
            features(&transaction(), &history).ratio_to_mean
        };
        assert_eq!(ratio(2), None);
        assert_eq!(ratio(3), Some(3.0));
    }

    #[test]
    fn what_is_unknown_reaches_the_model_as_nan() {
        let mut running = testing::start(plugin(), &[]).unwrap();
        let later = History { since_latest: Some(1_500), ..History::default() };
        let vectors = running.compute(&[transaction(), transaction()], &[History::default(), later]);
        let last = |row| *vectors.vector(row).last().unwrap();
        assert!(last(0_usize).is_nan());
        assert_eq!(last(1), 1.5);
    }
}
