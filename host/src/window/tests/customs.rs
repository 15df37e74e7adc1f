//! Custom folds: their scripts, executed by a little interpreter, against the model.

mod converting;

use std::collections::{HashMap, HashSet};

use super::model::window;
use super::*;
use crate::bytes::Reader;
use crate::columns::{Batch, Builder};
use crate::contract::CustomFold;

/// Sum of `items` with a retract, the same without, and the greatest.
const CUSTOMS: [(&str, bool); 3] = [("sum", true), ("plain-sum", false), ("greatest", false)];
/// A register: value, entries taken in.
const BYTES: usize = 16;
/// An entry with so many items makes every fold fail.
const POISON: i64 = 3;

/// All custom folds over two windows, of both inputs, with and without a filter.
fn custom_description(windows: [Window; 2]) -> FeaturesDescription {
    let mut description = description(Vec::new());
    // Folds don't see the text.
    description.inputs.iter_mut().for_each(|input| input.kept = vec![3, 0, 1, 2]);
    let cell = Column::nullable("cell", Kind::Int);
    description.custom_folds = CUSTOMS
        .map(|(name, invertible)| CustomFold {
            name: name.to_owned(),
            version: 1,
            register_bytes: BYTES as u32,
            invertible,
            cell: cell.clone(),
        })
        .into();
    for (index, fold) in (0..).zip([0, 1, 2, 1, 2].map(Fold::Custom)) {
        for (input, window) in (0..).zip(windows) {
            let name = format!("a{index}.{input}");
            let filter = (index == 4).then_some(3);
            description.aggregates.push(Aggregate { name, input, fold, column: None, filter, window });
        }
    }
    description
}

/// Executes a script as a host does that runs one item a call. Gives what each item emitted; an item that
/// fails is executed again without its own entry, and emits nothing.
struct Interpreter<'a> {
    custom: &'a Custom,
    script: &'a Script,
    entries: Batch,
    registers: Vec<u8>,
    left_out: HashSet<(u32, u64)>,
}

impl<'a> Interpreter<'a> {
    fn new(custom: &'a Custom, script: &'a mut Script) -> Self {
        let entries = script.entries.seal();
        // Of another version only the meaning is another.
        for Old { slot, bytes, .. } in &script.old {
            script.registers[*slot as usize] = Some(bytes.clone());
        }
        let zero = || vec![0; BYTES].into();
        let registers = script.registers.iter().flat_map(|content| content.clone().unwrap_or_else(zero));
        let registers = registers.collect();
        Self { custom, script, entries, registers, left_out: HashSet::new() }
    }

    /// Gives what items of rows emitted.
    fn run(&mut self) -> Vec<Vec<Option<i64>>> {
        let mut start = 0;
        let mut all = Vec::new();
        for item in &self.script.items {
            let steps = &self.script.steps[start..item.end];
            start = item.end;
            let before = self.registers.clone();
            let emitted = self.execute(steps).unwrap_or_else(|| {
                self.registers = before;
                self.left_out.extend(item.own);
                self.execute(steps).expect("only its own entry makes an item fail");
                Vec::new()
            });
            assert!(emitted.is_empty() || emitted.len() == item.emits as usize);
            if !item.is_aside {
                all.push(emitted);
            }
        }
        all
    }

    /// None: it failed.
    fn execute(&mut self, steps: &[Step]) -> Option<Vec<Option<i64>>> {
        let mut emitted = Vec::new();
        for step in steps {
            let (value, count) = self.read(step.slot);
            let sum = self.custom.runs.as_ref().is_some_and(|runs| runs.fold < 2);
            let join = |value: i64, other: i64| if sum { value + other } else { value.max(other) };
            let (value, count) = match step.operation {
                Operation::Reset => (0, 0),
                Operation::Add(entry) | Operation::Retract(entry)
                    if self.left_out.contains(&self.script.ids[entry as usize]) =>
                {
                    (value, count)
                }
                Operation::Add(entry) => {
                    let items = self.items(entry)?;
                    (if count == 0 { items } else { join(value, items) }, count + 1)
                }
                Operation::Retract(entry) => {
                    assert!(self.custom.invertible, "a fold that can't retract is asked to");
                    (value - self.items(entry)?, count - 1)
                }
                Operation::Merge(other) => {
                    let (other, more) = self.read(other);
                    (if count * more == 0 { value + other } else { join(value, other) }, count + more)
                }
                Operation::Emit => {
                    emitted.push((count > 0).then_some(value));
                    (value, count)
                }
            };
            let at = step.slot as usize * BYTES;
            self.registers[at..at + 8].copy_from_slice(&value.to_le_bytes());
            self.registers[at + 8..at + 16].copy_from_slice(&count.to_le_bytes());
        }
        Some(emitted)
    }

