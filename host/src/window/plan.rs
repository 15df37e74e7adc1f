//! How the aggregates of a features plugin are kept: which words an entry has, which lanes run over
//! them, and how each cell is made of lanes. Aggregates that can share a lane do.

mod counterparts;
mod custom;
mod fingerprint;
mod kind;
mod layout;
mod union;
mod view;
mod wire;

use crate::columns::{Column, Kind};
use crate::contract::{Aggregate, FeaturesDescription, Fold, Input, Trigger, Window};
use crate::error::{Code, Error, Result};

pub use counterparts::{Ancestor, Counterparts};
pub use custom::{Custom, Runs};
pub use kind::SpanKind;
pub use layout::{CUSTOM_LIMIT, ID, Layout, is_always_there, is_float, left_out};

/// Columns that an input may keep.
const KEPT_LIMIT: usize = 64;

/// What is kept of one input.
#[derive(Clone, Debug, PartialEq)]
pub struct InputPlan {
    /// Name of the source; that of the stage's own rows has none.
    pub source: String,
    pub layout: Layout,
    /// For each kept column its index among those that the plugin keeps; none: another release keeps it, and
    /// this one's rows have no value there.
    pub kept_from: Vec<Option<usize>>,
}

/// Windows over the entries of one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Index into [`Plan::inputs`].
    pub input: usize,
    pub kind: SpanKind,
}

/// A running value over the entries of one span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    /// Index into [`Plan::spans`].
    pub span: usize,
    /// Which kept column; none: every entry counts.
    pub column: Option<usize>,
    /// Which kept boolean must be true.
    pub filter: Option<usize>,
    pub kind: LaneKind,
    /// Entries do not leave one by one, if at all (forever, session): of extremes the best one is enough.
    pub forever: bool,
    /// Entries never leave at all: memory that grows with them has to be bounded.
    pub endless: bool,
}

impl Lane {
    /// A count over a span of that kind.
    fn over(span: usize, kind: SpanKind, column: Option<usize>, filter: Option<usize>) -> Self {
        let forever = matches!(kind, SpanKind::Forever | SpanKind::Session(_));
        let endless = kind == SpanKind::Forever;
        Self { span, column, filter, kind: LaneKind::Count, forever, endless }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LaneKind {
    Count,
    IntSum,
    FloatSum,
    Squares,
    Least,
    Greatest,
    Latest,
    Distinct,
    Quantile,
    Decayed { half_life: u64 },
    Frequencies,
}

impl LaneKind {
    /// Never changes: [`Plan::fingerprint`] has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::IntSum => "int sum",
            Self::FloatSum => "float sum",
            Self::Squares => "sum of squares",
            Self::Least => "least",
            Self::Greatest => "greatest",
            Self::Latest => "latest",
            Self::Distinct => "distinct",
            Self::Quantile => "quantiles",
            Self::Decayed { .. } => "decayed mean",
            Self::Frequencies => "frequencies",
        }
    }
}

/// How a cell is made. Indices are of lanes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    Count(usize),
    IntSum(usize),
    FloatSum(usize),
    Mean {
        count: usize,
        sum: usize,
    },
    Variance {
        count: usize,
        sum: usize,
        squares: usize,
    },
    Extreme(usize),
    Latest(usize),
    SinceLatest(usize),
    Distinct(usize),
    Quantile {
        lane: usize,
        q: f64,
    },
    DecayedMean(usize),
    TopK {
        lane: usize,
        k: u32,
    },
    /// Index into [`Plan::customs`].
    Custom(usize),
}

/// The aggregates of one features stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub inputs: Vec<InputPlan>,
    /// Each once.
    pub spans: Vec<Span>,
    pub lanes: Vec<Lane>,
    pub cells: Vec<Cell>,
    /// Columns of the cells.
    pub columns: Vec<Column>,
    pub customs: Vec<Custom>,
    /// The one window of a stage that fires on close.
    pub closing: Option<SpanKind>,
}

