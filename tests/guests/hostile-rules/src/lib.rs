//! Misbehaves, in a way that its settings name, whenever a row with the number 13 is in the batch.
//! Otherwise it passes rows through.

use tailwater_sdk::batch::{Batch, Flaw};
use tailwater_sdk::describe::{Origin, RulesDescription, Wanted};
use tailwater_sdk::world::{Decided, Rules};
use tailwater_sdk::{Column, Kind, Table};

pub struct Hostile {
    mode: String,
    number: Column,
    spans: Vec<u32>,
    data: Vec<u8>,
    route: Vec<u8>,
}

impl Rules for Hostile {
    fn describe(settings: &Table) -> Result<(Self, RulesDescription), String> {
        let mut settings = settings.clone();
        let mode: String = settings.need("mode")?;
        settings.finish()?;
        let number = Column { name: "n".into(), kind: Kind::Int, nullable: false };
        let description = RulesDescription {
            input: vec![Wanted { column: number.clone(), from: Origin::Record }],
            output: vec![number.clone()],
            routes: vec!["output".into()],
        };
        Ok((Self { mode, number, spans: Vec::new(), data: Vec::new(), route: Vec::new() }, description))
    }

    fn decide(&mut self, rows: &Batch<'_>) -> Result<Decided<'_>, Flaw> {
        let numbers = rows.column(0, &self.number)?;
        self.spans = rows.spans().to_vec();
        self.data = rows.data().to_vec();
        self.route = vec![0; rows.rows()];
        let mut count = rows.rows() as u32;
        // SAFETY: the column was opened as int, and has these rows.
        for row in (0..rows.rows()).filter(|row| unsafe { numbers.int(*row) } == 13) {
            match self.mode.as_str() {
                "trap" => panic!("thirteen is too much"),
                "route" => self.route[row] = 200,
                "routes" => drop(self.route.pop()),
                "rows" => count -= 1,
                "nowhere" => self.route[row] = 255,
                _ => {}
            }
        }
        Ok(Decided { rows: Batch::new(count, &self.spans, &self.data), route: &self.route, rejected: &[] })
    }
}

tailwater_sdk::export!(rules, Hostile);
