//! Hostile rules. Otherwise they pass rows through.

use hostile::{Answer, GUILTY};
use tailwater_sdk::batch::{Batch, Flaw};
use tailwater_sdk::describe::{Origin, RulesDescription, Wanted};
use tailwater_sdk::world::{Decided, NO_ROUTE, Rules};
use tailwater_sdk::{Rejected, Rejection, Table};

pub struct Hostile {
    mode: String,
    answer: Answer,
    route: Vec<u8>,
    rejected: Vec<Rejected>,
}

impl Rules for Hostile {
    fn describe(settings: &Table) -> Result<(Self, RulesDescription), String> {
        let mode = hostile::mode(settings)?;
        let description = RulesDescription {
            input: vec![Wanted { column: hostile::number(), from: Origin::Record }],
            output: hostile::numbers(),
            routes: vec!["output".into()],
        };
        let (answer, route, rejected) = Default::default();
        Ok((Self { mode, answer, route, rejected }, description))
    }

    fn decide(&mut self, rows: &Batch<'_>) -> Result<Decided<'_>, Flaw> {
        let numbers = hostile::read(rows, 0)?;
        self.answer = Answer::of(&hostile::numbers(), &numbers);
        self.route = vec![0; rows.rows()];
        self.rejected.clear();
        let guilty = (0..rows.rows()).filter(|row| numbers[*row] == GUILTY);
        guilty.for_each(|row| self.misbehave(row));
        Ok(Decided { rows: self.answer.batch(), route: &self.route, rejected: &self.rejected })
    }
}

impl Hostile {
    fn misbehave(&mut self, row: usize) {
        let refuse = |row: usize| Rejected { row: row as u32, why: Rejection::new(7, "unlucky") };
        match self.mode.as_str() {
            "route" => self.route[row] = 200,
            "routes" => drop(self.route.pop()),
            "rows" => self.answer.rows -= 1,
            "nowhere" => self.route[row] = NO_ROUTE,
            "reject" => self.rejected.push(refuse(row)),
            "reject-none" => self.rejected.push(refuse(4_000_000)),
            mode => self.answer.misbehave(mode),
        }
    }
}

tailwater_sdk::export!(rules, Hostile);
