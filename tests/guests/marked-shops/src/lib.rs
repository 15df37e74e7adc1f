//! The windows of the guest `shops`, and what tells whose they are; of the stage before it sees the same.

use tailwater_sdk::prelude::*;

#[derive(Settings)]
struct Marks {
    shop: f64,
}

#[derive(Row)]
struct Purchase {
    amount: i64,
    sliding: f32,
    buyers_build: f32,
    buyers_setting: f32,
}

#[derive(Row)]
struct Complaint {
    grave: bool,
}

#[derive(Windows)]
#[input("complaints", Complaint)]
struct Shop {
    #[sum("amount", "1m")]
    turnover: i64,
    #[count("2m", from = "complaints")]
    complaints: i64,
    #[mean("grave", "2m", from = "complaints")]
    grave: Option<f64>,
}

#[derive(Features)]
struct Vector {
    turnover: i64,
    complaints: i64,
    grave: Option<f64>,
    /// Of the stage before.
    seen_before: f32,
    shops_build: i64,
    shops_setting: f64,
    /// Sums of what both stages have.
    builds: f64,
    settings: f64,
}

#[features]
fn features(purchase: &Purchase, shop: &Shop, marks: &Marks) -> Vector {
    let (build, setting) = (marks::build(), marks.shop);
    Vector {
        turnover: shop.turnover,
        complaints: shop.complaints,
        grave: shop.grave,
        seen_before: purchase.sliding,
        shops_build: build,
        shops_setting: setting,
        builds: f64::from(purchase.buyers_build) + build as f64,
        settings: f64::from(purchase.buyers_setting) + setting,
    }
}
