//! What two plans have in common. Parts go by name: two columns are the same if they are called the same and of one
//! kind, two lanes if they run over the same columns and windows in the same way, two customs if their folds have the
//! same name and version.

use std::collections::HashMap;

use super::{Custom, Lane, Plan, SpanKind};
use crate::columns::{Column, position};

/// For each part of a plan which one of another plan it is; none: that one lacks it.
#[derive(Debug)]
pub struct Counterparts {
    /// By input, of its kept columns.
    pub columns: Vec<Vec<Option<usize>>>,
    pub spans: Vec<Option<usize>>,
    pub lanes: Vec<Option<usize>>,
    pub customs: Vec<Option<Ancestor>>,
}

/// Where the registers of a custom aggregate come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ancestor {
    /// These are its own.
    Same(usize),
    /// These are of an older version of its fold, and can't be made of entries: the plugin can.
    Older(usize),
}

impl Counterparts {
    /// None: state of the one can't become state of the other.
    pub fn find(of: &Plan, among: &Plan) -> Option<Self> {
        if form_clash(of, among).is_some() {
            return None;
        }
        let columns = of.inputs.iter().zip(&among.inputs).map(|(input, other)| {
            let columns = input.layout.kept.iter();
            let is_same = |theirs: &usize, column: &Column| other.layout.kept[*theirs].kind == column.kind;
            let place = |column: &Column| {
                position(&other.layout.kept, &column.name).filter(|theirs| is_same(theirs, column))
            };
            columns.map(place).collect()
        });
        let columns: Vec<Vec<_>> = columns.collect();
        let spans = of.spans.iter().map(|span| among.spans.iter().position(|other| other == span));
        let spans: Vec<_> = spans.collect();
        let column = |span: usize, own: Option<usize>| match own {
            None => Some(None),
            Some(own) => columns[of.spans[span].input][own].map(Some),
        };
        let there: HashMap<&Lane, usize> = among.lanes.iter().zip(0..).collect();
        let lanes = of.lanes.iter().map(|lane| {
            let (column, filter) = (column(lane.span, lane.column)?, column(lane.span, lane.filter)?);
            there.get(&Lane { span: spans[lane.span]?, column, filter, ..*lane }).copied()
        });
        let lanes = lanes.collect();
        let customs = of.customs.iter().map(|custom| {
            let (span, filter) = (spans[custom.span]?, column(custom.span, custom.filter)?);
            let forever = of.spans[custom.span].kind == SpanKind::Forever;
            custom.ancestor(span, filter, forever, &among.customs)
        });
        Some(Self { customs: customs.collect(), lanes, columns, spans })
    }
}

impl Custom {
    /// `span`, `filter`: its own, as the others have them. `forever`: nothing can be made of entries.
    fn ancestor(
        &self,
        span: usize,
        filter: Option<usize>,
        forever: bool,
        others: &[Self],
    ) -> Option<Ancestor> {
        let all = || {
            let is_like =
                |other: &Self| other.name == self.name && other.span == span && other.filter == filter;
            others.iter().enumerate().filter(move |(_, other)| is_like(other))
        };
        if let Some((same, _)) = all().find(|(_, other)| other.has_registers_of(self)) {
            return Some(Ancestor::Same(same));
        }
        let older = all().filter(|(_, other)| forever && other.version < self.version);
        older.max_by_key(|(_, other)| other.version).map(|(older, _)| Ancestor::Older(older))
    }

    /// Whether it is the same aggregate, but for its fold's version.
    fn is_like(&self, of: &Plan, other: &Self, among: &Plan) -> bool {
        let place = |plan: &Plan, one: &Self| {
            let span = plan.spans[one.span];
            let filter = one.filter.map(|filter| plan.inputs[span.input].layout.kept[filter].name.clone());
            (one.name.clone(), span, filter)
        };
        place(of, self) == place(among, other)
    }

