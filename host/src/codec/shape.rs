//! What is wanted of a record, and what is known of the order in which its fields come.

use hashbrown::HashMap;

use super::path::{Branch, Tree};
use super::string;
use crate::columns::{Column, Kind};
use crate::error::Result;

/// What a wanted field leads to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Column { index: usize, kind: Kind },
    Object(usize),
}

#[derive(Debug)]
pub(super) struct Member {
    /// The name as it mostly stands in a record, with quotes and colon.
    pub(super) pattern: Box<[u8]>,
    pub(super) target: Target,
}

/// An object of which something is wanted.
#[derive(Debug)]
pub(super) struct Object {
    /// At least one.
    pub(super) members: Vec<Member>,
    /// Index of a member by its name.
    pub(super) by_name: HashMap<Box<[u8]>, usize>,
    /// For each member the one that followed on it the last time; at the end the one that came
    /// first. Only a guess.
    pub(super) next: Vec<usize>,
    /// Columns inside of it, however deep.
    pub(super) columns: Vec<usize>,
}

/// The wanted objects, the record itself first. `None` if no column lies in the record's value.
pub(super) fn objects(columns: &[Column]) -> Result<Option<Vec<Object>>> {
    let names = columns.iter().map(|column| column.name.as_str()).enumerate();
    let tree = Tree::new(names.filter(|(_, name)| !name.starts_with('@')))?;
    if tree.objects[0].is_empty() {
        return Ok(None);
    }
    let inside = columns_inside(&tree);
    let objects =
        tree.objects.iter().zip(inside).map(|(branches, inside)| Object::new(branches, inside, columns));
    Ok(Some(objects.collect()))
}

/// The columns inside of each object. Nested objects come behind those that they lie in.
fn columns_inside(tree: &Tree<'_>) -> Vec<Vec<usize>> {
    let mut inside = vec![Vec::new(); tree.objects.len()];
    for (index, branches) in tree.objects.iter().enumerate().rev() {
        for (_, branch) in branches {
            match *branch {
                Branch::Column(column) => inside[index].push(column),
                Branch::Object(object) => {
                    let nested = inside[object].clone();
                    inside[index].extend(nested);
                }
            }
        }
    }
    inside
}

impl Object {
    fn new(branches: &[(&str, Branch)], inside: Vec<usize>, columns: &[Column]) -> Self {
        let member = |(name, branch): &(&str, Branch)| Member {
            pattern: pattern(name),
            target: match *branch {
                Branch::Column(index) => Target::Column { index, kind: columns[index].kind },
                Branch::Object(object) => Target::Object(object),
            },
        };
        let names = branches.iter().map(|(name, _)| name.as_bytes().into());
        Self {
            members: branches.iter().map(member).collect(),
            by_name: names.zip(0..).collect(),
            next: (1..branches.len()).chain([0, 0]).collect(),
            columns: inside,
        }
    }
}

fn pattern(name: &str) -> Box<[u8]> {
    let mut pattern = Vec::new();
    string::write(name.as_bytes(), &mut pattern);
    pattern.push(b':');
    pattern.into()
}
