//! Where cards are from and where they are used.

use crate::random::Random;

#[derive(Debug, PartialEq)]
pub(crate) struct Country {
    /// From 1 on.
    pub(crate) number: u64,
    pub(crate) code: &'static str,
    pub(crate) currency: &'static str,
    /// Of its currency.
    pub(crate) for_a_euro: f64,
}

const fn country(number: u64, code: &'static str, currency: &'static str, for_a_euro: f64) -> Country {
    Country { number, code, currency, for_a_euro }
}

/// Customers live in the first five.
static COUNTRIES: [Country; 12] = [
    country(1, "DE", "EUR", 1.0),
    country(2, "FR", "EUR", 1.0),
    country(3, "NL", "EUR", 1.0),
    country(4, "GB", "GBP", 1.0 / 1.15),
    country(5, "PL", "PLN", 1.0 / 0.24),
    country(6, "IT", "EUR", 1.0),
    country(7, "ES", "EUR", 1.0),
    country(8, "CH", "CHF", 1.0 / 1.07),
    country(9, "US", "USD", 1.0 / 0.86),
    country(10, "EC", "USD", 1.0 / 0.86),
    country(11, "PA", "USD", 1.0 / 0.86),
    country(12, "SV", "USD", 1.0 / 0.86),
];

pub(crate) const HOMES: usize = 5;

impl Country {
    pub(crate) fn home(random: &mut Random) -> &'static Self {
        random.pick(&COUNTRIES[..HOMES])
    }

    /// Any but this one.
    pub(crate) fn other(&self, random: &mut Random) -> &'static Self {
        let found = random.pick(&COUNTRIES);
        if found == self { self.other(random) } else { found }
    }
}
