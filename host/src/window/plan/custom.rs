//! Aggregates with folds of a plugin's own.

use super::InputPlan;
use crate::columns::Column;

/// An aggregate with a fold of the plugin's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Custom {
    /// Of the fold: with the version, what the bytes of a register mean.
    pub name: String,
    pub version: u32,
    /// Index into [`super::Plan::spans`].
    pub span: usize,
    pub filter: Option<usize>,
    pub invertible: bool,
    pub register_bytes: usize,
    /// Which cells it fills. None: it is another release's, and is only kept for that one.
    pub cells: Vec<usize>,
    /// How it is run; none in a plan that only says how state is kept.
    pub runs: Option<Runs>,
}

/// How a release's plugin runs a custom fold.
#[derive(Clone, Debug, PartialEq)]
pub struct Runs {
    /// As the plugin numbers its folds.
    pub fold: u32,
    /// What it emits.
    pub gives: Column,
    /// What it sees of an entry: which kept column, and what that is declared to be. Of texts and bytes only a hash
    /// is kept, so they are not shown.
    pub shown: Vec<(usize, Column)>,
}

impl Custom {
    /// Without what is a matter of each release.
    pub(super) fn bare(&self) -> Self {
        Self { cells: Vec::new(), runs: None, ..self.clone() }
    }

    /// Whether it is of the release whose plan this is.
    pub fn is_own(&self) -> bool {
        !self.cells.is_empty()
    }

    pub fn shown(&self) -> &[(usize, Column)] {
        self.runs.as_ref().map_or(&[], |runs| &runs.shown)
    }
}

impl InputPlan {
    /// What custom folds see of an entry.
    pub(super) fn shown(&self) -> Vec<(usize, Column)> {
        let kept = self.layout.kept.iter().cloned().enumerate();
        kept.filter(|(_, column)| !column.kind.is_list()).collect()
    }
}
