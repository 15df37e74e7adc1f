//! Generations: a release that was begun from history has state of its own, and is run beside the one before it until
//! one of the two is ended.

use super::Ledger;
use crate::error::{Code, Error};
use crate::release::manifest::{Manifest, Step, Turn};

/// Two generations that are run beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    pub older: u64,
    /// What the older one goes by.
    pub before: &'a Manifest,
    /// The release that began the newer one, and by which that goes.
    pub newer: &'a Manifest,
    /// Since when the newer one is to speak, in milliseconds since the epoch.
    pub speaks: Option<i64>,
    /// The older one is to speak again, and the newer one goes.
    pub is_back: bool,
}

impl Pair<'_> {
    /// Why nothing else is taken.
    pub fn on_its_way(&self) -> Error {
        let newer = self.newer.stamp();
        let text = format!(
            "release {newer} was begun from history, and is not through: until then it can only be rolled back"
        );
        Error::new(Code::Bootstrapping, text)
    }
}

impl Ledger {
    /// Those that are run now, if there are two.
    pub fn pair(&self) -> Option<Pair<'_>> {
        let current = self.current()?;
        let generation = current.facts.generation;
        let is_alive = |release: &&Manifest| self.turn(release.facts.generation, Step::Ended).is_none();
        let newer = match self.release(generation).filter(|release| release.facts.bootstrap.is_some()) {
            // It may be followed by releases of its own.
            Some(newer) if self.before(newer).filter(is_alive).is_some() => newer,
            _ => {
                let later = |release: &&Manifest| release.facts.generation > generation;
                self.releases().rev().find(later).filter(is_alive)?
            }
        };
        let is_back = newer.facts.generation != generation;
        let before = if is_back { current } else { self.before(newer)? };
        let speaks = self.turn(newer.number, Step::Speaks).map(|turn| turn.at);
        Some(Pair { older: before.facts.generation, before, newer, speaks, is_back })
    }

    fn before(&self, release: &Manifest) -> Option<&Manifest> {
        self.releases().rev().find(|other| other.number < release.number)
    }

    /// That of the current release.
    pub fn generation(&self) -> u64 {
        self.current().map_or(0, |current| current.facts.generation)
    }

    /// What a generation goes by, or went by last.
    pub fn last_of(&self, generation: u64) -> Option<&Manifest> {
        self.releases().rev().find(|release| release.facts.generation == generation)
    }

    /// Generations after this one that have ended: none of them took its place. The last of them; 0: there is none.
    pub fn over(&self, generation: u64) -> u64 {
        let ended = self.turns.keys().filter(|(_, step, _)| *step == Step::Ended).map(|(of, ..)| *of);
        ended.filter(|of| *of > generation).max().unwrap_or(0)
    }

    /// When a generation came so far, as was said first.
    pub fn turn(&self, generation: u64, step: Step) -> Option<&Turn> {
        let own = self.turns.iter().filter(|((of, what, _), _)| (*of, *what) == (generation, step));
        own.min_by_key(|(_, at)| at.offset).map(|(_, at)| &at.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::manifest::{Facts, Ticket};
    use crate::release::samples::facts;

    /// Releases of contents, each with its generation; one that has its own number begins it.
    fn ledger(releases: &[(u8, u64)]) -> Ledger {
        let mut ledger = Ledger::default();
        for (index, (content, generation)) in releases.iter().enumerate() {
            let (number, ticket) = (index as u64 + 1, Ticket(index as u64));
            let bootstrap = (number == *generation).then_some(5);
            let facts = Facts { bootstrap, generation: *generation, ..facts(*content) };
            let (key, value) = Manifest { number, ticket, facts }.record(Ticket(7)).expect("small");
            ledger.take(index as i64, Some(key.as_bytes()), Some(&value)).expect("sound");
        }
        ledger
    }

    fn turn(ledger: &mut Ledger, generation: u64, step: Step, at: i64) {
        let turn = Turn { generation, step, by: "h".to_owned(), at };
        let (key, value) = turn.record(Ticket(at as u64));
        ledger.take(100 + at, Some(key.as_bytes()), Some(&value)).expect("sound");
    }

    fn pair(ledger: &Ledger) -> Option<(u64, u64, u64, Option<i64>, bool)> {
        let Pair { older, before, newer, speaks, is_back } = ledger.pair()?;
        Some((older, before.number, newer.number, speaks, is_back))
    }

    #[test]
    fn a_release_that_is_begun_from_history_runs_beside_the_one_before() {
        assert_eq!(pair(&ledger(&[(1, 0), (2, 0)])), None);
        let mut begun = ledger(&[(1, 0), (2, 0), (3, 3)]);
        assert_eq!(pair(&begun), Some((0, 2, 3, None, false)));
        turn(&mut begun, 3, Step::Speaks, 8);
        turn(&mut begun, 3, Step::Speaks, 9);
        assert_eq!(pair(&begun), Some((0, 2, 3, Some(8), false)));
        turn(&mut begun, 0, Step::Ended, 10);
        assert_eq!((pair(&begun), begun.over(3)), (None, 0));
    }

    #[test]
    fn the_older_one_may_come_back() {
        let mut back = ledger(&[(1, 0), (2, 2), (1, 0)]);
        assert_eq!(pair(&back), Some((0, 3, 2, None, true)));
        turn(&mut back, 2, Step::Ended, 10);
        assert_eq!((pair(&back), back.over(0), back.over(2)), (None, 2, 0));
    }

    #[test]
    fn one_generation_comes_after_the_other() {
        let mut next = ledger(&[(1, 0), (2, 2), (1, 0), (4, 0), (5, 5), (6, 5)]);
        turn(&mut next, 2, Step::Ended, 10);
        assert_eq!(pair(&next), Some((0, 4, 5, None, false)));
        turn(&mut next, 0, Step::Ended, 11);
        assert_eq!((pair(&next), next.over(0)), (None, 2));
        let mut third = ledger(&[(1, 0), (2, 2), (3, 3)]);
        turn(&mut third, 0, Step::Ended, 10);
        assert_eq!(pair(&third), Some((2, 2, 3, None, false)));
    }

    #[test]
    fn what_a_pair_goes_by_is_kept() {
        let mut begun = ledger(&[(1, 0), (2, 0), (3, 3)]);
        let keep = super::super::Keep { releases: 1, since: i64::MAX };
        assert_eq!(begun.prunable(keep).len(), 1, "the first alone");
        turn(&mut begun, 0, Step::Ended, 10);
        assert_eq!(begun.prunable(keep).len(), 2, "what ran a while ago is kept as ever");
    }
}
