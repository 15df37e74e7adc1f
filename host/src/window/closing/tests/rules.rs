//! The rules of revisions, one by one.

use super::*;

/// Rows and watermarks, in order.
enum Do {
    Row(i64),
    Watermark(i64),
}
use Do::{Row, Watermark};

/// (start, end, revision) of what comes out, with the number of entries.
fn outcome(window: Window, script: &[Do]) -> Vec<(i64, i64, u32, i64)> {
    let count =
        Aggregate { name: "n".to_owned(), input: 0, fold: Fold::Count, column: None, filter: None, window };
    let plan = plan_of(vec![count]);
    let (mut closing, mut out, mut watermark) = (Closing::new(&plan), Closed::new(&plan), i64::MIN);
    for step in script {
        match step {
            Row(time) => closing.admit(&plan, 0, &Event::at(*time).words(), watermark, &mut out),
            Watermark(time) => {
                watermark = *time;
                closing.close(&plan, watermark, &mut out);
            }
        }
    }
    let cells = out.cells.seal();
    let windows = out.windows.iter().enumerate();
    windows.map(|(row, (start, end, revision))| (*start, *end, *revision, cells.column(0).int(row))).collect()
}

#[test]
fn a_single_row_comes_out_once_for_each_window_that_holds_it() {
    let window = Window::Hopping { size: 10, slide: 4 };
    let out = outcome(window, &[Row(9), Watermark(1000)]);
    assert_eq!(out, [(0, 10, 0, 1), (4, 14, 0, 1), (8, 18, 0, 1)]);
}

#[test]
fn a_window_closes_at_its_end_and_not_before() {
    assert_eq!(outcome(Window::Tumbling(10), &[Row(9), Watermark(9)]), []);
    assert_eq!(outcome(Window::Tumbling(10), &[Row(9), Watermark(10)]), [(0, 10, 0, 1)]);
    assert_eq!(outcome(Window::Session(10), &[Row(9), Watermark(19)]), []);
    assert_eq!(outcome(Window::Session(10), &[Row(9), Watermark(20)]), [(9, 9, 0, 1)]);
}

#[test]
fn a_late_row_lets_a_window_come_out_again_at_once() {
    let script = [Row(9), Watermark(15), Row(3), Row(5)];
    assert_eq!(outcome(Window::Tumbling(10), &script), [(0, 10, 0, 1), (0, 10, 1, 2), (0, 10, 2, 3)]);
    let script = [Row(1), Row(12), Watermark(31), Row(8)];
    assert_eq!(outcome(Window::Session(5), &script), [(1, 1, 0, 1), (12, 12, 0, 1), (8, 12, 1, 2)]);
}

#[test]
fn a_late_row_opens_a_window_that_is_due() {
    assert_eq!(
        outcome(Window::Tumbling(10), &[Watermark(15), Row(3), Row(4)]),
        [(0, 10, 0, 1), (0, 10, 1, 2)]
    );
    assert_eq!(outcome(Window::Session(5), &[Watermark(15), Row(3)]), [(3, 3, 0, 1)]);
}

#[test]
fn a_late_row_joins_two_sessions_that_came_out() {
    let script = [Row(0), Row(10), Watermark(20), Row(12), Row(5)];
    let expected = [(0, 0, 0, 1), (10, 10, 0, 1), (10, 12, 1, 2), (0, 12, 2, 4)];
    assert_eq!(outcome(Window::Session(5), &script), expected);
}

#[test]
fn a_late_row_joins_a_session_that_came_out_to_one_that_did_not() {
    let script = [Row(0), Row(10), Watermark(12), Row(5), Watermark(15), Watermark(16)];
    assert_eq!(outcome(Window::Session(5), &script), [(0, 0, 0, 1), (0, 10, 1, 3)]);
}

#[test]
fn a_late_row_joins_two_sessions_of_which_none_came_out() {
    let script = [Row(4), Row(12), Watermark(9), Row(8), Watermark(100)];
    assert_eq!(outcome(Window::Session(5), &script), [(4, 12, 0, 3)]);
}

#[test]
fn a_session_that_a_late_row_makes_longer_closes_anew() {
    let script = [Row(0), Watermark(6), Row(4), Row(9), Watermark(14), Watermark(15)];
    assert_eq!(outcome(Window::Session(5), &script), [(0, 0, 0, 1), (0, 9, 1, 3)]);
}

#[test]
fn what_came_out_is_forgotten_without_another_close() {
    for window in [Window::Tumbling(10), Window::Hopping { size: 10, slide: 4 }, Window::Session(5)] {
        let plan = plan_of(aggregates(window));
        let (mut closing, mut out) = (Closing::new(&plan), Closed::new(&plan));
        closing.admit(&plan, 0, &Event::at(9).words(), 0, &mut out);
        closing.forget(&plan, 1000);
        assert_eq!(closing.panes(), 1, "it has yet to come out");
        closing.close(&plan, 20, &mut out);
        assert_eq!(closing.due(&plan), None);
        closing.forget(&plan, 14);
        assert_eq!(closing.panes(), usize::from(window != Window::Tumbling(10)));
        closing.forget(&plan, 1000);
        assert!(closing.is_empty());
    }
}
