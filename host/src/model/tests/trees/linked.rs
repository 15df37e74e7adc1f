//! The older form.

use super::*;
use proptest::prelude::*;

/// A regressor; what the fields of the operator say.
#[derive(Clone)]
pub(super) struct Forest {
    pub trees: Vec<i64>,
    pub numbers: Vec<i64>,
    pub modes: Vec<&'static str>,
    pub features: Vec<i64>,
    pub values: Vec<f32>,
    pub yes: Vec<i64>,
    pub no: Vec<i64>,
    /// Tree, node, target.
    pub votes: Vec<[i64; 3]>,
    pub weights: Vec<f32>,
    pub targets: i64,
}

impl Forest {
    /// Tree 0: 1 if a <= 0, else 2. Tree 1: 10 if b is 3 or 5, else 20.
    pub fn good() -> Self {
        Self {
            trees: vec![0, 0, 0, 1, 1, 1, 1],
            numbers: vec![0, 1, 2, 0, 1, 2, 3],
            modes: vec!["BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_EQ", "BRANCH_EQ", "LEAF", "LEAF"],
            features: vec![0, 0, 0, 1, 1, 0, 0],
            values: vec![0.0, 0.0, 0.0, 3.0, 5.0, 0.0, 0.0],
            yes: vec![1, 0, 0, 3, 3, 0, 0],
            no: vec![2, 0, 0, 1, 2, 0, 0],
            votes: vec![[0, 1, 0], [0, 2, 0], [1, 3, 0], [1, 2, 0]],
            weights: vec![1.0, 2.0, 10.0, 20.0],
            targets: 1,
        }
    }

    /// A tree as deep as that: a path of branches, with a leaf beside each.
    fn deep(depth: usize) -> Self {
        let branches = depth as i64 - 1;
        let count = 2 * branches as usize + 1;
        let is_branch = |at: i64| at < branches;
        let all = || 0..count as i64;
        Self {
            trees: vec![0; count],
            numbers: all().collect(),
            modes: all().map(|at| if is_branch(at) { "BRANCH_LEQ" } else { "LEAF" }).collect(),
            features: vec![0; count],
            values: all().map(|at| at as f32).collect(),
            yes: all().map(|at| if is_branch(at) { branches + 1 + at } else { 0 }).collect(),
            no: all().map(|at| if is_branch(at) { at + 1 } else { 0 }).collect(),
            votes: (branches..count as i64).map(|leaf| [0, leaf, 0]).collect(),
            weights: (branches..count as i64).map(|leaf| leaf as f32).collect(),
            targets: 1,
        }
    }

    pub fn attributes(&self) -> Vec<Message> {
        let votes = |at: usize| self.votes.iter().map(|vote| vote[at]).collect::<Vec<_>>();
        vec![
            write::int("n_targets", self.targets),
            write::ints("nodes_treeids", &self.trees),
            write::packed("nodes_nodeids", &self.numbers),
            write::strings("nodes_modes", &self.modes),
            write::ints("nodes_featureids", &self.features),
            write::floats("nodes_values", &self.values),
            write::ints("nodes_truenodeids", &self.yes),
            write::packed("nodes_falsenodeids", &self.no),
            write::ints("target_treeids", &votes(0)),
            write::ints("target_nodeids", &votes(1)),
            write::ints("target_ids", &votes(2)),
            write::floats("target_weights", &self.weights),
        ]
    }

    fn model(&self) -> Vec<u8> {
        write::model(write::graph("TreeEnsembleRegressor", 2, &self.attributes()), 3)
    }
}

#[test]
fn a_sound_forest_answers() {
    let rows = [[-1.0, 3.0], [1.0, 5.0], [0.0, 4.0]];
    assert_eq!(answers(&Forest::good().model(), &rows), [11.0, 12.0, 21.0]);
}