impl Plan {
    /// The description is sound; what this version does not do is refused by name.
    pub fn new(description: &FeaturesDescription) -> Result<Self> {
        let closing = match description.trigger {
            Trigger::Row => None,
            Trigger::Close(_) => Some(closing(&description.aggregates)?),
        };
        let inputs = description.inputs.iter().enumerate();
        let inputs = inputs.map(|(index, input)| {
            let custom = |aggregate: &Aggregate| {
                matches!(aggregate.fold, Fold::Custom(_)) && aggregate.input as usize == index
            };
            InputPlan::new(input, description.aggregates.iter().any(custom))
        });
        let mut plan = Self {
            inputs: inputs.collect::<Result<_>>()?,
            spans: Vec::new(),
            lanes: Vec::new(),
            cells: Vec::new(),
            columns: Vec::new(),
            customs: Vec::new(),
            closing,
        };
        for aggregate in &description.aggregates {
            plan.add(aggregate, description)
                .map_err(|error| error.at(format!("aggregate {}", aggregate.name)))?;
        }
        if plan.customs.len() > CUSTOM_LIMIT {
            let count = plan.customs.len();
            return Err(not_yet(format!(
                "{count} aggregates with custom folds; {CUSTOM_LIMIT} is the limit"
            )));
        }
        Ok(plan)
    }

    /// Layout of the entries that a lane runs over.
    pub fn layout_of(&self, lane: &Lane) -> &Layout {
        &self.inputs[self.spans[lane.span].input].layout
    }

    /// Whether a window needs the entries of an input; those of others are let go of at once.
    pub fn keeps_entries(&self, input: usize) -> bool {
        self.spans.iter().any(|span| span.input == input && span.kind != SpanKind::Forever)
    }

    fn add(&mut self, aggregate: &Aggregate, description: &FeaturesDescription) -> Result<()> {
        let input = aggregate.input as usize;
        let kept = &self.inputs[input].layout.kept;
        let column = aggregate.column.map(|column| column as usize);
        let filter = aggregate.filter.map(|filter| filter as usize);
        let kind = column.map(|column| kept[column].kind);
        self.refuse(aggregate.fold, kind)?;
        let float = kind.is_some_and(is_float);
        let own =
            if float { Kind::Float } else { kind.filter(|kind| *kind == Kind::Time).unwrap_or(Kind::Int) };
        let span_kind = SpanKind::of(aggregate.window);
        let span = index_of(&mut self.spans, Span { input, kind: span_kind });
        let over = Lane::over(span, span_kind, column, filter);
        let mut lane = |kind| index_of(&mut self.lanes, Lane { kind, ..over });
        let sum_kind = if float { LaneKind::FloatSum } else { LaneKind::IntSum };
        let (cell, kind, nullable) = match aggregate.fold {
            Fold::Count => (Cell::Count(lane(LaneKind::Count)), Kind::Int, false),
            Fold::Sum if float => (Cell::FloatSum(lane(sum_kind)), Kind::Float, false),
            Fold::Sum => (Cell::IntSum(lane(sum_kind)), Kind::Int, false),
            Fold::Mean => {
                (Cell::Mean { count: lane(LaneKind::Count), sum: lane(sum_kind) }, Kind::Float, true)
            }
            Fold::Variance => {
                let (count, sum) = (lane(LaneKind::Count), lane(LaneKind::FloatSum));
                (Cell::Variance { count, sum, squares: lane(LaneKind::Squares) }, Kind::Float, true)
            }
            Fold::Min => (Cell::Extreme(lane(LaneKind::Least)), own, true),
            Fold::Max => (Cell::Extreme(lane(LaneKind::Greatest)), own, true),
            Fold::Latest => (Cell::Latest(lane(LaneKind::Latest)), own, true),
            Fold::SinceLatest => (Cell::SinceLatest(lane(LaneKind::Latest)), Kind::Int, true),
            Fold::Distinct => (Cell::Distinct(lane(LaneKind::Distinct)), Kind::Int, false),
            Fold::Quantile(q) => (Cell::Quantile { lane: lane(LaneKind::Quantile), q }, Kind::Float, true),
            Fold::DecayedMean(half_life) => {
                (Cell::DecayedMean(lane(LaneKind::Decayed { half_life })), Kind::Float, true)
            }
            Fold::TopK(k) => (Cell::TopK { lane: lane(LaneKind::Frequencies), k }, Kind::Text, true),
            Fold::Custom(fold) => {
                let custom = &description.custom_folds[fold as usize];
                self.customs.push(Custom {
                    name: custom.name.clone(),
                    version: custom.version,
                    span,
                    filter,
                    invertible: custom.invertible,
                    register_bytes: custom.register_bytes as usize,
                    cells: vec![self.cells.len()],
                    runs: Some(Runs { fold, gives: custom.cell.clone(), shown: self.inputs[input].shown() }),
                });
                (Cell::Custom(self.customs.len() - 1), custom.cell.kind, custom.cell.nullable)
            }
        };
        self.cells.push(cell);
        self.columns.push(Column { name: aggregate.name.clone(), kind, nullable });
        Ok(())
    }

