//! Rules that compare one score with a threshold, for pipelines that need no more than that.
//!
//! ```toml
//! settings = { score = "fraud", threshold = 0.9, keep = "user_id: int, country: text?" }
//! ```
//!
//! The record out has the columns of `keep`, `score`, and `prediction`: whether the score is above
//! the threshold. A `?` behind a kind says that rows without a value may occur. There is one route,
//! `output`.

mod keep;

use tailwater_sdk::batch::{Batch, BatchWriter, Flaw};
use tailwater_sdk::describe::{Origin, RulesDescription, Wanted};
use tailwater_sdk::world::{Decided, Rules};
use tailwater_sdk::{Column, Kind, Settings, Table};

#[derive(Settings)]
struct Limits {
    score: String,
    #[default(0.5)]
    threshold: f32,
    #[default("")]
    keep: String,
}

/// The plugin. Its columns are known only from its settings, so it is written without the derives.
#[derive(Debug)]
pub struct Threshold {
    threshold: f32,
    kept: Vec<Column>,
    score: Column,
    output: BatchWriter,
    route: Vec<u8>,
}

impl Rules for Threshold {
    fn describe(settings: &Table) -> Result<(Self, RulesDescription), String> {
        let Limits { score, threshold, keep } = Limits::from_table(settings)?;
        let kept = keep::parse(&keep)?;
        let score = Column::new(score, Kind::Single);
        let wanted = |column: &Column| Wanted { column: column.clone(), from: Origin::Record };
        let mut input: Vec<_> = kept.iter().map(wanted).collect();
        input.push(Wanted { column: score.clone(), from: Origin::Score });
        let mut output = kept.clone();
        output.push(Column::new(keep::SCORE, Kind::Single));
        output.push(Column::new(keep::PREDICTION, Kind::Boolean));
        let routes = vec!["output".into()];
        let writer = BatchWriter::new(&output);
        let plugin = Self { threshold, kept, score, output: writer, route: Vec::new() };
        Ok((plugin, RulesDescription { input, output, routes }))
    }

    fn decide(&mut self, rows: &Batch<'_>) -> Result<Decided<'_>, Flaw> {
        let count = rows.rows();
        for (index, column) in self.kept.iter().enumerate() {
            self.output.column(index).copy(&rows.column(index, column)?, count);
        }
        let kept = self.kept.len();
        let scores = rows.column(kept, &self.score)?;
        for row in 0..count {
            // SAFETY: the column was opened from this batch, as one of singles.
            let score = unsafe { scores.single(row) };
            self.output.column(kept).push_single(score);
            self.output.column(kept + 1).push_boolean(score > self.threshold);
        }
        self.route.clear();
        self.route.resize(count, 0);
        Ok(Decided { rows: self.output.seal(count), route: &self.route, rejected: &[] })
    }
}

tailwater_sdk::export!(rules, Threshold);
