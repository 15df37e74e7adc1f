//! Windows are kept so that they serve all releases that a thread knows: each has a view of what is kept.

use std::sync::Arc;

use super::Flow;
use crate::error::Result;
use crate::pipeline::{FeaturesNode, Pipeline};
use crate::window::Plan;

impl Flow {
    /// Takes a release's windows as what all keys are kept by, until [`Self::unite`] is called.
    pub(super) fn keep_own(mut self) -> Self {
        let unions = self.own.iter().map(|stage| united(&[&stage.plan]));
        // One plan is at peace with itself; if not, it is kept as it is.
        if let Ok(unions) = unions.collect::<Result<Vec<_>>>() {
            self.keep_by(&unions);
        }
        self
    }

    /// Keeps windows that serve another release too, which may come back, if there are such.
    pub fn beside(mut self, other: Self) -> Result<Self> {
        if self.suits(&other).is_ok() {
            self.learn(other);
            self.unite()?;
        }
        Ok(self)
    }

    /// Whether windows can be kept that serve this release's and another's too. An error says what is in the way.
    pub(in crate::engine) fn suits(&self, other: &Self) -> Result<()> {
        self.own.iter().zip(&other.own).try_for_each(|(own, other)| {
            united(&[&own.plan, &other.plan])
                .map(drop)
                .map_err(|error| error.at(format!("features {}", own.name)))
        })
    }

    /// From now on windows are kept that serve all releases known here.
    pub(in crate::engine) fn unite(&mut self) -> Result<()> {
        let mut unions = Vec::new();
        for (stage, own) in self.own.iter().enumerate() {
            let formers = self.formers.iter().filter_map(|one| one.flow.own.get(stage));
            let plans: Vec<&Plan> = [own].into_iter().chain(formers).map(|node| &node.plan).collect();
            unions.push(united(&plans).map_err(|error| error.at(format!("features {}", own.name)))?);
        }
        self.keep_by(&unions);
        self.each_former(|former| former.keep_by(&unions));
        Ok(())
    }

    /// Whether another release's windows are the same.
    pub(super) fn has_windows_of(&self, other: &Self) -> bool {
        let print = |one: &FeaturesNode| one.plan.fingerprint();
        self.own.len() == other.own.len()
            && self.own.iter().zip(&other.own).all(|(one, other)| print(one) == print(other))
    }

    fn keep_by(&mut self, unions: &[Plan]) {
        let same = |(node, union): (&FeaturesNode, &Plan)| node.plan.fingerprint() == union.fingerprint();
        if self.pipeline.features.iter().zip(unions).all(same) {
            return;
        }
        let mut pipeline = Pipeline::clone(&self.pipeline);
        for ((node, own), union) in pipeline.features.iter_mut().zip(&self.own).zip(unions) {
            node.plan = own.plan.view(union).expect("the union is of this plan too");
        }
        self.pipeline = Arc::new(pipeline);
    }
}

/// A value that rows of one release do not have can be none.
fn united(plans: &[&Plan]) -> Result<Plan> {
    Plan::union(plans).map(Plan::loosened)
}
