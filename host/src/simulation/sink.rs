//! A producer, with transactions or without.
//!
//! ```text
//!            send           batch arrives           commit
//!   Idle ──> Open ─────────────> Open ─────────────────────> Idle
//!     begin   │ never delivered                        │
//!             └──────────> Failed <── refused ─────────┤
//!                            │ abort                   │ fenced, or nobody knows
//!                            └────> Idle               └──────> Useless
//! ```

mod lanes;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::client::{Seat, empty, fence, fenced, insist, internal, until};
use super::cluster::{
    Cluster, MemberToken, Offset, Participant, Place, Producer, Refused, State, Stored, partition_of,
};
use super::journal::Time;
use super::process::Process;
use crate::engine::ports::{Ended, Mark, Sent, Sink, UnderWay};
use crate::error::{Code, Error, Result};
use crate::record::{Header, Message};
use lanes::{Delivery, Lanes, Waiting};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Open,
    /// Nothing of the open transaction will be there. Why.
    Failed(String),
    /// Another one has the id, or it is not known how a transaction ended.
    Useless,
}

/// A sink over a simulated cluster.
#[derive(Debug)]
pub struct SimSink {
    cluster: Cluster,
    process: Arc<Process>,
    thread: usize,
    /// Topics of the sources, for marks.
    topics: Vec<usize>,
    transactional_id: Option<Rc<str>>,
    producer: Option<Producer>,
    phase: Phase,
    /// Whether the coordinator knows of the open transaction.
    joined: bool,
    lanes: Lanes,
    landed: Vec<(u32, i64)>,
}

impl SimSink {
    /// Fences whoever had the transactional id; waits until what it left open is ended.
    pub(super) fn connect(cluster: Cluster, seat: &Seat) -> Result<Self> {
        seat.process.call("connect", || {
            let mut state = cluster.state();
            let producer = match &seat.transactional_id {
                Some(id) => Some(fence(&mut state, id)?),
                None => None,
            };
            let topics = seat.topics.iter().filter_map(|name| state.topic(name)).collect();
            drop(state);
            Ok(Self {
                cluster,
                process: Arc::clone(&seat.process),
                thread: seat.thread,
                topics,
                transactional_id: seat.transactional_id.as_deref().map(Rc::from),
                producer,
                phase: Phase::Idle,
                joined: false,
                lanes: Lanes::new(seat.queue),
                landed: Vec::new(),
            })
        })
    }

    fn call<T>(&mut self, name: &str, body: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let process = Arc::clone(&self.process);
        process.call(name, || if self.phase == Phase::Useless { Err(fenced()) } else { body(self) })
    }

    fn broke(&self, law: &str) {
        self.process.journal.broke(format!("host {}.{}: sink: {law}", self.process.host, self.thread));
    }

    fn useless<T>(&mut self) -> Result<T> {
        let (host, thread) = (self.process.host, self.thread);
        self.process.journal.note(format_args!("host {host}.{thread}: its sink is of no use any more"));
        self.phase = Phase::Useless;
        Err(fenced())
    }

    fn route(&self, state: &mut State, message: &Message<'_>) -> Result<Place> {
        let missing = || Error::new(Code::TopicMissing, format!("topic `{}` does not exist", message.topic));
        let topic = state.topic(message.topic).ok_or_else(missing)?;
        let count = state.partitions_of(topic);
        let partition = match (message.partition, message.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => partition_of(key, count),
            (None, None) => state.random.below(count) as i32,
        };
        if partition < 0 || partition as usize >= count {
            return Err(Error::new(
                Code::Delivery,
                format!("`{}` has no partition {partition}", message.topic),
            ));
        }
        Ok((topic, partition))
    }