    fn read(&self, slot: u32) -> (i64, i64) {
        let register = &self.registers[slot as usize * BYTES..][..BYTES];
        let number =
            |at: usize| i64::from_le_bytes(register[at..at + 8].try_into().expect("eight bytes of it"));
        (number(0), number(8))
    }

    fn items(&self, entry: u32) -> Option<i64> {
        let (items, entry) = (self.entries.column(1), entry as usize);
        let items = if items.is_valid(entry) { items.int(entry) } else { 0 };
        (items != POISON).then_some(items)
    }
}

/// A step of one of two keys, and whether a batch ends before it.
type Keyed = (Arrival, usize, bool);

/// For each custom aggregate what each event emitted. `between` sees the histories between batches.
fn run(plan: &Plan, steps: &[Keyed], mut between: impl FnMut(&mut [History])) -> Vec<Vec<Vec<Option<i64>>>> {
    let mut histories = [History::new(plan), History::new(plan)];
    let (mut scratch, mut scripts) = (Scratch::default(), Scripts::new(plan));
    let mut builder = Builder::new(plan.columns.as_slice().into());
    let mut emitted = vec![Vec::new(); plan.customs.len()];
    let mut settle = |histories: &mut [History], scripts: Scripts| {
        for (index, mut script) in scripts.into_scripts().into_iter().enumerate() {
            let mut interpreter = Interpreter::new(&plan.customs[index], &mut script);
            emitted[index].extend(interpreter.run());
            let Interpreter { registers, left_out, .. } = interpreter;
            histories.iter_mut().for_each(|history| history.settle(plan, index, &registers, &[]));
            for (key, id) in left_out {
                histories[key as usize].leave_out(plan, index, id);
            }
        }
        between(histories);
    };
    for (Arrival { horizon, event }, key, ends) in steps {
        if *ends {
            settle(&mut histories, std::mem::replace(&mut scripts, Scripts::new(plan)));
        }
        if let Some(horizon) = horizon {
            histories.iter_mut().for_each(|history| history.forget(plan, *horizon));
        }
        scripts.begin(*key as u32);
        let (history, mut words) = (&mut histories[*key], event.words(plan));
        if event.input == 0 {
            history.admit(plan, &mut scratch, &mut words, &mut Cells(&mut builder), &mut scripts);
        } else {
            history.update(plan, event.input, &mut words, &mut scripts);
        }
    }
    settle(&mut histories, scripts);
    emitted
}

/// What the last of the events emits.
fn expected(events: &[Event], aggregate: &Aggregate) -> Vec<Option<i64>> {
    let (row, before) = events.split_last().expect("a row");
    let counts = |event: &Event| aggregate.filter.is_none() || event.declined;
    let fails = |event: &Event| event.items == Some(POISON) && counts(event);
    let own = aggregate.input as usize == row.input;
    if row.input != 0 || own && fails(row) {
        return Vec::new();
    }
    let mut seen: Vec<Event> = before.to_vec();
    seen.push(*row);
    let entries = window(&seen, aggregate.input as usize, aggregate.window, row.time);
    let items = entries.iter().filter(|event| counts(event) && !fails(event));
    let items: Vec<i64> = items.map(|event| event.items.unwrap_or(0)).collect();
    vec![match aggregate.fold {
        Fold::Custom(2) => items.iter().copied().max(),
        _ => (!items.is_empty()).then(|| items.iter().sum()),
    }]
}

