//! A Kafka cluster: topics, transactions, one consumer group.
//!
//! Never fails by itself and forgets nothing; what goes wrong, goes wrong at clients or on the way. Requests
//! take no time, what they set off does: markers of a transaction reach each partition after delays of their
//! own, requests of dead clients arrive late, time-outs run.

mod group;
mod log;
mod membership;
mod transactions;

use std::cell::{RefCell, RefMut};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::rc::Rc;
use std::time::Duration;

use super::journal::{Journal, Time};
use super::random::Random;

use group::Group;
pub(super) use group::{Heartbeat, MemberId};
pub use group::{MemberToken, Offset};
use log::Log;
pub use log::Stored;
pub(super) use log::partition_of;
use transactions::Transactions;

pub type ProducerId = i64;

/// Who writes, as of when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    pub id: ProducerId,
    pub epoch: i16,
}

/// A partition: index of its topic in the cluster, and number.
pub type Place = (usize, i32);

/// Where a transaction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Participant {
    Records(Place),
    /// Offsets of the group.
    Offsets,
}

/// Why the cluster does not do what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Another one has this transactional id now, or the transaction took too long.
    Fenced,
    /// The transaction before is not through yet: later.
    Concurrent,
    /// No such transaction is open.
    InvalidState,
    /// This member is none, or its generation is over.
    IllegalGeneration,
}

/// How long the cluster waits.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    pub transaction: Duration,
    pub session: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { transaction: Duration::from_secs(10), session: Duration::from_secs(6) }
    }
}

/// How often things go wrong: times in ten thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A producer's queue is full, at a send.
    pub full: u32,
    /// A message is never delivered.
    pub lost_message: u32,
    /// A commit fails, and nothing of it is done.
    pub failed_commit: u32,
    /// The answer to a commit is lost, whether it was done or not.
    pub lost_answer: u32,
    /// A member's epoch rises between its asking for it and its commit.
    pub stale_member: u32,
    /// An operation of the disk fails.
    pub disk: u32,
    /// A trim is not done.
    pub lost_trim: u32,
    /// Delays are ten times as long.
    pub slow: u32,
}

impl Faults {
    pub fn usual() -> Self {
        Self {
            full: 100,
            lost_message: 3,
            failed_commit: 50,
            lost_answer: 50,
            stale_member: 50,
            disk: 2,
            lost_trim: 2_000,
            slow: 300,
        }
    }
}

#[derive(Debug)]
pub struct Topic {
    pub name: String,
    logs: Vec<Log>,
}

/// What happens by itself.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Marker {
        of: usize,
        to: Participant,
    },
    TransactionTimeout {
        of: usize,
        number: u64,
    },
    Session {
        member: MemberId,
    },
    /// Records of a client that is gone.
    Straggler {
        number: u64,
    },
    PlainCommit {
        number: u64,
    },
    Trim {
        of: Place,
        before: i64,
    },
}

/// Records on their way without a client.
#[derive(Debug)]
struct Straggler {
    to: Place,
    by: Option<Producer>,
    records: Vec<Rc<Stored>>,
}

/// What the cluster knows.
#[derive(Debug)]
pub struct State {
    pub journal: Journal,
    pub random: Random,
    pub faults: Faults,
    pub timeouts: Timeouts,
    topics: Vec<Topic>,
    transactions: Transactions,
    group: Group,
    events: BinaryHeap<Reverse<(Time, u64, Event)>>,
    /// Of events, stragglers and transactions: rises.
    number: u64,
    stragglers: BTreeMap<u64, Straggler>,
    plain_commits: BTreeMap<u64, (MemberToken, Vec<(Place, i64)>)>,
    /// How often something changed that lasts.
    changes: u64,
}

/// A cluster. A clone is the same.
#[derive(Clone, Debug)]
pub struct Cluster(Rc<RefCell<State>>);

impl Cluster {
    pub fn new(seed: u64, journal: Journal, timeouts: Timeouts, faults: Faults) -> Self {
        Self(Rc::new(RefCell::new(State {
            journal,
            random: Random::new(seed),
            faults,
            timeouts,
            topics: Vec::new(),
            transactions: Transactions::default(),
            group: Group::default(),
            events: BinaryHeap::new(),
            number: 0,
            stragglers: BTreeMap::new(),
            plain_commits: BTreeMap::new(),
            changes: 0,
        })))
    }

    pub(super) fn state(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }

    pub fn journal(&self) -> Journal {
        self.state().journal.clone()
    }

    pub fn add_topic(&self, name: &str, partitions: usize) {
        let logs = (0..partitions).map(|_| Log::default()).collect();
        self.state().topics.push(Topic { name: name.to_owned(), logs });
    }

