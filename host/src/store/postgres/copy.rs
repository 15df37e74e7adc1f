//! Rows in the binary format of `COPY`.
//!
//! | kind | type |
//! | --- | --- |
//! | boolean | `boolean` |
//! | int | `bigint` |
//! | float | `double precision` |
//! | single | `real` |
//! | time | `timestamp with time zone` |
//! | text | `text` |
//! | bytes | `bytea` |
//! | floats | `real[]` |
//!
//! What PostgreSQL can't hold: a text with a zero character, of which it is taken out; and a time before the year 4714
//! BC, which is null. Both are told in the row's own column for flaws.

use std::collections::HashSet;

use crate::columns::{Batch, Kind, View};
use crate::store::keeper::Taken;
use crate::store::rows::{IDENTITY, Layout, LeftOut, Rows};

const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: [u8; 2] = (-1i16).to_be_bytes();
const NULL: [u8; 4] = (-1i32).to_be_bytes();
/// Milliseconds from 1970 to 2000, where PostgreSQL counts from.
const EPOCH: i64 = 946_684_800_000;
/// The first instant that PostgreSQL has.
const FIRST: i64 = -210_866_803_200_000;
/// Number of the type `real`.
const REAL: i32 = 700;
/// An index takes no larger entries than 2,704 bytes, of all columns together.
const LONGEST_KEY: usize = 2_000;

/// The type of a column.
pub(super) fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "boolean",
        Kind::Int => "bigint",
        Kind::Float => "double precision",
        Kind::Single => "real",
        Kind::Time => "timestamp with time zone",
        Kind::Text => "text",
        Kind::Bytes => "bytea",
        Kind::Floats => "real[]",
    }
}

/// The rows of a poll. Its memory is kept.
#[derive(Debug)]
pub(super) struct Copy {
    bytes: Vec<u8>,
    rows: usize,
    flaw: usize,
}

impl Copy {
    pub fn new(layout: &Layout) -> Self {
        Self { bytes: Vec::new(), rows: 0, flaw: layout.flaw() }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Takes rows instead of those before. Of one identity the last is taken, as it would be of two polls.
    pub fn fill(&mut self, rows: &Rows) -> Taken {
        self.bytes.clear();
        self.bytes.extend_from_slice(HEAD);
        self.rows = 0;
        let (mut taken, mut seen) = (Taken::default(), HashSet::new());
        for row in (0..rows.batch.rows()).rev() {
            if !seen.insert(identity(&rows.batch, row)) {
                continue;
            }
            if let Err(why) = check_identity(&rows.batch, row) {
                let (from, offset) = rows.places[row];
                taken.left_out.push(LeftOut { from, offset, why: why.to_owned() });
                continue;
            }
            if let Some(flaw) = self.row(&rows.batch, row) {
                taken.flawed.push(flaw);
            }
            self.rows += 1;
        }
        self.bytes.extend_from_slice(&END);
        taken
    }

    /// Gives what is wrong with it.
    fn row(&mut self, batch: &Batch, row: usize) -> Option<String> {
        self.bytes.extend_from_slice(&(batch.schema().len() as i16).to_be_bytes());
        let mut flaws = Vec::new();
        for (column, view) in batch.schema().iter().zip(batch.columns()).take(self.flaw) {
            if let Err(why) = value(view, row, &mut self.bytes) {
                flaws.push(format!("column {}: {why}", column.name));
            }
        }
        let view = batch.column(self.flaw);
        if view.is_valid(row) {
            flaws.insert(0, String::from_utf8_lossy(view.bytes(row)).into_owned());
        }
        let flaws = (!flaws.is_empty()).then(|| flaws.join("; "));
        match &flaws {
            // It may name what came.
            Some(flaws) => field(flaws.replace('\0', "").as_bytes(), &mut self.bytes),
            None => self.bytes.extend_from_slice(&NULL),
        }
        flaws
    }
}

/// The bytes of the identity's columns.
fn identity(batch: &Batch, row: usize) -> ([i64; IDENTITY - 1], &[u8]) {
    (std::array::from_fn(|n| batch.column(n + 1).int(row)), batch.column(0).bytes(row))
}

fn check_identity(batch: &Batch, row: usize) -> Result<(), &'static str> {
    let (numbers, text) = identity(batch, row);
    let is_early = |n: usize| batch.schema()[n + 1].kind == Kind::Time && numbers[n] < FIRST;
    if text.contains(&0) {
        Err("its key has a zero character, which PostgreSQL can't hold")
    } else if text.len() > LONGEST_KEY {
        Err("its key is longer than PostgreSQL can index")
    } else if (0..numbers.len()).any(is_early) {
        Err("its window begins before the year 4714 BC, which PostgreSQL can't hold")
    } else {
        Ok(())
    }
}

fn field(value: &[u8], into: &mut Vec<u8>) {
    into.extend_from_slice(&(value.len() as i32).to_be_bytes());
    into.extend_from_slice(value);
}

/// Appends a value. An error says what of it is lacking.
fn value(view: View<'_>, row: usize, into: &mut Vec<u8>) -> Result<(), &'static str> {
    if !view.is_valid(row) {
        into.extend_from_slice(&NULL);
        return Ok(());
    }
    match view.kind() {
        Kind::Boolean => field(&[u8::from(view.boolean(row))], into),
        Kind::Int => field(&view.int(row).to_be_bytes(), into),
        Kind::Float => field(&view.float(row).to_be_bytes(), into),
        Kind::Single => field(&view.single(row).to_be_bytes(), into),
        Kind::Time if view.int(row) < FIRST => {
            into.extend_from_slice(&NULL);
            return Err("a time before the year 4714 BC");
        }
        Kind::Time => field(&((view.int(row) - EPOCH) * 1_000).to_be_bytes(), into),
        Kind::Text if view.bytes(row).contains(&0) => {
            let rest: Vec<u8> = view.bytes(row).iter().copied().filter(|byte| *byte != 0).collect();
            field(&rest, into);
            return Err("zero characters are left out");
        }
        Kind::Text | Kind::Bytes => field(view.bytes(row), into),
        Kind::Floats => floats(view, row, into),
    }
    Ok(())
}

/// An array of one dimension. What is no number is null in it, as it was in JSON.
fn floats(view: View<'_>, row: usize, into: &mut Vec<u8>) {
    let at = into.len();
    into.extend_from_slice(&NULL);
    let values = view.floats(row);
    let (count, has_null) = (values.len() as i32, view.floats(row).any(|value| !value.is_finite()));
    // Without elements there is no dimension.
    let dimensions = i32::from(count > 0);
    for number in [dimensions, i32::from(has_null), REAL] {
        into.extend_from_slice(&number.to_be_bytes());
    }
    if count > 0 {
        into.extend_from_slice(&count.to_be_bytes());
        into.extend_from_slice(&1i32.to_be_bytes());
    }
    for value in values {
        if value.is_finite() {
            field(&value.to_be_bytes(), into);
        } else {
            into.extend_from_slice(&NULL);
        }
    }
    let length = (into.len() - at - NULL.len()) as i32;
    into[at..at + NULL.len()].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests;
