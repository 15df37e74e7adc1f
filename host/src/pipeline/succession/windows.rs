//! What becomes of windows when their aggregates change.
//!
//! A stage keeps entries of its inputs, each a time and some columns, as long as one of its windows can see
//! them. Running values of a new window can be made of these if they have its columns and go back far enough.

use std::fmt;

use super::page;
use crate::columns::Column;
use crate::pipeline::{FeaturesNode, Pipeline};
use crate::record::SourceId;
use crate::window::{Ancestor, Cell, Counterparts, Custom, Lane, LaneKind, Plan, SpanKind};

/// What becomes of the windows of a stage; the worst of its aggregates counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Windows {
    /// State is read as it is.
    Kept,
    /// All running values are there, or can be made of entries that are.
    Rebuilt,
    /// Some windows begin without all that they should hold.
    Partial,
    /// Nothing of the state fits.
    Lost,
    /// They are made of records that are read again.
    Replayed,
}

/// The windows of one stage.
#[derive(Clone, Debug, PartialEq)]
pub struct StageWindows {
    pub stage: String,
    pub windows: Windows,
    /// How many there are now.
    pub count: usize,
    /// Those that change.
    pub aggregates: Vec<Aggregate>,
}

/// An aggregate that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    pub name: String,
    /// How it was declared; none: it is new.
    pub from: Option<String>,
    /// None: it is gone.
    pub to: Option<String>,
    pub fate: Fate,
}

/// What an aggregate has when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The same running values as before.
    Kept,
    /// All that it should.
    Rebuilt,
    /// All that it should, if the plugin takes over what an older version of its fold left.
    Migrated,
    /// Not all; all after so many milliseconds, where there is such a time.
    Begins(Option<u64>),
    Gone,
}

pub(super) fn of_stages(old: &Pipeline, new: &Pipeline) -> Vec<StageWindows> {
    let stages = old.features.iter().zip(&new.features);
    stages.map(|(from, to)| of_stage(&Side::new(old, from), &Side::new(new, to))).collect()
}

/// The same where the newer one begins without any state: by the names of stages.
pub(super) fn from_history(old: &Pipeline, new: &Pipeline) -> Vec<StageWindows> {
    let of_stage = |to: &FeaturesNode| {
        let after = Side::new(new, to);
        let before = old.features.iter().find(|from| from.name == to.name);
        let mut own = before.map_or_else(
            || StageWindows {
                stage: to.name.clone(),
                windows: Windows::Replayed,
                count: after.declarations().len(),
                aggregates: Vec::new(),
            },
            |from| of_stage(&Side::new(old, from), &after),
        );
        own.windows = Windows::Replayed;
        own.aggregates.retain(|one| one.from != one.to);
        let made = own.aggregates.iter_mut().filter(|one| one.fate != Fate::Gone);
        made.for_each(|one| one.fate = Fate::Rebuilt);
        own
    };
    new.features.iter().map(of_stage).collect()
}

fn of_stage(old: &Side<'_>, new: &Side<'_>) -> StageWindows {
    let (before, after) = (old.declarations(), new.declarations());
    let fits = old.plan.closing == new.plan.closing;
    // A plan knows its inputs by their numbers alone.
    let same_inputs = old.sources().eq(new.sources());
    let mut windows = match same_inputs && old.plan.fingerprint() == new.plan.fingerprint() {
        true => Windows::Kept,
        false if fits => Windows::Rebuilt,
        false => Windows::Lost,
    };
    let known = Counterparts::find(new.plan, old.plan).filter(|_| same_inputs);
    let mut aggregates = Vec::new();
    for (cell, (name, to)) in after.iter().enumerate() {
        let fate = new.fate(cell, old, known.as_ref());
        if let Fate::Begins(_) = fate {
            windows = windows.max(Windows::Partial);
        }
        let from = before.iter().find(|(other, _)| other == name).map(|(_, from)| from);
        if from != Some(to) || matches!(fate, Fate::Begins(_)) {
            let (from, to) = (from.cloned(), Some(to.clone()));
            aggregates.push(Aggregate { name: name.clone(), from, to, fate });
        }
    }
    let gone = before.iter().filter(|(name, _)| after.iter().all(|(other, _)| other != name));
    aggregates.extend(gone.map(|(name, from)| Aggregate {
        name: name.clone(),
        from: Some(from.clone()),
        to: None,
        fate: Fate::Gone,
    }));
    StageWindows { stage: old.stage.name.clone(), windows, count: after.len(), aggregates }
}

