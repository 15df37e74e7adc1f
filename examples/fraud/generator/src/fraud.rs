//! What thieves do with a card.

use tailwater_sdk::Time;

use crate::card::Card;
use crate::purchase::{Channel, Purchase};
use crate::random::Random;

const MINUTE: f64 = 60_000.0;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

/// How a card is misused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// A quick burst of dear things, abroad or online.
    StolenCard,
    /// Many tiny ones, mostly declined, to see whether the card works; then a large one.
    CardTesting,
    /// Amounts far above habit, at night, from the owner's own country.
    Takeover,
    /// A copy of the card, used once a day or less, a little above habit.
    Skimming,
}

impl Pattern {
    pub const ALL: [Self; 4] = [Self::StolenCard, Self::CardTesting, Self::Takeover, Self::Skimming];

    pub fn name(self) -> &'static str {
        match self {
            Self::StolenCard => "stolen-card",
            Self::CardTesting => "card-testing",
            Self::Takeover => "takeover",
            Self::Skimming => "skimming",
        }
    }

    /// The thieves' transactions, in order, all after `from`.
    pub(crate) fn plan(self, card: &Card, from: Time, random: &mut Random) -> Vec<(Time, Purchase)> {
        match self {
            Self::StolenCard => stolen_card(card, from, random),
            Self::CardTesting => card_testing(card, from, random),
            Self::Takeover => takeover(card, from, random),
            Self::Skimming => skimming(card, from, random),
        }
    }
}

fn later(at: Time, millis: f64) -> Time {
    Time(at.millis() + millis as i64)
}

fn online(card: &Card, amount_eur: f64, random: &mut Random) -> Purchase {
    let category = *random.pick(&["electronics", "games", "travel"]);
    let country = card.home();
    Purchase { country, category, terminal: None, amount_eur, channel: Channel::Online, is_declined: false }
}

fn stolen_card(card: &Card, from: Time, random: &mut Random) -> Vec<(Time, Purchase)> {
    let abroad = card.home().other(random);
    let mut at = later(from, random.between(0.5, 6.0) * HOUR);
    let purchases = 4 + random.below(7);
    let steal = |_| {
        at = later(at, random.wait(6.0 * MINUTE));
        let amount = card.level() * random.between(3.0, 12.0);
        let mut purchase = Purchase { country: abroad, ..online(card, amount, random) };
        if random.chance(0.4) {
            (purchase.channel, purchase.terminal) = (Channel::Chip, Some(random.below(20_000)));
        }
        purchase.is_declined = random.chance(0.15);
        (at, purchase)
    };
    (0..purchases).map(steal).collect()
}

fn card_testing(card: &Card, from: Time, random: &mut Random) -> Vec<(Time, Purchase)> {
    let mut at = later(from, random.between(0.5, 48.0) * HOUR);
    let mut plan = Vec::new();
    for _ in 0..5 + random.below(8) {
        at = later(at, random.wait(MINUTE));
        let amount = random.between(0.5, 3.0);
        plan.push((at, Purchase { is_declined: random.chance(0.7), ..online(card, amount, random) }));
    }
    at = later(at, random.between(2.0, 20.0) * MINUTE);
    let amount = random.between(250.0, 900.0);
    plan.push((at, online(card, amount, random)));
    plan
}

fn takeover(card: &Card, from: Time, random: &mut Random) -> Vec<(Time, Purchase)> {
    let midnight = Time((from.day() + 1) * DAY as i64);
    let mut at = later(midnight, random.between(0.5, 4.0) * HOUR);
    let purchases = 1 + random.below(3);
    let steal = |_| {
        at = later(at, random.wait(15.0 * MINUTE));
        let amount = card.level() * random.between(8.0, 25.0);
        (at, online(card, amount, random))
    };
    (0..purchases).map(steal).collect()
}

fn skimming(card: &Card, from: Time, random: &mut Random) -> Vec<(Time, Purchase)> {
    let abroad = card.home().other(random);
    let mut at = from;
    let purchases = 4 + random.below(8);
    let steal = |_| {
        at = later(at, random.between(0.6, 1.8) * DAY);
        let amount = card.level() * random.between(1.5, 4.0);
        let terminal = Some(random.below(20_000));
        let category = *random.pick(&["grocery", "fuel", "clothing"]);
        let country = if random.chance(0.6) { abroad } else { card.home() };
        let channel = Channel::Magstripe;
        (at, Purchase { country, category, terminal, amount_eur: amount, channel, is_declined: false })
    };
    (0..purchases).map(steal).collect()
}
