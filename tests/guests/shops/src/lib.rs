//! By shop: purchases, and complaints that come from a source of their own. It sees a feature of the stage
//! before.

use tailwater_sdk::prelude::*;

#[derive(Row)]
struct Purchase {
    amount: i64,
    sliding: f32,
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
}

#[features]
fn features(purchase: &Purchase, shop: &Shop) -> Vector {
    Vector {
        turnover: shop.turnover,
        complaints: shop.complaints,
        grave: shop.grave,
        seen_before: purchase.sliding,
    }
}