/// A stage in its pipeline.
struct Side<'a> {
    pipeline: &'a Pipeline,
    stage: &'a FeaturesNode,
    plan: &'a Plan,
}

/// A running value, whatever it is numbered with.
#[derive(PartialEq)]
struct Running<'a> {
    source: SourceId,
    span: SpanKind,
    value: Value<'a>,
    column: Option<&'a Column>,
    filter: Option<&'a Column>,
}

#[derive(PartialEq)]
enum Value<'a> {
    Lane(LaneKind),
    Custom(&'a Custom),
}

impl<'a> Side<'a> {
    fn new(pipeline: &'a Pipeline, stage: &'a FeaturesNode) -> Self {
        Self { pipeline, stage, plan: &stage.plan }
    }

    /// Of its inputs.
    fn sources(&self) -> impl Iterator<Item = SourceId> + use<'a> {
        self.stage.inputs.iter().map(|input| input.source)
    }

    /// Names of all aggregates, and how they are declared.
    fn declarations(&self) -> Vec<(String, String)> {
        let cells = self.plan.columns.iter().zip(&self.plan.cells);
        cells.map(|(column, cell)| (column.name.clone(), self.declaration(cell))).collect()
    }

    fn declaration(&self, cell: &Cell) -> String {
        let running = self.running(cell);
        let Running { source, span, column, filter, .. } = &running[running.len() - 1];
        let part = |word: &str, column: &Option<&Column>| {
            column.map_or(String::new(), |column| format!(" {word} {}", column.name))
        };
        let from = match *source {
            0 => String::new(),
            source => format!(", from {}", self.pipeline.sources[usize::from(source)].name),
        };
        let fold = self.fold(cell);
        let (of, when) = (part("of", column), part("where", filter));
        format!("{fold}{of}{when}, {}{from}", page::window(*span))
    }

    fn fold(&self, cell: &Cell) -> String {
        let plain = match *cell {
            Cell::Count(_) => "count",
            Cell::IntSum(_) | Cell::FloatSum(_) => "sum",
            Cell::Mean { .. } => "mean",
            Cell::Variance { .. } => "variance",
            Cell::Extreme(lane) if self.plan.lanes[lane].kind == LaneKind::Least => "min",
            Cell::Extreme(_) => "max",
            Cell::Latest(_) => "latest",
            Cell::SinceLatest(_) => "time since latest",
            Cell::Distinct(_) => "distinct",
            Cell::Quantile { q, .. } => return format!("quantile {q}"),
            Cell::TopK { k, .. } => return format!("top {k}"),
            Cell::DecayedMean(lane) => match self.plan.lanes[lane].kind {
                LaneKind::Decayed { half_life } => {
                    return format!("mean decayed by {}", page::span(half_life));
                }
                _ => "decayed mean",
            },
            Cell::Custom(custom) => {
                let Custom { name, version, .. } = &self.plan.customs[custom];
                return format!("{name} (version {version})");
            }
        };
        plain.to_owned()
    }

    /// What a cell is made of; the last has the column, where there is one.
    fn running(&self, cell: &Cell) -> Vec<Running<'a>> {
        let lanes: Vec<usize> = match *cell {
            Cell::Count(lane)
            | Cell::IntSum(lane)
            | Cell::FloatSum(lane)
            | Cell::Extreme(lane)
            | Cell::Latest(lane)
            | Cell::SinceLatest(lane)
            | Cell::Distinct(lane)
            | Cell::Quantile { lane, .. }
            | Cell::DecayedMean(lane)
            | Cell::TopK { lane, .. } => vec![lane],
            Cell::Mean { count, sum } => vec![count, sum],
            Cell::Variance { count, sum, squares } => vec![count, sum, squares],
            Cell::Custom(custom) => return vec![self.custom(&self.plan.customs[custom])],
        };
        lanes.into_iter().map(|lane| self.lane(&self.plan.lanes[lane])).collect()
    }

    fn lane(&self, lane: &Lane) -> Running<'a> {
        let (source, span, kept) = self.span(lane.span);
        let column = |index: Option<usize>| index.map(|index| &kept[index]);
        let value = Value::Lane(lane.kind);
        Running { source, span, value, column: column(lane.column), filter: column(lane.filter) }
    }

    fn custom(&self, custom: &'a Custom) -> Running<'a> {
        let (source, span, kept) = self.span(custom.span);
        let filter = custom.filter.map(|filter| &kept[filter]);
        Running { source, span, value: Value::Custom(custom), column: None, filter }
    }

    fn span(&self, span: usize) -> (SourceId, SpanKind, &'a [Column]) {
        let span = self.plan.spans[span];
        (self.stage.inputs[span.input].source, span.kind, &self.plan.inputs[span.input].layout.kept)
    }

    /// What the aggregate of a cell has when it follows the old stage.
    fn fate(&self, cell: usize, old: &Side<'_>, known: Option<&Counterparts>) -> Fate {
        let all: Vec<Running<'_>> = old.plan.cells.iter().flat_map(|cell| old.running(cell)).collect();
        let own = self.running(&self.plan.cells[cell]);
        if old.plan.closing != self.plan.closing {
            return begins(&own[0]);
        }
        if let (Cell::Custom(custom), Some(known)) = (self.plan.cells[cell], known) {
            match known.customs[custom] {
                Some(Ancestor::Same(_)) => return Fate::Kept,
                Some(Ancestor::Older(_)) => return Fate::Migrated,
                None => {}
            }
        }
        let mut fate = Fate::Kept;
        for running in own.iter().filter(|running| !all.contains(running)) {
            // Windows that close keep no entries.
            if self.plan.closing.is_some() || !old.holds(running) {
                return begins(running);
            }
            fate = Fate::Rebuilt;
        }
        fate
    }

    /// Whether entries are kept of which such a running value can be made.
    fn holds(&self, running: &Running<'_>) -> bool {
        let inputs = self.plan.inputs.iter().enumerate();
        let mut inputs = inputs.filter(|(index, _)| self.stage.inputs[*index].source == running.source);
        inputs.any(|(index, input)| {
            let has = |wanted: &Column| {
                let own = input.layout.kept.iter().find(|own| own.name == wanted.name);
                own.is_some_and(|own| own.kind == wanted.kind && (wanted.nullable || !own.nullable))
            };
            let seen: Vec<&Column> = match running.value {
                Value::Custom(custom) => custom.shown().iter().map(|(_, column)| column).collect(),
                Value::Lane(_) => running.column.into_iter().collect(),
            };
            let mut spans = self.plan.spans.iter().filter(|span| span.input == index);
            seen.into_iter().chain(running.filter).all(has)
                && spans.any(|span| covers(span.kind, running.span))
        })
    }
}

