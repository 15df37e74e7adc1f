//! The guest's side of the border: what the generated exports call.

use std::cell::RefCell;
use std::panic::PanicHookInfo;

use super::arena::Arena;
use super::layout::{Area, Lower};
use super::wire::{self, Answer, List};
use crate::batch::{Batch, Flaw};
use crate::column::{Column, Kind};
use crate::log::{Level, log};
use crate::rejection::Rejected;
use crate::settings::Table;
use crate::world::{Features, Preprocessor, Rules};

thread_local! {
    static ARENA: RefCell<Arena> = const { RefCell::new(Arena::new()) };
}

/// # Safety
/// To be called as the canonical ABI says.
pub unsafe fn realloc(old: *mut u8, old_length: usize, _align: usize, new_length: usize) -> *mut u8 {
    let new = ARENA.with_borrow_mut(|arena| arena.allocate(new_length));
    if old_length > 0 {
        // SAFETY: the host gives back what it was given; the new piece does not overlap it.
        unsafe { old.copy_to_nonoverlapping(new, old_length.min(new_length)) };
    }
    new
}

/// # Safety
/// The lists must be those of a sound batch that lives as long as the answer.
pub unsafe fn batch<'a>(
    rows: u32,
    spans: *const u32,
    spans_length: usize,
    data: *const u8,
    data_length: usize,
) -> Batch<'a> {
    // SAFETY: the caller's promise.
    unsafe {
        let spans = std::slice::from_raw_parts(spans, spans_length);
        Batch::trusted(rows, spans, std::slice::from_raw_parts(data, data_length))
    }
}

/// A plugin, once it has been described, and where its answers lie.
pub struct Slot<T> {
    plugin: Option<T>,
    answer: Answer,
    rejected: Vec<wire::Rejection>,
    words: String,
}

impl<T> Slot<T> {
    /// Before `describe`.
    pub const FRESH: Self =
        Self { plugin: None, answer: Answer { none: () }, rejected: Vec::new(), words: String::new() };

    fn at_work(&mut self) -> Work<'_, T> {
        let plugin = self.plugin.as_mut();
        let plugin = plugin.expect("the host calls describe first, and goes on only if it succeeds");
        Work { plugin, answer: &mut self.answer, rejected: &mut self.rejected, words: &mut self.words }
    }
}

struct Work<'a, T> {
    plugin: &'a mut T,
    answer: &'a mut Answer,
    rejected: &'a mut Vec<wire::Rejection>,
    words: &'a mut String,
}

/// # Safety
/// `columns` must be a list of columns as the canonical ABI has it.
pub unsafe fn describe<T, D: Lower>(
    slot: &mut Slot<T>,
    columns: *const u8,
    length: usize,
    row: &Batch<'_>,
    describe: fn(&Table) -> Result<(T, D), String>,
) -> *const u8 {
    std::panic::set_hook(Box::new(report));
    // SAFETY: the caller's promise.
    let columns = unsafe { lift_columns(columns, length) };
    let table = Table::read(&columns, row).map_err(|flaw| flaw.to_string());
    let described = table.and_then(|table| describe(&table)).map(|(plugin, description)| {
        slot.plugin = Some(plugin);
        description
    });
    finish();
    // Once an instance, so it may stay for ever.
    Area::of(&described).leak()
}

/// # Safety
/// It must be a list of columns as the canonical ABI has it.
unsafe fn lift_columns(columns: *const u8, length: usize) -> Vec<Column> {
    // SAFETY: the caller's promise.
    let columns = unsafe { std::slice::from_raw_parts(columns.cast::<wire::Column>(), length) };
    let lift = |column: &wire::Column| {
        // SAFETY: the host gives names that are UTF-8.
        let name = unsafe { std::str::from_utf8_unchecked(column.name.items()) };
        let kind = Kind::ALL[usize::from(column.kind)];
        Column { name: name.to_owned().into(), kind, nullable: column.nullable != 0 }
    };
    columns.iter().map(lift).collect()
}

pub fn process<T: Preprocessor>(slot: &mut Slot<T>, rows: &Batch<'_>) -> *const u8 {
    let Work { plugin, answer, rejected, .. } = slot.at_work();
    let processed = plugin.process(rows).unwrap_or_else(give_up);
    answer.processed = wire::Processed {
        rows: wire::Batch::of(&processed.rows),
        origin: List::of(processed.origin),
        rejected: lower_rejected(processed.rejected, rejected),
    };
    give(answer)
}

pub fn compute<T: Features>(slot: &mut Slot<T>, rows: &Batch<'_>) -> *const u8 {
    let Work { plugin, answer, rejected, .. } = slot.at_work();
    let computed = plugin.compute(rows).unwrap_or_else(give_up);
    answer.computed = wire::Computed {
        matrix: List::of(computed.matrix),
        ids: wire::Batch::of(&computed.ids),
        rejected: lower_rejected(computed.rejected, rejected),
    };
    give(answer)
}

/// The registers are changed where the host put them: nobody writes there before the host has read
/// the answer.
pub fn fold<T: Features>(
    slot: &mut Slot<T>,
    custom: u32,
    entries: &Batch<'_>,
    tape: &[u32],
    registers: &mut [u8],
) -> *const u8 {
    let Work { plugin, answer, .. } = slot.at_work();
    let cells = plugin.fold(custom, entries, tape, registers).unwrap_or_else(give_up);
    answer.folded = wire::Folded { registers: List::of(registers), cells: wire::Batch::of(&cells) };
    give(answer)
}

pub fn migrate<T: Features>(
    slot: &mut Slot<T>,
    custom: u32,
    version: u32,
    count: u32,
    registers: &[u8],
) -> *const u8 {
    let Work { plugin, answer, words, .. } = slot.at_work();
    answer.migrated = match plugin.migrate(custom, version, count as usize, registers) {
        Ok(registers) => wire::Migrated { failed: 0, bytes: List::of(registers) },
        Err(why) => {
            *words = why;
            wire::Migrated { failed: 1, bytes: List::of(words.as_bytes()) }
        }
    };
    give(answer)
}

pub fn decide<T: Rules>(slot: &mut Slot<T>, rows: &Batch<'_>) -> *const u8 {
    let Work { plugin, answer, rejected, .. } = slot.at_work();
    let decided = plugin.decide(rows).unwrap_or_else(give_up);
    answer.decided = wire::Decided {
        rows: wire::Batch::of(&decided.rows),
        route: List::of(decided.route),
        rejected: lower_rejected(decided.rejected, rejected),
    };
    give(answer)
}

fn finish() {
    ARENA.with_borrow_mut(Arena::finish);
}

/// The last thing that an export does.
fn give(answer: &Answer) -> *const u8 {
    finish();
    std::ptr::from_ref(answer).cast()
}

fn lower_rejected(rejected: &[Rejected], into: &mut Vec<wire::Rejection>) -> List {
    into.clear();
    into.extend(rejected.iter().map(wire::Rejection::of));
    List::of(into)
}

/// A batch that does not fit is a mistake of the host's: nothing can be done with it.
fn give_up<T>(flaw: Flaw) -> T {
    panic!("{flaw}")
}

fn report(info: &PanicHookInfo<'_>) {
    log(Level::Error, &info.to_string());
}
