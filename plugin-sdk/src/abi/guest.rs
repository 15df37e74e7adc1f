//! The guest's side of the border: what the generated exports call.

use std::cell::RefCell;
use std::panic::PanicHookInfo;

use super::arena::Arena;
use super::layout::{Area, Lower};
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
    answer: [u32; 9],
    rejected: Vec<[u32; 4]>,
}

impl<T> Slot<T> {
    /// Before `describe`.
    pub const fn new() -> Self {
        Self { plugin: None, answer: [0; 9], rejected: Vec::new() }
    }

    fn at_work(&mut self) -> Work<'_, T> {
        let plugin = self.plugin.as_mut();
        let plugin = plugin.expect("the host calls describe first, and goes on only if it succeeds");
        Work { plugin, answer: &mut self.answer, rejected: &mut self.rejected }
    }
}

struct Work<'a, T> {
    plugin: &'a mut T,
    answer: &'a mut [u32; 9],
    rejected: &'a mut Vec<[u32; 4]>,
}

/// # Safety
/// `columns` must be a list of columns as the canonical ABI has it.
pub unsafe fn describe_preprocessor<T: Preprocessor>(
    slot: &mut Slot<T>,
    columns: *const u8,
    length: usize,
    row: &Batch<'_>,
) -> *const u8 {
    // SAFETY: the caller's promise.
    unsafe { describe(slot, columns, length, row, T::describe) }
}

/// # Safety
/// `columns` must be a list of columns as the canonical ABI has it.
pub unsafe fn describe_features<T: Features>(
    slot: &mut Slot<T>,
    columns: *const u8,
    length: usize,
    row: &Batch<'_>,
) -> *const u8 {
    // SAFETY: the caller's promise.
    unsafe { describe(slot, columns, length, row, T::describe) }
}

/// # Safety
/// `columns` must be a list of columns as the canonical ABI has it.
pub unsafe fn describe_rules<T: Rules>(
    slot: &mut Slot<T>,
    columns: *const u8,
    length: usize,
    row: &Batch<'_>,
) -> *const u8 {
    // SAFETY: the caller's promise.
    unsafe { describe(slot, columns, length, row, T::describe) }
}

/// # Safety
/// `columns` must be a list of columns as the canonical ABI has it.
unsafe fn describe<T, D: Lower>(
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
    let lift = |n: usize| {
        // SAFETY: a column is a text's pointer and length, a kind's number, and a boolean.
        let (name, kind, nullable) = unsafe {
            let column = columns.add(n * Column::SIZE);
            let words = column.cast::<u32>();
            let name = std::slice::from_raw_parts(words.read() as *const u8, words.add(1).read() as usize);
            (std::str::from_utf8_unchecked(name), column.add(8).read(), column.add(9).read() != 0)
        };
        Column { name: name.to_owned().into(), kind: Kind::ALL[usize::from(kind)], nullable }
    };
    (0..length).map(lift).collect()
}

pub fn process<T: Preprocessor>(slot: &mut Slot<T>, rows: &Batch<'_>) -> *const u8 {
    let Work { plugin, answer, rejected } = slot.at_work();
    let processed = plugin.process(rows).unwrap_or_else(give_up);
    answer[..5].copy_from_slice(&lower_batch(&processed.rows));
    answer[5..7].copy_from_slice(&list(processed.origin));
    answer[7..].copy_from_slice(&lower_rejected(processed.rejected, rejected));
    finish();
    answer.as_ptr().cast()
}

pub fn compute<T: Features>(slot: &mut Slot<T>, rows: &Batch<'_>) -> *const u8 {
    let Work { plugin, answer, rejected } = slot.at_work();
    let computed = plugin.compute(rows).unwrap_or_else(give_up);
    answer[..2].copy_from_slice(&list(computed.matrix));
    answer[2..7].copy_from_slice(&lower_batch(&computed.ids));
    answer[7..].copy_from_slice(&lower_rejected(computed.rejected, rejected));
    finish();
    answer.as_ptr().cast()
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
    answer[..2].copy_from_slice(&list(registers));
    answer[2..7].copy_from_slice(&lower_batch(&cells));
    finish();
    answer.as_ptr().cast()
}

pub fn decide<T: Rules>(slot: &mut Slot<T>, rows: &Batch<'_>) -> *const u8 {
    let Work { plugin, answer, rejected } = slot.at_work();
    let decided = plugin.decide(rows).unwrap_or_else(give_up);
    answer[..5].copy_from_slice(&lower_batch(&decided.rows));
    answer[5..7].copy_from_slice(&list(decided.route));
    answer[7..].copy_from_slice(&lower_rejected(decided.rejected, rejected));
    finish();
    answer.as_ptr().cast()
}

fn finish() {
    ARENA.with_borrow_mut(Arena::finish);
}

fn list<T>(items: &[T]) -> [u32; 2] {
    [items.as_ptr() as u32, items.len() as u32]
}

fn lower_batch(batch: &Batch<'_>) -> [u32; 5] {
    let ([spans, spans_length], [data, data_length]) = (list(batch.spans()), list(batch.data()));
    [batch.rows() as u32, spans, spans_length, data, data_length]
}

/// A row, a code of 16 bits, and a text.
fn lower_rejected(rejected: &[Rejected], into: &mut Vec<[u32; 4]>) -> [u32; 2] {
    into.clear();
    into.extend(rejected.iter().map(|Rejected { row, why }| {
        let [message, length] = list(why.message.as_bytes());
        [*row, u32::from(why.code), message, length]
    }));
    list(into)
}

/// A batch that does not fit is a mistake of the host's: nothing can be done with it.
fn give_up<T>(flaw: Flaw) -> T {
    panic!("{flaw}")
}

fn report(info: &PanicHookInfo<'_>) {
    log(Level::Error, &info.to_string());
}
