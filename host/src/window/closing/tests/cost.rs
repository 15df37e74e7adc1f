//! What windows cost does not depend on how long they are.

use super::super::lanes::MERGES;
use super::*;

struct Run {
    plan: Plan,
    closing: Closing,
    out: Closed,
}

impl Run {
    fn new(window: Window) -> Self {
        let plan = plan_of(aggregates(window));
        Self { closing: Closing::new(&plan), out: Closed::new(&plan), plan }
    }

    /// Merges for each window that comes out.
    fn merges(&mut self, mut act: impl FnMut(&mut Self)) -> f64 {
        let (merges, windows) = (MERGES.get(), self.out.windows.len());
        act(self);
        (MERGES.get() - merges) as f64 / (self.out.windows.len() - windows) as f64
    }

    fn row(&mut self, time: i64, watermark: i64) {
        self.closing.admit(&self.plan, 0, &Event::at(time).words(), watermark, &mut self.out);
    }

    fn rise(&mut self, watermark: i64, lateness: i64) {
        self.closing.close(&self.plan, watermark, &mut self.out);
        self.closing.forget(&self.plan, watermark - lateness);
    }
}

#[test]
fn a_window_costs_four_merges_at_most_whatever_its_size() {
    for size in [20, 25, 1000, 1003] {
        let mut run = Run::new(Window::Hopping { size, slide: 10 });
        let merges = run.merges(|run| {
            for time in 0..6000 {
                run.row(time, time);
                run.rise(time, 0);
            }
        });
        assert!(merges <= 4.0, "{size}: {merges}");
        assert!(run.closing.panes() as u64 <= 2 * (size / 10 + 2), "{size}: {}", run.closing.panes());
    }
}

#[test]
fn a_late_row_costs_as_many_merges_as_windows_come_out_again() {
    for size in [100, 1000, 5000] {
        let mut run = Run::new(Window::Hopping { size, slide: 10 });
        (0..6000).step_by(10).for_each(|time| run.row(time, time));
        run.rise(6000, 10_000);
        // One window, and some: the last that hold the row are still open.
        for time in [6000 - size as i64 + 5, 6000 - size as i64 + 95] {
            let merges = run.merges(|run| run.row(time, 6000));
            assert!(merges <= 6.0, "{size}: {merges}");
        }
        // All that hold it.
        let merges = run.merges(|run| run.row(905, 6000));
        assert!(merges <= 6.0, "{size}: {merges}");
    }
}

#[test]
fn a_single_row_costs_no_merge_and_gaps_cost_nothing() {
    let mut run = Run::new(Window::Hopping { size: 1000, slide: 1 });
    let years = 1 << 40;
    let merges = run.merges(|run| {
        run.row(0, i64::MIN);
        run.row(years, years);
        run.rise(i64::MAX, 0);
    });
    assert_eq!((merges, run.out.windows.len()), (0.0, 2000));
    run.closing.forget(&run.plan, i64::MAX);
    assert!(run.closing.is_empty());
}

#[test]
fn memory_follows_the_panes() {
    let mut run = Run::new(Window::Tumbling(10));
    let empty = run.closing.size();
    (0..1000).for_each(|time| run.row(time, i64::MIN));
    assert_eq!(run.closing.panes(), 100);
    let full = run.closing.size();
    run.rise(990, 0);
    assert_eq!(run.closing.panes(), 1);
    assert!(run.closing.size() < full / 20, "{} of {full}", run.closing.size());
    run.rise(1000, 0);
    assert!(run.closing.is_empty() && run.closing.size() < empty + 1500, "{}", run.closing.size());
}
