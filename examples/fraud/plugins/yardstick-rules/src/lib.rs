//! Step 4 of the yardstick's job: what is done with a transaction.

use tailwater_sdk::prelude::*;

#[derive(View)]
struct Scored<'a> {
    transaction_id: i64,
    customer_id: i64,
    amount: f64,
    #[features]
    features: &'a [f32],
    #[score]
    score: f32,
}

#[derive(Row)]
struct Decision<'a> {
    transaction_id: i64,
    customer_id: i64,
    score: f32,
    decision: &'a str,
    features: &'a [f32],
}

#[derive(Routes)]
enum Route {
    Scores,
}

#[rules]
fn decide<'a>(scored: &Scored<'a>) -> (Route, Decision<'a>) {
    let Scored { transaction_id, customer_id, amount, features, score } = *scored;
    let decision = match score {
        _ if score >= 0.5 || amount > 220.0 => "block",
        _ if score >= 0.1 => "review",
        _ => "allow",
    };
    (Route::Scores, Decision { transaction_id, customer_id, score, decision, features })
}
