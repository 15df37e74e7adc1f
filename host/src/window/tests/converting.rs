//! Histories that go from one plan to another while rows come.

use super::frozen::{again, bytes, damages};
use super::rows::windows;
use super::unions::{descriptions, keeping};
use super::*;
use crate::bytes::Reader;
use crate::columns::{Batch, Builder};

/// A key at work, by the plan at hand.
#[derive(Default)]
struct Bench {
    history: Option<History>,
    scratch: Scratch,
}

impl Bench {
    /// Takes a row in. Gives its cells, if it is one of the first input.
    fn take(&mut self, plan: &Plan, Arrival { horizon, event }: &Arrival) -> Option<Batch> {
        let history = self.history.get_or_insert_with(|| History::new(plan));
        if let Some(horizon) = horizon {
            history.forget(plan, *horizon);
        }
        let (mut words, mut scripts) = (event.words(plan), Scripts::new(plan));
        if event.input > 0 {
            history.update(plan, event.input, &mut words, &mut scripts);
            return None;
        }
        let mut builder = Builder::new(plan.columns.as_slice().into());
        history.admit(plan, &mut self.scratch, &mut words, &mut Cells(&mut builder), &mut scripts);
        builder.finish_row();
        Some(builder.seal())
    }

    fn convert(&mut self, from: &Plan, to: &Plan) {
        let history = self.history.take().unwrap_or_else(|| History::new(from));
        self.history = Some(history.convert(from, to).expect("the plans fit together"));
    }
}

fn plan(description: &FeaturesDescription) -> Plan {
    Plan::new(description).expect("all supported")
}

/// For each row of the first input its cells, as of one plan from the beginning to the end.
fn plain(plan: &Plan, arrivals: &[Arrival]) -> Vec<Option<Batch>> {
    let mut bench = Bench::default();
    arrivals.iter().map(|arrival| bench.take(plan, arrival)).collect()
}

/// For so many milliseconds, at least, a window keeps entries behind the horizon.
fn keeps(window: Window) -> u64 {
    match window {
        Window::Sliding(size) | Window::Session(size) => size,
        Window::Tumbling(_) => 1,
        Window::Hopping { size, slide } => size - slide + 1,
        Window::Last(_) | Window::Forever => 0,
    }
}

/// Whether entries that one window needs suffice for another one.
fn covers(one: Window, other: Window) -> bool {
    match (one, other) {
        (Window::Last(rows), Window::Last(fewer)) => fewer <= rows,
        (Window::Session(gap), Window::Session(shorter)) => shorter <= gap,
        (one, Window::Sliding(size) | Window::Tumbling(size) | Window::Hopping { size, .. }) => {
            one == other || size <= keeps(one)
        }
        _ => false,
    }
}

/// Two descriptions: the windows of the second one need no entries but those that the first one needs. Of windows
/// over all time the first one has the same aggregates.
fn covered() -> impl Strategy<Value = [FeaturesDescription; 2]> {
    let new = windows().prop_flat_map(|windows| descriptions(windows, 1));
    let order = || Just(vec![0, 1, 2, 3]).prop_shuffle();
    let own = windows().prop_flat_map(|windows| descriptions(windows, 4));
    (new, own, any::<prop::sample::Index>(), order(), order()).prop_map(
        |(new, own, choice, first, second)| {
            let mut old = in_order(own);
            for aggregate in in_order(new.clone()) {
                let coverers = WINDOWS.into_iter().filter(|window| covers(*window, aggregate.window));
                let coverers: Vec<Window> = coverers.collect();
                if coverers.is_empty() {
                    old.push(aggregate);
                } else {
                    old.push(Aggregate { window: *choice.get(&coverers), fold: Fold::Count, ..aggregate });
                }
            }
            [keeping(old, [first, second]), new]
        },
    )
}

/// Aggregates with columns as they are in the input.
fn in_order(description: FeaturesDescription) -> Vec<Aggregate> {
    let FeaturesDescription { inputs, aggregates, .. } = description;
    let own = |aggregate: Aggregate| {
        let column =
            |column: Option<u32>| column.map(|at| inputs[aggregate.input as usize].kept[at as usize]);
        Aggregate { column: column(aggregate.column), filter: column(aggregate.filter), ..aggregate }
    };
    aggregates.into_iter().map(own).collect()
}

