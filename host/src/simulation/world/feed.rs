//! What comes into the world: records of producers outside, some of them in transactions, some of those aborted.

use std::rc::Rc;

use crate::simulation::client::{fence, insist};
use crate::simulation::cluster::{Cluster, Participant, Producer, State, Stored, partition_of};
use crate::simulation::random::Random;

/// A record that is to come in.
#[derive(Clone, Debug)]
pub struct Given {
    pub topic: String,
    /// None: by its key.
    pub partition: Option<i32>,
    pub record: Stored,
}

/// How often a transaction begins, and how often an open one ends; times in ten thousand.
const BEGINS: u32 = 500;
const ENDS: u32 = 3_000;

type Make = Box<dyn FnMut(&mut Random) -> Vec<Given>>;

pub(super) struct Feeder {
    cluster: Cluster,
    make: Make,
    open: Option<Producer>,
}

impl Feeder {
    pub fn new(cluster: Cluster, make: impl FnMut(&mut Random) -> Vec<Given> + 'static) -> Self {
        Self { cluster, make: Box::new(make), open: None }
    }

    pub fn feed(&mut self, random: &mut Random) {
        let given = (self.make)(random);
        let cluster = self.cluster.clone();
        let state = &mut *cluster.state();
        if self.open.is_none() && random.hits(BEGINS) {
            // Whether it could begin is asked at its first record.
            self.open = fence(state, "outside").ok();
        }
        let inside = random.coin();
        for Given { topic, partition, record } in given {
            let topic = state.topic(&topic).expect("what is fed goes to topics of this world");
            let count = state.partitions_of(topic);
            let by_key = record.key.as_deref().map_or(0, |key| partition_of(key, count));
            let place = (topic, partition.unwrap_or(by_key));
            let record = Rc::new(record);
            match self.open.filter(|_| inside) {
                None => {
                    state.append(place, record);
                }
                Some(by) => {
                    let join = |state: &mut State| state.join_transaction(by, Participant::Records(place));
                    // It may have taken too long.
                    let joined = insist(state, join).and_then(|()| state.append_by(place, Some(by), record));
                    if joined.is_err() {
                        self.open = None;
                    }
                }
            }
        }
        if let Some(by) = self.open
            && random.hits(ENDS)
        {
            self.open = None;
            // Empty, or too late: nothing to end.
            let _ = state.end_transaction(by, random.coin());
        }
    }

    pub fn finish(&mut self) {
        if let Some(by) = self.open.take() {
            let _ = self.cluster.state().end_transaction(by, true);
        }
    }
}
