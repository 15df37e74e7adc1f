//! Ensembles of trees, checked before ONNX Runtime sees them. It follows indices as they stand in the file:
//! one that leads back to where it came from keeps it busy for ever, and nothing stops it.
//!
//! An ensemble is sound if
//! - its lists are as long as each other, and all their indices lead somewhere;
//! - no node has two parents. In the older form a node may, if these compare one feature with different
//!   values for equality: that is how converters write "one of these values";
//! - where a walk begins is nobody's child;
//! - no path has more than [`DEPTH_LIMIT`] nodes: they are loaded by recursion.
//!
//! So every walk ends, after as many steps as the path has nodes.

mod attributes;
mod linked;
mod rooted;

use attributes::Attributes;

use crate::error::{Code, Error, Result};
use crate::model::graph::Node;
use crate::model::words;

/// Nodes of the longest path.
pub(super) const DEPTH_LIMIT: usize = 2000;

/// What is wrong, for a person.
type Unsound = String;

/// Refuses an operator that is an unsound ensemble of trees; others are no concern of this.
pub(super) fn check(node: &Node<'_>) -> Result<()> {
    let sound = match node.operator {
        b"TreeEnsembleClassifier" => of(node, |trees| linked::check(trees, linked::CLASSIFIER)),
        b"TreeEnsembleRegressor" => of(node, |trees| linked::check(trees, linked::REGRESSOR)),
        b"TreeEnsemble" => of(node, rooted::check),
        _ => Ok(()),
    };
    sound.map_err(|why| {
        let operator = String::from_utf8_lossy(node.operator);
        let name = words::quoted(&String::from_utf8_lossy(node.name));
        Error::new(Code::ModelGraph, format!("the trees of {operator} {name}: {why}. Is the file whole?"))
    })
}

fn of<'a>(
    node: &'a Node<'a>,
    check: impl FnOnce(&Attributes<'a>) -> Result<(), Unsound>,
) -> Result<(), Unsound> {
    check(&Attributes::read(&node.attributes)?)
}

/// An index of the file that must be less than `below`.
fn index(number: i64, below: usize) -> Option<usize> {
    usize::try_from(number).ok().filter(|number| *number < below)
}

/// A list that must be as long as the nodes are many.
fn same_length(name: &str, length: usize, nodes: usize) -> Result<(), Unsound> {
    if length == nodes {
        return Ok(());
    }
    Err(format!("{name} has {length} values, for {nodes} nodes"))
}

/// What a feature is numbered with that ONNX Runtime can look up.
fn feature(number: i64, place: impl FnOnce() -> String) -> Result<(), Unsound> {
    if i32::try_from(number).is_ok_and(|number| number >= 0) {
        return Ok(());
    }
    Err(format!("{} looks at feature {number}", place()))
}