    /// Refuses what is not possible: of a text only its hash is kept, and a closed window has no row.
    fn refuse(&self, fold: Fold, column: Option<Kind>) -> Result<()> {
        if let Some(kind) = column.filter(|kind| kind.is_list())
            && !matches!(fold, Fold::Count | Fold::Distinct)
        {
            return Err(not_yet(format!("the fold {} of {kind}", fold.name())));
        }
        if self.closing.is_some() && matches!(fold, Fold::Custom(_)) {
            return Err(not_yet("the fold custom on close".to_owned()));
        }
        if self.closing.is_some() && matches!(fold, Fold::Latest | Fold::SinceLatest) {
            let name = fold.name();
            return Err(mismatch(format!(
                "the fold {name} looks back from a row, and a window that closes has none"
            )));
        }
        Ok(())
    }
}

impl InputPlan {
    fn new(input: &Input, custom: bool) -> Result<Self> {
        let kept = input.kept.iter().map(|column| input.columns[*column as usize].clone());
        let kept: Vec<Column> = kept.collect();
        if let Some(Column { name, kind, .. }) = kept.iter().find(|column| column.kind == Kind::Floats) {
            return Err(not_yet(format!("column {name}: keeping {kind} in a window")));
        }
        if kept.len() > KEPT_LIMIT {
            return Err(not_yet(format!("keeping {} columns; {KEPT_LIMIT} is the limit", kept.len())));
        }
        let kept_from = (0..kept.len()).map(Some).collect();
        Ok(Self { source: input.source.clone(), layout: Layout::new(kept, custom), kept_from })
    }

    /// Of a layout alone: no rows come in by it.
    fn bare(source: String, layout: Layout) -> Self {
        let kept_from = vec![None; layout.kept.len()];
        Self { source, layout, kept_from }
    }
}

/// The window that all aggregates of a stage which fires on close have.
fn closing(aggregates: &[Aggregate]) -> Result<SpanKind> {
    let Some(first) = aggregates.first() else {
        return Err(mismatch(
            "the trigger close needs an aggregate: its window is the one that closes".into(),
        ));
    };
    let Aggregate { name, window, .. } = first;
    if !matches!(window, Window::Tumbling(_) | Window::Hopping { .. } | Window::Session(_)) {
        return Err(mismatch(format!(
            "aggregate {name}: the window {} never closes; with the trigger close there are \
             tumbling, hopping and session",
            window.name()
        )));
    }
    let kind = SpanKind::of(*window);
    let other = |aggregate: &&Aggregate| SpanKind::of(aggregate.window) != kind;
    let others: Vec<&str> = aggregates.iter().filter(other).map(|other| other.name.as_str()).collect();
    if others.is_empty() {
        return Ok(kind);
    }
    Err(mismatch(format!(
        "with the trigger close all aggregates have one window; {} not that of {name}: {}",
        if others.len() == 1 { "this one has" } else { "these have" },
        others.join(", ")
    )))
}

/// Index of a thing in a list, where it is put if it is not there yet.
fn index_of<T: PartialEq>(list: &mut Vec<T>, thing: T) -> usize {
    list.iter().position(|other| *other == thing).unwrap_or_else(|| {
        list.push(thing);
        list.len() - 1
    })
}

fn not_yet(what: String) -> Error {
    Error::new(Code::NotYet, format!("{what} is not supported by this version"))
}

fn mismatch(message: String) -> Error {
    Error::new(Code::Mismatch, message)
}