    /// Lets messages arrive for up to `wait`, once some have.
    fn deliver(&mut self, wait: Duration, flush: bool) -> Result<UnderWay> {
        let cluster = self.cluster.clone();
        let state = &mut *cluster.state();
        let limit = until(state, wait);
        loop {
            let delivery = self.lanes.deliver(state, self.producer, flush, &mut self.landed);
            self.joined |= delivery.joined;
            match delivery {
                Delivery { refused: true, .. } => return self.useless(),
                Delivery { lost: Some(place), .. } => {
                    let why = format!("{}: a message was never taken", state.place(place));
                    self.process.journal.note(format_args!("{why}"));
                    self.lanes.clear();
                    if self.producer.is_none() {
                        return Err(Error::new(Code::Delivery, why));
                    }
                    self.phase = Phase::Failed(why);
                }
                Delivery { arrived, next, .. } => {
                    if arrived == 0 && state.now() < limit && self.lanes.under_way().all > 0 {
                        state.drift(next.map_or(limit, |next: Time| next.min(limit)));
                        continue;
                    }
                }
            }
            return Ok(self.lanes.under_way());
        }
    }

    fn commit_now(&mut self, marks: &[Mark], member: MemberToken) -> Result<Ended> {
        let Some(producer) = self.producer else {
            self.broke("a commit, without transactions");
            return Err(internal("no transactional id"));
        };
        if let Phase::Failed(why) = &self.phase {
            return Ok(Ended::Failed(why.clone()));
        }
        let cluster = self.cluster.clone();
        let state = &mut *cluster.state();
        let faults = state.faults;
        if state.random.hits(faults.failed_commit) {
            return Ok(self.failed("a coordinator could not be reached"));
        }
        if !marks.is_empty() {
            match self.add_marks(state, producer, marks, member) {
                Ok(()) => {}
                Err(Refused::IllegalGeneration) => return Ok(self.failed("this is no member's generation")),
                Err(_) => return self.useless(),
            }
        }
        if !self.joined {
            self.phase = Phase::Idle;
            return Ok(Ended::Committed);
        }
        if state.random.hits(faults.lost_answer) {
            // The request, or the answer: nobody here can tell. Sometimes asking again helps.
            let reached = state.random.coin();
            self.process.journal.note(format_args!("host {} hears no answer", self.process.host));
            if reached {
                let _ = state.end_transaction(producer, true);
            }
            let again = state.random.coin();
            let later = state.now() + state.delay(50_000);
            state.advance_to(later);
            if !again {
                return self.useless();
            }
        }
        match insist(state, |state| state.end_transaction(producer, true)) {
            Ok(()) => {
                self.phase = Phase::Idle;
                Ok(Ended::Committed)
            }
            Err(_) => self.useless(),
        }
    }

    fn failed(&mut self, why: &str) -> Ended {
        self.phase = Phase::Failed(why.to_owned());
        Ended::Failed(why.to_owned())
    }

    fn add_marks(
        &mut self,
        state: &mut State,
        by: Producer,
        marks: &[Mark],
        member: MemberToken,
    ) -> Result<(), Refused> {
        insist(state, |state| state.join_transaction(by, Participant::Offsets))?;
        self.joined = true;
        let own = self.transactional_id.clone().unwrap_or_else(empty);
        let offset = |mark: &Mark| {
            let place = (self.topics[usize::from(mark.of.source)], mark.of.partition);
            let claim = if mark.last { empty() } else { Rc::clone(&own) };
            (place, Offset { next: mark.next, commit: mark.commit, claim, fence: mark.words.fence })
        };
        let offsets: Vec<_> = marks.iter().map(offset).collect();
        state.add_offsets(by, member, offsets)
    }

    fn abort_now(&mut self) -> Result<()> {
        if !matches!(self.phase, Phase::Open | Phase::Failed(_)) {
            self.broke("an abort, and no transaction is open");
        }
        let cluster = self.cluster.clone();
        let state = &mut *cluster.state();
        let (Some(producer), Some(id)) = (self.producer, self.transactional_id.clone()) else {
            return Err(internal("no transactional id"));
        };
        let in_flight = self.lanes.scatter(state, self.producer);
        if self.joined && insist(state, |state| state.end_transaction(producer, false)).is_err() {
            return self.useless();
        }
        // With requests in flight that nobody waits for, the epoch has to rise, so that they are refused.
        if in_flight {
            if !state.is_current(producer) {
                return self.useless();
            }
            self.producer = Some(fence(state, &id)?);
        }
        self.joined = false;
        self.phase = Phase::Idle;
        Ok(())
    }
}

