//! A stream of card transactions without end, in the order of event time: customers with habits,
//! thieves with patterns, and now and then a record that is none.
//!
//! The same settings give the same stream. Only the generator knows at once which transactions are
//! fraud: nothing in a record says so. What a bank learns of it, and when, are [`Label`]s.

mod card;
mod country;
mod dirt;
mod fraud;
mod label;
mod purchase;
mod random;
mod terminal;

use std::collections::BTreeMap;

use tailwater_sdk::Time;

pub use dirt::Dirt;
pub use fraud::Pattern;
pub use label::{Label, Labelled, News};

use card::Card;
use fraud::THEFTS;
use purchase::{Purchase, Transaction};
use random::Random;
use terminal::Terminals;

/// Purchases of an average card.
pub const PURCHASES_A_DAY: f64 = 2.0;
/// Numbers of cards begin here; those below are for tests of terminals.
pub const FIRST_CARD: i64 = 1_000;
/// 2026-03-01T00:00Z, a Sunday.
pub const START: Time = Time(1_772_323_200_000);

/// What a stream is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    pub seed: u64,
    pub cards: u32,
    pub start: Time,
    /// How often a card falls to thieves, a day; each time they make several transactions.
    pub thefts: f64,
    /// How often a terminal is rigged, a day; each time for many days.
    pub riggings: f64,
    /// Share of records that are dirty.
    pub dirty: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 1, cards: 1_000, start: START, thefts: 0.003, riggings: 0.0008, dirty: 0.004 }
    }
}

/// A record, and what only the generator knows about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emitted {
    pub transaction_id: i64,
    pub at: Time,
    pub terminal_id: u64,
    /// The card's number, in decimal ASCII.
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    /// `None`: honest.
    pub fraud: Option<Pattern>,
    /// `None`: the record is as it should be.
    pub dirt: Option<Dirt>,
}

/// What happens next, somewhere.
#[derive(Debug)]
enum Event {
    /// The owner of a card (by index) buys something.
    Habit(usize),
    Theft(usize, Pattern, Purchase),
}

/// The stream.
#[derive(Debug)]
pub struct Generator {
    settings: Settings,
    random: Random,
    cards: Vec<Card>,
    terminals: Terminals,
    /// By time; the number keeps those of one instant apart, and in order.
    events: BTreeMap<(Time, u64), Event>,
    scheduled: u64,
    next_id: i64,
}

impl Generator {
    pub fn new(settings: Settings) -> Self {
        let mut random = Random::new(settings.seed);
        let cards = (0..i64::from(settings.cards)).map(|n| Card::new(FIRST_CARD + n, &mut random)).collect();
        let terminals = Terminals::new(settings.cards, settings.riggings);
        let (events, start) = (BTreeMap::new(), settings.start);
        let mut generator = Self { settings, random, cards, terminals, events, scheduled: 0, next_id: 1 };
        for index in 0..generator.cards.len() {
            generator.schedule_habit(index, start);
        }
        generator
    }

    /// The same stream, with what becomes known of it in between.
    pub fn labelled(self) -> Labelled {
        Labelled::new(self)
    }

    fn schedule(&mut self, at: Time, event: Event) {
        self.events.insert((at, self.scheduled), event);
        self.scheduled += 1;
    }

    fn schedule_habit(&mut self, index: usize, after: Time) {
        let at = self.cards[index].next_purchase(after, &mut self.random);
        self.schedule(at, Event::Habit(index));
    }

    /// With every purchase there is a chance that a thief looks on.
    fn maybe_steal(&mut self, index: usize, at: Time) {
        let card = &self.cards[index];
        if !self.random.chance(self.settings.thefts / card.purchases_a_day()) {
            return;
        }
        let (pattern, plan) = *self.random.pick(&THEFTS);
        for (at, purchase) in plan(card, at, &self.terminals, &mut self.random) {
            self.schedule(at, Event::Theft(index, pattern, purchase));
        }
    }

    /// What the owner buys, and what a rigged terminal makes of it.
    fn buy(&mut self, index: usize, at: Time) -> (Purchase, Option<Pattern>) {
        let mut purchase = self.cards[index].purchase(at, &self.terminals, &mut self.random);
        if !self.terminals.steals(purchase.terminal, at, &mut self.random) || purchase.is_declined {
            return (purchase, None);
        }
        purchase.amount_eur *= self.random.between(1.3, 3.0);
        (purchase, Some(Pattern::RiggedTerminal))
    }

    fn emit(&mut self, at: Time, index: usize, purchase: Purchase, fraud: Option<Pattern>) -> Emitted {
        let is_dirty = fraud.is_none() && self.random.chance(self.settings.dirty);
        let dirt = is_dirty.then(|| *self.random.pick(&Dirt::ALL));
        self.record(at, index, purchase, fraud, dirt)
    }

    fn record(
        &mut self,
        at: Time,
        index: usize,
        purchase: Purchase,
        fraud: Option<Pattern>,
        dirt: Option<Dirt>,
    ) -> Emitted {
        let transaction_id = self.next_id;
        self.next_id += 1;
        let card = &self.cards[index];
        let number = match dirt {
            Some(Dirt::TestCard) => 1 + self.random.below(FIRST_CARD as u64 - 1) as i64,
            _ => card.number(),
        };
        let terminal_id = purchase.terminal;
        let transaction = Transaction { id: transaction_id, at, card: number, home: card.home(), purchase };
        let value = transaction.json(dirt, &mut self.random);
        Emitted { transaction_id, at, terminal_id, key: number.to_string().into_bytes(), value, fraud, dirt }
    }
}

/// Of a test card. A pipeline that knows these drops it.
pub fn test_record() -> Emitted {
    let mut generator = Generator::new(Settings { cards: 1, ..Settings::default() });
    let (purchase, _) = generator.buy(0, START);
    generator.record(START, 0, purchase, None, Some(Dirt::TestCard))
}

impl Iterator for Generator {
    type Item = Emitted;

    /// `None` only where there are no cards.
    fn next(&mut self) -> Option<Emitted> {
        let ((at, _), event) = self.events.pop_first()?;
        Some(match event {
            Event::Theft(index, pattern, purchase) => self.emit(at, index, purchase, Some(pattern)),
            Event::Habit(index) => {
                self.schedule_habit(index, at);
                self.maybe_steal(index, at);
                let (purchase, fraud) = self.buy(index, at);
                self.emit(at, index, purchase, fraud)
            }
        })
    }
}

#[cfg(test)]
mod tests;
