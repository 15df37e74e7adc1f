//! What hostile guests of all worlds share: they take numbers and give them back, until a 13 comes. Then they
//! misbehave in the way that their settings name.

use std::hint::black_box;

use tailwater_sdk::batch::{Batch, BatchWriter, Flaw};
use tailwater_sdk::{Column, Kind, Table};

/// The number that makes them misbehave.
pub const GUILTY: i64 = 13;
/// Of one that is slow, for each row: about half a millisecond.
const STEPS: u64 = 250_000;

/// What they take.
pub fn number() -> Column {
    Column { name: "n".into(), kind: Kind::Int, nullable: false }
}

/// What they give: the number, twice, so that one column can lie on the other.
pub fn numbers() -> Vec<Column> {
    vec![number(), Column { name: "again".into(), ..number() }]
}

/// How to misbehave.
pub fn mode(settings: &Table) -> Result<String, String> {
    let mut settings = settings.clone();
    let mode: String = settings.need("mode")?;
    settings.finish()?;
    if mode == "describe-trap" {
        panic!("describe has no answer");
    }
    Ok(mode)
}

/// Takes a long time over so many rows.
pub fn dawdle(rows: usize) {
    for step in 0..rows as u64 * STEPS {
        black_box(step);
    }
}

/// The numbers of column `index`.
pub fn read(batch: &Batch<'_>, index: usize) -> Result<Vec<i64>, Flaw> {
    let column = batch.column(index, &number())?;
    // SAFETY: the column was opened as int, and has these rows.
    Ok((0..batch.rows()).map(|row| unsafe { column.int(row) }).collect())
}

/// A batch that is about to be given, to be spoilt.
#[derive(Debug, Default)]
pub struct Answer {
    pub rows: u32,
    pub spans: Vec<u32>,
    pub data: Vec<u8>,
}

impl Answer {
    /// Some columns of numbers, all the same.
    pub fn of(columns: &[Column], numbers: &[i64]) -> Self {
        let mut writer = BatchWriter::new(columns);
        for index in 0..columns.len() {
            numbers.iter().for_each(|n| writer.column(index).push_int(*n));
        }
        let batch = writer.seal(numbers.len());
        Self { rows: batch.rows() as u32, spans: batch.spans().to_vec(), data: batch.data().to_vec() }
    }

    pub fn batch(&self) -> Batch<'_> {
        Batch::new(self.rows, &self.spans, &self.data)
    }

    /// What can be done in any world. Of other modes nothing is done here.
    pub fn misbehave(&mut self, mode: &str) {
        match mode {
            "trap" => panic!("thirteen is too much"),
            "recurse" => self.data.push(deeper(&self.data, 0)),
            "spin" => loop {
                black_box(&self.data);
            },
            "allocate" => loop {
                self.data.extend_from_within(..);
                black_box(&self.data);
            },
            "count" => self.rows = u32::MAX,
            "spans" => self.spans[4] = 0xffff_fff8,
            "few-spans" => drop(self.spans.pop()),
            "overlap" => self.overlap(),
            _ => {}
        }
    }

    /// All values lie on those of the first column, which are all that is left.
    fn overlap(&mut self) {
        let [first, length] = [self.spans[4], self.spans[5]];
        self.data.truncate((first + length) as usize);
        self.spans.iter_mut().skip(4).step_by(6).for_each(|position| *position = first);
    }
}

/// Ends with the stack.
#[inline(never)]
fn deeper(data: &[u8], depth: usize) -> u8 {
    let room = [depth as u8; 256];
    black_box(&room);
    if data.len() == usize::MAX {
        return 0;
    }
    deeper(data, depth + 1).wrapping_add(room[depth % 256])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspoilt_answer_can_be_read() {
        let answer = Answer::of(&numbers(), &[1, 13]);
        for index in 0..2 {
            assert_eq!(read(&answer.batch(), index).unwrap(), [1, 13]);
        }
    }

    #[test]
    fn columns_that_overlap_have_more_bytes_than_there_are() {
        let mut answer = Answer::of(&numbers(), &[1, 13, 2]);
        answer.misbehave("overlap");
        assert_eq!(read(&answer.batch(), 1).unwrap(), [1, 13, 2]);
        let spanned: u32 = answer.spans.iter().skip(1).step_by(2).sum();
        assert_eq!((spanned, answer.data.len()), (48, 24));
    }
}
