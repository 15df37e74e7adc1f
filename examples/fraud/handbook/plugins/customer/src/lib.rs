//! What the handbook knows of a transaction by itself and of its customer. The amount the model takes from
//! the record.

use tailwater_sdk::prelude::*;

#[derive(Row, Clone)]
pub struct Transaction {
    event_time: Time,
    amount: f64,
}

/// Of the customer, this transaction included.
#[derive(Windows, Clone, Default)]
pub struct Customer {
    #[count("1d")]
    count_1d: f32,
    #[mean("amount", "1d")]
    mean_1d: f32,
    #[count("7d")]
    count_7d: f32,
    #[mean("amount", "7d")]
    mean_7d: f32,
    #[count("30d")]
    count_30d: f32,
    #[mean("amount", "30d")]
    mean_30d: f32,
}

#[derive(Features)]
pub struct Vector {
    during_weekend: bool,
    during_night: bool,
    customer_count_1d: f32,
    customer_mean_1d: f32,
    customer_count_7d: f32,
    customer_mean_7d: f32,
    customer_count_30d: f32,
    customer_mean_30d: f32,
}

/// The last hour of the handbook's night.
const NIGHT_ENDS: u32 = 6;

#[features]
fn features(transaction: &Transaction, customer: &Customer) -> Vector {
    let event_time = transaction.event_time;
    Vector {
        during_weekend: event_time.is_weekend(),
        during_night: event_time.hour_of_day() <= NIGHT_ENDS,
        customer_count_1d: customer.count_1d,
        customer_mean_1d: customer.mean_1d,
        customer_count_7d: customer.count_7d,
        customer_mean_7d: customer.mean_7d,
        customer_count_30d: customer.count_30d,
        customer_mean_30d: customer.mean_30d,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tailwater_sdk::testing;

    /// 2018-04-01, a Sunday.
    const SUNDAY: i64 = 1_522_540_800_000;
    const HOUR: i64 = 3_600_000;

    fn at(hour: i64) -> Transaction {
        Transaction { event_time: Time(SUNDAY + hour * HOUR), amount: 57.16 }
    }

    #[test]
    fn the_night_ends_before_seven_and_the_weekend_on_monday() {
        let clock = |hour| {
            let vector = features(&at(hour), &Customer::default());
            (vector.during_weekend, vector.during_night)
        };
        assert_eq!(clock(0), (true, true));
        assert_eq!(clock(6), (true, true));
        assert_eq!(clock(7), (true, false));
        assert_eq!(clock(24), (false, true));
        assert_eq!(clock(-25), (false, false));
    }

    #[test]
    fn the_vector_has_the_order_of_the_handbook() {
        let mut running = testing::start(plugin(), &[]).unwrap();
        let customer = Customer {
            count_1d: 1.0,
            mean_1d: 2.0,
            count_7d: 3.0,
            mean_7d: 4.0,
            count_30d: 5.0,
            mean_30d: 6.0,
        };
        let vectors = running.compute(&[at(0)], &[customer]);
        assert_eq!(vectors.vector(0), [1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }
}
