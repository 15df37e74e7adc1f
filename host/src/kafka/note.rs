//! What stands beside an offset in a transaction: the number of the task's commit, whose transaction it was, until the
//! partition is given up, and what another generation of the pipeline is told.

use crate::engine::{Fence, Words};

/// `COMMIT`, `ID`, `fence=GENERATION:OFFSET`, `quiet=GENERATION` and `at=WATERMARK`, with spaces between; the first alone
/// must be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Note<'a> {
    pub commit: u64,
    /// The transactional id.
    pub owner: Option<&'a str>,
    pub words: Words,
}

impl<'a> Note<'a> {
    /// What anybody else wrote says nothing.
    pub fn read(metadata: &'a str) -> Self {
        let mut words = metadata.split(' ');
        let Some(commit) = words.next().and_then(|word| word.parse().ok()) else { return Self::default() };
        let mut note = Self { commit, ..Self::default() };
        for word in words.filter(|word| !word.is_empty()) {
            match word.split_once('=') {
                Some(("fence", fence)) => note.words.fence = read_fence(fence),
                Some(("quiet", to)) => note.words.quiet = to.parse().ok(),
                Some(("at", at)) => note.words.at = at.parse().ok(),
                _ => note.owner = note.owner.or(Some(word)),
            }
        }
        note
    }

    pub fn written(self) -> String {
        let Self { commit, owner, words: Words { fence, quiet, at } } = self;
        let mut note = commit.to_string();
        note.extend(owner.map(|owner| format!(" {owner}")));
        note.extend(fence.map(|Fence { to, at }| format!(" fence={to}:{at}")));
        note.extend(quiet.map(|to| format!(" quiet={to}")));
        note.extend(at.map(|at| format!(" at={at}")));
        note
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
        let (fence, quiet, at) = (Some(Fence { to: 12, at: 3456 }), Some(12), Some(-5));
        let all = Words { fence, quiet, at };
        let some = [Words::default(), Words { fence, ..Words::default() }, Words { at: None, ..all }, all];
        for words in some {
            for owner in [None, Some("fraud-1")] {
                let note = Note { commit: 7, owner, words };
                assert_eq!(Note::read(&note.written()), note);
            }
        }
        let whole = Note { commit: 7, owner: Some("a-0"), words: all };
        assert_eq!(whole.written(), "7 a-0 fence=12:3456 quiet=12 at=-5");
        for foreign in ["", "x y", "-1 a", "someone's own"] {
            assert_eq!(Note::read(foreign), Note::default());
        }
        for damaged in
            ["7 a fence=", "7 a fence=1", "7 a fence=x:1", "7 a fence=1:-1", "7 a quiet=", "7 a at=x"]
        {
            assert_eq!(Note::read(damaged), Note { commit: 7, owner: Some("a"), ..Note::default() });
        }
    }
}
