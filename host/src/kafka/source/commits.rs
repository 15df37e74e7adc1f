//! Offsets that the broker has not confirmed yet.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::error::{Code, Error, Result};
use crate::record::PartitionId;

/// A commit that failed is tried again after this.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// When commits have failed for this long, the run ends: ever more would come again after a crash.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Commits {
    waiting: BTreeMap<PartitionId, i64>,
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    since: Instant,
    tried: Instant,
    why: String,
}

impl Commits {
    /// Offsets to be committed; later ones replace earlier ones.
    pub(super) fn add(&mut self, offsets: &[(PartitionId, i64)]) {
        self.waiting.extend(offsets.iter().copied());
    }

    /// All that the broker has not confirmed.
    pub(super) fn waiting(&self) -> impl ExactSizeIterator<Item = (PartitionId, i64)> + '_ {
        self.waiting.iter().map(|(id, offset)| (*id, *offset))
    }

    /// The broker has these.
    pub(super) fn confirm(&mut self, offsets: impl IntoIterator<Item = (PartitionId, i64)>) {
        self.failing = None;
        for (id, offset) in offsets {
            if self.waiting.get(&id).is_some_and(|waiting| *waiting <= offset) {
                self.waiting.remove(&id);
            }
        }
    }

    pub(super) fn failed(&mut self, why: String, now: Instant) {
        let since = self.failing.as_ref().map_or(now, |failing| failing.since);
        self.failing = Some(Failing { since, tried: now, why });
    }

    /// Nothing is committed for partitions that were given up.
    pub(super) fn forget(&mut self, partitions: &[PartitionId]) {
        self.waiting.retain(|id, _| !partitions.contains(id));
    }

    /// Whether those that failed should be tried again now.
    pub(super) fn again(&mut self, now: impl FnOnce() -> Instant) -> Result<bool> {
        let Some(failing) = self.failing.as_mut().filter(|_| !self.waiting.is_empty()) else {
            return Ok(false);
        };
        let now = now();
        if now.saturating_duration_since(failing.since) >= GIVE_UP_AFTER {
            let text = format!("no offset was committed for {GIVE_UP_AFTER:?}: {}", failing.why);
            return Err(Error::new(Code::Commit, text));
        }
        let again = now.saturating_duration_since(failing.tried) >= TRY_AGAIN_AFTER;
        if again {
            failing.tried = now;
        }
        Ok(again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(partition: i32) -> PartitionId {
        PartitionId { source: 0, partition }
    }

    fn waiting(commits: &Commits) -> Vec<(PartitionId, i64)> {
        commits.waiting().collect()
    }

    #[test]
    fn what_is_not_confirmed_waits() {
        let mut commits = Commits::default();
        commits.add(&[(id(0), 5), (id(1), 3)]);
        commits.add(&[(id(0), 9)]);
        commits.confirm([(id(0), 5), (id(1), 3)]);
        assert_eq!(waiting(&commits), [(id(0), 9)]);
        commits.confirm([(id(0), 9)]);
        assert_eq!(waiting(&commits), []);
    }

    #[test]
    fn a_failure_is_tried_again_and_given_up_in_the_end() {
        let (mut commits, start) = (Commits::default(), Instant::now());
        commits.add(&[(id(0), 5)]);
        assert!(!commits.again(|| start).unwrap(), "the answer is not here yet");
        commits.failed("no".to_owned(), start);
        assert!(!commits.again(|| start).unwrap());
        assert!(commits.again(|| start + TRY_AGAIN_AFTER).unwrap());
        assert!(!commits.again(|| start + TRY_AGAIN_AFTER).unwrap(), "once at a time");
        commits.failed("never".to_owned(), start + GIVE_UP_AFTER / 2);
        let error = commits.again(|| start + GIVE_UP_AFTER).unwrap_err();
        assert_eq!(error.code, Code::Commit);
        assert!(error.message.ends_with("never"), "{}", error.message);
    }

    #[test]
    fn what_was_given_up_is_not_waited_for() {
        let mut commits = Commits::default();
        commits.add(&[(id(0), 5), (id(1), 3)]);
        commits.forget(&[id(0), id(2)]);
        assert_eq!(waiting(&commits), [(id(1), 3)]);
    }

    #[test]
    fn success_in_between_begins_anew() {
        let (mut commits, start) = (Commits::default(), Instant::now());
        commits.add(&[(id(0), 5)]);
        commits.failed("no".to_owned(), start);
        commits.confirm([(id(0), 4)]);
        commits.failed("no".to_owned(), start + GIVE_UP_AFTER);
        assert!(!commits.again(|| start + GIVE_UP_AFTER).unwrap());
    }
}
