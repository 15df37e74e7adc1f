//! What is wanted of a record, and what is known of the order in which its fields come.

use hashbrown::HashMap;

use super::cursor::PADDING;
use super::path::{Branch, Tree};
use super::string;
use crate::columns::{Column, Kind};
use crate::error::Result;

/// So many unwanted names are kept in mind for each object.
const MOST_UNWANTED: usize = 64;

/// What a field is read for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Want {
    /// A column.
    Value(Kind),
    Object,
    Nothing,
}

/// Index of a column or an object, as is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) want: Want,
    pub(super) index: usize,
}

impl Target {
    pub(super) const NOTHING: Self = Self { want: Want::Nothing, index: 0 };
}

/// A name as it mostly stands in a record, with quotes and colon.
#[derive(Debug)]
struct Pattern {
    /// The first bytes, and which of their bits count.
    words: [u64; 3],
    masks: [u64; 3],
    rest: Box<[u8]>,
    length: usize,
}

impl Pattern {
    fn new(name: &[u8]) -> Self {
        let mut text = Vec::new();
        string::write(name, &mut text);
        text.push(b':');
        let head = text.len().min(PADDING.len());
        let words = |byte: &dyn Fn(usize) -> u8| -> [u64; 3] {
            std::array::from_fn(|word| u64::from_le_bytes(std::array::from_fn(|n| byte(8 * word + n))))
        };
        Self {
            words: words(&|n| if n < head { text[n] } else { 0 }),
            masks: words(&|n| if n < head { 0xff } else { 0 }),
            rest: text[head..].into(),
            length: text.len(),
        }
    }

    /// The place behind it, if it stands there.
    #[inline(always)]
    fn take(&self, input: &[u8], at: usize) -> Option<usize> {
        let next: &[u8; PADDING.len()] = input.get(at..)?.first_chunk()?;
        let mut difference = 0;
        for (n, bytes) in next.as_chunks().0.iter().enumerate() {
            difference |= (u64::from_le_bytes(*bytes) ^ self.words[n]) & self.masks[n];
        }
        let same =
            difference == 0 && (self.rest.is_empty() || input[at + PADDING.len()..].starts_with(&self.rest));
        same.then_some(at + self.length)
    }
}

#[derive(Debug)]
struct Member {
    pattern: Pattern,
    target: Target,
    /// The member that followed the last time. Only a guess.
    next: usize,
}

/// An object of which something is wanted.
#[derive(Debug)]
pub(super) struct Object {
    /// First [`BEGINNING`], then the wanted ones, then some that are known to be unwanted.
    members: Vec<Member>,
    by_name: HashMap<Box<[u8]>, usize>,
    unwanted: usize,
    /// Columns inside of it, however deep.
    pub(super) columns: Vec<usize>,
}

/// What stands before the first field: never read, but followed by a member.
pub(super) const BEGINNING: usize = 0;

impl Object {
    fn new(branches: &[(&str, Branch)], inside: Vec<usize>, columns: &[Column]) -> Self {
        let beginning = Member { pattern: Pattern::new(b""), target: Target::NOTHING, next: BEGINNING + 1 };
        let mut object =
            Self { members: vec![beginning], by_name: HashMap::new(), unwanted: 0, columns: inside };
        for (name, branch) in branches {
            let target = match *branch {
                Branch::Column(index) => Target { want: Want::Value(columns[index].kind), index },
                Branch::Object(index) => Target { want: Want::Object, index },
            };
            object.add(name.as_bytes(), target);
        }
        object
    }

    fn add(&mut self, name: &[u8], target: Target) -> usize {
        let index = self.members.len();
        self.members.push(Member { pattern: Pattern::new(name), target, next: index + 1 });
        self.by_name.insert(name.into(), index);
        index
    }

    /// Reads a name, with its colon, if it is the one that is likely to follow on the member `last`.
    /// Returns the member, what it is read for, and the place behind the colon.
    #[inline(always)]
    pub(super) fn guess(&self, last: usize, input: &[u8], at: usize) -> Option<(usize, Target, usize)> {
        let guess = self.members[last].next;
        let member = self.members.get(guess)?;
        let at = member.pattern.take(input, at)?;
        Some((guess, member.target, at))
    }

    /// The member of a name that followed on the member `last`, and what it is read for.
    pub(super) fn search(&mut self, last: usize, name: &[u8]) -> (usize, Target) {
        let member = match self.by_name.get(name) {
            Some(member) => *member,
            None if self.unwanted < MOST_UNWANTED => {
                self.unwanted += 1;
                self.add(name, Target::NOTHING)
            }
            None => return (last, Target::NOTHING),
        };
        self.members[last].next = member;
        (member, self.members[member].target)
    }
}

/// The wanted objects, the record itself first. `None` if no column lies in the record's value, as `lies` tells.
pub(super) fn objects(columns: &[Column], lies: impl Fn(&Column) -> bool) -> Result<Option<Vec<Object>>> {
    let inside = columns.iter().enumerate().filter(|(_, column)| lies(column));
    let tree = Tree::new(inside.map(|(index, column)| (index, column.name.as_str())))?;
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
