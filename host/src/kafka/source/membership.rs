//! The source's place in its group, as the engine was told.
//!
//! ```text
//!           Assigned              Revoked              release
//!   apart ───────────> holding ───────────> yielding ───────────> apart
//! ```
//!
//! The group may go on without us: an assignment that comes while we hold another means that the one
//! held was lost.

use std::collections::VecDeque;

use crate::kafka::events::Rebalance;
use crate::record::{PartitionId, SourceId};

/// What is to be done first.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Assigned(Vec<PartitionId>),
    Revoked {
        partitions: Vec<PartitionId>,
        lost: bool,
    },
    /// A revocation of what the engine never had: to be answered without it.
    NothingHeld,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Apart,
    Holding(Vec<PartitionId>),
    Yielding {
        partitions: Vec<PartitionId>,
        lost: bool,
        answer: bool,
    },
}

#[derive(Debug, Default)]
pub(super) struct Membership {
    state: State,
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
        if let State::Holding(_) = self.state {
            self.yield_to(self.waiting.front().map(Cause::of)?);
        }
        if let State::Yielding { partitions, lost, .. } = &self.state {
            return Some(Turn::Revoked { partitions: partitions.clone(), lost: *lost });
        }
        Some(match self.waiting.pop_front()? {
            Rebalance::Revoke { .. } => Turn::NothingHeld,
            Rebalance::Assign(list) => {
                let partitions = ids(&list, topics);
                self.state = State::Holding(partitions.clone());
                Turn::Assigned(partitions)
            }
        })
    }

    /// Whether what the engine holds is somebody else's, though it does not know yet.
    pub(super) fn superseded(&self) -> bool {
        let lost = |one: &Rebalance| !matches!(one, Rebalance::Revoke { lost: false });
        match &self.state {
            State::Apart => true,
            State::Holding(_) => self.waiting.iter().any(lost),
            State::Yielding { lost: already, .. } => *already || self.waiting.iter().any(lost),
        }
    }

    /// The engine has let go. Whether the group waits for an answer; if not, an assignment came over the
    /// one that was held, and what librdkafka fetches is not in order any more.
    pub(super) fn release(&mut self) -> bool {
        match std::mem::take(&mut self.state) {
            State::Yielding { answer, .. } => answer,
            State::Apart | State::Holding(_) => false,
        }
    }

    fn yield_to(&mut self, cause: Cause) {
        let State::Holding(partitions) = std::mem::take(&mut self.state) else { return };
        let Cause { lost, answer } = cause;
        if answer {
            // Its own event; an assignment waits for its turn.
            self.waiting.pop_front();
        }
        self.state = State::Yielding { partitions, lost, answer };
    }
}

/// Why partitions are given up, and whether the group waits for it.
#[derive(Clone, Copy)]
struct Cause {
    lost: bool,
    answer: bool,
}

impl Cause {
    fn of(next: &Rebalance) -> Self {
        match next {
            Rebalance::Revoke { lost } => Self { lost: *lost, answer: true },
            Rebalance::Assign(_) => Self { lost: true, answer: false },
        }
    }
}

fn ids(list: &[(String, i32)], topics: &[String]) -> Vec<PartitionId> {
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

    fn assign(partitions: &[i32]) -> Rebalance {
        Rebalance::Assign(partitions.iter().map(|n| ("a".to_owned(), *n)).collect())
    }

    fn id(partition: i32) -> PartitionId {
        PartitionId { source: 0, partition }
    }

    fn turn(membership: &mut Membership) -> Option<Turn> {
        membership.turn(&["a".to_owned()])
    }

    #[test]
    fn a_revocation_is_repeated_until_released() {
        let mut membership = Membership::default();
        membership.extend([assign(&[1, 0]), Rebalance::Revoke { lost: false }, assign(&[2])]);
        assert_eq!(turn(&mut membership), Some(Turn::Assigned(vec![id(0), id(1)])));
        for _ in 0..2 {
            let revoked = Turn::Revoked { partitions: vec![id(0), id(1)], lost: false };
            assert_eq!(turn(&mut membership), Some(revoked));
        }
        assert!(membership.release());
        assert_eq!(turn(&mut membership), Some(Turn::Assigned(vec![id(2)])));
        assert_eq!(turn(&mut membership), None);
    }

    #[test]
    fn an_assignment_over_another_means_that_one_was_lost() {
        let mut membership = Membership::default();
        membership.extend([assign(&[0])]);
        turn(&mut membership);
        assert!(!membership.superseded());
        membership.extend([assign(&[1])]);
        assert!(membership.superseded());
        let lost = Turn::Revoked { partitions: vec![id(0)], lost: true };
        assert_eq!(turn(&mut membership), Some(lost));
        assert!(!membership.release(), "the group waits for the assignment's answer, not for this");
        assert_eq!(turn(&mut membership), Some(Turn::Assigned(vec![id(1)])));
    }

    #[test]
    fn a_revocation_of_nothing_is_answered_without_the_engine() {
        let mut membership = Membership::default();
        membership.extend([Rebalance::Revoke { lost: true }]);
        assert_eq!(turn(&mut membership), Some(Turn::NothingHeld));
        assert_eq!(turn(&mut membership), None);
    }

    #[test]
    fn commits_are_due_while_a_revocation_waits_unless_it_was_lost() {
        for lost in [false, true] {
            let mut membership = Membership::default();
            assert!(membership.superseded(), "nothing is held");
            membership.extend([assign(&[0])]);
            turn(&mut membership);
            membership.extend([Rebalance::Revoke { lost }]);
            assert_eq!(membership.superseded(), lost);
            turn(&mut membership);
            assert_eq!(membership.superseded(), lost);
        }
    }
}
