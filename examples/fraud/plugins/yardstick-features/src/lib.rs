//! Step 2 of the yardstick's job: nine features of a customer's last 30 days.

use tailwater_sdk::prelude::*;

#[derive(Row)]
struct Transaction {
    event_time: Time,
    amount: f64,
}

#[derive(Windows)]
struct History {
    #[count("1d")]
    count_1d: f64,
    #[mean("amount", "1d")]
    mean_1d: f64,
    #[count("7d")]
    count_7d: f64,
    #[mean("amount", "7d")]
    mean_7d: f64,
    #[count("30d")]
    count_30d: f64,
    #[mean("amount", "30d")]
    mean_30d: f64,
}

#[derive(Features)]
struct Nine {
    amount: f32,
    weekend: f32,
    night: f32,
    count_1d: f32,
    mean_1d: f32,
    count_7d: f32,
    mean_7d: f32,
    count_30d: f32,
    mean_30d: f32,
}

#[features]
fn features(transaction: &Transaction, history: &History) -> Nine {
    let Transaction { event_time, amount } = *transaction;
    Nine {
        amount: amount as f32,
        weekend: f32::from(u8::from(event_time.is_weekend())),
        night: f32::from(u8::from(event_time.hour_of_day() <= 6)),
        count_1d: history.count_1d as f32,
        mean_1d: history.mean_1d as f32,
        count_7d: history.count_7d as f32,
        mean_7d: history.mean_7d as f32,
        count_30d: history.count_30d as f32,
        mean_30d: history.mean_30d as f32,
    }
}
