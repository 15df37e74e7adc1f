//! What two plans have in common. Parts go by name: two columns are the same if they are called the same, two
//! lanes if they run over the same columns and windows in the same way.

use std::collections::HashMap;

use super::{Custom, Lane, Plan};
use crate::columns::{Column, position};

/// For each part of a plan which one of another plan it is; none: that one lacks it.
#[derive(Debug)]
pub struct Counterparts {
    /// By input, of its kept columns.
    pub columns: Vec<Vec<Option<usize>>>,
    pub spans: Vec<Option<usize>>,
    pub lanes: Vec<Option<usize>>,
}

impl Counterparts {
    /// None: state of the one can't become state of the other: see [`clash`].
    pub fn find(of: &Plan, among: &Plan) -> Option<Self> {
        if clash(of, among).is_some() {
            return None;
        }
        let columns = of.inputs.iter().zip(&among.inputs).map(|(input, other)| {
            let columns = input.layout.kept.iter();
            columns.map(|column| position(&other.layout.kept, &column.name)).collect()
        });
        let columns: Vec<Vec<_>> = columns.collect();
        let spans = of.spans.iter().map(|span| among.spans.iter().position(|other| other == span));
        let spans: Vec<_> = spans.collect();
        let there: HashMap<&Lane, usize> = among.lanes.iter().zip(0..).collect();
        let lanes = of.lanes.iter().map(|lane| {
            let column = |own: Option<usize>| match own {
                None => Some(None),
                Some(own) => columns[of.spans[lane.span].input][own].map(Some),
            };
            let (column, filter) = (column(lane.column)?, column(lane.filter)?);
            there.get(&Lane { span: spans[lane.span]?, column, filter, ..*lane }).copied()
        });
        Some(Self { lanes: lanes.collect(), columns, spans })
    }
}

/// Why no state serves both plans, if that is so.
pub fn clash(one: &Plan, other: &Plan) -> Option<String> {
    let (inputs, others) = (one.inputs.len(), other.inputs.len());
    if inputs != others {
        return Some(format!("inputs: {inputs} in one, {others} in the other"));
    }
    for (index, (input, other)) in one.inputs.iter().zip(&other.inputs).enumerate() {
        if input.source != other.source {
            let (own, theirs) = (&input.source, &other.source);
            return Some(format!("input {index} is the source {own:?} in one, {theirs:?} in the other"));
        }
        for column in &input.layout.kept {
            let theirs = position(&other.layout.kept, &column.name).map(|index| &other.layout.kept[index]);
            if let Some(theirs) = theirs.filter(|theirs| theirs.kind != column.kind) {
                let Column { name, kind, .. } = column;
                let theirs = theirs.kind;
                return Some(format!(
                    "column {name} of input {index} is {kind} in one, {theirs} in the other"
                ));
            }
        }
    }
    if one.closing != other.closing {
        let name = |plan: &Plan| plan.closing.map_or("none".to_owned(), |kind| kind.to_string());
        return Some(format!("windows that close: {} in one, {} in the other", name(one), name(other)));
    }
    let (customs, others) = (one.customs.len(), other.customs.len());
    if customs != others {
        return Some(format!("aggregates with custom folds: {customs} in one, {others} in the other"));
    }
    let mut pairs = one.customs.iter().zip(&other.customs).enumerate();
    pairs.find_map(|(index, (custom, theirs))| {
        let (own, theirs) = (facts(one, custom), facts(other, theirs));
        let (own, theirs) = own.into_iter().zip(theirs).find(|(own, theirs)| own != theirs)?;
        let name = &custom.name;
        Some(format!("custom fold {name}, aggregate {index} of such: {own} in one, {theirs} in the other"))
    })
}

/// What must not change as long as registers are kept.
fn facts(plan: &Plan, custom: &Custom) -> [String; 6] {
    let Custom { fold: _, name, version, span, filter, invertible, register_bytes, cell: _ } = custom;
    let span = plan.spans[*span];
    let filter = filter.map_or("none", |filter| &plan.inputs[span.input].layout.kept[filter].name);
    [
        format!("fold {name}"),
        format!("version {version}"),
        format!("window of input {}, {}", span.input, span.kind),
        format!("filter {filter}"),
        format!("invertible {invertible}"),
        format!("registers of {register_bytes} bytes"),
    ]
}
