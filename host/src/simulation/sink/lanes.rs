//! A producer's queue: one lane for each partition, in which nothing overtakes.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::engine::ports::UnderWay;
use crate::simulation::cluster::{Participant, Place, Producer, Refused, State, Stored};
use crate::simulation::journal::Time;

/// The longest that a batch is on its way, in microseconds.
const BATCH_DELAY: Time = 4_000;
/// How long it waits for company.
const LINGER: Time = 10_000;
/// The largest batch.
const BATCH: usize = 16;

#[derive(Debug)]
pub struct Waiting {
    record: Rc<Stored>,
    tag: Option<u32>,
    part: usize,
}

impl Waiting {
    pub fn new(record: Rc<Stored>, tag: Option<u32>) -> Self {
        Self { record, tag, part: 0 }
    }
}

#[derive(Debug)]
struct Lane {
    to: Place,
    queue: VecDeque<Waiting>,
    /// When the next batch arrives.
    ready: Time,
    lingers: bool,
    /// The coordinator knows that the open transaction writes here. Before that nothing is on the wire.
    joined: bool,
}

/// What a look at the lanes brought.
#[derive(Debug, Default)]
pub struct Delivery {
    pub arrived: usize,
    /// The transaction has begun for the coordinator.
    pub joined: bool,
    /// The cluster takes nothing from this producer.
    pub refused: bool,
    /// A message of this partition never arrives.
    pub lost: Option<Place>,
    /// When the next batch arrives.
    pub next: Option<Time>,
}

#[derive(Debug)]
pub struct Lanes {
    lanes: Vec<Lane>,
    /// Messages that are under way, before the mark and after it.
    counts: [usize; 2],
    part: usize,
    most: usize,
}

impl Lanes {
    pub fn new(most: usize) -> Self {
        Self { lanes: Vec::new(), counts: [0; 2], part: 0, most }
    }

    pub fn under_way(&self) -> UnderWay {
        UnderWay { all: self.counts[0] + self.counts[1], marked: self.counts[self.part ^ 1] }
    }

    pub fn is_full(&self) -> bool {
        self.under_way().all >= self.most.max(1)
    }

    /// Whether the part before was done.
    pub fn mark(&mut self) -> bool {
        let done = self.counts[self.part ^ 1] == 0;
        self.part ^= 1;
        done
    }

    pub fn push(&mut self, state: &mut State, to: Place, waiting: Waiting) {
        let index = self.lanes.iter().position(|lane| lane.to == to).unwrap_or_else(|| {
            self.lanes.push(Lane { to, queue: VecDeque::new(), ready: 0, lingers: false, joined: false });
            self.lanes.len() - 1
        });
        let lane = &mut self.lanes[index];
        if lane.queue.is_empty() {
            (lane.ready, lane.lingers) = (state.now() + LINGER + state.delay(BATCH_DELAY), true);
        }
        lane.queue.push_back(Waiting { part: self.part, ..waiting });
        self.counts[self.part] += 1;
    }

    /// Lets batches arrive whose time has come. `flush`: none waits for company.
    pub fn deliver(
        &mut self,
        state: &mut State,
        by: Option<Producer>,
        flush: bool,
        landed: &mut Vec<(u32, i64)>,
    ) -> Delivery {
        let mut delivery = Delivery::default();
        let now = state.now();
        for lane in self.lanes.iter_mut().filter(|lane| !lane.queue.is_empty()) {
            if flush && std::mem::take(&mut lane.lingers) {
                lane.ready = lane.ready.min(now + state.delay(BATCH_DELAY));
            }
            if lane.ready <= now {
                if let Some(by) = by {
                    match state.join_transaction(by, Participant::Records(lane.to)) {
                        Ok(()) => (delivery.joined, lane.joined) = (true, true),
                        Err(Refused::Concurrent) => {
                            lane.ready = now + 1 + state.delay(BATCH_DELAY);
                            delivery.next =
                                Some(delivery.next.map_or(lane.ready, |next| next.min(lane.ready)));
                            continue;
                        }
                        Err(_) => return Delivery { refused: true, ..delivery },
                    }
                }
                let most = 1 + state.random.below(BATCH);
                for waiting in lane.queue.drain(..most.min(lane.queue.len())) {
                    self.counts[waiting.part] -= 1;
                    delivery.arrived += 1;
                    let often = state.faults.lost_message;
                    if state.random.hits(often) {
                        delivery.lost = Some(lane.to);
                        break;
                    }
                    let Ok(offset) = state.append_by(lane.to, by, waiting.record) else {
                        return Delivery { refused: true, ..delivery };
                    };
                    landed.extend(waiting.tag.map(|tag| (tag, offset)));
                }
                (lane.ready, lane.lingers) = (now + state.delay(BATCH_DELAY), false);
            }
            if !lane.queue.is_empty() {
                delivery.next = Some(delivery.next.map_or(lane.ready, |next| next.min(lane.ready)));
            }
        }
        delivery
    }

    /// Another transaction begins.
    pub fn begin(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.joined = false);
    }

    pub fn clear(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.queue.clear());
        self.counts = [0; 2];
    }

    /// Drops all. The first batch of a partition may be in flight, and arrive when nobody waits for it. Whether
    /// one may be.
    pub fn scatter(&mut self, state: &mut State, by: Option<Producer>) -> bool {
        let mut in_flight = false;
        for lane in self.lanes.iter_mut().filter(|lane| !lane.queue.is_empty()) {
            let most = 1 + state.random.below(BATCH);
            if (lane.joined || by.is_none()) && state.random.coin() {
                in_flight = true;
                let batch = lane.queue.drain(..most.min(lane.queue.len()));
                state.straggle(lane.to, by, batch.map(|waiting| waiting.record).collect());
            }
        }
        self.clear();
        in_flight
    }
}
