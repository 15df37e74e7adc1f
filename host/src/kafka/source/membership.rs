//! The source's place in its group, as the engine was told.
//!
//! ```text
//!                Assigned            Revoked             release
//!   somebody's ───────────> held ───────────────> given up ──────> somebody's
//!                             └── start: read, from where it says
//! ```
//!
//! Each partition on its own: what an event names changes, all others go on. With the classic protocol an event
//! always names them all.
//!
//! The group may go on without us: an assignment of what we hold already means that it was lost in between, and
//! a revocation of what was never started that nothing is in order any more. Then all is given up as lost, and a
//! new member begins.

use std::collections::{BTreeSet, VecDeque};

use crate::kafka::events::{Partitions, Rebalance};
use crate::record::{PartitionId, SourceId};

/// What is to be done first.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Assigned(Vec<PartitionId>),
    Revoked {
        partitions: Vec<PartitionId>,
        lost: bool,
    },
    /// A revocation of what the engine does not have: to be answered without it.
    NothingHeld(Vec<PartitionId>),
}

/// What librdkafka waits for when partitions have been let go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing yet: more are to be let go.
    Later,
    /// That these are not read any more.
    Unassign(Vec<PartitionId>),
    /// Nothing that would help: a new member is to begin.
    JoinAnew,
}

/// A partition, and where it is read from. `None`: from its beginning.
pub(super) type Begin = (PartitionId, Option<i64>);

/// What is read from now on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Beginnings {
    /// An assignment, for which librdkafka waits.
    pub first: Option<Vec<Begin>>,
    /// What was read before, elsewhere.
    pub again: Vec<Begin>,
}

#[derive(Debug)]
struct Yielding {
    /// By librdkafka.
    named: Vec<PartitionId>,
    /// Not released yet.
    left: BTreeSet<PartitionId>,
    lost: bool,
    /// It is answered by taking these out; else nothing is.
    in_order: bool,
}

#[derive(Debug, Default)]
pub(super) struct Membership {
    /// What the engine was told that it has.
    held: BTreeSet<PartitionId>,
    /// Those of an assignment that has not been answered.
    fresh: Option<BTreeSet<PartitionId>>,
    yielding: Option<Yielding>,
    waiting: VecDeque<Rebalance>,
}

impl Extend<Rebalance> for Membership {
    fn extend<I: IntoIterator<Item = Rebalance>>(&mut self, rebalances: I) {
        self.waiting.extend(rebalances);
    }
}

impl Membership {
    /// The next turn, if there is one. A revocation is repeated until it is released.
    pub(super) fn turn(&mut self, topics: &[String]) -> Option<Turn> {
        if self.yielding.is_none() {
            if let Some(partitions) = self.assigned(topics) {
                return Some(Turn::Assigned(partitions));
            }
            self.yielding = Some(self.revoked(topics)?);
        }
        let Yielding { named, left, lost, .. } = self.yielding.as_ref()?;
        if left.is_empty() {
            let named = named.clone();
            self.yielding = None;
            return Some(Turn::NothingHeld(named));
        }
        Some(Turn::Revoked { partitions: left.iter().copied().collect(), lost: *lost })
    }

    /// An assignment, if that is next, and the one before was answered.
    fn assigned(&mut self, topics: &[String]) -> Option<Vec<PartitionId>> {
        let Rebalance::Assign { partitions, whole } = self.waiting.front()? else { return None };
        let partitions = ids(partitions, topics);
        if self.fresh.is_some() || self.contradicts(&partitions, *whole) {
            return None;
        }
        self.waiting.pop_front();
        self.held.extend(&partitions);
        self.fresh = Some(partitions.iter().copied().collect());
        Some(partitions)
    }