    /// Whether a register of another one with this name is one of this.
    fn has_registers_of(&self, other: &Self) -> bool {
        let facts = |one: &Self| (one.version, one.invertible, one.register_bytes);
        facts(self) == facts(other)
    }
}

/// Why no state serves both plans, if that is so.
pub fn clash(one: &Plan, other: &Plan) -> Option<String> {
    form_clash(one, other).or_else(|| kind_clash(one, other)).or_else(|| custom_clash(one, other))
}

impl Plan {
    /// A custom fold that has other registers than this version of it had before, if there is one.
    pub fn confuses(&self, before: &Self) -> Option<String> {
        custom_clash(before, self)
    }

    /// What of this plan can't go on from state that is kept by these, since that is of a later version of a fold, if
    /// anything: no plugin makes registers of later ones. Where entries are kept, they are made of these.
    pub fn falls_behind(&self, kept_by: &[&Self]) -> Option<String> {
        self.customs.iter().find_map(|custom| {
            if self.spans[custom.span].kind != SpanKind::Forever {
                return None;
            }
            let kept = kept_by.iter().flat_map(|kept_by| kept_by.customs.iter().map(move |one| (kept_by, one)));
            let versions = kept.filter(|(kept_by, one)| custom.is_like(self, one, kept_by));
            let versions: Vec<u32> = versions.map(|(_, one)| one.version).collect();
            let newest = versions.iter().max().filter(|newest| **newest > custom.version)?;
            let Custom { name, version, .. } = custom;
            (!versions.contains(version)).then(|| {
                format!(
                    "custom fold {name}, over all time: version {newest} -> {version}, and registers of a later \
                     version can't be taken over"
                )
            })
        })
    }
}

/// A fold whose registers are others than its version says.
fn custom_clash(one: &Plan, other: &Plan) -> Option<String> {
    let mut pairs =
        one.customs.iter().flat_map(|custom| other.customs.iter().map(move |theirs| (custom, theirs)));
    let is_odd = |(custom, theirs): &(&Custom, &Custom)| {
        custom.name == theirs.name && custom.version == theirs.version && !custom.has_registers_of(theirs)
    };
    let (custom, theirs) = pairs.find(is_odd)?;
    let facts =
        |one: &Custom| format!("registers of {} bytes, invertible {}", one.register_bytes, one.invertible);
    let (own, theirs, Custom { name, version, .. }) = (facts(custom), facts(theirs), custom);
    Some(format!(
        "custom fold {name} has {own} in one, {theirs} in the other, and both are version {version}: it has to be raised"
    ))
}

/// A column that is of two kinds.
fn kind_clash(one: &Plan, other: &Plan) -> Option<String> {
    for (index, (input, other)) in one.inputs.iter().zip(&other.inputs).enumerate() {
        for Column { name, kind, .. } in &input.layout.kept {
            let theirs = position(&other.layout.kept, name).map(|column| other.layout.kept[column].kind);
            if let Some(theirs) = theirs.filter(|theirs| theirs != kind) {
                return Some(format!(
                    "column {name} of input {index} is {kind} in one, {theirs} in the other"
                ));
            }
        }
    }
    None
}

/// Why state of one can't even become state of the other, if that is so.
fn form_clash(one: &Plan, other: &Plan) -> Option<String> {
    let (inputs, others) = (one.inputs.len(), other.inputs.len());
    if inputs != others {
        return Some(format!("inputs: {inputs} in one, {others} in the other"));
    }
    for (index, (input, other)) in one.inputs.iter().zip(&other.inputs).enumerate() {
        if input.source != other.source {
            let (own, theirs) = (&input.source, &other.source);
            return Some(format!("input {index} is the source {own:?} in one, {theirs:?} in the other"));
        }
    }
    if one.closing != other.closing {
        let name = |plan: &Plan| plan.closing.map_or("none".to_owned(), |kind| kind.to_string());
        return Some(format!("windows that close: {} in one, {} in the other", name(one), name(other)));
    }
    None
}
