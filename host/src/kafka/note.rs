//! What stands beside an offset in a transaction: the number of the task's commit, whose transaction it was, until the
//! partition is given up, and from where on another generation of the pipeline speaks, and whether the task is quiet.

use crate::engine::Fence;

/// `COMMIT`, `ID`, `fence=GENERATION:OFFSET` and `quiet=GENERATION`, with spaces between; the first alone must be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Note<'a> {
    pub commit: u64,
    /// The transactional id.
    pub owner: Option<&'a str>,
    pub fence: Option<Fence>,
    /// Nothing is on its way any more that comes before such a fence.
    pub quiet: Option<u64>,
}

const FENCE: &str = "fence=";
const QUIET: &str = "quiet=";

impl<'a> Note<'a> {
    /// What anybody else wrote says nothing.
    pub fn read(metadata: &'a str) -> Self {
        let mut words = metadata.split(' ');
        let Some(commit) = words.next().and_then(|word| word.parse().ok()) else { return Self::default() };
        let mut note = Self { commit, ..Self::default() };
        for word in words.filter(|word| !word.is_empty()) {
            match (word.strip_prefix(FENCE), word.strip_prefix(QUIET)) {
                (Some(fence), _) => note.fence = read_fence(fence),
                (_, Some(quiet)) => note.quiet = quiet.parse().ok(),
                (None, None) => note.owner = note.owner.or(Some(word)),
            }
        }
        note
    }

    pub fn written(self) -> String {
        let owner = self.owner.map(|owner| format!(" {owner}"));
        let fence = self.fence.map(|Fence { to, at }| format!(" {FENCE}{to}:{at}"));
        let quiet = self.quiet.map(|to| format!(" {QUIET}{to}"));
        let [owner, fence, quiet] = [owner, fence, quiet].map(Option::unwrap_or_default);
        format!("{}{owner}{fence}{quiet}", self.commit)
    }
}

fn read_fence(text: &str) -> Option<Fence> {
    let (to, at) = text.split_once(':')?;
    Some(Fence { to: to.parse().ok()?, at: at.parse().ok().filter(|at| *at >= 0)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let fence = Some(Fence { to: 12, at: 3456 });
        for (owner, fence) in [(None, None), (Some("fraud-1"), None), (None, fence), (Some("fraud-1"), fence)]
        {
            for quiet in [None, Some(12)] {
                let note = Note { commit: 7, owner, fence, quiet };
                assert_eq!(Note::read(&note.written()), note);
            }
        }
        let whole = Note { commit: 7, owner: Some("a-0"), fence, quiet: Some(12) };
        assert_eq!(whole.written(), "7 a-0 fence=12:3456 quiet=12");
        for foreign in ["", "x y", "-1 a", "someone's own"] {
            assert_eq!(Note::read(foreign), Note::default());
        }
        for damaged in ["7 a fence=", "7 a fence=1", "7 a fence=x:1", "7 a fence=1:-1"] {
            assert_eq!(Note::read(damaged), Note { commit: 7, owner: Some("a"), ..Note::default() });
        }
    }
}
