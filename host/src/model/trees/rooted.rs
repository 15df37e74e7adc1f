//! The newer form, version 5: branches and leaves are numbered through all trees, and a list says where each
//! tree begins. ONNX Runtime writes a node out once for each way that leads to it.

use super::attributes::{Attributes, Tensor};
use super::{DEPTH_LIMIT, Unsound, feature, index, same_length};

/// The last of the modes, and the only one with a set of values.
const MEMBER: u8 = 6;

/// Sets of fewer values become a chain of as many nodes.
const CHAIN: usize = 31;

/// Where a branch leads.
#[derive(Clone, Copy, Debug)]
enum Child {
    Branch(usize),
    Leaf(usize),
}

pub(super) fn check(attributes: &Attributes<'_>) -> Result<(), Unsound> {
    let yes = attributes.ints("nodes_truenodeids")?;
    let count = yes.len();
    let list = |name: &str| {
        let list = attributes.ints(name)?;
        same_length(name, list.len(), count)?;
        Ok::<_, Unsound>(list)
    };
    let no = list("nodes_falsenodeids")?;
    let (yes_leaf, no_leaf) = (list("nodes_trueleafs")?, list("nodes_falseleafs")?);
    let features = list("nodes_featureids")?;
    same_length("nodes_splits", attributes.tensor("nodes_splits")?.len(), count)?;
    let hits = attributes.tensor("nodes_hitrates")?.len();
    let missing = attributes.ints("nodes_missing_value_tracks_true")?.len();
    for (name, given) in [("nodes_hitrates", hits), ("nodes_missing_value_tracks_true", missing)] {
        if given > 0 {
            same_length(name, given, count)?;
        }
    }
    let leaves = leaves(attributes)?;
    let chains = chains(attributes, count)?;
    let mut branches = Vec::with_capacity(count);
    for at in 0..count {
        feature(features[at], || format!("node {at}"))?;
        let child = |number: i64, is_leaf: i64| {
            let child = match is_leaf {
                0 => index(number, count).map(Child::Branch),
                _ => index(number, leaves).map(Child::Leaf),
            };
            let what = if is_leaf == 0 { "node" } else { "leaf" };
            child.ok_or_else(|| format!("node {at} leads to {what} {number}, which there is not"))
        };
        branches.push([child(yes[at], yes_leaf[at])?, child(no[at], no_leaf[at])?]);
    }
    let roots = roots(&attributes.ints("tree_roots")?, &branches, leaves)?;
    walk(&roots, &branches, &chains)
}

/// How many there are.
fn leaves(attributes: &Attributes<'_>) -> Result<usize, Unsound> {
    let targets = attributes.int("n_targets")?.map_or(0, |count| usize::try_from(count).unwrap_or(0));
    let ids = attributes.ints("leaf_targetids")?;
    if let Some((leaf, id)) = ids.iter().enumerate().find(|(_, id)| index(**id, targets).is_none()) {
        return Err(format!("leaf {leaf} votes for target {id}, of {targets}"));
    }
    let weights = attributes.tensor("leaf_weights")?.len();
    if weights != ids.len() {
        return Err(format!("leaf_weights has {weights} values, for {} leaves", ids.len()));
    }
    Ok(weights)
}

/// For each node how many it counts for on a path.
fn chains(attributes: &Attributes<'_>, count: usize) -> Result<Vec<usize>, Unsound> {
    let modes = match attributes.tensor("nodes_modes")? {
        Tensor::Bytes(modes) => modes,
        Tensor::None => Vec::new(),
        Tensor::Floats(_) => return Err("nodes_modes are no bytes".to_owned()),
    };
    same_length("nodes_modes", modes.len(), count)?;
    let values = match attributes.tensor("membership_values")? {
        Tensor::Floats(values) => values,
        Tensor::None => Vec::new(),
        Tensor::Bytes(_) => return Err("membership_values are no floats".to_owned()),
    };
    // Not a number ends a set.
    let mut sets = values.split(|value| value.is_nan());
    let chain = |(at, mode): (usize, &u8)| match *mode {
        MEMBER => match sets.next().map_or(0, <[f64]>::len) {
            0 => Err(format!("node {at} has no membership values")),
            members if members < CHAIN => Ok(members),
            _ => Ok(1),
        },
        mode if mode < MEMBER => Ok(1),
        mode => Err(format!("node {at} is of the mode {mode}, which there is not")),
    };
    modes.iter().enumerate().map(chain).collect()
}

fn roots(given: &[i64], branches: &[[Child; 2]], leaves: usize) -> Result<Vec<usize>, Unsound> {
    let mut roots = Vec::with_capacity(given.len());
    let mut seen = vec![false; branches.len()];
    for root in given {
        let Some(at) = index(*root, branches.len()) else {
            return Err(format!("a tree begins at node {root}, which there is not"));
        };
        if std::mem::replace(&mut seen[at], true) {
            return Err(format!("two trees begin at node {root}"));
        }
        // A tree that is one leaf: it is looked up by the number of the root.
        if let [Child::Leaf(yes), Child::Leaf(no)] = branches[at]
            && yes == no
            && at >= leaves
        {
            return Err(format!("node {at} is a tree of one leaf, but there are {leaves} leaves"));
        }
        roots.push(at);
    }
    Ok(roots)
}

/// Goes all ways from all roots, each node once.
fn walk(roots: &[usize], branches: &[[Child; 2]], chains: &[usize]) -> Result<(), Unsound> {
    let mut visited = vec![false; branches.len()];
    roots.iter().for_each(|root| visited[*root] = true);
    let mut ahead: Vec<(usize, usize)> = roots.iter().map(|root| (*root, 0)).collect();
    while let Some((at, above)) = ahead.pop() {
        let depth = above + chains[at];
        // With the leaf below.
        if depth >= DEPTH_LIMIT {
            return Err(format!("node {at} lies deeper than {DEPTH_LIMIT} nodes"));
        }
        for child in branches[at] {
            let Child::Branch(child) = child else { continue };
            if std::mem::replace(&mut visited[child], true) {
                return Err(format!("two ways lead to node {child}, one of them from node {at}"));
            }
            ahead.push((child, depth));
        }
    }
    Ok(())
}
