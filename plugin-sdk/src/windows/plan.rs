//! From the fields of [`Windows`] to what the host is told: names become indices, and of each
//! input only those columns are kept that a field asks for.

use std::borrow::Cow;

use super::{Aggregate, CustomFold, Side, Windows};
use crate::batch::{Batch, ColumnWriter, Flaw};
use crate::column::{Column, Kind, position};
use crate::describe::{self, Fold, Input};
use crate::row::Fields;

/// What is declared, and where each custom fold finds its columns.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) inputs: Vec<Input>,
    pub(crate) aggregates: Vec<describe::Aggregate>,
    pub(crate) custom_folds: Vec<describe::CustomFold>,
    tapes: Vec<Taped>,
}

#[derive(Debug)]
struct Taped {
    fold: &'static CustomFold,
    /// Place of each of the entry's columns among those kept.
    at: Vec<usize>,
    /// How many are kept; the time stands behind them.
    kept: usize,
    /// What the fold emits.
    cells: ColumnWriter,
}

impl Plan {
    pub(crate) fn new<R: Fields, W: Windows>() -> Result<Self, String> {
        let mut inputs = vec![input("", R::COLUMNS)];
        inputs.extend(W::SIDES.iter().map(|side| input(side.source, side.columns)));
        for (index, input) in inputs.iter_mut().enumerate() {
            input.kept = kept::<W>(index, &input.columns);
        }
        let aggregates =
            W::AGGREGATES.iter().map(|wanted| aggregate(wanted, &inputs)).collect::<Result<_, _>>()?;
        let tapes = W::FOLDS.iter().map(|fold| taped(fold, &inputs)).collect::<Result<_, _>>()?;
        let custom_folds = W::FOLDS.iter().map(|fold| custom_fold(fold, W::SIDES)).collect();
        Ok(Self { inputs, aggregates, custom_folds, tapes })
    }

    /// Executes a tape of a custom fold; gives the values and how many there are.
    pub(crate) fn run(
        &mut self,
        custom: u32,
        entries: &Batch<'_>,
        tape: &[u32],
        registers: &mut [u8],
    ) -> Result<(usize, &mut ColumnWriter), Flaw> {
        let taped = self.tapes.get_mut(custom as usize);
        let Taped { fold, at, kept, cells } = taped.ok_or_else(|| Flaw::of_batch("there is no such fold"))?;
        cells.clear();
        let emitted = (fold.run)(entries, at, *kept, tape, registers, cells)?;
        Ok((emitted, cells))
    }
}

fn input(source: &'static str, columns: &[Column]) -> Input {
    let updates_only = !source.is_empty();
    Input { source: Cow::Borrowed(source), updates_only, columns: columns.to_vec(), kept: Vec::new() }
}

fn kept<W: Windows>(input: usize, columns: &[Column]) -> Vec<u32> {
    let wanted = W::AGGREGATES.iter().filter(|aggregate| aggregate.input == input);
    let folds = W::FOLDS.iter().filter(|fold| fold.input == input);
    let names: Vec<&str> = wanted
        .flat_map(|aggregate| aggregate.column.into_iter().chain(aggregate.filter))
        .chain(folds.flat_map(|fold| fold.entry).map(|column| column.name.as_ref()))
        .collect();
    let is_kept = |index: &u32| names.contains(&columns[*index as usize].name.as_ref());
    (0..columns.len() as u32).filter(is_kept).collect()
}

fn place(input: &Input, name: &str) -> Result<u32, String> {
    let index = position(&input.columns, name).ok_or_else(|| format!("there is no column `{name}`"))?;
    let place = input.kept.iter().position(|kept| *kept as usize == index);
    Ok(place.expect("every column that is asked for is kept") as u32)
}

