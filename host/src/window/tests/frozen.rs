//! Histories as bytes: frozen and thawed at any moment they are the same, and no bytes do harm.

use super::rows::{everything, windows};
use super::*;
use crate::bytes::{Reader, Write};
use crate::columns::{Batch, Builder, TIMES};
use crate::contract::CustomFold;
use crate::window::plan::ID;

pub fn bytes(plan: &Plan, history: &History) -> Vec<u8> {
    let mut bytes = Vec::new();
    history.freeze(plan, &mut bytes);
    bytes
}

pub fn again(plan: &Plan, history: &History) -> History {
    let frozen = bytes(plan, history);
    let mut reader = Reader(&frozen);
    let thawed = History::thaw(plan, &mut reader).expect("just frozen");
    assert_eq!(reader.end(), Some(()));
    assert_eq!(bytes(plan, &thawed), frozen);
    thawed
}

/// A key at work.
struct Bench<'a> {
    plan: &'a Plan,
    history: History,
    scratch: Scratch,
    scripts: Scripts,
    builder: Builder,
}

impl<'a> Bench<'a> {
    fn new(plan: &'a Plan, history: History) -> Self {
        let builder = Builder::new(plan.columns.as_slice().into());
        Self { plan, history, scratch: Scratch::default(), scripts: Scripts::new(plan), builder }
    }

    fn take(&mut self, Arrival { horizon, event }: &Arrival) {
        let Self { plan, history, scratch, scripts, builder } = self;
        if let Some(horizon) = horizon {
            history.forget(plan, *horizon);
        }
        let mut words = event.words(plan);
        if event.input == 0 {
            history.admit(plan, scratch, &mut words, &mut Cells(builder), scripts);
            if plan.customs.is_empty() {
                builder.finish_row();
            }
        } else {
            history.update(plan, event.input, &mut words, scripts);
        }
    }

    fn cells(mut self) -> Batch {
        self.builder.seal()
    }
}

/// With a frozen state between rows, where `freezes` says so, all is as without.
fn compare(windows: &[Window], arrivals: &[Arrival], freezes: &[bool]) -> Result<(), TestCaseError> {
    let plan = Plan::new(&description(everything(windows))).expect("all supported");
    let mut live = Bench::new(&plan, History::new(&plan));
    let mut twin = Bench::new(&plan, History::new(&plan));
    for (arrival, freeze) in arrivals.iter().zip(freezes.iter().cycle()) {
        live.take(arrival);
        twin.take(arrival);
        if *freeze {
            live.history = again(&plan, &live.history);
        }
        prop_assert_eq!(live.history.expiry(&plan), twin.history.expiry(&plan));
        prop_assert_eq!(live.history.entries(&plan), twin.history.entries(&plan));
    }
    prop_assert_eq!(bytes(&plan, &live.history), bytes(&plan, &twin.history));
    prop_assert_eq!(live.cells(), twin.cells());
    Ok(())
}

fn freezes() -> impl Strategy<Value = Vec<bool>> {
    prop::collection::vec(prop::bool::weighted(0.3), 1..20)
}

/// Damage: where, and what is put there or flipped.
#[derive(Clone, Copy, Debug)]
pub enum Damage {
    Cut(usize),
    Put(usize, u8),
    Flip(usize, u8),
    Insert(usize, u8),
    Word(usize, u64),
}

impl Damage {
    pub fn apply(self, bytes: &mut Vec<u8>) {
        let end = bytes.len();
        match self {
            Self::Cut(place) => bytes.truncate(place % (end + 1)),
            Self::Insert(place, byte) => bytes.insert(place % (end + 1), byte),
            Self::Put(place, byte) if end > 0 => bytes[place % end] = byte,
            Self::Flip(place, bit) if end > 0 => bytes[place % end] ^= 1 << (bit % 8),
            Self::Word(place, word) if end >= 8 => {
                let place = place % (end - 7);
                bytes[place..place + 8].copy_from_slice(&word.to_le_bytes());
            }
            _ => {}
        }
    }
}

