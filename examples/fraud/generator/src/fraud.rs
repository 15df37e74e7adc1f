//! What thieves do with a card, or with all cards of a terminal.

use tailwater_sdk::Time;

use crate::card::Card;
use crate::country::Country;
use crate::purchase::{Channel, Purchase};
use crate::random::Random;
use crate::terminal::Terminals;

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
    /// A terminal takes more than it shows, of every card, for some days. No card alone gives it away.
    RiggedTerminal,
}

impl Pattern {
    pub const ALL: [Self; 5] =
        [Self::StolenCard, Self::CardTesting, Self::Takeover, Self::Skimming, Self::RiggedTerminal];

    pub fn name(self) -> &'static str {
        match self {
            Self::StolenCard => "stolen-card",
            Self::CardTesting => "card-testing",
            Self::Takeover => "takeover",
            Self::Skimming => "skimming",
            Self::RiggedTerminal => "rigged-terminal",
        }
    }
}

/// What becomes of a stolen card.
pub(crate) const THEFTS: [(Pattern, Plan); 4] = [
    (Pattern::StolenCard, stolen_card),
    (Pattern::CardTesting, card_testing),
    (Pattern::Takeover, takeover),
    (Pattern::Skimming, skimming),
];

/// The thieves' transactions, in order, all after the time given.
pub(crate) type Plan = fn(&Card, Time, &Terminals, &mut Random) -> Vec<(Time, Purchase)>;

fn later(at: Time, millis: f64) -> Time {
    Time(at.millis() + millis as i64)
}

fn online(
    country: &'static Country,
    amount_eur: f64,
    terminals: &Terminals,
    random: &mut Random,
) -> Purchase {
    let category = *random.pick(&["electronics", "games", "travel"]);
    let channel = Channel::Online;
    let terminal = terminals.pick(country, channel, random);
    Purchase { country, category, terminal, amount_eur, channel, is_declined: false }
}

fn stolen_card(card: &Card, from: Time, terminals: &Terminals, random: &mut Random) -> Vec<(Time, Purchase)> {
    let abroad = card.home().other(random);
    let mut at = later(from, random.between(0.5, 6.0) * HOUR);
    let purchases = 4 + random.below(7);
    let steal = |_| {
        at = later(at, random.wait(6.0 * MINUTE));
        let amount = card.level() * random.between(3.0, 12.0);
        let mut purchase = online(abroad, amount, terminals, random);
        if random.chance(0.4) {
            purchase.channel = Channel::Chip;
            purchase.terminal = terminals.pick(abroad, Channel::Chip, random);
        }
        purchase.is_declined = random.chance(0.15);
        (at, purchase)
    };
    (0..purchases).map(steal).collect()
}

fn card_testing(
    card: &Card,
    from: Time,
    terminals: &Terminals,
    random: &mut Random,
) -> Vec<(Time, Purchase)> {
    let mut at = later(from, random.between(0.5, 48.0) * HOUR);
    let mut plan = Vec::new();
    for _ in 0..5 + random.below(8) {
        at = later(at, random.wait(MINUTE));
        let amount = random.between(0.5, 3.0);
        plan.push((
            at,
            Purchase { is_declined: random.chance(0.7), ..online(card.home(), amount, terminals, random) },
        ));
    }
    at = later(at, random.between(2.0, 20.0) * MINUTE);
    let amount = random.between(250.0, 900.0);
    plan.push((at, online(card.home(), amount, terminals, random)));
    plan
}

fn takeover(card: &Card, from: Time, terminals: &Terminals, random: &mut Random) -> Vec<(Time, Purchase)> {
    let midnight = Time((from.day() + 1) * DAY as i64);
    let mut at = later(midnight, random.between(0.5, 4.0) * HOUR);
    let purchases = 1 + random.below(3);
    let steal = |_| {
        at = later(at, random.wait(15.0 * MINUTE));
        let amount = card.level() * random.between(8.0, 25.0);
        (at, online(card.home(), amount, terminals, random))
    };
    (0..purchases).map(steal).collect()
}

fn skimming(card: &Card, from: Time, terminals: &Terminals, random: &mut Random) -> Vec<(Time, Purchase)> {
    let abroad = card.home().other(random);
    let mut at = from;
    let purchases = 4 + random.below(8);
    let steal = |_| {
        at = later(at, random.between(0.6, 1.8) * DAY);
        let amount = card.level() * random.between(1.5, 4.0);
        let category = *random.pick(&["grocery", "fuel", "clothing"]);
        let country = if random.chance(0.6) { abroad } else { card.home() };
        let channel = Channel::Magstripe;
        let terminal = terminals.pick(country, channel, random);
        (at, Purchase { country, category, terminal, amount_eur: amount, channel, is_declined: false })
    };
    (0..purchases).map(steal).collect()
}
