//! Misbehaves, in a way that its settings name, whenever a row with the number 13 is in the batch.
//! Otherwise the one feature is the number itself.

use tailwater_sdk::batch::{Batch, Flaw};
use tailwater_sdk::describe::{FeaturesDescription, Input, Trigger};
use tailwater_sdk::world::{Computed, Features};
use tailwater_sdk::{Column, Kind, Rejected, Rejection, Table};

pub struct Hostile {
    mode: String,
    number: Column,
    matrix: Vec<f32>,
    rejected: Vec<Rejected>,
}

impl Features for Hostile {
    fn describe(settings: &Table) -> Result<(Self, FeaturesDescription), String> {
        let mut settings = settings.clone();
        let mode: String = settings.need("mode")?;
        settings.finish()?;
        let number = Column { name: "n".into(), kind: Kind::Int, nullable: false };
        let input =
            Input { source: "".into(), updates_only: false, columns: vec![number.clone()], kept: vec![] };
        let description = FeaturesDescription {
            inputs: vec![input],
            aggregates: Vec::new(),
            custom_folds: Vec::new(),
            trigger: Trigger::Row,
            features: vec!["n".into()],
            ids: Vec::new(),
        };
        Ok((Self { mode, number, matrix: Vec::new(), rejected: Vec::new() }, description))
    }

    fn compute(&mut self, rows: &Batch<'_>) -> Result<Computed<'_>, Flaw> {
        let numbers = rows.column(0, &self.number)?;
        self.matrix = (0..rows.rows())
            // SAFETY: the column was opened as int, and has these rows.
            .map(|row| unsafe { numbers.int(row) } as f32)
            .collect();
        self.rejected.clear();
        let (mut count, guilty) = (rows.rows() as u32, self.matrix.iter().position(|n| *n == 13.0));
        match (guilty, self.mode.as_str()) {
            (Some(_), "trap") => panic!("thirteen is too much"),
            (Some(_), "matrix") => self.matrix.push(1.0),
            (Some(_), "rows") => count += 1,
            (Some(row), "nan") => self.matrix[row] = f32::NAN,
            (Some(row), "reject") => {
                self.rejected.push(Rejected { row: row as u32, why: Rejection::new(7, "unlucky") });
            }
            _ => {}
        }
        let ids = Batch::new(count, &[], &[]);
        Ok(Computed { matrix: &self.matrix, ids, rejected: &self.rejected })
    }

    fn fold(&mut self, _: u32, _: &Batch<'_>, _: &[u32], _: &mut [u8]) -> Result<Batch<'_>, Flaw> {
        unreachable!("there are no custom folds")
    }
}

tailwater_sdk::export!(features, Hostile);
