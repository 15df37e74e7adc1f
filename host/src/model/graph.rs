//! The operators of a model, read from its file before ONNX Runtime sees it.

use crate::error::{Code, Error, Result};
use crate::model::trees;
use crate::model::wire::{Damaged, Fields, Value};

/// Graphs in branches and loops of graphs.
const NESTING_LIMIT: usize = 32;

/// Field numbers of `onnx.proto`.
mod field {
    pub const MODEL_GRAPH: u32 = 7;
    pub const MODEL_FUNCTION: u32 = 25;
    pub const GRAPH_NODE: u32 = 1;
    pub const FUNCTION_NODE: u32 = 7;
    pub const NODE_NAME: u32 = 3;
    pub const NODE_OPERATOR: u32 = 4;
    pub const NODE_ATTRIBUTE: u32 = 5;
    pub const ATTRIBUTE_GRAPH: u32 = 6;
    pub const ATTRIBUTE_GRAPHS: u32 = 11;
}

/// An operator with its attributes, which are messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Node<'a> {
    pub name: &'a [u8],
    pub operator: &'a [u8],
    pub attributes: Vec<&'a [u8]>,
}

/// Refuses a model in which ONNX Runtime could lose its way: it can't be stopped then.
pub(super) fn check(model: &[u8]) -> Result<()> {
    // ONNX Runtime tells its own format by these bytes, whatever stands around them.
    if model.get(4..8) == Some(b"ORTM") {
        return Err(unreadable("it is in ONNX Runtime's own format: give the .onnx file it was made of"));
    }
    let mut graphs = Vec::new();
    for one in Fields::of(model) {
        match one.map_err(damaged)? {
            (field::MODEL_GRAPH, Value::Bytes(graph)) => graphs.push((graph, field::GRAPH_NODE, 0)),
            (field::MODEL_FUNCTION, Value::Bytes(body)) => graphs.push((body, field::FUNCTION_NODE, 0)),
            _ => {}
        }
    }
    while let Some((graph, number, depth)) = graphs.pop() {
        if depth > NESTING_LIMIT {
            return Err(unreadable("its graphs are nested too deeply"));
        }
        for one in Fields::of(graph) {
            let (found, Value::Bytes(message)) = one.map_err(damaged)? else { continue };
            if found != number {
                continue;
            }
            let node = Node::read(message).map_err(damaged)?;
            trees::check(&node)?;
            for attribute in node.attributes {
                let inner = inner(attribute).map_err(damaged)?;
                graphs.extend(inner.into_iter().map(|graph| (graph, field::GRAPH_NODE, depth + 1)));
            }
        }
    }
    Ok(())
}

impl<'a> Node<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Damaged> {
        let mut node = Self::default();
        for one in Fields::of(message) {
            match one? {
                (field::NODE_NAME, Value::Bytes(name)) => node.name = name,
                (field::NODE_OPERATOR, Value::Bytes(operator)) => node.operator = operator,
                (field::NODE_ATTRIBUTE, Value::Bytes(attribute)) => node.attributes.push(attribute),
                _ => {}
            }
        }
        Ok(node)
    }
}

/// Graphs that an attribute holds.
fn inner(attribute: &[u8]) -> Result<Vec<&[u8]>, Damaged> {
    let mut graphs = Vec::new();
    for one in Fields::of(attribute) {
        if let (field::ATTRIBUTE_GRAPH | field::ATTRIBUTE_GRAPHS, Value::Bytes(graph)) = one? {
            graphs.push(graph);
        }
    }
    Ok(graphs)
}

fn damaged(_: Damaged) -> Error {
    unreadable("it is no ONNX model, or is cut off")
}

fn unreadable(why: &str) -> Error {
    Error::new(Code::ModelUnreadable, why)
}