    /// What is to be given up: for a revocation, or since an assignment contradicts what is held.
    fn revoked(&mut self, topics: &[String]) -> Option<Yielding> {
        let held = self.held.clone();
        let disorder =
            || Some(Yielding { named: Vec::new(), left: held.clone(), lost: true, in_order: false });
        let yielding = match self.waiting.front()? {
            Rebalance::Assign { partitions, whole } => {
                return if self.contradicts(&ids(partitions, topics), *whole) { disorder() } else { None };
            }
            Rebalance::Revoke { partitions, whole, lost } => {
                let named = ids(partitions, topics);
                let unread = |id| self.fresh.as_ref().is_some_and(|fresh| fresh.contains(id));
                if !whole && named.iter().any(unread) {
                    return disorder();
                }
                let left = if *whole {
                    self.fresh = None;
                    self.held.clone()
                } else {
                    named.iter().copied().filter(|id| self.held.contains(id)).collect()
                };
                Yielding { named, left, lost: *lost, in_order: true }
            }
        };
        self.waiting.pop_front();
        Some(yielding)
    }

    fn contradicts(&self, assigned: &[PartitionId], whole: bool) -> bool {
        whole && !self.held.is_empty() || assigned.iter().any(|id| self.held.contains(id))
    }

    /// The engine reads these. `None`: it can't, since it does not have them, or names an assignment by half.
    pub(super) fn start(&mut self, partitions: &[Begin]) -> Option<Beginnings> {
        if partitions.iter().any(|(id, _)| !self.held.contains(id)) {
            return None;
        }
        let fresh = self.fresh.as_ref();
        let is_fresh = |(id, _): &Begin| fresh.is_some_and(|fresh| fresh.contains(id));
        let (first, again): (Vec<Begin>, Vec<Begin>) = partitions.iter().copied().partition(is_fresh);
        let named = first.len();
        match fresh.map(BTreeSet::len) {
            Some(all) if all == named => {
                self.fresh = None;
                Some(Beginnings { first: Some(first), again })
            }
            _ => (named == 0).then_some(Beginnings { first: None, again }),
        }
    }

    /// Whether some of what the engine holds is somebody else's, though it does not know yet.
    pub(super) fn superseded(&self, topics: &[String]) -> bool {
        self.held.is_empty()
            || self.yielding.as_ref().is_some_and(|yielding| yielding.lost)
            || self.waiting.iter().any(|one| match one {
                Rebalance::Revoke { lost, .. } => *lost,
                Rebalance::Assign { partitions, whole } => self.contradicts(&ids(partitions, topics), *whole),
            })
    }

    /// The engine has let go.
    pub(super) fn release(&mut self, partitions: &[PartitionId]) -> Answer {
        let Some(yielding) = &mut self.yielding else { return Answer::Later };
        for id in partitions {
            self.held.remove(id);
            yielding.left.remove(id);
        }
        if !yielding.left.is_empty() {
            return Answer::Later;
        }
        let Some(Yielding { named, in_order, .. }) = self.yielding.take() else { return Answer::Later };
        if in_order { Answer::Unassign(named) } else { Answer::JoinAnew }
    }
}

