//! What stands beside an offset in a transaction: the number of the task's commit, whose transaction it was, until the
//! partition is given up, and from where on another generation of the pipeline speaks.

use crate::engine::Fence;

/// `COMMIT`, `ID` and `fence=GENERATION:OFFSET`, with spaces between; the first alone must be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Note<'a> {
    pub commit: u64,
    /// The transactional id.
    pub owner: Option<&'a str>,
    pub fence: Option<Fence>,
}

const FENCE: &str = "fence=";

impl<'a> Note<'a> {
    /// What anybody else wrote says nothing.
    pub fn read(metadata: &'a str) -> Self {
        let mut words = metadata.split(' ');
        let Some(commit) = words.next().and_then(|word| word.parse().ok()) else { return Self::default() };
        let mut note = Self { commit, ..Self::default() };
        for word in words.filter(|word| !word.is_empty()) {
            match word.strip_prefix(FENCE) {
                Some(fence) => note.fence = read_fence(fence),
                None => note.owner = note.owner.or(Some(word)),
            }
        }
        note
    }

    pub fn written(self) -> String {
        let owner = self.owner.map(|owner| format!(" {owner}"));
        let fence = self.fence.map(|Fence { to, at }| format!(" {FENCE}{to}:{at}"));
        format!("{}{}{}", self.commit, owner.unwrap_or_default(), fence.unwrap_or_default())
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
        for (owner, fence) in [(None, None), (Some("fraud-1"), None), (None, fence), (Some("fraud-1"), fence)] {
            let note = Note { commit: 7, owner, fence };
            assert_eq!(Note::read(&note.written()), note);
        }
        assert_eq!(Note { commit: 7, owner: Some("a-0"), fence }.written(), "7 a-0 fence=12:3456");
        for foreign in ["", "x y", "-1 a", "someone's own"] {
            assert_eq!(Note::read(foreign), Note::default());
        }
        for damaged in ["7 a fence=", "7 a fence=1", "7 a fence=x:1", "7 a fence=1:-1"] {
            assert_eq!(Note::read(damaged), Note { commit: 7, owner: Some("a"), fence: None });
        }
    }
}