/// Some rows by the one plan, the others by the other one, straight or by a union of both: these are as if it had
/// been so from the beginning.
fn goes_on(
    [old, new]: [&Plan; 2],
    arrivals: &[Arrival],
    at: prop::sample::Index,
    together: bool,
) -> Result<(), TestCaseError> {
    let (expected, at) = (plain(new, arrivals), at.index(arrivals.len() + 1));
    let mut bench = Bench::default();
    arrivals[..at].iter().for_each(|arrival| drop(bench.take(old, arrival)));
    let union = Plan::union(&[new, old]).expect("they fit together");
    let by = if together { new.view(&union).expect("it holds both") } else { new.clone() };
    bench.convert(old, &by);
    bench.history = bench.history.map(|history| again(&by, &history));
    for (arrival, expected) in arrivals.iter().zip(expected).skip(at) {
        prop_assert_eq!(bench.take(&by, arrival), expected, "{:?}", arrival);
    }
    Ok(())
}

/// By one plan, for a while by its union with another one, where rows are met by either of them, and back:
/// nothing shows it.
fn comes_back(
    descriptions: [FeaturesDescription; 2],
    arrivals: &[Arrival],
    [from, to]: [prop::sample::Index; 2],
    turns: &[bool],
    loose: bool,
) -> Result<(), TestCaseError> {
    let [own, other] = descriptions.map(|description| plan(&description));
    let expected = plain(&own, arrivals);
    let union = Plan::union(&[&own, &other]).expect("they fit together");
    let union = if loose { union.loosened() } else { union };
    let views = [&own, &other].map(|plan| plan.view(&union).expect("it holds both"));
    let (from, to) = (from.index(arrivals.len() + 1), to.index(arrivals.len() + 1));
    let (from, to) = (from.min(to), from.max(to));
    let mut bench = Bench::default();
    for (index, (arrival, expected)) in arrivals.iter().zip(expected).enumerate() {
        if index == from {
            bench.convert(&own, &union);
        }
        if index == to {
            bench.convert(&union, &own);
        }
        let turn = (from..to).contains(&index).then(|| turns[index % turns.len()]);
        let by = turn.map_or(&own, |turn| &views[usize::from(turn)]);
        let cells = bench.take(by, arrival);
        if turn != Some(true) {
            prop_assert_eq!(cells, expected, "{:?}", arrival);
        }
    }
    Ok(())
}

fn two() -> impl Strategy<Value = [FeaturesDescription; 2]> {
    let one = || windows().prop_flat_map(|windows| descriptions(windows, 4));
    [one(), one()]
}

fn turns() -> impl Strategy<Value = Vec<bool>> {
    prop::collection::vec(any::<bool>(), 1..20)
}

fn without_horizons(mut arrivals: Vec<Arrival>) -> Vec<Arrival> {
    arrivals.iter_mut().for_each(|arrival| arrival.horizon = None);
    arrivals
}

type At = prop::sample::Index;

