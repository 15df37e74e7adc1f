//! What a bank learns of its transactions, days later: owners complain of a fraud after one to six
//! days; of what nobody has complained after seven, nothing more is expected.

use std::collections::BTreeMap;
use std::iter::Peekable;

use tailwater_sdk::Time;

use crate::random::Random;
use crate::{Emitted, Generator};

const DAY: f64 = 86_400_000.0;
/// After so many days an honest transaction is taken for one.
const GOOD_AFTER: f64 = 7.0;

/// Says what a transaction was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub transaction_id: i64,
    /// When it became known.
    pub at: Time,
    /// The transaction's id, in decimal ASCII.
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    Transaction(Emitted),
    /// Of an earlier transaction.
    Label(Label),
}

impl News {
    pub fn at(&self) -> Time {
        match self {
            Self::Transaction(emitted) => emitted.at,
            Self::Label(label) => label.at,
        }
    }
}

/// A stream and its labels, in the order of event time; of one time, labels first. Of records that are
/// not as they should be, nothing is ever known.
#[derive(Debug)]
pub struct Labelled {
    stream: Peekable<Generator>,
    /// Its own: the stream is the same without labels.
    random: Random,
    /// By when they become known, and the transaction's id: its terminal, and whether it was fraud.
    coming: BTreeMap<(Time, i64), (u64, bool)>,
}

impl Labelled {
    pub(crate) fn new(stream: Generator) -> Self {
        let random = Random::new(!stream.settings.seed);
        Self { stream: stream.peekable(), random, coming: BTreeMap::new() }
    }

    fn expect_label(&mut self, of: &Emitted) {
        let days = match of.fraud {
            Some(_) => self.random.between(1.0, GOOD_AFTER - 1.0),
            None => GOOD_AFTER,
        };
        let known = Time(of.at.millis() + (days * DAY) as i64);
        self.coming.insert((known, of.transaction_id), (of.terminal_id, of.fraud.is_some()));
    }
}

impl Iterator for Labelled {
    type Item = News;

    fn next(&mut self) -> Option<News> {
        let next = self.stream.peek().map(|emitted| emitted.at);
        let is_known = |(at, _): &(Time, i64)| next.is_none_or(|next| *at <= next);
        if let Some(label) = self.coming.first_entry().filter(|first| is_known(first.key())) {
            let ((at, transaction_id), (terminal, fraud)) = label.remove_entry();
            let value = format!(
                r#"{{"transaction_id":{transaction_id},"terminal_id":{terminal},"known_at":"{at}","fraud":{fraud}}}"#
            );
            let key = transaction_id.to_string().into_bytes();
            return Some(News::Label(Label { transaction_id, at, key, value: value.into_bytes() }));
        }
        let emitted = self.stream.next()?;
        if emitted.dirt.is_none() {
            self.expect_label(&emitted);
        }
        Some(News::Transaction(emitted))
    }
}
