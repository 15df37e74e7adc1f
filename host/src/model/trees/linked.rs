//! The older form, versions 1 to 3: each node says its tree, its number in it, and the numbers of its
//! children. A tree is walked from the first of its nodes.

use std::collections::HashMap;

use super::attributes::Attributes;
use super::{DEPTH_LIMIT, Unsound, feature, index, same_length};

/// What a leaf votes for: the lists' names begin with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Votes(&'static str);

pub(super) const CLASSIFIER: Votes = Votes("class");
pub(super) const REGRESSOR: Votes = Votes("target");

/// A node that is no leaf.
#[derive(Clone, Copy, Debug)]
struct Branch {
    yes: usize,
    no: usize,
}

pub(super) fn check(attributes: &Attributes<'_>, votes: Votes) -> Result<(), Unsound> {
    let nodes = Nodes::read(attributes)?;
    let branches = nodes.branches()?;
    nodes.refuse_two_parents(&branches)?;
    nodes.refuse_circles(&branches)?;
    nodes.check_votes(attributes, votes)
}

struct Nodes<'a> {
    trees: Vec<i64>,
    numbers: Vec<i64>,
    modes: Vec<&'a [u8]>,
    features: Vec<i64>,
    yes: Vec<i64>,
    no: Vec<i64>,
    /// By tree and number.
    places: HashMap<(i64, i64), usize>,
}

impl<'a> Nodes<'a> {
    fn read(attributes: &Attributes<'a>) -> Result<Self, Unsound> {
        let list = |name: &str, count: Option<usize>| {
            let list = attributes.ints(name)?;
            count.map_or(Ok(()), |count| same_length(name, list.len(), count))?;
            Ok::<_, Unsound>(list)
        };
        let trees = list("nodes_treeids", None)?;
        let count = trees.len();
        let numbers = list("nodes_nodeids", Some(count))?;
        let modes = attributes.strings("nodes_modes")?;
        same_length("nodes_modes", modes.len(), count)?;
        same_length("nodes_values", attributes.count_floats("nodes_values")?, count)?;
        for name in ["nodes_missing_value_tracks_true", "nodes_hitrates"] {
            let given = match name {
                "nodes_hitrates" => attributes.count_floats(name)?,
                name => attributes.ints(name)?.len(),
            };
            if given > 0 {
                same_length(name, given, count)?;
            }
        }
        let mut places = HashMap::with_capacity(count);
        for (at, place) in trees.iter().copied().zip(numbers.iter().copied()).enumerate() {
            if place.0.min(place.1) < 0 || place.0.max(place.1) > i64::from(i32::MAX) {
                return Err(format!("{} is no number for a node", named(place)));
            }
            if places.insert(place, at).is_some() {
                return Err(format!("{} is there twice", named(place)));
            }
        }
        Ok(Self {
            features: list("nodes_featureids", Some(count))?,
            yes: list("nodes_truenodeids", Some(count))?,
            no: list("nodes_falsenodeids", Some(count))?,
            trees,
            numbers,
            modes,
            places,
        })
    }

    fn name(&self, at: usize) -> String {
        named((self.trees[at], self.numbers[at]))
    }

    /// Where each node leads; none from leaves.
    fn branches(&self) -> Result<Vec<Option<Branch>>, Unsound> {
        let branch = |(at, mode): (usize, &&[u8])| match *mode {
            b"LEAF" => Ok(None),
            b"BRANCH_LEQ" | b"BRANCH_LT" | b"BRANCH_GTE" | b"BRANCH_GT" | b"BRANCH_EQ" | b"BRANCH_NEQ" => {
                feature(self.features[at], || self.name(at))?;
                let child = |number: i64| {
                    let known = self.places.get(&(self.trees[at], number)).copied();
                    known.ok_or_else(|| {
                        format!("{} leads to node {number}, which its tree does not have", self.name(at))
                    })
                };
                Ok(Some(Branch { yes: child(self.yes[at])?, no: child(self.no[at])? }))
            }
            mode => {
                let mode = crate::model::words::quoted(&String::from_utf8_lossy(mode));
                Err(format!("{} is of the mode {mode}, which there is not", self.name(at)))
            }
        };
        self.modes.iter().enumerate().map(branch).collect()
    }

