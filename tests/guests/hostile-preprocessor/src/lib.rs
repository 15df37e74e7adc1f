//! A hostile preprocessor. Otherwise it passes rows through.

use std::iter::repeat_n;

use hostile::{Answer, GUILTY};
use tailwater_sdk::batch::{Batch, Flaw};
use tailwater_sdk::describe::PreprocessorDescription;
use tailwater_sdk::world::{Preprocessor, Processed};
use tailwater_sdk::{Rejected, Rejection, Table};

/// More than may be made of one row.
const COPIES: usize = 300;

pub struct Hostile {
    mode: String,
    answer: Answer,
    origin: Vec<u32>,
    rejected: Vec<Rejected>,
}

impl Preprocessor for Hostile {
    fn describe(settings: &Table) -> Result<(Self, PreprocessorDescription), String> {
        let mode = hostile::mode(settings)?;
        let description =
            PreprocessorDescription { input: vec![hostile::number()], output: hostile::numbers() };
        let (answer, origin, rejected) = Default::default();
        Ok((Self { mode, answer, origin, rejected }, description))
    }

    fn process(&mut self, rows: &Batch<'_>) -> Result<Processed<'_>, Flaw> {
        let numbers = hostile::read(rows, 0)?;
        self.answer = Answer::of(&hostile::numbers(), &numbers);
        self.origin = (0..rows.rows() as u32).collect();
        self.rejected.clear();
        if let Some(row) = numbers.iter().position(|n| *n == GUILTY) {
            self.misbehave(row as u32, numbers);
        }
        Ok(Processed { rows: self.answer.batch(), origin: &self.origin, rejected: &self.rejected })
    }
}

impl Hostile {
    /// `guilty`: the first row that is.
    fn misbehave(&mut self, guilty: u32, mut numbers: Vec<i64>) {
        let rejected = |row| Rejected { row, why: Rejection::new(1, "so") };
        match self.mode.as_str() {
            "origin" => *self.origin.last_mut().expect("a row") = 4_000_000,
            "origin-short" => drop(self.origin.pop()),
            "origin-falls" => {
                // One row more, so that there are two also where the batch has one.
                numbers.push(0);
                self.answer = Answer::of(&hostile::numbers(), &numbers);
                self.origin.push(0);
                self.origin[0] = 1;
            }
            "split" => {
                let at = guilty as usize;
                numbers.splice(at..at, repeat_n(GUILTY, COPIES));
                self.origin.splice(at..at, repeat_n(guilty, COPIES));
                self.answer = Answer::of(&hostile::numbers(), &numbers);
            }
            "twice" => {
                self.rejected = vec![rejected(0), rejected(0)];
                self.origin.clear();
                self.answer = Answer::of(&hostile::numbers(), &[]);
            }
            "both" => self.rejected = vec![rejected(0)],
            mode => self.answer.misbehave(mode),
        }
    }
}

tailwater_sdk::export!(preprocessor, Hostile);
