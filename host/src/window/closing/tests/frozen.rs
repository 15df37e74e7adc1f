//! Windows that close, as bytes.

use super::*;
use crate::bytes::{Reader, Write};
use crate::columns::TIMES;
use crate::window::tests::frozen::{Damage, damages};

fn bytes(closing: &Closing) -> Vec<u8> {
    let mut bytes = Vec::new();
    closing.freeze(&mut bytes);
    bytes
}

fn again(plan: &Plan, closing: &Closing) -> Closing {
    let frozen = bytes(closing);
    let mut reader = Reader(&frozen);
    let thawed = Closing::thaw(plan, &mut reader).expect("just frozen");
    assert_eq!(reader.end(), Some(()));
    assert_eq!(bytes(&thawed), frozen);
    thawed
}

fn take(plan: &Plan, closing: &mut Closing, step: &Step, watermark: &mut i64, late: i64, out: &mut Closed) {
    closing.admit(plan, step.event.input, &step.event.words(), *watermark, out);
    *watermark += step.rise;
    if step.closes {
        closing.close(plan, *watermark, out);
    }
    if step.forgets {
        closing.forget(plan, *watermark - late);
    }
}

fn same(window: Window, late: i64, steps: &[Step], freezes: &[bool]) -> Result<(), TestCaseError> {
    let plan = plan_of(aggregates(window));
    let (mut live, mut twin) = (Closing::new(&plan), Closing::new(&plan));
    let (mut out, mut expected) = (Closed::new(&plan), Closed::new(&plan));
    let (mut watermark, mut other) = (0, 0);
    // One that lets nothing go weighs as much.
    let (mut lazy, mut dropped, mut third) = (Closing::new(&plan), Closed::new(&plan), 0);
    for (step, freeze) in steps.iter().zip(freezes.iter().cycle()) {
        take(&plan, &mut live, step, &mut watermark, late, &mut out);
        take(&plan, &mut twin, step, &mut other, late, &mut expected);
        take(&plan, &mut lazy, &Step { forgets: false, ..*step }, &mut third, late, &mut dropped);
        if *freeze {
            live = again(&plan, &live);
        }
        prop_assert_eq!(live.due(&plan), twin.due(&plan));
        prop_assert_eq!(live.expiry(&plan), twin.expiry(&plan));
        prop_assert_eq!(bytes(&live), bytes(&twin));
        let (bytes, counted) = match &live.0 {
            Windows::Panes(panes) => panes.recount(),
            Windows::Sessions(sessions) => sessions.recount(),
        };
        prop_assert_eq!(bytes, counted);
        let weigh = |closing: &Closing| closing.weight_with(&plan, watermark, watermark - late);
        prop_assert_eq!(weigh(&live), weigh(&lazy));
    }
    live.close(&plan, i64::MAX / 2, &mut out);
    twin.close(&plan, i64::MAX / 2, &mut expected);
    prop_assert_eq!(out.windows, expected.windows);
    prop_assert_eq!(out.cells.seal(), expected.cells.seal());
    Ok(())
}

/// What can be thawed of damaged bytes can be used.
fn survives(plan: &Plan, steps: &[Step], damages: &[Vec<Damage>]) {
    let (before, after) = steps.split_at(steps.len() / 2);
    let (mut closing, mut out, mut watermark) = (Closing::new(plan), Closed::new(plan), 0);
    before.iter().for_each(|step| take(plan, &mut closing, step, &mut watermark, 40, &mut out));
    for damages in damages {
        let mut damaged = bytes(&closing);
        damages.iter().for_each(|damage| damage.apply(&mut damaged));
        let Some(thawed) = Closing::thaw(plan, &mut Reader(&damaged)) else { continue };
        let (mut used, mut watermark) = (again(plan, &thawed), watermark);
        after.iter().for_each(|step| take(plan, &mut used, step, &mut watermark, 40, &mut out));
        used.describe(plan);
        used.due(plan);
        used.forget(plan, i64::MAX);
    }
}

fn any_window() -> impl Strategy<Value = Window> {
    prop_oneof![(1u64..30).prop_map(Window::Tumbling), hopping(), (1u64..15).prop_map(Window::Session)]
}

proptest! {
    #[test]
    fn frozen_and_thawed_is_the_same(
        window in any_window(), steps in steps(40), freezes in prop::collection::vec(any::<bool>(), 1..20),
    ) {
        same(window, 40, &steps, &freezes)?;
    }

    #[test]
    fn damaged_bytes_do_no_harm(
        window in any_window(), steps in steps(40), damages in prop::collection::vec(damages(), 10),
    ) {
        survives(&plan_of(aggregates(window)), &steps, &damages);
    }

    #[test]
    fn one_lane_that_is_damaged_does_no_harm(
        window in any_window(), steps in steps(40), lane in 0usize..65,
        damages in prop::collection::vec(damages(), 50),
    ) {
        survives(&plan_of(vec![aggregates(window)[lane].clone()]), &steps, &damages);
    }
}

