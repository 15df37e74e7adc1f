//! Names with dots as a tree of objects.

use crate::error::{Code, Error, Result};

/// Objects may nest this deep, the outermost counted, as in `serde_json`.
pub(super) const MAX_DEPTH: usize = 127;

/// What stands under a name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Branch {
    /// Index of a column.
    Column(usize),
    /// Index of an object of the tree.
    Object(usize),
}

/// Objects with their named branches, in order of first mention. The first is the record.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    pub(super) objects: Vec<Vec<(&'a str, Branch)>>,
}

impl<'a> Tree<'a> {
    /// From columns' indices and names.
    pub(super) fn new(columns: impl Iterator<Item = (usize, &'a str)>) -> Result<Self> {
        let mut tree = Self { objects: vec![Vec::new()] };
        for (column, name) in columns {
            tree.insert(column, name)
                .map_err(|why| Error::new(Code::Mismatch, format!("column {name}: {why}")))?;
        }
        Ok(tree)
    }

    fn insert(&mut self, column: usize, name: &'a str) -> Result<(), &'static str> {
        let (parents, leaf) =
            name.rsplit_once('.').map_or((None, name), |(parents, leaf)| (Some(parents), leaf));
        let mut object = 0;
        for (depth, segment) in parents.into_iter().flat_map(|parents| parents.split('.')).enumerate() {
            if depth + 2 > MAX_DEPTH {
                return Err("is nested deeper than JSON may be");
            }
            object = self.descend(object, segment)?;
        }
        match self.find(object, leaf)? {
            None => self.objects[object].push((leaf, Branch::Column(column))),
            Some(Branch::Column(_)) => return Err("is named twice"),
            Some(Branch::Object(_)) => {
                return Err("can't be a value, because other columns lie inside of it");
            }
        }
        Ok(())
    }

    fn descend(&mut self, object: usize, segment: &'a str) -> Result<usize, &'static str> {
        match self.find(object, segment)? {
            Some(Branch::Object(object)) => Ok(object),
            Some(Branch::Column(_)) => Err("can't lie inside of a value that is a column itself"),
            None => {
                self.objects.push(Vec::new());
                let nested = self.objects.len() - 1;
                self.objects[object].push((segment, Branch::Object(nested)));
                Ok(nested)
            }
        }
    }

    fn find(&self, object: usize, segment: &str) -> Result<Option<Branch>, &'static str> {
        if segment.is_empty() {
            return Err("a name, and what stands between its dots, can't be empty");
        }
        let found = self.objects[object].iter().find(|(name, _)| *name == segment);
        Ok(found.map(|(_, branch)| *branch))
    }
}
