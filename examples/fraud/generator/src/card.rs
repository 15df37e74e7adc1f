//! A card and the habits of who owns it.

use tailwater_sdk::Time;

use crate::PURCHASES_A_DAY;
use crate::country::Country;
use crate::purchase::{Channel, Purchase};
use crate::random::Random;
use crate::terminal::Terminals;

const HOUR: f64 = 3_600_000.0;
const DAY: f64 = 24.0 * HOUR;

/// Categories and what is spent there, as a factor of the card's own level.
const CATEGORIES: [(&str, f64); 9] = [
    ("grocery", 1.0),
    ("grocery", 1.3),
    ("restaurant", 0.9),
    ("fuel", 1.6),
    ("pharmacy", 0.6),
    ("clothing", 1.8),
    ("games", 0.7),
    ("electronics", 4.5),
    ("travel", 7.0),
];

/// Per purchase at home.
const TRIPS: f64 = 0.006;
/// Banks refuse honest transactions too.
const DECLINED: f64 = 0.015;
const SPREAD_OF_AMOUNTS: f64 = 0.55;

#[derive(Debug)]
pub(crate) struct Card {
    number: i64,
    home: &'static Country,
    /// Euros of a purchase, about.
    level: f64,
    purchases_a_day: f64,
    /// Of the day, around which most purchases are.
    busy_hour: f64,
    /// Share of purchases on the internet.
    online: f64,
    trip: Option<Trip>,
}

#[derive(Debug)]
struct Trip {
    to: &'static Country,
    until: Time,
}

impl Card {
    pub(crate) fn new(number: i64, random: &mut Random) -> Self {
        Self {
            number,
            home: Country::home(random),
            level: 22.0 * random.factor(0.5),
            // The mean of the factor is exp(spread² / 2).
            purchases_a_day: PURCHASES_A_DAY * random.factor(0.5) / 0.125_f64.exp(),
            busy_hour: random.between(9.0, 20.0),
            online: random.between(0.05, 0.5),
            trip: None,
        }
    }

    pub(crate) fn number(&self) -> i64 {
        self.number
    }

    pub(crate) fn home(&self) -> &'static Country {
        self.home
    }

    pub(crate) fn level(&self) -> f64 {
        self.level
    }

    pub(crate) fn purchases_a_day(&self) -> f64 {
        self.purchases_a_day
    }

    /// Candidates come evenly and more often than wanted; those at unusual hours are mostly passed over.
    pub(crate) fn next_purchase(&self, after: Time, random: &mut Random) -> Time {
        // The mean of `liveliness` over a day.
        let kept = (8.0 + 6.0 * 0.3 + 10.0 * 0.03) / 24.0;
        let mut at = after.millis() as f64;
        loop {
            at += 1.0 + random.wait(DAY * kept / self.purchases_a_day);
            if random.chance(self.liveliness(at)) {
                return Time(at as i64);
            }
        }
    }

    fn liveliness(&self, at: f64) -> f64 {
        let apart = (at.rem_euclid(DAY) / HOUR - self.busy_hour).abs();
        match apart.min(24.0 - apart) {
            apart if apart < 4.0 => 1.0,
            apart if apart < 7.0 => 0.3,
            _ => 0.03,
        }
    }

    /// What the owner buys.
    pub(crate) fn purchase(&mut self, at: Time, terminals: &Terminals, random: &mut Random) -> Purchase {
        let country = self.whereabouts(at, random);
        let (category, factor) = *random.pick(&CATEGORIES);
        let is_online = random.chance(self.online);
        let channel = match is_online {
            true => Channel::Online,
            false if random.chance(0.4) => Channel::Contactless,
            false => Channel::Chip,
        };
        // Shops on the internet are at home, mostly.
        let country = if is_online && random.chance(0.9) { self.home } else { country };
        Purchase {
            country,
            category,
            terminal: terminals.pick(country, channel, random),
            amount_eur: self.level * factor * random.factor(SPREAD_OF_AMOUNTS),
            channel,
            is_declined: random.chance(DECLINED),
        }
    }

    fn whereabouts(&mut self, at: Time, random: &mut Random) -> &'static Country {
        if self.trip.as_ref().is_some_and(|trip| trip.until < at) {
            self.trip = None;
        }
        if self.trip.is_none() && random.chance(TRIPS) {
            let until = Time(at.millis() + (random.between(2.0, 12.0) * DAY) as i64);
            self.trip = Some(Trip { to: self.home.other(random), until });
        }
        self.trip.as_ref().map_or(self.home, |trip| trip.to)
    }
}