    /// Nor may the first node of a tree have one.
    fn refuse_two_parents(&self, branches: &[Option<Branch>]) -> Result<(), Unsound> {
        let mut parents: Vec<Option<(usize, bool)>> = vec![None; branches.len()];
        for (at, branch) in branches.iter().enumerate() {
            let Some(Branch { yes, no }) = *branch else { continue };
            for (child, is_yes) in [(yes, true), (no, false)] {
                let one_of = |other: usize| {
                    let equal = |at: usize| self.modes[at] == b"BRANCH_EQ";
                    equal(at) && equal(other) && self.features[at] == self.features[other]
                };
                match parents[child].replace((at, is_yes)) {
                    Some((other, true)) if is_yes && other != at && one_of(other) => {}
                    None => {}
                    Some((other, _)) => {
                        let (child, other, own) = (self.name(child), self.name(other), self.name(at));
                        return Err(format!("{child} has two parents, {other} and {own}"));
                    }
                }
            }
        }
        let mut before = None;
        let mut seen = std::collections::HashSet::new();
        for (at, tree) in self.trees.iter().enumerate() {
            if before.replace(*tree) == Some(*tree) {
                continue;
            }
            if !seen.insert(*tree) {
                return Err(format!("the nodes of tree {tree} do not stand together"));
            }
            if let Some((parent, _)) = parents[at] {
                let (root, parent) = (self.name(at), self.name(parent));
                return Err(format!("{root}, the first of its tree, is a child of {parent}"));
            }
        }
        Ok(())
    }

    /// Takes away what nothing leads to, until nothing is left.
    fn refuse_circles(&self, branches: &[Option<Branch>]) -> Result<(), Unsound> {
        let children = |at: usize| branches[at].into_iter().flat_map(|Branch { yes, no }| [yes, no]);
        let mut left = vec![0_u32; branches.len()];
        (0..branches.len()).flat_map(children).for_each(|child| left[child] += 1);
        let mut depth = vec![1_usize; branches.len()];
        let mut free: Vec<usize> = (0..branches.len()).filter(|at| left[*at] == 0).collect();
        while let Some(at) = free.pop() {
            if depth[at] > DEPTH_LIMIT {
                return Err(format!("{} lies deeper than {DEPTH_LIMIT} nodes", self.name(at)));
            }
            for child in children(at) {
                depth[child] = depth[child].max(depth[at] + 1);
                left[child] -= 1;
                if left[child] == 0 {
                    free.push(child);
                }
            }
        }
        match left.iter().position(|left| *left > 0) {
            Some(at) => Err(format!("from {} the way leads in a circle", self.name(at))),
            None => Ok(()),
        }
    }

    /// What leaves give, and to which class or target.
    fn check_votes(&self, attributes: &Attributes<'_>, Votes(what): Votes) -> Result<(), Unsound> {
        let list = |name: &str| attributes.ints(&format!("{what}_{name}"));
        let (trees, numbers, ids) = (list("treeids")?, list("nodeids")?, list("ids")?);
        let weights = attributes.count_floats(&format!("{what}_weights"))?;
        if [trees.len(), numbers.len(), weights].iter().any(|length| *length != ids.len()) {
            let (trees, numbers, ids) = (trees.len(), numbers.len(), ids.len());
            return Err(format!(
                "{what}_treeids, _nodeids, _ids and _weights have {trees}, {numbers}, {ids} and {weights} values"
            ));
        }
        let targets = if what == CLASSIFIER.0 {
            let texts = attributes.strings("classlabels_strings")?.len();
            if texts > 0 { texts } else { attributes.ints("classlabels_int64s")?.len() }
        } else {
            attributes.int("n_targets")?.map_or(0, |count| usize::try_from(count).unwrap_or(0))
        };
        for ((tree, number), id) in trees.into_iter().zip(numbers).zip(ids) {
            let place = (tree, number);
            if !self.places.contains_key(&place) {
                return Err(format!("{} has a weight, but there is no such node", named(place)));
            }
            if index(id, targets).is_none() {
                return Err(format!("{} votes for {what} {id}, of {targets}", named(place)));
            }
        }
        Ok(())
    }
}

fn named((tree, number): (i64, i64)) -> String {
    format!("node {number} of tree {tree}")
}
