//! From the fields of [`Windows`] to what the host is told: names become indices, and of each
//! input only those columns are kept that a field asks for.

use std::borrow::Cow;

use super::{Aggregate, CustomFold, Lookup, Side, Windows};
use crate::batch::{Batch, ColumnWriter, Flaw};
use crate::column::{Column, position};
use crate::describe::{self, Input};
use crate::row::Fields;

/// What is declared, and where each custom fold finds its columns.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) inputs: Vec<Input>,
    pub(crate) lookups: Vec<describe::Lookup>,
    pub(crate) aggregates: Vec<describe::Aggregate>,
    pub(crate) custom_folds: Vec<describe::CustomFold>,
    tapes: Vec<Taped>,
}

#[derive(Debug)]
struct Taped {
    fold: &'static CustomFold,
    /// Place of each of the entry's columns in the batch of entries.
    at: Vec<usize>,
    /// Place of the time there, behind them all.
    time: usize,
    /// What the fold emits.
    cells: ColumnWriter,
}

impl Plan {
    /// `R`: the rows that become entries.
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
        let lookups = W::LOOKUPS.iter().map(lookup).collect();
        Ok(Self { inputs, lookups, aggregates, custom_folds, tapes })
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
        let Taped { fold, at, time, cells } = taped.ok_or_else(|| Flaw::of_batch("there is no such fold"))?;
        cells.clear();
        let emitted = (fold.run)(entries, at, *time, tape, registers, cells)?;
        Ok((emitted, cells))
    }

    /// Makes registers of a custom fold of those of an older version.
    pub(crate) fn migrate(
        &self,
        custom: u32,
        version: u32,
        count: usize,
        registers: &[u8],
        into: &mut Vec<u8>,
    ) -> Result<(), String> {
        let taped = self.tapes.get(custom as usize).ok_or("there is no such fold")?;
        (taped.fold.migrate)(version, count, registers, into)
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

fn lookup(wanted: &Lookup) -> describe::Lookup {
    let (table, key) = (Cow::Borrowed(wanted.table), Cow::Borrowed(wanted.key));
    describe::Lookup { table, key, columns: wanted.columns.to_vec() }
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
    let entries = entry_columns(input);
    let place = |column: &Column| {
        let found = entries.iter().position(|index| input.columns[*index].name == column.name);
        found.ok_or_else(|| format!("there is no column `{}` that an entry keeps", column.name))
    };
    let at = fold.entry.iter().map(place).collect::<Result<_, _>>()?;
    let cells = ColumnWriter::new(&cell(fold));
    Ok(Taped { fold, at, time: entries.len(), cells })
}

/// Indices of the columns that a batch of entries has, but for the time: of what is kept, that which is no
/// text and no bytes.
pub(crate) fn entry_columns(input: &Input) -> Vec<usize> {
    let kept = input.kept.iter().map(|index| *index as usize);
    kept.filter(|index| !input.columns[*index].kind.is_list()).collect()
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