fn compare(windows: [Window; 2], steps: &[Keyed]) -> Result<(), TestCaseError> {
    let description = custom_description(windows);
    let plan = Plan::new(&description).expect("all supported");
    let emitted = run(&plan, steps, |_| ());
    let mut events: HashMap<usize, Vec<Event>> = HashMap::new();
    for (index, (step, key, _)) in steps.iter().enumerate() {
        let events = events.entry(*key).or_default();
        events.push(step.event);
        for (custom, aggregate) in description.aggregates.iter().enumerate() {
            let expected = expected(events, aggregate);
            let got = &emitted[custom][index];
            prop_assert_eq!(got, &expected, "event {} {:?}: {:?}", index, step.event, aggregate);
        }
    }
    Ok(())
}

fn keyed(range: std::ops::Range<i64>, back: i64, count: usize) -> impl Strategy<Value = Vec<Keyed>> {
    arrivals(range, back, count).prop_flat_map(|steps| {
        let count = steps.len();
        let keys = prop::collection::vec(prop_oneof![4 => Just(0usize), 1 => Just(1usize)], count);
        let ends = prop::collection::vec(prop::bool::weighted(0.2), count);
        (Just(steps), keys, ends).prop_map(|(steps, keys, ends)| {
            let all = steps.into_iter().zip(keys).zip(ends);
            all.map(|((step, key), end)| (step, key, end)).collect()
        })
    })
}

/// Windows of many entries.
fn long_windows() -> impl Strategy<Value = [Window; 2]> {
    const LONG: [Window; 3] =
        [Window::Sliding(60), Window::Last(50), Window::Hopping { size: 90, slide: 40 }];
    let one = prop::sample::select(&LONG[..]);
    [one.clone(), one]
}

fn two_windows() -> impl Strategy<Value = [Window; 2]> {
    let one = prop::sample::select(&WINDOWS[..]);
    [one.clone(), one]
}

proptest! {
    #[test]
    fn custom_folds_in_order_of_time(windows in two_windows(), steps in keyed(0..8, 0, 80)) {
        compare(windows, &steps)?;
    }

    #[test]
    fn custom_folds_of_stragglers(windows in two_windows(), steps in keyed(-7..8, 20, 80)) {
        compare(windows, &steps)?;
    }

    #[test]
    fn custom_folds_of_many_rows(windows in long_windows(), steps in keyed(-2..3, 60, 300)) {
        compare(windows, &steps)?;
    }
}

proptest! {
    #[test]
    fn frozen_between_batches(windows in two_windows(), steps in keyed(-7..8, 20, 80)) {
        frozen_is_the_same(windows, &steps)?;
    }

    #[test]
    fn frozen_with_many_registers(windows in long_windows(), steps in keyed(-2..3, 60, 300)) {
        frozen_is_the_same(windows, &steps)?;
    }

    #[test]
    fn registers_of_a_log_make_up_for_scripts_that_are_not_run(
        windows in two_windows(), steps in keyed(-7..8, 20, 80),
    ) {
        replays(windows, &steps)?;
    }

    #[test]
    fn registers_of_a_log_over_long_windows(windows in long_windows(), steps in keyed(-2..3, 60, 300)) {
        replays(windows, &steps)?;
    }
}

fn frozen_is_the_same(windows: [Window; 2], steps: &[Keyed]) -> Result<(), TestCaseError> {
    let plan = Plan::new(&custom_description(windows)).expect("all supported");
    let emitted = run(&plan, steps, |histories| {
        histories.iter_mut().for_each(|history| *history = frozen::again(&plan, history));
    });
    prop_assert_eq!(emitted, run(&plan, steps, |_| ()));
    Ok(())
}

