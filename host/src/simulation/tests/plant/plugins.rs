//! What plugins and codecs are in the real thing, in plain Rust.

use crate::columns::{Batch, Builder, Column, Kind, Schema, position};
use crate::contract::{Computed, CustomFold, Folded, RawBatch, Tape};
use crate::engine::ports::{Decoder, Encoder, Features, PluginFault};
use crate::error::{Code, Refusal};
use crate::record::Record;

/// Sum of amounts, from which entries can be retracted.
pub const SUM: u32 = 0;
/// The greatest amount and how many there are, in which entries can't be retracted.
pub const MOST: u32 = 1;
/// By stage: an entry of this amount makes each custom fold fail.
pub const POISON: [i64; 2] = [13, 17];
/// What releases of odd numbers give beside.
pub const ODD: f32 = -7.0;
/// Of so many times ten calls an ill plugin fails in ten. More than a batch takes: rows of releases that take turns
/// are a call each.
const ILL_EVERY: u64 = 200;

/// By fold: which version a release has.
pub type Versions = [u32; 2];

pub fn folds(versions: Versions) -> Vec<CustomFold> {
    let fold = |((name, invertible), version): ((&str, bool), u32)| CustomFold {
        name: name.to_owned(),
        version,
        register_bytes: Register::bytes_of(version) as u32,
        invertible,
        cell: cell(),
    };
    [("sum", true), ("most", false)].into_iter().zip(versions).map(fold).collect()
}

fn cell() -> Column {
    Column::nullable("cell", Kind::Int)
}

/// A number more for each cell.
pub struct Cells {
    pub stage: usize,
    pub first: usize,
    pub cells: usize,
    pub release: u64,
    pub versions: Versions,
    /// Fails now and then for a while.
    pub ill: bool,
    pub calls: u64,
}

impl Cells {
    fn call(&mut self) -> Result<(), PluginFault> {
        self.calls += 1;
        if self.ill && self.calls / 10 % ILL_EVERY == 3 { Err(fault("ill")) } else { Ok(()) }
    }
}

impl Features for Cells {
    fn compute(&mut self, rows: &Batch) -> Result<Computed, PluginFault> {
        self.call()?;
        let Self { first, cells, release, .. } = *self;
        let more = [release as f32, ODD].into_iter().take(1 + (release % 2) as usize);
        let row =
            |row: usize| (first..first + cells).map(move |cell| number(rows, cell, row)).chain(more.clone());
        let ids = RawBatch { rows: rows.rows() as u32, ..RawBatch::default() };
        Ok(Computed { matrix: (0..rows.rows()).flat_map(row).collect(), ids, rejected: Vec::new() })
    }

    fn fold(
        &mut self,
        fold: u32,
        entries: &Batch,
        tape: &Tape,
        registers: &[u8],
    ) -> Result<Folded, PluginFault> {
        self.call()?;
        let amount = |entry: u32| {
            let amount = entries.column(0).int(entry as usize);
            if amount == POISON[self.stage] { Err(fault("poison")) } else { Ok(amount) }
        };
        let version = self.versions[fold as usize];
        let mut registers = Register::read_all(version, registers);
        let mut cells = Builder::new([cell()].into());
        for step in tape.words().chunks_exact(2) {
            let (register, argument) = ((step[0] & ((1 << 28) - 1)) as usize, step[1]);
            let own = registers[register];
            registers[register] = match step[0] >> 28 {
                0 => Register::default(),
                1 => own.with(fold, Register { count: 1, value: amount(argument)? }),
                2 if fold == SUM => Register { count: own.count - 1, value: own.value - amount(argument)? },
                3 => own.with(fold, registers[argument as usize]),
                4 => {
                    own.emit(fold, &mut cells);
                    own
                }
                _ => return Err(fault("what it can't do")),
            };
        }
        let cells = cells.seal();
        let cells = RawBatch {
            rows: cells.rows() as u32,
            spans: cells.spans().to_vec(),
            data: cells.data().to_vec(),
        };
        Ok(Folded { registers: registers.iter().flat_map(|one| one.bytes(version)).collect(), cells })
    }

    fn migrate(
        &mut self,
        fold: u32,
        version: u32,
        count: u32,
        registers: &[u8],
    ) -> Result<Vec<u8>, PluginFault> {
        self.call()?;
        let (old, own) = (Register::read_all(version, registers), self.versions[fold as usize]);
        if old.len() != count as usize || version >= own {
            return Err(fault("what it can't make registers of"));
        }
        Ok(old.iter().flat_map(|one| one.bytes(own)).collect())
    }
}

#[derive(Clone, Copy, Default)]
struct Register {
    count: i64,
    value: i64,
}

impl Register {
    /// Entries taken in, and the value; in versions of even numbers the other way round, and something more.
    fn bytes_of(version: u32) -> usize {
        if version.is_multiple_of(2) { 24 } else { 16 }
    }

    fn read_all(version: u32, bytes: &[u8]) -> Vec<Self> {
        let number = |bytes: &[u8]| i64::from_le_bytes(*bytes.first_chunk().expect("eight bytes of it"));
        let read = |bytes: &[u8]| match (number(bytes), number(&bytes[8..])) {
            (value, count) if version.is_multiple_of(2) => Self { count, value },
            (count, value) => Self { count, value },
        };
        bytes.chunks_exact(Self::bytes_of(version)).map(read).collect()
    }

    fn bytes(&self, version: u32) -> Vec<u8> {
        let Self { count, value } = *self;
        let numbers = if version.is_multiple_of(2) { vec![value, count, 7] } else { vec![count, value] };
        numbers.into_iter().flat_map(i64::to_le_bytes).collect()
    }

    /// Takes in what the other took in.
    fn with(self, fold: u32, other: Self) -> Self {
        let value = match fold {
            SUM => self.value + other.value,
            _ if self.count == 0 || other.count > 0 && other.value > self.value => other.value,
            _ => self.value,
        };
        Self { count: self.count + other.count, value }
    }

    fn emit(self, fold: u32, cells: &mut Builder) {
        match self {
            Self { count: 0, .. } => cells.column(0).push_null(),
            Self { value, .. } if fold == SUM => cells.column(0).push_int(value),
            Self { count, value } => cells.column(0).push_int(value * 1_000 + count),
        }
        cells.finish_row();
    }
}

fn fault(message: &str) -> PluginFault {
    PluginFault { code: Code::PluginTrap, message: message.to_owned() }
}

fn number(rows: &Batch, column: usize, row: usize) -> f32 {
    let column = rows.column(column);
    if column.is_valid(row) { column.int(row) as f32 } else { -1.0 }
}

pub struct Numbers(pub Schema);

impl Decoder for Numbers {
    fn schema(&self) -> &Schema {
        &self.0
    }

    fn decode(&mut self, _: &str, record: &Record<'_>, into: &mut Builder) -> Result<(), Refusal> {
        let text = std::str::from_utf8(record.value.expect("given")).expect("text");
        for (name, word) in ["id", "buyer", "shop", "amount", "at"].into_iter().zip(text.split(' ')) {
            let column = position(&self.0, name).expect("declared");
            into.column(column).push_int(word.parse().expect("a number"));
        }
        into.finish_row();
        Ok(())
    }
}

/// All columns, with spaces between.
pub struct Words;

impl Encoder for Words {
    fn encode(&mut self, rows: &Batch, row: usize, into: &mut Vec<u8>) {
        let words = rows.columns().map(|column| match column.kind() {
            Kind::Single => column.single(row).to_string(),
            _ => column.int(row).to_string(),
        });
        into.extend(words.collect::<Vec<_>>().join(" ").bytes());
    }
}