fn aggregate(wanted: &Aggregate, inputs: &[Input]) -> Result<describe::Aggregate, String> {
    let input = &inputs[wanted.input];
    Ok(describe::Aggregate {
        name: Cow::Borrowed(wanted.name),
        input: wanted.input as u32,
        fold: wanted.fold,
        column: wanted.column.map(|name| place(input, name)).transpose()?,
        filter: wanted.filter.map(|name| place(input, name)).transpose()?,
        window: wanted.window,
    })
}

fn taped(fold: &'static CustomFold, inputs: &[Input]) -> Result<Taped, String> {
    let input = &inputs[fold.input];
    let place = |column: &Column| Ok(place(input, &column.name)? as usize);
    let at = fold.entry.iter().map(place).collect::<Result<_, String>>()?;
    let cells = ColumnWriter::new(&cell(fold));
    Ok(Taped { fold, at, kept: input.kept.len(), cells })
}

fn custom_fold(fold: &CustomFold, sides: &[Side]) -> describe::CustomFold {
    let name = match fold.input {
        0 => Cow::Borrowed(fold.name),
        side => Cow::Owned(format!("{}@{}", fold.name, sides[side - 1].source)),
    };
    describe::CustomFold {
        name,
        version: fold.version,
        register_bytes: fold.register_bytes as u32,
        invertible: fold.invertible,
        cell: cell(fold),
    }
}

fn cell(fold: &CustomFold) -> Column {
    Column::constant(fold.name, fold.kind, fold.nullable)
}

/// Kind of an aggregate's value. A panic is a compile error.
pub(super) const fn cell_kind(
    wanted: &Aggregate,
    rows: &[Column],
    sides: &[Side],
    folds: &[CustomFold],
) -> Kind {
    let columns = if wanted.input == 0 { rows } else { sides[wanted.input - 1].columns };
    if let Some(filter) = wanted.filter {
        match kind_of(columns, filter) {
            Some(Kind::Boolean) => {}
            _ => panic!("{}", wanted.mistakes[1]),
        }
    }
    let column = match wanted.column {
        None => None,
        Some(name) => match kind_of(columns, name) {
            None => panic!("{}", wanted.mistakes[0]),
            kind => kind,
        },
    };
    match wanted.fold {
        Fold::Count | Fold::SinceLatest | Fold::Distinct => Kind::Int,
        Fold::Sum | Fold::Min | Fold::Max | Fold::Latest => match column {
            Some(Kind::Float | Kind::Single) | None => Kind::Float,
            Some(Kind::Time) if !matches!(wanted.fold, Fold::Sum) => Kind::Time,
            Some(_) => Kind::Int,
        },
        Fold::Mean | Fold::Variance | Fold::Quantile(_) | Fold::DecayedMean(_) => Kind::Float,
        Fold::TopK(_) => Kind::Text,
        Fold::Custom(index) => {
            let fold = &folds[index as usize];
            check_entry(fold.entry, columns, wanted.mistakes[0]);
            fold.kind
        }
    }
}

/// An entry's columns must be columns of the rows, of the same kind, and nullable if those are.
const fn check_entry(entry: &[Column], columns: &[Column], mistake: &str) {
    let mut n = 0;
    while n < entry.len() {
        match find(columns, entry[n].constant_name()) {
            Some(at) if columns[at].kind.is(entry[n].kind) => {
                assert!(entry[n].nullable || !columns[at].nullable, "{}", mistake);
            }
            _ => panic!("{}", mistake),
        }
        n += 1;
    }
}

const fn kind_of(columns: &[Column], name: &str) -> Option<Kind> {
    match find(columns, name) {
        Some(at) => Some(columns[at].kind),
        None => None,
    }
}

const fn find(columns: &[Column], name: &str) -> Option<usize> {
    let mut n = 0;
    while n < columns.len() {
        if same(columns[n].constant_name().as_bytes(), name.as_bytes()) {
            return Some(n);
        }
        n += 1;
    }
    None
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut n = 0;
    while n < a.len() && n < b.len() && a[n] == b[n] {
        n += 1;
    }
    n == a.len() && n == b.len()
}