/// One change each.
#[test]
fn unsound_forests_are_refused() {
    type Change = fn(&mut Forest);
    let cases: [(Change, &str); 18] = [
        (|f| f.yes[0] = 0, "node 0 of tree 0, the first of its tree, is a child of node 0 of tree 0"),
        (|f| f.no[4] = 0, "node 0 of tree 1, the first of its tree, is a child of node 1"),
        (|f| f.no[4] = 1, "node 1 of tree 1 has two parents"),
        (|f| f.yes[0] = 2, "node 2 of tree 0 has two parents, node 0 of tree 0 and node 0 of tree 0"),
        (|f| f.no[4] = 3, "node 3 of tree 1 has two parents"),
        (|f| f.features[4] = 0, "node 3 of tree 1 has two parents"),
        (|f| f.modes[4] = "BRANCH_LEQ", "node 3 of tree 1 has two parents"),
        (|f| f.yes[0] = 3, "node 0 of tree 0 leads to node 3, which its tree does not have"),
        (|f| f.yes[0] = -1, "leads to node -1"),
        (|f| f.yes[0] = 1 << 32 | 1, "leads to node 4294967297"),
        (|f| f.numbers[2] = 1, "node 1 of tree 0 is there twice"),
        (|f| f.trees[6] = -1, "node 3 of tree -1 is no number for a node"),
        (|f| f.features[0] = -7, "node 0 of tree 0 looks at feature -7"),
        (|f| f.modes[0] = "BRANCH", "is of the mode `BRANCH`, which there is not"),
        (|f| f.votes[0] = [0, 7, 0], "node 7 of tree 0 has a weight, but there is no such node"),
        (|f| f.votes[0] = [0, 1, 1], "node 1 of tree 0 votes for target 1, of 1"),
        (|f| f.no.truncate(6), "nodes_falsenodeids has 6 values, for 7 nodes"),
        (|f| f.weights.truncate(3), "have 4, 4, 4 and 3 values"),
    ];
    for (at, (change, why)) in cases.iter().enumerate() {
        let mut forest = Forest::good();
        change(&mut forest);
        let message = refused(&forest.model());
        assert!(
            message.starts_with("the trees of TreeEnsembleRegressor `forest`: ") && message.contains(why),
            "{at}: {message}"
        );
    }
    let mut apart = Forest::good();
    for list in [&mut apart.trees, &mut apart.numbers, &mut apart.features, &mut apart.yes, &mut apart.no] {
        list.swap(2, 3);
    }
    apart.modes.swap(2, 3);
    assert!(refused(&apart.model()).contains("do not stand together"));
}

/// With a root that is nobody's child, and a circle beside it.
#[test]
fn a_circle_apart_is_found() {
    let mut forest = Forest::deep(4);
    // 0 leads to leaves 4 and 5; 1 and 2 to each other.
    forest.no = vec![5, 2, 1, 0, 0, 0, 0];
    forest.yes = vec![4, 3, 6, 0, 0, 0, 0];
    assert!(refused(&forest.model()).contains("the way leads in a circle"));
}

#[test]
fn the_deepest_tree_answers_and_a_deeper_one_is_refused() {
    let depth = crate::model::trees::DEPTH_LIMIT;
    let deepest = Forest::deep(depth);
    let last = deepest.weights[0];
    assert_eq!(answers(&deepest.model(), &[[1e9, 0.0]]), [last]);
    assert!(refused(&Forest::deep(depth + 1).model()).contains("lies deeper than 2000 nodes"));
}

#[test]
fn attributes_that_are_ambiguous_are_refused() {
    let with = |more: Message| {
        let attributes = [Forest::good().attributes(), vec![more]].concat();
        write::model(write::graph("TreeEnsembleRegressor", 2, &attributes), 3)
    };
    assert!(refused(&with(write::ints("nodes_nodeids", &[0]))).contains("`nodes_nodeids` is there twice"));
    assert!(refused(&with(Message::default().bytes(1, "x").bytes(21, "y"))).contains("of a function"));
    let other = write::floats("nodes_missing_value_tracks_true", &[1.0]);
    assert!(refused(&with(other)).contains("is of another type"));
}

proptest! {
    // Few of them are taken.
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Whatever the lists say: what is taken ends, from wherever it begins.
    #[test]
    fn what_is_taken_ends(
        count in 1_usize..9,
        modes in proptest::collection::vec(0_usize..3, 9),
        children in proptest::collection::vec((-1_i64..10, -1_i64..10), 9),
        trees in proptest::collection::vec(0_i64..2, 9),
    ) {
        let names = ["LEAF", "BRANCH_LEQ", "BRANCH_EQ"];
        let mut trees = trees[..count].to_vec();
        trees.sort_unstable();
        let forest = Forest {
            trees,
            numbers: (0..count as i64).collect(),
            modes: modes[..count].iter().map(|mode| names[*mode]).collect(),
            features: vec![0; count],
            values: vec![0.0; count],
            yes: children[..count].iter().map(|pair| pair.0).collect(),
            no: children[..count].iter().map(|pair| pair.1).collect(),
            votes: Vec::new(),
            weights: Vec::new(),
            targets: 1,
        };
        if graph::check(&forest.model()).is_err() {
            return Ok(());
        }
        // Nodes that can be reached after so many steps.
        let mut at: Vec<usize> = (0..count).collect();
        for _ in 0..count {
            at = at.into_iter().filter(|at| forest.modes[*at] != "LEAF")
                .flat_map(|at| [forest.yes[at] as usize, forest.no[at] as usize])
                .collect();
            at.sort_unstable();
            at.dedup();
        }
        prop_assert!(at.is_empty());
    }
}
