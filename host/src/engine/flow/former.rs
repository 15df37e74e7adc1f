//! Releases that ran before, or run elsewhere: each finishes the rows that it began.

use crate::error::Result;

use super::{Flow, Post};
use crate::engine::held::Released;
use crate::engine::mistake::{Mistake, planted};
use crate::engine::parcel;
use crate::engine::task::Tasks;

/// Such a release.
#[derive(Debug)]
pub(super) struct Former {
    pub flow: Flow,
    /// Since it was asked about last.
    is_used: bool,
}

impl Flow {
    /// Goes on as another release. This one stays, to finish what it began.
    pub fn succeed(&mut self, next: Self) {
        let mut former = std::mem::replace(self, next);
        std::mem::swap(&mut self.lap, &mut former.lap);
        self.run = former.run;
        self.formers = std::mem::take(&mut former.formers);
        let own = self.stamp().to_owned();
        self.formers.retain(|one| one.flow.stamp() != own);
        self.learn(former);
    }

    /// Knows another release from now on, to finish its rows.
    pub fn learn(&mut self, mut flow: Self) {
        flow.run = self.run;
        if self.lacks(flow.stamp()) {
            self.formers.push(Former { flow, is_used: true });
        }
    }

    /// What its release is called in outputs and rows in flight.
    pub fn stamp(&self) -> &str {
        &self.pipeline.identity.stamp
    }

    /// Of its release; 0: it has none.
    pub fn number(&self) -> u64 {
        self.pipeline.identity.number
    }

    /// Whether rows of a release can't be finished here.
    pub(in crate::engine) fn lacks(&self, stamp: &str) -> bool {
        stamp != self.stamp() && self.formers.iter().all(|one| one.flow.stamp() != stamp)
    }

    /// Whether any other release is known.
    pub(in crate::engine) fn has_formers(&self) -> bool {
        !self.formers.is_empty()
    }

    /// Lets go of releases that had nothing to do since the last time and began no row that waits in `tasks`. Of
    /// those that are not settled, by number, one stays for all of the same windows, so that these go on.
    pub(in crate::engine) fn retire(&mut self, settled: u64, tasks: &Tasks) -> Vec<Self> {
        let mut kept: Vec<u64> = Vec::new();
        for (index, Former { flow, .. }) in self.formers.iter().enumerate() {
            let later = &self.formers[index + 1..];
            let is_last = later.iter().all(|one| !one.flow.has_windows_of(flow));
            if flow.number() >= settled && is_last && !flow.has_windows_of(self) {
                kept.push(flow.number());
            }
        }
        let is_idle = |former: &mut Former| {
            let waits = |stamp: &str| stamp == former.flow.stamp();
            !std::mem::take(&mut former.is_used)
                && !kept.contains(&former.flow.number())
                && !tasks.iter().any(|(_, task)| task.held.releases().any(waits))
        };
        self.formers.extract_if(.., is_idle).map(|former| former.flow.let_go()).collect()
    }

    /// Has nothing of other releases any more.
    pub(super) fn let_go(mut self) -> Self {
        self.folders.clear();
        self
    }

    pub(super) fn each_former(&mut self, what: impl FnMut(&mut Self)) {
        self.formers.iter_mut().map(|former| &mut former.flow).for_each(what);
    }

    /// Rows that were in parcels, each through the stages of the release that began it. Where nobody knows that one
    /// any more, this one finishes them, if their columns are its own.
    pub(super) fn run_parcels(
        &mut self,
        group: usize,
        released: &[Released<'_>],
        tasks: &mut Tasks,
        send: &mut Post<'_>,
    ) -> Result<()> {
        if self.formers.is_empty() || planted(Mistake::FinishesAnew) {
            return self.run_own_parcels(group, released, tasks, send);
        }
        let release = |one: &Released<'_>| parcel::release(&one.bytes).map(|stamp| self.former(stamp));
        let by: Vec<Option<usize>> = released.iter().map(|one| release(one).flatten()).collect();
        let mut rest = released;
        for run in by.chunk_by(|one, next| one == next) {
            let (own, behind) = rest.split_at(run.len());
            rest = behind;
            match run[0] {
                None => self.run_own_parcels(group, own, tasks, send)?,
                Some(former) => self.finish_parcels(former, group, own, tasks, send)?,
            }
        }
        Ok(())
    }

    fn former(&self, stamp: &str) -> Option<usize> {
        self.formers.iter().position(|one| one.flow.stamp() == stamp)
    }

    fn finish_parcels(
        &mut self,
        former: usize,
        group: usize,
        released: &[Released<'_>],
        tasks: &mut Tasks,
        send: &mut Post<'_>,
    ) -> Result<()> {
        self.at_work = Some(former);
        let Former { flow, is_used } = &mut self.formers[former];
        *is_used = true;
        // All of them are one thread, whose time is told once.
        std::mem::swap(&mut self.lap, &mut flow.lap);
        let done = flow.run_own_parcels(group, released, tasks, send);
        std::mem::swap(&mut self.lap, &mut flow.lap);
        done?;
        self.at_work = None;
        Ok(())
    }
}
