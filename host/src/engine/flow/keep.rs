//! Windows are kept so that they serve all releases that a thread knows: each has a view of what is kept.

use std::sync::Arc;

use super::Flow;
use super::folds::Shared;
use crate::columns::Column;
use crate::error::{Code, Error, Result};
use crate::pipeline::{FeaturesNode, Pipeline};
use crate::window::{Custom, Plan, Runs};

/// By features stage, by custom aggregate that is kept: how a release runs it, if it does, and who.
type Hands = Vec<Vec<Option<(Runs, Shared)>>>;

impl Flow {
    /// Takes a release's windows as what all keys are kept by, until [`Self::unite`] is called.
    pub(super) fn keep_own(mut self) -> Self {
        let unions = self.own.iter().map(|stage| united(&[&stage.plan]));
        // One plan is at peace with itself; if not, it is kept as it is.
        if let Ok(unions) = unions.collect::<Result<Vec<_>>>() {
            self.keep_by(&unions);
        }
        self.lend(&[]);
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

    /// The same of one whose windows are not kept yet; nor may they lack what other windows had before these.
    pub(in crate::engine) fn goes_with(&self, other: &Self) -> Result<()> {
        self.suits(other)?;
        let stages = other.own.iter().zip(&self.pipeline.features);
        let behind = stages.filter_map(|(own, kept)| own.plan.falls_behind(&[&kept.plan])).next();
        behind.map_or(Ok(()), |what| Err(Error::new(Code::NotYet, what)))
    }

    /// From now on windows are kept that serve all releases known here. Gives those that they can't be kept for
    /// beside the others, which are not known any more: the oldest first.
    pub(in crate::engine) fn unite(&mut self) -> Result<Vec<Self>> {
        let mut odd = Vec::new();
        let unions = loop {
            match self.unions() {
                Err(_) if !self.formers.is_empty() => odd.push(self.formers.remove(0).flow.let_go()),
                unions => break unions?,
            }
        };
        self.keep_by(&unions);
        self.each_former(|former| former.keep_by(&unions));
        // The later a release came, the sooner it is asked.
        let others = self.formers.iter().rev().map(|one| one.flow.hands());
        let all: Vec<Hands> = [self.hands()].into_iter().chain(others).collect();
        self.lend(&all);
        self.each_former(|former| former.lend(&all));
        Ok(odd)
    }

    /// By features stage, by custom aggregate: how this release runs it, and who does.
    fn hands(&self) -> Hands {
        let stages = self.pipeline.features.iter().zip(&self.plugins);
        let hands = stages.map(|(node, plugin)| {
            let own = |custom: &Custom| custom.runs.clone().filter(|_| custom.is_own());
            node.plan.customs.iter().map(|custom| Some((own(custom)?, Arc::clone(plugin)))).collect()
        });
        hands.collect()
    }

    /// What this release can't run is run by another.
    fn lend(&mut self, all: &[Hands]) {
        let mut pipeline = None;
        self.folders.clear();
        for (stage, (node, plugin)) in self.pipeline.features.iter().zip(&self.plugins).enumerate() {
            let mut folders = Vec::new();
            for (index, custom) in node.plan.customs.iter().enumerate() {
                if custom.is_own() {
                    folders.push(Some(Arc::clone(plugin)));
                    continue;
                }
                let (runs, plugin) = all.iter().find_map(|hands| hands[stage][index].clone()).unzip();
                let lent = pipeline.get_or_insert_with(|| Pipeline::clone(&self.pipeline));
                lent.features[stage].plan.customs[index].runs = runs;
                folders.push(plugin);
            }
            self.folders.push(folders);
        }
        self.pipeline = pipeline.map_or_else(|| Arc::clone(&self.pipeline), Arc::new);
    }

    fn unions(&self) -> Result<Vec<Plan>> {
        let mut unions = Vec::new();
        for (stage, own) in self.own.iter().enumerate() {
            let formers = self.formers.iter().filter_map(|one| one.flow.own.get(stage));
            let plans: Vec<&Plan> = [own].into_iter().chain(formers).map(|node| &node.plan).collect();
            unions.push(united(&plans).map_err(|error| error.at(format!("features {}", own.name)))?);
        }
        Ok(unions)
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
            let mut view = own.plan.view(union).expect("the union is of this plan too");
            // What only other releases keep is kept for them, where this one's rows have it.
            for ((input, own), view) in node.inputs.iter_mut().zip(&own.inputs).zip(&mut view.inputs) {
                let rows = &pipeline.sources[usize::from(input.source)].rows;
                input.kept.clone_from(&own.kept);
                let lacking = view.layout.kept.iter().zip(&mut view.kept_from);
                for (column, from) in lacking.filter(|(_, from)| from.is_none()) {
                    let is_same = |own: &Column| own.name == column.name && own.kind == column.kind;
                    if let Some(place) = rows.iter().position(is_same) {
                        *from = Some(input.kept.len());
                        input.kept.push(place);
                    }
                }
            }
            node.plan = view;
        }
        self.pipeline = Arc::new(pipeline);
    }
}

/// A value that rows of one release do not have can be none.
fn united(plans: &[&Plan]) -> Result<Plan> {
    Plan::union(plans).map(Plan::loosened)
}
