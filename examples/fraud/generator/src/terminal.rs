//! Terminals, those of shops on the internet included, and what is done to them.

use std::collections::HashMap;

use tailwater_sdk::Time;

use crate::PURCHASES_A_DAY;
use crate::country::{Country, HOMES};
use crate::purchase::Channel;
use crate::random::Random;

const DAY: f64 = 86_400_000.0;
/// For each terminal of a country; and for each of its shops on the internet.
const CARDS: [u32; 2] = [25, 100];
/// Numbers of a country, and of its shops among them.
const NUMBERS: [u64; 2] = [1_000_000, 500_000];

#[derive(Debug)]
pub(crate) struct Terminals {
    /// Of a country: in shops, and on the internet.
    there: [u64; 2],
    /// The chance that a purchase is the first at a terminal that was rigged.
    rigging: f64,
    /// Those that were rigged, until then.
    rigged: HashMap<u64, Time>,
}

impl Terminals {
    /// So many are there that each takes about as much a day, however many cards there are.
    pub(crate) fn new(cards: u32, riggings_a_day: f64) -> Self {
        let there = CARDS.map(|for_each| u64::from(cards / for_each).max(2));
        let purchases_a_day =
            PURCHASES_A_DAY * f64::from(cards) / (HOMES as u64 * there.iter().sum::<u64>()) as f64;
        Self { there, rigging: riggings_a_day / purchases_a_day, rigged: HashMap::new() }
    }

    pub(crate) fn pick(&self, country: &Country, channel: Channel, random: &mut Random) -> u64 {
        let first = country.number * NUMBERS[0];
        match channel {
            Channel::Online => first + NUMBERS[1] + random.below(self.there[1]),
            _ => first + random.below(self.there[0]),
        }
    }

    /// Whether it does so now; maybe somebody has just rigged it.
    pub(crate) fn steals(&mut self, terminal: u64, at: Time, random: &mut Random) -> bool {
        if self.rigged.get(&terminal).is_some_and(|until| at < *until) {
            return true;
        }
        let is_new = random.chance(self.rigging);
        if is_new {
            let until = Time(at.millis() + (random.between(6.0, 20.0) * DAY) as i64);
            self.rigged.insert(terminal, until);
        }
        is_new
    }
}
