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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{Builder, Column};

    /// The release keeps items, then whether it was declined; another one amounts and cities.
    #[test]
    fn what_another_release_keeps_has_no_value() {
        let columns = [
            Column::new("time", Kind::Time),
            Column::new("declined", Kind::Boolean),
            Column::nullable("items", Kind::Int),
        ];
        let mut rows = Builder::new(columns.as_slice().into());
        for (time, items) in [(5, Some(7)), (6, None)] {
            rows.column(0).push_int(time);
            rows.column(1).push_boolean(true);
            match items {
                Some(items) => rows.column(2).push_int(items),
                None => rows.column(2).push_null(),
            }
            rows.finish_row();
        }
        let rows = rows.seal();
        let kept = vec![
            Column::new("amount", Kind::Float),
            Column::nullable("city", Kind::Text),
            Column::new("declined", Kind::Boolean),
            Column::nullable("items", Kind::Int),
        ];
        let layout = Layout { stride: 7, kept, flags: Some(5), id: Some(6) };
        let kept_from = vec![None, None, Some(1), Some(0)];
        let plan = InputPlan { source: String::new(), layout, kept_from };
        let key = KeyColumns::new(vec![1]);
        let node = InputNode { source: 0, key, key_names: Vec::new(), kept: vec![2, 1], time: 0 };
        let reader = RowReader::new(&node, &plan, &rows);
        let mut words = Vec::new();
        reader.read(0, &mut words);
        let none = f64::NAN.to_bits();
        assert_eq!(words, [5, none, none, 1, 7, 0b1100, 0]);
        reader.read(1, &mut words);
        assert_eq!(words, [6, none, none, 1, none, 0b0100, 0]);
    }
}