pub fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let byte = || prop_oneof![any::<u8>(), Just(0), Just(1), Just(0x7f), Just(0x80), Just(0xff)];
    let word = prop_oneof![any::<u64>(), Just(u64::MAX), Just(1 << 63), Just(0), Just(u64::MAX >> 1)];
    let one = prop_oneof![
        1 => any::<usize>().prop_map(Damage::Cut),
        4 => (any::<usize>(), byte()).prop_map(|(place, byte)| Damage::Put(place, byte)),
        4 => (any::<usize>(), any::<u8>()).prop_map(|(place, bit)| Damage::Flip(place, bit)),
        2 => (any::<usize>(), byte()).prop_map(|(place, byte)| Damage::Insert(place, byte)),
        4 => (any::<usize>(), word).prop_map(|(place, word)| Damage::Word(place, word)),
    ];
    prop::collection::vec(one, 1..4)
}

/// What can be thawed of damaged bytes can be used.
fn survives(plan: &Plan, arrivals: &[Arrival], damages: &[Vec<Damage>]) {
    let (before, after) = arrivals.split_at(arrivals.len() / 2);
    let mut bench = Bench::new(plan, History::new(plan));
    before.iter().for_each(|arrival| bench.take(arrival));
    for (index, script) in bench.scripts.into_scripts().into_iter().enumerate() {
        let registers: Vec<u8> = script.registers.iter().flat_map(|_| [7; 16]).collect();
        bench.history.settle(plan, index, &registers, &[]);
    }
    let frozen = bytes(plan, &bench.history);
    for damages in damages {
        let mut damaged = frozen.clone();
        damages.iter().for_each(|damage| damage.apply(&mut damaged));
        let Some(history) = History::thaw(plan, &mut Reader(&damaged)) else { continue };
        let mut used = Bench::new(plan, again(plan, &history));
        after.iter().for_each(|arrival| used.take(arrival));
        used.history.forget(plan, i64::MAX);
        used.history.describe(plan);
    }
}

proptest! {
    #[test]
    fn frozen_and_thawed_in_order_of_time(
        windows in windows(), arrivals in arrivals(0..8, 0, 60), freezes in freezes(),
    ) {
        compare(&windows, &arrivals, &freezes)?;
    }

    #[test]
    fn frozen_and_thawed_among_stragglers(
        windows in windows(), arrivals in arrivals(-7..8, 20, 60), freezes in freezes(),
    ) {
        compare(&windows, &arrivals, &freezes)?;
    }

    #[test]
    fn damaged_bytes_do_no_harm(
        windows in windows(), arrivals in arrivals(-7..8, 20, 40),
        damages in prop::collection::vec(damages(), 20),
    ) {
        let plan = Plan::new(&description(everything(&windows))).expect("all supported");
        survives(&plan, &arrivals, &damages);
    }

    #[test]
    fn one_lane_that_is_damaged_does_no_harm(
        window in prop::sample::select(&WINDOWS[..]), arrivals in arrivals(-7..8, 20, 20),
        lane in 0usize..60, damages in prop::collection::vec(damages(), 50),
    ) {
        let aggregates = everything(&[window]);
        let one = aggregates[lane % aggregates.len()].clone();
        let plan = Plan::new(&description(vec![one])).expect("all supported");
        survives(&plan, &arrivals, &damages);
    }

    #[test]
    fn damaged_registers_do_no_harm(
        window in prop::sample::select(&WINDOWS[..]), arrivals in arrivals(0..2, 9, 200),
        invertible: bool, damages in prop::collection::vec(damages(), 20),
    ) {
        let plan = Plan::new(&with_custom(window, invertible)).expect("all supported");
        survives(&plan, &arrivals, &damages);
    }

    #[test]
    fn any_bytes_are_none_or_a_state(window in prop::sample::select(&WINDOWS[..]), any: Vec<u8>) {
        let plan = Plan::new(&description(everything(&[window]))).expect("all supported");
        if let Some(history) = History::thaw(&plan, &mut Reader(&any)) {
            again(&plan, &history);
        }
    }
}