    /// Lets time go by.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        let until = state.now() + by.as_micros() as Time;
        state.advance_to(until);
    }

    /// A partition with an open transaction.
    pub fn hanging(&self) -> Option<String> {
        let state = self.state();
        let numbered = |topic: &Topic| (0..topic.logs.len() as i32).collect::<Vec<_>>();
        let all = state.topics.iter().enumerate();
        let mut places = all.flat_map(|(topic, one)| numbered(one).into_iter().map(move |at| (topic, at)));
        places
            .find(|place| state.log(*place).stable() < state.log(*place).end())
            .map(|place| state.place(place))
    }

    pub fn faults(&self) -> Faults {
        self.state().faults
    }

    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Appends a record as a producer without transactions does; by its key, where no partition is given.
    pub fn produce(&self, topic: &str, partition: Option<i32>, record: Stored) -> (i32, i64) {
        let mut state = self.state();
        let topic = state.topic(topic).expect("the topic was added");
        let by_key = record.key.as_deref().map_or(0, |key| partition_of(key, state.topics[topic].logs.len()));
        let partition = partition.unwrap_or(by_key);
        (partition, state.append((topic, partition), Rc::new(record)))
    }

    /// What a reader of what is committed finds in a partition, from its beginning.
    pub fn read(&self, topic: &str, partition: i32) -> Vec<(i64, Rc<Stored>)> {
        let state = self.state();
        let log = state.log((state.topic(topic).expect("the topic was added"), partition));
        let mut from = log.start();
        std::iter::from_fn(|| {
            let (offset, record) = log.read(from)?;
            from = offset + 1;
            Some((offset, Rc::clone(record)))
        })
        .collect()
    }

    /// First offset, last stable offset and end.
    pub fn offsets(&self, topic: &str, partition: i32) -> (i64, i64, i64) {
        let state = self.state();
        let log = state.log((state.topic(topic).expect("the topic was added"), partition));
        (log.start(), log.stable(), log.end())
    }

    pub fn partitions(&self, topic: &str) -> i32 {
        let state = self.state();
        state.topic(topic).map_or(0, |topic| state.topics[topic].logs.len() as i32)
    }

    /// The group's committed offset, where it is stable.
    pub fn committed(&self, topic: &str, partition: i32) -> Option<i64> {
        let state = self.state();
        state.group.committed((state.topic(topic)?, partition)).map(|offset| offset.next)
    }

    /// How often something changed that lasts: records, committed offsets, members.
    pub fn changes(&self) -> u64 {
        self.state().changes
    }
}

impl State {
    pub fn now(&self) -> Time {
        self.journal.clock.now()
    }

    pub fn topic(&self, name: &str) -> Option<usize> {
        self.topics.iter().position(|topic| topic.name == name)
    }

    pub fn partitions_of(&self, topic: usize) -> usize {
        self.topics[topic].logs.len()
    }

    pub fn log(&self, (topic, partition): Place) -> &Log {
        &self.topics[topic].logs[partition as usize]
    }

    fn log_mut(&mut self, (topic, partition): Place) -> &mut Log {
        &mut self.topics[topic].logs[partition as usize]
    }

    /// A delay of the network or a busy broker, in microseconds.
    pub fn delay(&mut self, most: Time) -> Time {
        let slow = self.random.hits(self.faults.slow);
        self.random.between(0, most) * if slow { 10 } else { 1 }
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn schedule(&mut self, at: Time, event: Event) {
        let number = self.next_number();
        self.events.push(Reverse((at, number, event)));
    }

    /// When the cluster does something next.
    pub fn next_event(&self) -> Option<Time> {
        self.events.peek().map(|Reverse((at, ..))| *at)
    }

    pub fn advance_to(&mut self, until: Time) {
        while let Some(Reverse((at, ..))) = self.events.peek()
            && *at <= until
        {
            let Some(Reverse((at, _, event))) = self.events.pop() else { break };
            self.journal.clock.set(at);
            self.happens(event);
        }
        self.journal.clock.set(until);
    }

    /// Lets time go by until the cluster did something, or until `limit`.
    pub fn drift(&mut self, limit: Time) {
        let until = self.next_event().map_or(limit, |next| next.clamp(self.now(), limit.max(self.now())));
        self.advance_to(until);
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Marker { of, to } => self.write_marker(of, to),
            Event::TransactionTimeout { of, number } => self.expire_transaction(of, number),
            Event::Session { member } => self.look_at_session(member),
            Event::Straggler { number } => {
                let Some(Straggler { to, by, records }) = self.stragglers.remove(&number) else { return };
                let count = records.len();
                let taken = records.into_iter().all(|record| self.append_by(to, by, record).is_ok());
                self.journal.tally(if taken { "stragglers taken" } else { "stragglers refused" });
                self.journal.note(format_args!("{count} stragglers reach {}: {taken}", self.place(to)));
            }
            Event::PlainCommit { number } => self.commit_plainly(number),
            Event::Trim { of, before } => self.log_mut(of).trim(before),
        }
    }

    /// For people.
    pub fn place(&self, (topic, partition): Place) -> String {
        format!("{}/{partition}", self.topics[topic].name)
    }

    pub fn append(&mut self, to: Place, record: Rc<Stored>) -> i64 {
        self.changes += 1;
        self.log_mut(to).append(record)
    }

    /// As a leader does: a transaction's first record has to be of an open transaction that names the partition.
    pub fn append_by(&mut self, to: Place, by: Option<Producer>, record: Rc<Stored>) -> Result<i64, Refused> {
        let Some(by) = by else { return Ok(self.append(to, record)) };
        if !self.log(to).has_open(by.id) && !self.transactions.is_open(by, Participant::Records(to)) {
            return Err(Refused::Fenced);
        }
        self.changes += 1;
        self.log_mut(to).append_open(by, record)
    }

    /// Records of a client that is gone arrive nevertheless.
    pub fn straggle(&mut self, to: Place, by: Option<Producer>, records: Vec<Rc<Stored>>) {
        let number = self.next_number();
        self.stragglers.insert(number, Straggler { to, by, records });
        let at = self.now() + self.delay(200_000);
        self.schedule(at, Event::Straggler { number });
    }

    pub fn trim_later(&mut self, of: Place, before: i64) {
        if !self.random.hits(self.faults.lost_trim) {
            let at = self.now() + self.delay(100_000);
            self.schedule(at, Event::Trim { of, before });
        }
    }
}
