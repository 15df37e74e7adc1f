//! Where hopping windows begin and end, and the panes between.
//!
//! Windows start at multiples of the slide since the epoch. Each slide is cut where windows end that began
//! before it, so into two panes at most, and every window is made of whole panes (Krishnamurthy, Wu, Franklin,
//! "On-the-fly sharing for streamed aggregation", 2006).

use crate::columns::TIMES;
use crate::window::plan::{Plan, SpanKind};

/// Times are far enough from the bounds of i64 for sums with sizes; watermarks need not be.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    size: i64,
    slide: i64,
}

impl Grid {
    /// The plan's windows that close are hopping or tumbling.
    pub fn of(plan: &Plan) -> Self {
        match plan.closing {
            Some(SpanKind::Hopping { size, slide }) => Self::new(size, slide),
            _ => unreachable!("a key's windows are those of its plan"),
        }
    }

    /// Both at least 1, the slide no longer than the size.
    fn new(size: u64, slide: u64) -> Self {
        let millis = |length: u64| i64::try_from(length).unwrap_or(i64::MAX).max(1);
        Self { size: millis(size), slide: millis(slide) }
    }

    /// Start of the pane that holds a time.
    pub fn pane(self, time: i64) -> i64 {
        let (start, cut) = (self.floor(time), self.size % self.slide);
        if time - start < cut { start } else { start + cut }
    }

    /// End of the pane that holds a time, which it does not hold.
    pub fn pane_end(self, time: i64) -> i64 {
        let (start, cut) = (self.floor(time), self.size % self.slide);
        start.saturating_add(if time - start < cut { cut } else { self.slide })
    }

    /// Whether a pane may start there.
    pub fn is_pane(self, start: i64) -> bool {
        (self.pane(*TIMES.start())..=*TIMES.end()).contains(&start) && self.pane(start) == start
    }

    /// Whether a window may start there.
    pub fn is_window(self, start: i64) -> bool {
        (self.first_after(*TIMES.start())..=*TIMES.end()).contains(&start) && self.last_at(start) == start
    }

    /// Start of the first window that holds a time; and of the first that ends after it.
    pub fn first_after(self, time: i64) -> i64 {
        self.floor(time.saturating_sub(self.size)).saturating_add(self.slide)
    }

    /// Start of the last window that holds a time.
    pub fn last_at(self, time: i64) -> i64 {
        self.floor(time)
    }

    /// Start of the window after one.
    pub fn next(self, start: i64) -> i64 {
        start.saturating_add(self.slide)
    }

    /// End of a window, which it does not hold.
    pub fn end(self, start: i64) -> i64 {
        start.saturating_add(self.size)
    }

    fn floor(self, time: i64) -> i64 {
        time.div_euclid(self.slide).saturating_mul(self.slide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_slide_has_two_panes_at_most() {
        let panes = |size, slide| {
            let mut starts: Vec<i64> =
                (0..slide as i64).map(|time| Grid::new(size, slide).pane(time)).collect();
            starts.dedup();
            starts
        };
        assert_eq!(panes(5, 5), [0]);
        assert_eq!(panes(10, 5), [0]);
        assert_eq!(panes(7, 5), [0, 2]);
        assert_eq!(Grid::new(7, 5).pane(-1), -3);
    }

    proptest! {
        #[test]
        fn windows_hold_whole_panes(time in -99i64..99, slide in 1i64..12, more in 0i64..30) {
            let (size, grid) = (slide + more, Grid::new((slide + more) as u64, slide as u64));
            let pane = grid.pane(time);
            prop_assert!(pane <= time && time < grid.pane_end(time));
            prop_assert_eq!(grid.pane(grid.pane_end(time) - 1), pane);
            prop_assert_eq!(grid.pane(grid.pane_end(time)), grid.pane_end(time));
            let holds = |start: i64, time: i64| start <= time && time < start + size;
            let starts: Vec<i64> = (-200..200).filter(|s| s % slide == 0 && holds(*s, time)).collect();
            prop_assert_eq!(Some(&grid.first_after(time)), starts.first());
            prop_assert_eq!(Some(&grid.last_at(time)), starts.last());
            let same: Vec<i64> = (-200..200).filter(|s| s % slide == 0 && holds(*s, pane)).collect();
            prop_assert_eq!(starts, same);
        }

        #[test]
        fn any_watermark_will_do(time: i64, size in 1u64..1 << 53, slide in 1u64..1 << 53) {
            let grid = Grid::new(size.max(slide), slide);
            for time in [time, i64::MIN, i64::MAX] {
                grid.end(grid.next(grid.first_after(time)));
            }
        }
    }
}