/// A history that takes in the same rows, runs no script and is given the registers of one that did is the same.
fn replays(windows: [Window; 2], steps: &[Keyed]) -> Result<(), TestCaseError> {
    let plan = Plan::new(&custom_description(windows)).expect("all supported");
    let mut live = Live::new(&plan);
    let mut replica = Live::new(&plan);
    for (Arrival { horizon, event }, _, ends) in steps {
        if *ends {
            let left_out = live.settle();
            replica.scripts = Scripts::new(&plan);
            for (custom, ids) in left_out.into_iter().enumerate() {
                let mut log = Vec::new();
                live.history.freeze_registers(&plan, custom, &mut log);
                let mut reader = Reader(&log);
                let done = replica.history.thaw_registers(&plan, custom, &mut reader);
                prop_assert_eq!(done.and_then(|()| reader.end()), Some(()));
                ids.iter().for_each(|id| replica.history.leave_out(&plan, custom, *id));
            }
            prop_assert_eq!(frozen::bytes(&plan, &live.history), frozen::bytes(&plan, &replica.history));
        }
        for one in [&mut live, &mut replica] {
            one.take(*horizon, event);
        }
    }
    Ok(())
}

/// One key.
struct Live<'a> {
    plan: &'a Plan,
    history: History,
    scratch: Scratch,
    builder: Builder,
    scripts: Scripts,
    /// By custom aggregate, what items of rows emitted.
    emitted: Vec<Vec<Vec<Option<i64>>>>,
}

impl<'a> Live<'a> {
    fn new(plan: &'a Plan) -> Self {
        let builder = Builder::new(plan.columns.as_slice().into());
        let (history, scratch) = (History::new(plan), Scratch::default());
        let emitted = vec![Vec::new(); plan.customs.len()];
        Self { plan, history, scratch, builder, scripts: Scripts::new(plan), emitted }
    }

    fn take(&mut self, horizon: Option<i64>, event: &Event) {
        if let Some(horizon) = horizon {
            self.history.forget(self.plan, horizon);
        }
        let (mut words, scripts) = (event.words(self.plan), &mut self.scripts);
        scripts.begin(0);
        if event.input == 0 {
            let cells = &mut Cells(&mut self.builder);
            self.history.admit(self.plan, &mut self.scratch, &mut words, cells, scripts);
        } else {
            self.history.update(self.plan, event.input, &mut words, scripts);
        }
    }

    /// Runs the scripts. Gives for each custom aggregate the entries that it leaves out.
    fn settle(&mut self) -> Vec<Vec<u64>> {
        let scripts = std::mem::replace(&mut self.scripts, Scripts::new(self.plan));
        let mut all = Vec::new();
        for (index, mut script) in scripts.into_scripts().into_iter().enumerate() {
            let mut interpreter = Interpreter::new(&self.plan.customs[index], &mut script);
            self.emitted[index].extend(interpreter.run());
            self.history.settle(self.plan, index, &interpreter.registers, &[]);
            let mut ids: Vec<u64> = interpreter.left_out.iter().map(|(_, id)| *id).collect();
            ids.sort_unstable();
            ids.iter().for_each(|id| self.history.leave_out(self.plan, index, *id));
            all.push(ids);
        }
        all
    }
}

/// Steps a row and registers of a fold that can't retract, over windows of two sizes.
#[test]
fn what_a_row_costs_does_not_follow_the_window() {
    for size in [1000, 10_000] {
        let description = custom_description([Window::Sliding(size), Window::Forever]);
        let plan = Plan::new(&description).expect("all supported");
        let mut history = History::new(&plan);
        let mut scratch = Scratch::default();
        let mut builder = Builder::new(plan.columns.as_slice().into());
        let mut scripts = Scripts::new(&plan);
        let rows = size as i64 * 3;
        for time in 0..rows {
            let event = Event { input: 0, time, amount: 1.0, items: Some(1), declined: true, city: None };
            scripts.begin(0);
            let mut words = event.words(&plan);
            history.admit(&plan, &mut scratch, &mut words, &mut Cells(&mut builder), &mut scripts);
        }
        for (custom, script) in plan.customs.iter().zip(scripts.into_scripts()) {
            let limit = if custom.invertible { 3 } else { 15 };
            let steps = script.steps.len() / rows as usize;
            assert!(steps <= limit, "{steps} steps a row, {size}, {custom:?}");
            let registers = script.registers.len();
            assert!(registers <= rows as usize / 16 + 3, "{registers} registers, {size}, {custom:?}");
        }
    }
}