proptest! {
    #[test]
    fn new_windows_go_on_in_order_of_time(
        both in covered(), arrivals in arrivals(0..8, 0, 60), at: At, together: bool,
    ) {
        goes_on([&plan(&both[0]), &plan(&both[1])], &arrivals, at, together)?;
    }

    #[test]
    fn new_windows_go_on_among_stragglers(
        both in covered(), arrivals in arrivals(-7..8, 20, 60), at: At, together: bool,
    ) {
        goes_on([&plan(&both[0]), &plan(&both[1])], &arrivals, at, together)?;
    }

    #[test]
    fn new_windows_of_many_rows_go_on(
        both in covered(), arrivals in arrivals(-2..3, 30, 120), at: At, together: bool,
    ) {
        goes_on([&plan(&both[0]), &plan(&both[1])], &arrivals, at, together)?;
    }

    /// All entries are there, so any window is as it should be.
    #[test]
    fn of_all_entries_any_windows_are_made(
        both in two(), arrivals in arrivals(-7..8, 20, 60), at: At, together: bool,
    ) {
        let [mut old, new] = both;
        let all = |input| Aggregate { input, column: None, ..aggregate(Fold::Count, Window::Last(9)) };
        old.aggregates.extend([all(0), all(1)]);
        let arrivals = without_horizons(arrivals);
        goes_on([&plan(&old), &plan(&new)], &arrivals, at, together)?;
    }

    #[test]
    fn there_and_back_leaves_no_trace(
        both in two(), arrivals in arrivals(0..8, 0, 60), at: [At; 2], turns in turns(), loose: bool,
    ) {
        comes_back(both, &arrivals, at, &turns, loose)?;
    }

    #[test]
    fn there_and_back_among_stragglers(
        both in two(), arrivals in arrivals(-7..8, 20, 60), at: [At; 2], turns in turns(), loose: bool,
    ) {
        comes_back(both, &arrivals, at, &turns, loose)?;
    }

    /// What a plan has stays as it is to the last bit.
    #[test]
    fn the_same_windows_are_taken_over(both in two(), arrivals in arrivals(-7..8, 20, 60)) {
        let [own, other] = both.map(|description| plan(&description));
        let union = Plan::union(&[&own, &other]).expect("they fit together");
        let mut bench = Bench::default();
        without_horizons(arrivals).iter().for_each(|arrival| drop(bench.take(&own, arrival)));
        let before = bench.history.as_ref().map(|history| bytes(&own, history));
        bench.convert(&own, &union);
        bench.convert(&union, &own);
        prop_assert_eq!(bench.history.as_ref().map(|history| bytes(&own, history)), before);
    }

    #[test]
    fn damaged_histories_are_converted_without_harm(
        both in two(), arrivals in arrivals(-7..8, 20, 40), damages in prop::collection::vec(damages(), 20),
    ) {
        let [old, new] = both.map(|description| plan(&description));
        let (before, after) = arrivals.split_at(arrivals.len() / 2);
        let mut bench = Bench::default();
        before.iter().for_each(|arrival| drop(bench.take(&old, arrival)));
        let frozen = bytes(&old, &bench.history.unwrap_or_else(|| History::new(&old)));
        for damages in damages {
            let mut damaged = frozen.clone();
            damages.iter().for_each(|damage| damage.apply(&mut damaged));
            let Some(history) = History::thaw(&old, &mut Reader(&damaged)) else { continue };
            let history = history.convert(&old, &new);
            let mut bench = Bench { history, scratch: Scratch::default() };
            after.iter().for_each(|arrival| drop(bench.take(&new, arrival)));
        }
    }
}

/// One release keeps the amount, the other one whether it was declined.
#[test]
fn a_column_that_was_not_kept_has_no_value() {
    let count = |column| Aggregate { column: Some(column), ..aggregate(Fold::Count, Window::Last(4)) };
    let [amounts, declined] =
        [0, 2].map(|column| plan(&keeping(vec![count(column)], [vec![column], vec![]])));
    let union = Plan::union(&[&amounts, &declined]).expect("they fit together");
    let views = [&amounts, &declined].map(|plan| plan.view(&union).expect("it holds both"));
    let event = Event { input: 0, time: 1, amount: 2.5, items: None, declined: true, city: None };
    let arrival = Arrival { horizon: None, event };
    let mut bench = Bench::default();
    let count = |bench: &mut Bench, by: &Plan| bench.take(by, &arrival).map(|cells| cells.column(0).int(0));
    assert_eq!(count(&mut bench, &amounts), Some(1));
    bench.convert(&amounts, &union);
    assert_eq!(count(&mut bench, &views[1]), Some(1), "of two entries");
    assert_eq!(count(&mut bench, &views[0]), Some(2), "of three");

    // Without the other release there is no place to say that an entry has no value, but in a looser layout.
    let history = bench.history.take().expect("rows came");
    assert!(history.convert(&union, &declined).is_none());
    let loose = Plan::union(&[&declined]).expect("one plan").loosened();
    bench.history = Some(history);
    bench.convert(&union, &loose);
    assert_eq!(count(&mut bench, &declined.view(&loose).expect("the same windows")), Some(2), "of four");
}

/// Where entries do not reach back far enough, a window begins with those that are left.
#[test]
fn a_longer_window_begins_with_what_is_left() {
    let of = |windows: &[Window]| {
        plan(&description(windows.iter().map(|window| aggregate(Fold::Count, *window)).collect()))
    };
    let (old, new) = (of(&[Window::Sliding(5)]), of(&[Window::Sliding(20), Window::Forever]));
    let event = |time| Event { input: 0, time, amount: 1.0, items: None, declined: true, city: None };
    let mut bench = Bench::default();
    for time in 0..10 {
        bench.take(&old, &Arrival { horizon: Some(time), event: event(time) });
    }
    bench.convert(&old, &new);
    let cells = bench.take(&new, &Arrival { horizon: None, event: event(10) }).expect("a row");
    assert_eq!([cells.column(0).int(0), cells.column(1).int(0)], [7, 7], "those from 4 on");
}
