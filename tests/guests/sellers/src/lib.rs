//! What tables say of a purchase: of its shop, by a text, and of its amount, by an int.

use tailwater_sdk::prelude::*;

#[derive(Row)]
struct Purchase<'a> {
    shop: &'a str,
    amount: i64,
}

#[derive(Windows)]
struct Known<'a> {
    #[lookup("sellers", "shop", "risk")]
    risk: Option<f64>,
    #[count("1m")]
    purchases: i64,
    #[lookup("prizes", "amount", "points")]
    points: Option<i64>,
    #[lookup("sellers", "shop", "country")]
    country: Option<&'a str>,
}

#[derive(Features)]
struct Vector {
    risk: Option<f64>,
    purchases: i64,
    points: Option<i64>,
    letters: Option<i64>,
    told: i64,
}

#[features]
fn features(purchase: &Purchase<'_>, known: &Known<'_>) -> Vector {
    let Known { risk, purchases, points, country } = *known;
    let letters = country.map(|country| country.len() as i64);
    Vector { risk, purchases, points, letters, told: purchase.shop.len() as i64 + purchase.amount }
}