fn ids(list: &Partitions, topics: &[String]) -> Vec<PartitionId> {
    let mut ids: Vec<PartitionId> = list
        .iter()
        .filter_map(|(topic, partition)| {
            let source = topics.iter().position(|known| known == topic)?;
            Some(PartitionId { source: source as SourceId, partition: *partition })
        })
        .collect();
    ids.sort_unstable();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(partitions: &[i32]) -> Partitions {
        partitions.iter().map(|n| ("a".to_owned(), *n)).collect()
    }

    fn assign(partitions: &[i32], whole: bool) -> Rebalance {
        Rebalance::Assign { partitions: names(partitions), whole }
    }

    fn revoke(partitions: &[i32], whole: bool, lost: bool) -> Rebalance {
        Rebalance::Revoke { partitions: names(partitions), whole, lost }
    }

    fn id(partition: i32) -> PartitionId {
        PartitionId { source: 0, partition }
    }

    fn all(partitions: &[i32]) -> Vec<PartitionId> {
        partitions.iter().map(|n| id(*n)).collect()
    }

    fn topics() -> Vec<String> {
        vec!["a".to_owned()]
    }

    fn turn(membership: &mut Membership) -> Option<Turn> {
        membership.turn(&topics())
    }

    fn begin(partitions: &[i32]) -> Vec<Begin> {
        partitions.iter().map(|n| (id(*n), Some(1))).collect()
    }

    /// Assigned and started.
    fn holding(partitions: &[i32], whole: bool) -> Membership {
        let mut membership = Membership::default();
        membership.extend([assign(partitions, whole)]);
        assert_eq!(turn(&mut membership), Some(Turn::Assigned(all(partitions))));
        let begun = membership.start(&begin(partitions)).unwrap();
        assert_eq!(begun, Beginnings { first: Some(begin(partitions)), again: Vec::new() });
        membership
    }

    #[test]
    fn a_revocation_is_repeated_until_released() {
        let mut membership = holding(&[0, 1], true);
        membership.extend([revoke(&[0, 1], true, false), assign(&[2], true)]);
        for _ in 0..2 {
            let revoked = Turn::Revoked { partitions: all(&[0, 1]), lost: false };
            assert_eq!(turn(&mut membership), Some(revoked));
        }
        assert_eq!(membership.release(&all(&[1])), Answer::Later);
        assert_eq!(turn(&mut membership), Some(Turn::Revoked { partitions: all(&[0]), lost: false }));
        assert_eq!(membership.release(&all(&[0])), Answer::Unassign(all(&[0, 1])));
        assert_eq!(turn(&mut membership), Some(Turn::Assigned(all(&[2]))));
        assert_eq!(turn(&mut membership), None);
    }

    #[test]
    fn what_is_not_named_goes_on() {
        let mut membership = holding(&[0, 1], false);
        membership.extend([revoke(&[1], false, false), assign(&[2], false)]);
        assert!(!membership.superseded(&topics()));
        assert_eq!(turn(&mut membership), Some(Turn::Revoked { partitions: all(&[1]), lost: false }));
        assert_eq!(membership.start(&begin(&[0])).unwrap(), Beginnings { first: None, again: begin(&[0]) });
        assert_eq!(membership.release(&all(&[1])), Answer::Unassign(all(&[1])));
        assert_eq!(turn(&mut membership), Some(Turn::Assigned(all(&[2]))));
        let begun = membership.start(&begin(&[0, 2])).unwrap();
        assert_eq!(begun, Beginnings { first: Some(begin(&[2])), again: begin(&[0]) });
        assert_eq!(membership.start(&begin(&[1])), None, "it is somebody else's");
    }

    #[test]
    fn an_assignment_is_started_as_a_whole() {
        let mut membership = Membership::default();
        membership.extend([assign(&[0, 1], false), assign(&[], false)]);
        turn(&mut membership);
        assert_eq!(turn(&mut membership), None, "one after the other");
        assert_eq!(membership.start(&begin(&[0])), None);
        assert!(membership.start(&begin(&[0, 1])).is_some());
        assert_eq!(turn(&mut membership), Some(Turn::Assigned(Vec::new())));
        assert_eq!(membership.start(&[]).unwrap().first, Some(Vec::new()), "nothing is to be answered too");
        assert_eq!(membership.start(&[]).unwrap().first, None);
    }

    #[test]
    fn an_assignment_over_another_means_that_one_was_lost() {
        for (second, whole) in [([1], true), ([0], false)] {
            let mut membership = holding(&[0], whole);
            assert!(!membership.superseded(&topics()));
            membership.extend([assign(&second, whole)]);
            assert!(membership.superseded(&topics()));
            let lost = Turn::Revoked { partitions: all(&[0]), lost: true };
            assert_eq!(turn(&mut membership), Some(lost));
            assert_eq!(membership.release(&all(&[0])), Answer::JoinAnew);
        }
    }

    #[test]
    fn what_is_lost_before_it_was_started_begins_anew() {
        let mut membership = holding(&[0], false);
        membership.extend([assign(&[1, 2], false)]);
        turn(&mut membership);
        membership.extend([revoke(&[0, 1, 2], false, true)]);
        assert_eq!(turn(&mut membership), Some(Turn::Revoked { partitions: all(&[0, 1, 2]), lost: true }));
        assert_eq!(membership.release(&all(&[0, 1, 2])), Answer::JoinAnew);
    }

    #[test]
    fn the_classic_protocol_takes_back_what_was_not_started() {
        let mut membership = Membership::default();
        membership.extend([assign(&[], true), revoke(&[], true, false), assign(&[0], true)]);
        assert_eq!(turn(&mut membership), Some(Turn::Assigned(Vec::new())));
        assert_eq!(turn(&mut membership), Some(Turn::NothingHeld(Vec::new())));
        membership.extend([revoke(&[0], true, false), assign(&[0], true)]);
        assert_eq!(turn(&mut membership), Some(Turn::Assigned(all(&[0]))));
        assert_eq!(turn(&mut membership), Some(Turn::Revoked { partitions: all(&[0]), lost: false }));
        assert_eq!(membership.release(&all(&[0])), Answer::Unassign(all(&[0])));
        assert_eq!(turn(&mut membership), Some(Turn::Assigned(all(&[0]))));
        assert_eq!(membership.start(&begin(&[0])).unwrap().first, Some(begin(&[0])));
    }

    #[test]
    fn a_revocation_of_nothing_is_answered_without_the_engine() {
        let mut membership = Membership::default();
        membership.extend([revoke(&[3], false, true)]);
        assert_eq!(turn(&mut membership), Some(Turn::NothingHeld(all(&[3]))));
        assert_eq!(turn(&mut membership), None);
    }

    #[test]
    fn commits_are_due_while_a_revocation_waits_unless_it_was_lost() {
        for (lost, whole) in [(false, true), (true, true), (false, false), (true, false)] {
            assert!(Membership::default().superseded(&topics()), "nothing is held");
            let mut membership = holding(&[0], whole);
            membership.extend([revoke(&[0], whole, lost)]);
            assert_eq!(membership.superseded(&topics()), lost);
            turn(&mut membership);
            assert_eq!(membership.superseded(&topics()), lost);
        }
    }

    proptest! {
        /// Whatever the group does in good order, the engine has what the group says, and each event is
        /// answered once.
        #[test]
        fn the_engine_has_what_the_group_says(steps in prop::collection::vec((any::<bool>(), 0u8..32), 0..30)) {
            let (mut membership, mut given, mut engine) = (Membership::default(), BTreeSet::new(), BTreeSet::new());
            let (mut sent, mut answered) = (0, 0);
            for (assigns, bits) in steps {
                let wanted = |n: &i32| bits >> n & 1 == 1 && given.contains(n) != assigns;
                let named: Vec<i32> = (0..5).filter(wanted).collect();
                for n in &named {
                    if assigns { given.insert(*n) } else { given.remove(n) };
                }
                membership.extend([if assigns { assign(&named, false) } else { revoke(&named, false, false) }]);
                sent += 1;
                while let Some(turn) = turn(&mut membership) {
                    match turn {
                        Turn::Assigned(partitions) => {
                            engine.extend(partitions.iter().map(|id| id.partition));
                            let begin: Vec<_> = partitions.iter().map(|id| (*id, None)).collect();
                            answered += usize::from(membership.start(&begin).unwrap().first.is_some());
                        }
                        Turn::Revoked { partitions, lost } => {
                            prop_assert!(!lost);
                            engine.retain(|n| !partitions.contains(&id(*n)));
                            prop_assert_eq!(membership.release(&partitions), Answer::Unassign(all(&named)));
                            answered += 1;
                        }
                        Turn::NothingHeld(partitions) => {
                            prop_assert_eq!(partitions, all(&named));
                            answered += 1;
                        }
                    }
                }
                prop_assert_eq!(&engine, &given);
                prop_assert_eq!(answered, sent);
            }
        }
    }
}
