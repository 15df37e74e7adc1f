//! A purchase, and the record that is made of it.

use std::fmt::Write;

use tailwater_sdk::Time;

use crate::country::Country;
use crate::dirt::Dirt;
use crate::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Chip,
    Contactless,
    Magstripe,
    Online,
}

impl Channel {
    fn name(self) -> &'static str {
        match self {
            Self::Chip => "chip",
            Self::Contactless => "contactless",
            Self::Magstripe => "magstripe",
            Self::Online => "online",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Purchase {
    pub(crate) country: &'static Country,
    pub(crate) category: &'static str,
    /// Shops on the internet have one too.
    pub(crate) terminal: u64,
    pub(crate) amount_eur: f64,
    pub(crate) channel: Channel,
    pub(crate) is_declined: bool,
}

/// A purchase with a card.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) id: i64,
    pub(crate) at: Time,
    pub(crate) card: i64,
    pub(crate) home: &'static Country,
    pub(crate) purchase: Purchase,
}

/// Share of terminals that write countries in lower case.
const SLOPPY: f64 = 0.05;

impl Transaction {
    /// The record's value. No text in it needs escaping.
    pub(crate) fn json(&self, dirt: Option<Dirt>, random: &mut Random) -> Vec<u8> {
        let Self { id, at, card, home, purchase } = self;
        let Purchase { country, category, terminal, channel, .. } = purchase;
        let place = match random.chance(SLOPPY) {
            true => country.code.to_lowercase(),
            false => country.code.to_owned(),
        };
        let amount = self.amount(dirt);
        let currency = if dirt == Some(Dirt::UnknownCurrency) { "XTS" } else { country.currency };
        let status = if purchase.is_declined { "declined" } else { "approved" };
        let (home, channel) = (home.code, channel.name());
        let mut json = String::with_capacity(320);
        // Writing into a String can't fail.
        let _ = write!(
            json,
            r#"{{"transaction_id":{id},"event_time":"{at}","card":{{"id":{card},"country":"{home}"}},"terminal_id":{terminal},"#
        );
        let _ = write!(json, r#""merchant":{{"country":"{place}","category":"{category}"}},{amount}"#);
        let _ = write!(json, r#""currency":"{currency}","channel":"{channel}","status":"{status}"}}"#);
        if dirt == Some(Dirt::BrokenJson) {
            json.truncate(1 + random.below(json.len() as u64 - 1) as usize);
        }
        json.into_bytes()
    }

    /// The field, with a comma behind it.
    fn amount(&self, dirt: Option<Dirt>) -> String {
        // No terminal takes less than a cent.
        let amount = (self.purchase.amount_eur * self.purchase.country.for_a_euro).max(0.01);
        match dirt {
            Some(Dirt::MissingField) => String::new(),
            Some(Dirt::WrongType) => format!(r#""amount":"{amount:.2}","#),
            Some(Dirt::NegativeAmount) => format!(r#""amount":-{amount:.2},"#),
            _ => format!(r#""amount":{amount:.2},"#),
        }
    }
}