fn with_custom(window: Window, invertible: bool) -> FeaturesDescription {
    let own = Aggregate { column: None, ..aggregate(Fold::Custom(0), window) };
    let (name, cell) = ("own".to_owned(), Column::nullable("cell", Kind::Int));
    let custom = CustomFold { name, version: 1, register_bytes: 16, invertible, cell };
    FeaturesDescription { custom_folds: vec![custom], ..description(vec![own]) }
}

#[test]
fn histories_that_break_a_law_are_not_thawed() {
    let plan = Plan::new(&description(vec![aggregate(Fold::Count, Window::Last(4))])).expect("supported");
    let thaw = |times: [i64; 2], cursor: [u64; 4], (newest, seen): (i64, u64), labels: u64| {
        let mut frozen = Vec::new();
        frozen.signed(newest);
        frozen.number(seen);
        frozen.number(2);
        times.iter().for_each(|time| {
            frozen.word(time.cast_unsigned());
            frozen.extend([0; 40]);
        });
        frozen.number(labels);
        frozen.extend(vec![0; labels as usize * 48]);
        cursor.iter().for_each(|index| frozen.number(*index));
        frozen.number(2);
        History::thaw(&plan, &mut Reader(&frozen)).is_some()
    };
    let (first, last, fine) = (*TIMES.start(), *TIMES.end(), [0, 2, 0, 0]);
    assert!(thaw([first, last], fine, (last, ID), 0) && thaw([1, 1], [2, 2, 1, 2], (i64::MIN, 0), 0));
    for times in [[2, 1], [first - 1, 1], [1, last + 1]] {
        assert!(!thaw(times, fine, (2, 0), 0), "{times:?}");
    }
    for cursor in [[2, 1, 0, 0], [0, 3, 0, 0], [0, 2, 1, 0], [0, 2, 0, 3]] {
        assert!(!thaw([1, 1], cursor, (2, 0), 0), "{cursor:?}");
    }
    for head in [(first - 1, 0), (last + 1, 0), (2, ID + 1)] {
        assert!(!thaw([1, 1], fine, head, 0), "{head:?}");
    }
    assert!(!thaw([1, 1], fine, (2, 0), 1), "no window needs the entries of the second input");
}

#[test]
fn a_time_without_a_value_is_thawed() {
    let latest = Aggregate { column: Some(1), ..aggregate(Fold::Latest, Window::Last(4)) };
    let mut description = description(vec![latest]);
    description.inputs[0].columns[1].kind = Kind::Time;
    let plan = Plan::new(&description).expect("all supported");
    let mut bench = Bench::new(&plan, History::new(&plan));
    for items in [Some(3), None] {
        let event = Event { input: 0, time: 5, amount: 1.0, items, declined: true, city: None };
        bench.take(&Arrival { horizon: None, event });
        bench.history = again(&plan, &bench.history);
    }
}

#[test]
fn a_key_is_described() {
    let labels = Aggregate { input: 1, filter: Some(2), ..aggregate(Fold::Max, Window::Last(4)) };
    let folds = [Fold::Sum, Fold::Latest].map(|fold| aggregate(fold, Window::Sliding(3_600_000)));
    let tops = Aggregate { column: Some(1), ..aggregate(Fold::TopK(1), Window::Forever) };
    let plan = Plan::new(&description([folds.to_vec(), vec![labels, tops]].concat())).expect("all supported");
    let mut bench = Bench::new(&plan, History::new(&plan));
    for (input, time, amount) in [(1, 5, 2.5), (0, 7, 1.5), (0, 9, 4.0)] {
        let event = Event { input, time, amount, items: Some(3), declined: true, city: None };
        bench.take(&Arrival { horizon: None, event });
    }
    let lines = bench.history.describe(&plan);
    let lines: Vec<(&str, &str)> = lines.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(
        lines,
        [
            ("input 0, entries", "2, from 7 to 9"),
            ("input 1, entries", "1, from 5 to 5"),
            ("input 0, sliding 3600000 ms: float sum of amount", "5.5"),
            ("input 0, sliding 3600000 ms: latest of amount", "4 at 9"),
            ("input 1, last 4: greatest of amount where declined", "2.5"),
            ("input 0, forever: frequencies of items", "3 2x"),
        ]
    );
}
