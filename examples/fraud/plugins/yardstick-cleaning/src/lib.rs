//! Step 1 of the yardstick's job: what is no transaction is refused.

use tailwater_sdk::prelude::*;

#[derive(Row)]
struct Transaction {
    transaction_id: i64,
    event_time: Time,
    customer_id: i64,
    terminal_id: i64,
    amount: f64,
}

#[preprocessor]
fn clean(transaction: &Transaction) -> Result<Transaction, Rejection> {
    let Transaction { transaction_id, event_time, customer_id, terminal_id, amount } = *transaction;
    if amount < 0.0 || !(amount as f32).is_finite() {
        return Err(Rejection::new(1, "the amount is negative or too large"));
    }
    Ok(Transaction { transaction_id, event_time, customer_id, terminal_id, amount })
}
