//! A hostile features plugin. Otherwise the one feature is the number itself, and so are the ids. One that is slow is slow
//! with all rows.

use hostile::{Answer, GUILTY};
use tailwater_sdk::batch::{Batch, Flaw};
use tailwater_sdk::describe::{FeaturesDescription, Input, Trigger};
use tailwater_sdk::world::{Computed, Features};
use tailwater_sdk::{Rejected, Rejection, Table};

pub struct Hostile {
    mode: String,
    matrix: Vec<f32>,
    ids: Answer,
    rejected: Vec<Rejected>,
}

impl Features for Hostile {
    fn describe(settings: &Table) -> Result<(Self, FeaturesDescription), String> {
        let mode = hostile::mode(settings)?;
        let columns = vec![hostile::number()];
        let description = FeaturesDescription {
            inputs: vec![Input { source: "".into(), updates_only: false, columns, kept: vec![] }],
            lookups: Vec::new(),
            aggregates: Vec::new(),
            custom_folds: Vec::new(),
            trigger: Trigger::Row,
            features: vec!["number".into()],
            ids: hostile::numbers(),
        };
        let (matrix, ids, rejected) = Default::default();
        Ok((Self { mode, matrix, ids, rejected }, description))
    }

    fn compute(&mut self, rows: &Batch<'_>) -> Result<Computed<'_>, Flaw> {
        let numbers = hostile::read(rows, 0)?;
        self.matrix = numbers.iter().map(|n| *n as f32).collect();
        self.ids = Answer::of(&hostile::numbers(), &numbers);
        self.rejected.clear();
        if self.mode == "slow" {
            hostile::dawdle(numbers.len());
        }
        let guilty = (0..rows.rows()).filter(|row| numbers[*row] == GUILTY);
        guilty.for_each(|row| self.misbehave(row));
        Ok(Computed { matrix: &self.matrix, ids: self.ids.batch(), rejected: &self.rejected })
    }

    fn fold(&mut self, _: u32, _: &Batch<'_>, _: &[u32], _: &mut [u8]) -> Result<Batch<'_>, Flaw> {
        unreachable!("there are no custom folds")
    }
}

impl Hostile {
    fn misbehave(&mut self, row: usize) {
        let refuse = |row: usize| Rejected { row: row as u32, why: Rejection::new(7, "unlucky") };
        match self.mode.as_str() {
            "matrix" => self.matrix.push(1.0),
            "rows" => self.ids.rows += 1,
            "nan" => self.matrix[row] = f32::NAN,
            "reject" => self.rejected.push(refuse(row)),
            "reject-none" => self.rejected.push(refuse(4_000_000)),
            mode => self.ids.misbehave(mode),
        }
    }
}

tailwater_sdk::export!(features, Hostile);
