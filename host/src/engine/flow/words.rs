//! What comes to the windows of a stage: whose row it is, its key, and what is kept of it.

use crate::columns::{Batch, Kind, View};
use crate::engine::outbox::Place;
use crate::pipeline::{FeaturesNode, Group, InputNode};
use crate::state::{KeyColumns, MissingKey};
use crate::window::{InputPlan, Layout, hash};

use super::run::{Event, Flight, Step};

/// A reader for each input of a stage.
pub(super) struct Readers<'a> {
    inputs: Vec<Option<RowReader<'a>>>,
    /// For each side of the group the input that it feeds.
    sides: Vec<Option<usize>>,
}

/// A row that comes to windows.
pub(super) struct Arrival<'r, 'a> {
    pub input: usize,
    /// Among the rows of its input.
    pub index: usize,
    pub place: Place,
    pub reader: &'r RowReader<'a>,
}

impl<'a> Readers<'a> {
    pub fn new(node: &'a FeaturesNode, group: &Group, flight: &'a Flight) -> Self {
        let inputs = node.inputs.iter().zip(&node.plan.inputs).enumerate().map(|(index, (input, plan))| {
            let rows = match index {
                0 => Some(&flight.work.rows),
                _ => group.side(input.source).and_then(|side| flight.sides.get(side)).map(|side| &side.rows),
            };
            rows.map(|rows| RowReader::new(input, plan, rows))
        });
        let feeds =
            |source| node.inputs.iter().skip(1).position(|input| input.source == source).map(|at| at + 1);
        let sides = group.sides.iter().map(|side| feeds(side.source)).collect();
        Self { inputs: inputs.collect(), sides }
    }

    /// What a step brings to the stage, if anything. `row`: how many rows of the flight came before.
    pub fn arrival(&self, step: &Step, flight: &Flight, row: &mut usize) -> Option<Arrival<'_, 'a>> {
        let (input, index, place) = match step.event {
            Event::Row => {
                *row += 1;
                (0, *row - 1, flight.work.places[*row - 1])
            }
            Event::Update { side, row } => {
                let (side, index) = (usize::from(side), row as usize);
                (self.sides.get(side).copied().flatten()?, index, flight.sides[side].places[index])
            }
            Event::Advance => return None,
        };
        Some(Arrival { input, index, place, reader: self.inputs[input].as_ref()? })
    }
}

/// Rows of one input of a stage.
pub(super) struct RowReader<'a> {
    time: View<'a>,
    key: Vec<View<'a>>,
    /// None: a column that another release keeps.
    kept: Vec<Option<View<'a>>>,
    layout: &'a Layout,
}

impl<'a> RowReader<'a> {
    pub fn new(input: &InputNode, plan: &'a InputPlan, rows: &'a Batch) -> Self {
        let kept = plan.kept_from.iter().map(|from| from.map(|column| rows.column(input.kept[column])));
        let (time, key) = (rows.column(input.time), input.key.views(rows));
        Self { time, key, kept: kept.collect(), layout: &plan.layout }
    }

    pub fn key(&self, row: usize, into: &mut Vec<u8>) -> Result<(), MissingKey> {
        KeyColumns::write(&self.key, row, into)
    }

    pub fn time(&self, row: usize) -> i64 {
        self.time.int(row)
    }

    /// The words of an entry.
    pub fn read(&self, row: usize, words: &mut Vec<u64>) {
        words.clear();
        words.push(self.time(row).cast_unsigned());
        let mut flags = 0;
        for (index, view) in self.kept.iter().enumerate() {
            let view = view.filter(|view| view.is_valid(row));
            flags |= u64::from(view.is_some()) << index;
            words.push(view.map_or(f64::NAN.to_bits(), |view| word(view, row)));
        }
        if self.layout.flags.is_some() {
            words.push(flags);
        }
        words.resize(self.layout.stride, 0);
    }
}

fn word(view: View<'_>, row: usize) -> u64 {
    match view.kind() {
        Kind::Boolean => u64::from(view.boolean(row)),
        Kind::Float => view.float(row).to_bits(),
        Kind::Single => f64::from(view.single(row)).to_bits(),
        Kind::Text | Kind::Bytes | Kind::Floats => hash(view.bytes(row)),
        Kind::Int | Kind::Time => view.int(row).cast_unsigned(),
    }
}
