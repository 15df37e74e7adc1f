//! What stands beside an offset in a transaction: the number of the task's commit, and whose transaction it was,
//! until the partition is given up.

/// `COMMIT ID`, or `COMMIT` alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Note<'a> {
    pub commit: u64,
    /// The transactional id.
    pub owner: Option<&'a str>,
}

impl<'a> Note<'a> {
    /// What anybody else wrote says nothing.
    pub fn read(metadata: &'a str) -> Self {
        let (commit, owner) = match metadata.split_once(' ') {
            Some((commit, owner)) => (commit, Some(owner).filter(|owner| !owner.is_empty())),
            None => (metadata, None),
        };
        commit.parse().map_or_else(|_| Self::default(), |commit| Self { commit, owner })
    }

    pub fn written(self) -> String {
        match self.owner {
            Some(owner) => format!("{} {owner}", self.commit),
            None => self.commit.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for note in [Note { commit: 7, owner: Some("fraud-1") }, Note { commit: 0, owner: None }] {
            assert_eq!(Note::read(&note.written()), note);
        }
        for foreign in ["", "x y", "-1 a", "someone's own"] {
            assert_eq!(Note::read(foreign), Note::default());
        }
    }
}