impl Sink for SimSink {
    type Member = MemberToken;

    fn send(&mut self, message: Message<'_>) -> Result<Sent> {
        self.call("send", |sink| {
            match sink.phase {
                Phase::Failed(_) => return Ok(Sent::Taken),
                Phase::Idle if sink.producer.is_some() => sink.broke("a message outside of any transaction"),
                _ => {}
            }
            let cluster = sink.cluster.clone();
            let state = &mut *cluster.state();
            let place = sink.route(state, &message)?;
            let often = state.faults.full;
            if sink.lanes.is_full() || sink.lanes.under_way().all > 0 && state.random.hits(often) {
                return Ok(Sent::Full);
            }
            let part = |part: Option<&[u8]>| part.map(Box::from);
            let header = |header: &Header<'_>| (header.name.to_owned(), part(header.value));
            let stored = Rc::new(Stored {
                key: part(message.key),
                value: part(message.value),
                timestamp: message.timestamp.unwrap_or((state.now() / 1000) as i64),
                headers: message.headers.iter().map(header).collect(),
            });
            sink.lanes.push(state, place, Waiting::new(stored, message.tag));
            Ok(Sent::Taken)
        })
    }

    fn work(&mut self, wait: Duration) -> Result<UnderWay> {
        self.call("work", |sink| sink.deliver(wait, false))
    }

    fn flush(&mut self, wait: Duration) -> Result<UnderWay> {
        self.call("flush", |sink| sink.deliver(wait, true))
    }

    fn mark(&mut self) {
        if !self.lanes.mark() {
            self.broke("marked, and messages from before the mark are under way");
        }
    }

    fn begin(&mut self) -> Result<()> {
        self.call("begin", |sink| {
            if sink.phase != Phase::Idle || sink.producer.is_none() {
                sink.broke("a transaction begins inside of another, or without transactions");
            }
            if sink.lanes.under_way().all > 0 {
                sink.broke("a transaction begins, and messages are under way");
            }
            (sink.phase, sink.joined) = (Phase::Open, false);
            sink.lanes.begin();
            Ok(())
        })
    }

    fn commit(&mut self, marks: &[Mark], member: MemberToken) -> Result<Ended> {
        self.call("commit", |sink| {
            if sink.phase == Phase::Idle {
                sink.broke("a commit, and no transaction is open");
            }
            if sink.lanes.under_way().all > 0 {
                sink.broke("a commit, and messages are under way");
            }
            let ended = sink.commit_now(marks, member);
            let shown: Vec<_> =
                marks.iter().map(|mark| (mark.of.source, mark.of.partition, mark.next, mark.last)).collect();
            let (host, thread) = (sink.process.host, sink.thread);
            let ended_as = ended.as_ref().map_err(|error| error.code);
            sink.process.journal.note(format_args!("host {host}.{thread} commits {shown:?}: {ended_as:?}"));
            sink.process.journal.tally(match &ended {
                Ok(Ended::Committed) => "committed",
                Ok(Ended::Failed(_)) => "commit failed",
                Err(_) => "commit with unknown end",
            });
            ended
        })
    }

    fn abort(&mut self) -> Result<()> {
        self.call("abort", Self::abort_now)
    }

    fn landed(&mut self) -> Vec<(u32, i64)> {
        std::mem::take(&mut self.landed)
    }
}

impl Drop for SimSink {
    /// As a crash: what is on the wire may arrive.
    fn drop(&mut self) {
        let cluster = self.cluster.clone();
        self.lanes.scatter(&mut cluster.state(), self.producer);
    }
}
