//! The transaction coordinator.
//!
//! ```text
//!            first write             EndTxn                markers are all there
//!   Empty ───────────────> Ongoing ──────────> Preparing ────────────────────────> Complete
//!     ^                     ^  │ time-out, InitProducerId: epoch + 1, abort ─^      │  │
//!     │                     └──┼───────────────────────────────────────────────────┘  │
//!     └────────────────────────┴──────── InitProducerId: epoch + 1 ──────────────────┘
//! ```
//!
//! EndTxn is answered when `Preparing` is written: from then on the end is decided, but seen nowhere yet.

use std::collections::BTreeSet;

use super::{Event, Participant, Producer, Refused, State};

/// The longest that a marker is on its way, in microseconds.
const MARKER_DELAY: u64 = 20_000;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Empty,
    Ongoing { number: u64 },
    Preparing { commit: bool },
    Complete { commit: bool },
}

#[derive(Debug)]
struct Transaction {
    id: String,
    producer: Producer,
    stage: Stage,
    /// While preparing: those whose markers are not there yet.
    participants: BTreeSet<Participant>,
}

/// Index of one is its producer's id.
#[derive(Debug, Default)]
pub struct Transactions(Vec<Transaction>);

impl Transactions {
    /// Whether this is an open transaction of the producer, with this participant.
    pub fn is_open(&self, by: Producer, with: Participant) -> bool {
        self.0.get(by.id as usize).is_some_and(|one| {
            one.producer == by
                && matches!(one.stage, Stage::Ongoing { .. })
                && one.participants.contains(&with)
        })
    }

    fn find(&mut self, by: Producer) -> Result<&mut Transaction, Refused> {
        let one = self.0.get_mut(by.id as usize).ok_or(Refused::InvalidState)?;
        if one.producer == by { Ok(one) } else { Err(Refused::Fenced) }
    }
}

impl State {
    /// Ends what is open under this id, and fences whoever had it. `Concurrent`: ask again.
    pub fn init_producer(&mut self, id: &str) -> Result<Producer, Refused> {
        let Some(index) = self.transactions.0.iter().position(|one| one.id == id) else {
            let producer = Producer { id: self.transactions.0.len() as i64, epoch: 0 };
            let (stage, participants) = (Stage::Empty, BTreeSet::new());
            self.transactions.0.push(Transaction { id: id.to_owned(), producer, stage, participants });
            return Ok(producer);
        };
        let one = &mut self.transactions.0[index];
        match one.stage {
            Stage::Preparing { .. } => Err(Refused::Concurrent),
            Stage::Ongoing { .. } => {
                self.journal.tally("open transaction fenced");
                one.producer.epoch += 1;
                self.prepare(index, false);
                Err(Refused::Concurrent)
            }
            Stage::Empty | Stage::Complete { .. } => {
                one.producer.epoch += 1;
                one.stage = Stage::Empty;
                Ok(one.producer)
            }
        }
    }

    /// Has to come before the first write.
    pub fn join_transaction(&mut self, by: Producer, with: Participant) -> Result<(), Refused> {
        let one = self.transactions.find(by)?;
        match one.stage {
            Stage::Preparing { .. } => return Err(Refused::Concurrent),
            Stage::Ongoing { .. } => {
                one.participants.insert(with);
                return Ok(());
            }
            Stage::Empty | Stage::Complete { .. } => {}
        }
        one.participants = BTreeSet::from([with]);
        let number = self.next_number();
        self.transactions.0[by.id as usize].stage = Stage::Ongoing { number };
        let at = self.now() + self.timeouts.transaction.as_micros() as u64;
        self.schedule(at, Event::TransactionTimeout { of: by.id as usize, number });
        Ok(())
    }

    /// Decides. Asked again, it says the same again.
    pub fn end_transaction(&mut self, by: Producer, commit: bool) -> Result<(), Refused> {
        match self.transactions.find(by)?.stage {
            Stage::Ongoing { .. } => {
                self.prepare(by.id as usize, commit);
                Ok(())
            }
            Stage::Preparing { commit: decided } if decided == commit => Err(Refused::Concurrent),
            Stage::Complete { commit: decided } if decided == commit => Ok(()),
            _ => Err(Refused::InvalidState),
        }
    }

    /// Whether nobody else has the id.
    pub fn is_current(&mut self, by: Producer) -> bool {
        self.transactions.find(by).is_ok()
    }

    fn prepare(&mut self, index: usize, commit: bool) {
        let one = &mut self.transactions.0[index];
        one.stage = Stage::Preparing { commit };
        let end = if commit { "commit" } else { "abort" };
        self.journal.note(format_args!("{} of {} is decided: {:?}", end, one.id, one.participants));
        for to in one.participants.clone() {
            let at = self.now() + self.delay(MARKER_DELAY);
            self.schedule(at, Event::Marker { of: index, to });
        }
    }

    pub(super) fn write_marker(&mut self, index: usize, to: Participant) {
        let one = &mut self.transactions.0[index];
        let Stage::Preparing { commit } = one.stage else {
            self.journal.broke("a marker comes, and no transaction is being ended");
            return;
        };
        one.participants.remove(&to);
        if one.participants.is_empty() {
            one.stage = Stage::Complete { commit };
        }
        let by = one.producer;
        self.changes += 1;
        match to {
            Participant::Records(place) => self.log_mut(place).decide(by, commit),
            Participant::Offsets => self.group.decide(by, commit),
        }
    }

    pub(super) fn expire_transaction(&mut self, index: usize, number: u64) {
        let one = &mut self.transactions.0[index];
        if one.stage == (Stage::Ongoing { number }) {
            self.journal.note(format_args!("the transaction of {} took too long", one.id));
            self.journal.tally("transaction timed out");
            one.producer.epoch += 1;
            self.prepare(index, false);
        }
    }
}
