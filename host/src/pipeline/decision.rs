//! The last stage: what the rules see, and what comes out.

use super::columns::find;
use crate::columns::{Column, Kind, Schema};
use crate::contract::{From, RulesDescription, WHOLE_VECTOR, Wanted};
use crate::error::{Code, Error, Result};

/// Where a column that the rules see comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionColumn {
    /// Index into the clean rows.
    Record(usize),
    /// Index into the vector.
    Feature(usize),
    Vector,
    /// Index into the scores.
    Score(usize),
}

/// The decision: by a rules plugin, or, without one, a copy of all there is.
#[derive(Clone, Debug)]
pub struct DecisionNode {
    pub input: Vec<DecisionColumn>,
    /// Of `input`.
    pub seen: Schema,
    /// Of those of `input` that are no columns yet: features and scores.
    pub numbers: Schema,
    /// Of what is sent.
    pub output: Schema,
}

impl DecisionNode {
    pub(super) fn of_rules(
        rules: &RulesDescription,
        clean: &[Column],
        features: &[String],
        scores: &[String],
    ) -> Result<Self> {
        let input = rules.input.iter().map(|wanted| bind(wanted, clean, features, scores));
        let seen = rules.input.iter().map(|wanted| wanted.column.clone()).collect();
        Ok(Self::new(input.collect::<Result<_>>()?, seen, rules.output.as_slice().into()))
    }

    pub(super) fn of_everything(clean: &[Column], features: &[String], scores: &[String]) -> Result<Self> {
        let single = |name: &String| Column::new(name.clone(), Kind::Single);
        let columns = clean.iter().cloned().chain(features.iter().chain(scores).map(single));
        let seen: Schema = columns.collect();
        let sources = (0..clean.len()).map(DecisionColumn::Record);
        let sources = sources.chain((0..features.len()).map(DecisionColumn::Feature));
        for (index, column) in seen.iter().enumerate() {
            if seen[..index].iter().any(|other| other.name == column.name) {
                let message =
                    format!("without [rules] all columns come out, and {} comes twice", column.name);
                return Err(Error::new(Code::Mismatch, message));
            }
        }
        let input = sources.chain((0..scores.len()).map(DecisionColumn::Score)).collect();
        Ok(Self::new(input, seen.clone(), seen))
    }

    fn new(input: Vec<DecisionColumn>, seen: Schema, output: Schema) -> Self {
        let made = input.iter().zip(&*seen).filter(|(from, _)| !matches!(from, DecisionColumn::Record(_)));
        let numbers = made.map(|(_, column)| Column::new(column.name.clone(), column.kind)).collect();
        Self { input, seen, numbers, output }
    }
}

fn bind(wanted: &Wanted, clean: &[Column], features: &[String], scores: &[String]) -> Result<DecisionColumn> {
    let Column { name, kind, .. } = &wanted.column;
    let number = |what: &str, names: &[String]| -> Result<usize> {
        let mismatch = |message: String| Err(Error::new(Code::Mismatch, message));
        let Some(index) = names.iter().position(|have| have == name) else {
            return mismatch(format!("the rules want the {what} {name}; there are: {}", names.join(", ")));
        };
        if !matches!(kind, Kind::Single | Kind::Float) {
            return mismatch(format!("the rules want the {what} {name} as {kind}; it is single or float"));
        }
        Ok(index)
    };
    match wanted.from {
        From::Record => {
            find("the rules plugin", &wanted.column, clean, "the cleaned record").map(DecisionColumn::Record)
        }
        From::Feature if name == WHOLE_VECTOR && *kind == Kind::Floats => Ok(DecisionColumn::Vector),
        From::Feature => number("feature", features).map(DecisionColumn::Feature),
        From::Score => number("score", scores).map(DecisionColumn::Score),
    }
}