/// Which of two sessions is merged into the other must not follow from the memory that they happen to have.
#[test]
fn sessions_that_become_one_after_a_thaw() {
    let row = |input, time, amount, rise| {
        let event = Event { time, input, amount, items: None, declined: false };
        Step { event, rise, closes: false, forgets: false }
    };
    let steps = [
        row(1, 0, f64::NAN, 0),
        row(1, 0, f64::NAN, 3),
        row(1, 3, f64::NAN, 0),
        row(0, -20, 0.0, 0),
        row(0, -3, 0.0, 0),
        row(0, -7, 0.0, 0),
        row(1, 3, 0.0, 41),
        row(1, 19, 0.0, 0),
        row(1, 16, f64::NAN, 0),
    ];
    for at in 0..steps.len() {
        let freezes: Vec<bool> = (0..steps.len()).map(|step| step == at).collect();
        same(Window::Session(13), 40, &steps, &freezes).expect("as if it had not been frozen");
    }
}

fn count_over(window: Window) -> Plan {
    let name = "n".to_owned();
    plan_of(vec![Aggregate { name, input: 0, fold: Fold::Count, column: None, filter: None, window }])
}

#[test]
fn sessions_and_panes_that_break_a_law_are_not_thawed() {
    let sessions = |list: [(i64, u64, u8); 2], step: u64| {
        let (mut frozen, plan) = (vec![2], count_over(Window::Session(5)));
        for (index, (first, length, out)) in list.into_iter().enumerate() {
            if index == 0 {
                frozen.signed(first)
            } else {
                frozen.number(step)
            }
            frozen.number(length);
            frozen.extend([1, 0, out]);
        }
        Closing::thaw(&plan, &mut Reader(&frozen)).is_some()
    };
    assert!(sessions([(0, 3, 1), (9, 0, 0)], 6));
    assert!(!sessions([(0, 3, 1), (8, 0, 0)], 5), "they are one");
    assert!(!sessions([(0, 3, 0), (9, 0, 1)], 6), "those that are out come first");
    assert!(!sessions([(TIMES.start() - 1, 3, 0), (0, 0, 0)], 6), "no time");
    assert!(!sessions([(TIMES.end() - 8, 3, 0), (0, 0, 0)], 6), "no time");

    let panes = |start: i64, revised: i64, running: [u8; 2]| {
        let (mut frozen, plan) = (vec![1], count_over(Window::Hopping { size: 10, slide: 5 }));
        frozen.signed(start);
        frozen.extend([1, 0, 1]);
        frozen.signed(revised);
        frozen.extend([1, 1, running[0], running[1], 1]);
        Closing::thaw(&plan, &mut Reader(&frozen)).is_some()
    };
    assert!(panes(5, 0, [0, 1]));
    assert!(!panes(6, 0, [0, 1]) && !panes(5, 1, [0, 1]), "nothing starts there");
    assert!(!panes(TIMES.end() + 5, 0, [0, 1]) && !panes(5, TIMES.start() - 20, [0, 1]), "no time");
    assert!(!panes(5, 0, [1, 0]) && !panes(5, 0, [0, 2]), "no range of panes");
}

#[test]
fn windows_are_described() {
    for (window, expected) in [
        (
            Window::Hopping { size: 10, slide: 5 },
            [
                ("pane from 0 to 5, input 0, hopping 10 ms by 5 ms: count", "2"),
                ("window from -5 to 5", "came out with revision 1"),
            ],
        ),
        (
            Window::Session(5),
            [
                ("session from 1 to 2, next revision 2, input 0, session 5 ms: count", "2"),
                ("session from 20 to 20, next revision 0, input 0, session 5 ms: count", "1"),
            ],
        ),
    ] {
        let plan = count_over(window);
        let (mut closing, mut out) = (Closing::new(&plan), Closed::new(&plan));
        for (time, watermark) in [(1, 0), (2, 8), (20, 8)] {
            if time < 20 || window == Window::Session(5) {
                closing.admit(&plan, 0, &Event::at(time).words(), watermark, &mut out);
            }
            closing.close(&plan, 8, &mut out);
        }
        let lines = closing.describe(&plan);
        let lines: Vec<(&str, &str)> = lines.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(lines, expected);
    }
}
