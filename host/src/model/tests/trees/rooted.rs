//! The newer form.

use super::*;

/// What the fields of the operator say.
#[derive(Clone)]
struct Forest {
    roots: Vec<i64>,
    modes: Vec<u8>,
    features: Vec<i64>,
    splits: Vec<f32>,
    yes: Vec<i64>,
    yes_leaf: Vec<i64>,
    no: Vec<i64>,
    no_leaf: Vec<i64>,
    members: Vec<f32>,
    targets: Vec<i64>,
    weights: Vec<f32>,
}

impl Forest {
    /// Tree 0: if a <= 0 then 1, else 2 if b is 3 or 5, else 3. Tree 1: 10 if a < 1, else 20.
    fn good() -> Self {
        Self {
            roots: vec![0, 2],
            modes: vec![0, 6, 1],
            features: vec![0, 1, 0],
            splits: vec![0.0, 0.0, 1.0],
            yes: vec![0, 1, 3],
            yes_leaf: vec![1, 1, 1],
            no: vec![1, 2, 4],
            no_leaf: vec![0, 1, 1],
            members: vec![3.0, 5.0, f32::NAN],
            targets: vec![0; 5],
            weights: vec![1.0, 2.0, 3.0, 10.0, 20.0],
        }
    }

    fn model(&self) -> Vec<u8> {
        let attributes = [
            write::int("n_targets", 1),
            write::ints("tree_roots", &self.roots),
            write::byte_tensor("nodes_modes", &self.modes),
            write::ints("nodes_featureids", &self.features),
            write::tensor("nodes_splits", &self.splits),
            write::ints("nodes_truenodeids", &self.yes),
            write::ints("nodes_trueleafs", &self.yes_leaf),
            write::ints("nodes_falsenodeids", &self.no),
            write::ints("nodes_falseleafs", &self.no_leaf),
            write::tensor("membership_values", &self.members),
            write::ints("leaf_targetids", &self.targets),
            write::tensor("leaf_weights", &self.weights),
        ];
        write::model(write::graph("TreeEnsemble", 2, &attributes), 5)
    }
}

#[test]
fn a_sound_forest_answers() {
    let rows = [[-1.0, 0.0], [0.5, 5.0], [2.0, 4.0], [2.0, 3.0]];
    assert_eq!(answers(&Forest::good().model(), &rows), [11.0, 12.0, 23.0, 22.0]);
}

/// One change each.
#[test]
fn unsound_forests_are_refused() {
    type Change = fn(&mut Forest);
    let cases: [(Change, &str); 18] = [
        (|f| f.no[0] = 0, "two ways lead to node 0, one of them from node 0"),
        (|f| f.no[0] = 2, "two ways lead to node 2"),
        (|f| (f.yes[0], f.yes_leaf[0]) = (1, 0), "two ways lead to node 1, one of them from node 0"),
        (|f| f.yes[0] = 5, "node 0 leads to leaf 5, which there is not"),
        (|f| f.no[0] = 3, "node 0 leads to node 3, which there is not"),
        (|f| f.no[0] = -1, "node 0 leads to node -1"),
        (|f| f.roots[1] = 3, "a tree begins at node 3, which there is not"),
        (|f| f.roots[1] = 0, "two trees begin at node 0"),
        (|f| f.modes[0] = 7, "node 0 is of the mode 7, which there is not"),
        (|f| f.modes[0] = 6, "node 1 has no membership values"),
        (|f| f.members.clear(), "node 1 has no membership values"),
        (|f| f.features[2] = 1 << 31, "node 2 looks at feature 2147483648"),
        (|f| f.targets[4] = 1, "leaf 4 votes for target 1, of 1"),
        (|f| f.weights.truncate(4), "leaf_weights has 4 values, for 5 leaves"),
        (|f| f.splits.truncate(2), "nodes_splits has 2 values, for 3 nodes"),
        (|f| f.no_leaf.truncate(1), "nodes_falseleafs has 1 values, for 3 nodes"),
        (|f| f.modes.truncate(2), "nodes_modes has 2 values, for 3 nodes"),
        (
            |f| {
                (f.yes[2], f.no[2]) = (0, 0);
                (f.yes[1], f.no[1]) = (1, 0);
                f.targets.truncate(2);
                f.weights.truncate(2);
            },
            "node 2 is a tree of one leaf, but there are 2 leaves",
        ),
    ];
    for (at, (change, why)) in cases.iter().enumerate() {
        let mut forest = Forest::good();
        change(&mut forest);
        let message = refused(&forest.model());
        assert!(
            message.starts_with("the trees of TreeEnsemble `forest`: ") && message.contains(why),
            "{at}: {message}"
        );
    }
}

/// Written out for each way, these few nodes would be as many as a number of 60 bits says.
#[test]
fn what_would_be_written_out_without_end_is_refused() {
    let count = 60;
    let next = |at: i64| if at + 1 < count { at + 1 } else { 0 };
    let is_leaf = |at: i64| i64::from(at + 1 == count);
    let all = || 0..count;
    let forest = Forest {
        roots: vec![0],
        modes: vec![0; count as usize],
        features: vec![0; count as usize],
        splits: vec![0.0; count as usize],
        yes: all().map(next).collect(),
        yes_leaf: all().map(is_leaf).collect(),
        no: all().map(next).collect(),
        no_leaf: all().map(is_leaf).collect(),
        members: Vec::new(),
        targets: vec![0],
        weights: vec![1.0],
    };
    assert!(refused(&forest.model()).contains("two ways lead to node 1"));
}
