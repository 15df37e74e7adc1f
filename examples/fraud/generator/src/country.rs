//! Where cards are from and where they are used.

use crate::random::Random;

#[derive(Debug, PartialEq)]
pub(crate) struct Country {
    pub(crate) code: &'static str,
    pub(crate) currency: &'static str,
    /// Of its currency.
    pub(crate) for_a_euro: f64,
}

const fn country(code: &'static str, currency: &'static str, for_a_euro: f64) -> Country {
    Country { code, currency, for_a_euro }
}

/// Customers live in the first five.
static COUNTRIES: [Country; 12] = [
    country("DE", "EUR", 1.0),
    country("FR", "EUR", 1.0),
    country("NL", "EUR", 1.0),
    country("GB", "GBP", 1.0 / 1.15),
    country("PL", "PLN", 1.0 / 0.24),
    country("IT", "EUR", 1.0),
    country("ES", "EUR", 1.0),
    country("CH", "CHF", 1.0 / 1.07),
    country("US", "USD", 1.0 / 0.86),
    country("EC", "USD", 1.0 / 0.86),
    country("PA", "USD", 1.0 / 0.86),
    country("SV", "USD", 1.0 / 0.86),
];

const HOMES: usize = 5;

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
