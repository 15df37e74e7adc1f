//! How the aggregates of a features plugin are kept: which words an entry has, which lanes run over
//! them, and how each cell is made of lanes. Aggregates that can share a lane do.

use crate::columns::{Column, Kind};
use crate::contract::{Aggregate, FeaturesDescription, Fold, Window};
use crate::error::{Code, Error, Result};

/// What an entry is made of: `words[0]` its time, then one word a kept column.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Words an entry.
    pub stride: usize,
    /// Of the kept columns, in order.
    pub kept: Vec<Column>,
    /// Index of the word with a bit a kept column (1: it has a value), where a column needs one.
    /// Floats do not: NaN is no value.
    pub flags: Option<usize>,
    /// Index of the word with the entry's number in its key, where custom folds need one. Its highest bit
    /// says that the custom folds leave the entry out.
    pub id: Option<usize>,
}

/// Bit of an entry's id word: custom folds leave the entry out.
pub const LEFT_OUT: u64 = 1 << 63;
/// Columns that an input may keep.
const KEPT_LIMIT: usize = 64;

impl Layout {
    fn new(kept: Vec<Column>, custom: bool) -> Self {
        let needs_flag = |column: &Column| column.nullable && !is_float(column.kind);
        let flags = kept.iter().any(needs_flag).then_some(1 + kept.len());
        let id = custom.then_some(1 + kept.len() + usize::from(flags.is_some()));
        let stride = 1 + kept.len() + usize::from(flags.is_some()) + usize::from(custom);
        Self { stride, kept, flags, id }
    }

    /// The word of a kept column, if the entry has a value there.
    pub fn value(&self, entry: &[u64], kept: usize) -> Option<u64> {
        let word = entry[1 + kept];
        if is_float(self.kept[kept].kind) {
            return (!f64::from_bits(word).is_nan()).then_some(word);
        }
        self.flags.is_none_or(|flags| entry[flags] >> kept & 1 == 1).then_some(word)
    }
}

/// Kinds whose words are the bits of an f64; the words of all others are integers.
pub fn is_float(kind: Kind) -> bool {
    matches!(kind, Kind::Float | Kind::Single)
}

/// Index into [`Plan::sizes`], or `None`: forever.
pub type Span = Option<usize>;

/// A running value over the entries of one span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    pub span: Span,
    /// Which kept column; none: every entry counts.
    pub column: Option<usize>,
    /// Which kept boolean must be true.
    pub filter: Option<usize>,
    pub kind: LaneKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneKind {
    Count,
    IntSum,
    FloatSum,
    Squares,
    Least,
    Greatest,
    Latest,
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
    /// Index into [`Plan::customs`].
    Custom(usize),
}

/// An aggregate with a fold of the plugin's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Custom {
    /// As the plugin numbers its folds.
    pub fold: u32,
    pub span: Span,
    pub filter: Option<usize>,
    pub invertible: bool,
    pub register_bytes: usize,
    /// Which cell it fills.
    pub cell: usize,
}

/// The aggregates of one features stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub layout: Layout,
    /// For each kept column its index in the input.
    pub kept_from: Vec<usize>,
    /// Sizes of the sliding windows in milliseconds, each once.
    pub sizes: Vec<u64>,
    pub lanes: Vec<Lane>,
    pub cells: Vec<Cell>,
    /// Columns of the cells.
    pub columns: Vec<Column>,
    pub customs: Vec<Custom>,
}

impl Plan {
    /// The description is sound; what this version does not do is refused by name.
    pub fn new(description: &FeaturesDescription) -> Result<Self> {
        let input = &description.inputs[0];
        let kept_from: Vec<usize> = input.kept.iter().map(|column| *column as usize).collect();
        let kept: Vec<Column> = kept_from.iter().map(|column| input.columns[*column].clone()).collect();
        if let Some(column) = kept.iter().find(|column| column.kind.is_list()) {
            let Column { name, kind, .. } = column;
            return Err(not_yet(format!("column {name}: keeping {kind} in a window")));
        }
        if kept.len() > KEPT_LIMIT {
            return Err(not_yet(format!("keeping {} columns; {KEPT_LIMIT} is the limit", kept.len())));
        }
        let custom = description.aggregates.iter().any(|aggregate| matches!(aggregate.fold, Fold::Custom(_)));
        let mut plan = Self {
            layout: Layout::new(kept, custom),
            kept_from,
            sizes: Vec::new(),
            lanes: Vec::new(),
            cells: Vec::new(),
            columns: Vec::new(),
            customs: Vec::new(),
        };
        for aggregate in &description.aggregates {
            plan.add(aggregate, description)
                .map_err(|error| error.at(format!("aggregate {}", aggregate.name)))?;
        }
        Ok(plan)
    }

    /// Entries older than this are of no use; none: no entry is kept at all.
    pub fn keeps_entries(&self) -> bool {
        !self.sizes.is_empty()
    }

    fn add(&mut self, aggregate: &Aggregate, description: &FeaturesDescription) -> Result<()> {
        let span = self.span(aggregate.window)?;
        let column = aggregate.column.map(|column| column as usize);
        let filter = aggregate.filter.map(|filter| filter as usize);
        let kind = column.map(|column| self.layout.kept[column].kind);
        let float = kind.is_some_and(is_float);
        let own =
            if float { Kind::Float } else { kind.filter(|kind| *kind == Kind::Time).unwrap_or(Kind::Int) };
        let mut lane = |kind| self.lane(Lane { span, column, filter, kind });
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
            Fold::Custom(fold) => {
                let custom = &description.custom_folds[fold as usize];
                self.customs.push(Custom {
                    fold,
                    span,
                    filter,
                    invertible: custom.invertible,
                    register_bytes: custom.register_bytes as usize,
                    cell: self.cells.len(),
                });
                (Cell::Custom(self.customs.len() - 1), custom.cell.kind, custom.cell.nullable)
            }
            fold => return Err(not_yet(format!("the fold {}", fold.name()))),
        };
        self.cells.push(cell);
        self.columns.push(Column { name: aggregate.name.clone(), kind, nullable });
        Ok(())
    }

    fn span(&mut self, window: Window) -> Result<Span> {
        match window {
            Window::Forever => Ok(None),
            Window::Sliding(size) => Ok(Some(index_of(&mut self.sizes, size))),
            window => Err(not_yet(format!("the window {}", window.name()))),
        }
    }

    fn lane(&mut self, lane: Lane) -> usize {
        index_of(&mut self.lanes, lane)
    }
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
