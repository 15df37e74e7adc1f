//! Card transactions as terminals and shops send them, made comparable: amounts in euros, countries in
//! upper case. Test cards are dropped; what can't be a transaction is refused.

use tailwater_sdk::prelude::*;

/// As it comes.
#[derive(Row, Clone)]
pub struct Raw<'a> {
    transaction_id: i64,
    event_time: Time,
    #[column("card.id")]
    card_id: i64,
    #[column("card.country")]
    home: &'a str,
    /// Shops on the internet have one too.
    terminal_id: i64,
    #[column("merchant.country")]
    country: &'a str,
    #[column("merchant.category")]
    category: &'a str,
    amount: f64,
    currency: &'a str,
    channel: &'a str,
    status: &'a str,
}

/// As the other stages see it.
#[derive(Row, Debug, PartialEq)]
pub struct Transaction<'a> {
    transaction_id: i64,
    event_time: Time,
    card_id: i64,
    terminal_id: i64,
    amount_eur: f64,
    country: String,
    category: &'a str,
    is_online: bool,
    is_abroad: bool,
    is_declined: bool,
}

#[derive(Settings)]
pub struct Cleaning {
    /// Numbers of cards below this are for tests of terminals.
    test_cards_below: i64,
    /// In euros.
    #[default(50_000.0)]
    largest_amount: f64,
    /// Euros for one of each.
    #[name("rates.GBP")]
    gbp: f64,
    #[name("rates.USD")]
    usd: f64,
    #[name("rates.CHF")]
    chf: f64,
    #[name("rates.PLN")]
    pln: f64,
}

impl Cleaning {
    fn rate(&self, currency: &str) -> Option<f64> {
        match currency {
            "EUR" => Some(1.0),
            "GBP" => Some(self.gbp),
            "USD" => Some(self.usd),
            "CHF" => Some(self.chf),
            "PLN" => Some(self.pln),
            _ => None,
        }
    }
}

#[preprocessor]
fn clean<'a>(raw: &Raw<'a>, settings: &Cleaning) -> Result<Option<Transaction<'a>>, Rejection> {
    if raw.card_id < settings.test_cards_below {
        count("test cards", 1);
        return Ok(None);
    }
    let rate = settings.rate(raw.currency).ok_or(Rejection::new(1, "the currency is unknown"))?;
    // To the cent.
    let amount_eur = (raw.amount * rate * 100.0).round() / 100.0;
    if !(amount_eur > 0.0 && amount_eur <= settings.largest_amount) {
        return Err(Rejection::new(2, "the amount is impossible"));
    }
    Ok(Some(Transaction {
        transaction_id: raw.transaction_id,
        event_time: raw.event_time,
        card_id: raw.card_id,
        terminal_id: raw.terminal_id,
        amount_eur,
        country: raw.country.to_ascii_uppercase(),
        category: raw.category,
        is_online: raw.channel == "online",
        is_abroad: !raw.country.eq_ignore_ascii_case(raw.home),
        is_declined: raw.status == "declined",
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tailwater_sdk::testing;

    const SETTINGS: Cleaning = Cleaning {
        test_cards_below: 1_000,
        largest_amount: 50_000.0,
        gbp: 1.25,
        usd: 0.9,
        chf: 1.05,
        pln: 0.25,
    };

    fn raw() -> Raw<'static> {
        Raw {
            transaction_id: 17,
            event_time: Time(1_772_372_160_123),
            card_id: 4711,
            home: "DE",
            terminal_id: 88,
            country: "de",
            category: "grocery",
            amount: 100.0,
            currency: "EUR",
            channel: "chip",
            status: "approved",
        }
    }

    #[test]
    fn amounts_become_euros_and_countries_upper_case() {
        let clean = clean(&Raw { currency: "PLN", country: "pl", ..raw() }, &SETTINGS).unwrap().unwrap();
        assert_eq!((clean.amount_eur, clean.country.as_str(), clean.is_abroad), (25.0, "PL", true));
    }

    #[test]
    fn euros_are_rounded_to_the_cent() {
        let euros = |amount| {
            clean(&Raw { currency: "GBP", amount, ..raw() }, &SETTINGS).unwrap().map(|t| t.amount_eur)
        };
        assert_eq!(euros(0.07), Some(0.09));
        assert_eq!(clean(&Raw { amount: 0.004, ..raw() }, &SETTINGS).unwrap_err().code, 2);
    }

    #[test]
    fn home_is_home_in_whatever_case() {
        assert!(!clean(&raw(), &SETTINGS).unwrap().unwrap().is_abroad);
    }

    #[test]
    fn test_cards_leave_no_trace() {
        // Not even where the rest is nonsense.
        let test = Raw { card_id: 999, amount: -1.0, currency: "?", ..raw() };
        assert_eq!(clean(&test, &SETTINGS), Ok(None));
    }

    #[test]
    fn impossible_amounts_are_refused_in_euros() {
        let code =
            |amount, currency| clean(&Raw { amount, currency, ..raw() }, &SETTINGS).err().map(|e| e.code);
        assert_eq!(code(0.0, "EUR"), Some(2));
        assert_eq!(code(-5.0, "EUR"), Some(2));
        assert_eq!(code(f64::NAN, "EUR"), Some(2));
        assert_eq!(code(50_000.0, "EUR"), None);
        assert_eq!(code(50_000.0, "GBP"), Some(2));
        assert_eq!(code(150_000.0, "PLN"), None);
        assert_eq!(code(1.0, "XTS"), Some(1));
    }

    #[test]
    fn rates_come_from_a_table_of_the_settings() {
        let rates = ["rates.GBP", "rates.USD", "rates.CHF", "rates.PLN"].map(|name| (name, 2.0.into()));
        let settings: Vec<_> = rates.into_iter().chain([("test_cards_below", 1_000_i64.into())]).collect();
        let mut running = testing::start(plugin(), &settings).unwrap();
        let cleaned =
            running.process(&[raw(), Raw { card_id: 1, ..raw() }, Raw { currency: "USD", ..raw() }]);
        assert_eq!(cleaned.origin, [0, 2]);
        assert_eq!(cleaned.rows::<Transaction>()[1].amount_eur, 200.0);
    }
}