/// Whether all entries that a window can see are kept because of another.
pub(super) fn covers(kept: SpanKind, wanted: SpanKind) -> bool {
    use SpanKind::{Hopping, Last, Session, Sliding};
    match (kept, wanted) {
        (Sliding(kept), Sliding(wanted) | Hopping { size: wanted, .. }) => wanted <= kept,
        // An entry may be as old as the size less the slide when its last window ends.
        (Hopping { size, slide }, Sliding(wanted)) => wanted <= size - slide + 1,
        (Hopping { size, slide }, Hopping { size: wanted, slide: by }) => {
            let starts_with_it = by.is_multiple_of(slide) && wanted <= size;
            starts_with_it || wanted <= size - slide + 1
        }
        (Session(kept), Session(wanted)) => wanted <= kept,
        (Last(kept), Last(wanted)) => wanted <= kept,
        _ => false,
    }
}

/// With what is there, or nothing.
fn begins(running: &Running<'_>) -> Fate {
    Fate::Begins(match running.span {
        SpanKind::Sliding(size) | SpanKind::Hopping { size, .. } => Some(size),
        SpanKind::Session(_) | SpanKind::Last(_) | SpanKind::Forever => None,
    })
}

impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "kept",
            Self::Rebuilt => "rebuilt from what is kept",
            Self::Partial => "some begin without all that they should hold",
            Self::Lost => "all begin anew",
            Self::Replayed => "made anew, of what is read again",
        })
    }
}
