//! One plan by which state is kept that serves several: those of the releases that live at a time.
//!
//! It is the same whatever the order of the plans, and how often one of them comes: columns are sorted by their
//! names, spans and lanes by the bytes that [`Plan::fingerprint`] takes of them, which never change. It has
//! no cells; a release reads its own by a view: see [`Plan::view`].
//!
//! Registers of custom folds are bytes that only a plugin can read which has the fold in this version: each release
//! keeps its own. What one version has in several releases is one.

use std::collections::BTreeMap;

use super::counterparts::clash;
use super::fingerprint::{custom_bytes, lane_bytes, span_bytes};
use super::{CUSTOM_LIMIT, Custom, InputPlan, KEPT_LIMIT, Lane, Layout, Plan, is_always_there};
use crate::columns::{Column, position};
use crate::error::{Code, Error, Result};

impl Plan {
    /// Of one plan at least. Refused, saying what: inputs or closing windows that differ, a column of two kinds, a
    /// version of a custom fold that has two kinds of registers, too many columns or custom folds.
    pub fn union(plans: &[&Self]) -> Result<Self> {
        let Some((first, others)) = plans.split_first() else {
            return Err(Error::new(Code::Internal, "a union of no plans"));
        };
        for (index, one) in plans.iter().enumerate() {
            if let Some(what) = plans[..index].iter().find_map(|other| clash(other, one)) {
                return Err(refuse(&what));
            }
        }
        let mut union = Self {
            inputs: (0..first.inputs.len()).map(|input| merge(plans, input)).collect::<Result<_>>()?,
            spans: plans.iter().flat_map(|plan| plan.spans.iter().copied()).collect(),
            lanes: Vec::new(),
            cells: Vec::new(),
            columns: Vec::new(),
            customs: Vec::new(),
            closing: first.closing,
        };
        union.spans.sort_by_cached_key(span_bytes);
        union.spans.dedup();
        let mut lanes = Vec::new();
        for plan in plans {
            lanes.extend(plan.lanes.iter().map(|lane| union.own(plan, lane)));
        }
        lanes.sort_by_cached_key(lane_bytes);
        lanes.dedup();
        union.lanes = lanes;
        let mut customs = Vec::new();
        for plan in plans {
            customs.extend(plan.customs.iter().map(|custom| union.own_custom(plan, custom)));
        }
        customs.sort_by_cached_key(custom_bytes);
        customs.dedup();
        let count = customs.len();
        if count > CUSTOM_LIMIT {
            let text = format!("{count} aggregates with custom folds, where {CUSTOM_LIMIT} is the limit");
            return Err(refuse(&text));
        }
        union.customs = customs;
        union.refuse_gaps(plans)?;
        if union.closing.is_some() && !others.is_empty() {
            for plan in plans {
                if Self::union(&[plan])? != union {
                    return Err(refuse("they close, and are not of the same aggregates"));
                }
            }
        }
        Ok(union)
    }

    /// The same, but that every column may be without a value. Then histories of any plan with the same customs
    /// can be converted to it, and from it to any other such plan: a value that rows of one release do not have
    /// stays none. Costs a word an entry, where no kept column is nullable but for floats.
    pub fn loosened(mut self) -> Self {
        for InputPlan { layout, .. } in &mut self.inputs {
            let kept = layout.kept.iter().cloned().map(|column| Column { nullable: true, ..column });
            *layout = Layout::new(kept.collect(), layout.id.is_some());
        }
        self
    }

    /// A lane of another plan, as it is in this one, which has its columns and its span.
    fn own(&self, of: &Self, lane: &Lane) -> Lane {
        let (input, span) = (of.spans[lane.span].input, self.own_span(of, lane.span));
        let column = |column: Option<usize>| column.map(|column| self.own_column(of, input, column));
        Lane { span, column: column(lane.column), filter: column(lane.filter), ..*lane }
    }

    /// How it is run, and what it fills, is a matter of each release.
    fn own_custom(&self, of: &Self, custom: &Custom) -> Custom {
        let (input, span) = (of.spans[custom.span].input, self.own_span(of, custom.span));
        let filter = custom.filter.map(|filter| self.own_column(of, input, filter));
        Custom { span, filter, ..custom.bare() }
    }

    /// A fold that several releases have in one version takes in the same entries in each: it can't be shown one that
    /// has no value in a column that always has one. Where a fold is of one release alone, it goes without these.
    fn refuse_gaps(&self, plans: &[&Self]) -> Result<()> {
        for (plan, custom) in plans.iter().flat_map(|plan| plan.customs.iter().map(move |one| (plan, one))) {
            let input = plan.spans[custom.span].input;
            let own = self.own_custom(plan, custom);
            let has_it = |other: &&&Self| other.customs.iter().any(|one| self.own_custom(other, one) == own);
            for (_, shown) in custom.shown().iter().filter(|(_, shown)| is_always_there(shown)) {
                let has_none = |other: &&Self| {
                    find(&other.inputs[input], &shown.name).is_none_or(|theirs| theirs.nullable)
                };
                if plans.iter().filter(has_it).any(has_none) {
                    let (fold, column) = (&custom.name, &shown.name);
                    return Err(refuse(&format!(
                        "input {input}: the custom fold {fold} sees the column {column}, of which not all entries \
                         have a value"
                    )));
                }
            }
        }
        Ok(())
    }

    fn own_span(&self, of: &Self, span: usize) -> usize {
        let place = self.spans.iter().position(|own| *own == of.spans[span]);
        place.expect("a union has the spans of all plans")
    }

    fn own_column(&self, of: &Self, input: usize, column: usize) -> usize {
        let name = &of.inputs[input].layout.kept[column].name;
        position(&self.inputs[input].layout.kept, name).expect("a union has the columns of all plans")
    }
}

/// What all plans keep of an input.
fn merge(plans: &[&Plan], index: usize) -> Result<InputPlan> {
    let inputs = || plans.iter().map(|plan| &plan.inputs[index]);
    let (mut kept, mut first) = (BTreeMap::<&str, Column>::new(), None);
    for input in inputs() {
        first.get_or_insert(input);
        for column in &input.layout.kept {
            let nullable = |other: &InputPlan| find(other, &column.name).is_none_or(|theirs| theirs.nullable);
            let nullable = inputs().any(nullable);
            kept.insert(&column.name, Column { nullable, ..column.clone() });
        }
    }
    let (count, custom) = (kept.len(), inputs().any(|input| input.layout.id.is_some()));
    if count > KEPT_LIMIT {
        return Err(refuse(&format!("of input {index} {count} columns, where {KEPT_LIMIT} is the limit")));
    }
    let source = first.map(|input| input.source.clone()).unwrap_or_default();
    Ok(InputPlan::bare(source, Layout::new(kept.into_values().collect(), custom)))
}

fn find<'a>(input: &'a InputPlan, name: &str) -> Option<&'a Column> {
    input.layout.kept.iter().find(|column| column.name == name)
}

fn refuse(what: &str) -> Error {
    Error::new(Code::NotYet, format!("windows that can't be kept beside each other: {what}"))
}
