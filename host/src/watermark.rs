//! How far event time has come: pure, no clock of its own.
//!
//! A watermark W says: no row with a time below W is expected any more. That of a partition is its
//! newest time less the source's out-of-orderness; that of several inputs is the least of those that
//! are active. An input that has been read to its end and stays silent is idle, and holds nobody up; if
//! all are idle, the greatest counts. A watermark never falls.

/// Before the first row.
pub const BEGINNING: i64 = i64::MIN;
/// After the last row: nothing comes any more.
pub const END: i64 = i64::MAX;

/// How far one input has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub watermark: i64,
    pub idle: bool,
}

impl Default for Progress {
    fn default() -> Self {
        Self { watermark: BEGINNING, idle: false }
    }
}

impl Progress {
    /// A row at this time came. Gives whether the watermark rose.
    pub fn see(&mut self, time: i64, out_of_orderness: i64) -> bool {
        self.idle = false;
        self.rise(time.saturating_sub(out_of_orderness))
    }

    /// Takes over a watermark, if it is higher. Gives whether it is.
    pub fn rise(&mut self, watermark: i64) -> bool {
        let higher = watermark > self.watermark;
        self.watermark = self.watermark.max(watermark);
        higher
    }
}

/// The watermark of several inputs.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    reached: Progress,
}

impl Merged {
    /// That has come so far.
    pub fn at(reached: Progress) -> Self {
        Self { reached }
    }

    pub fn watermark(&self) -> i64 {
        self.reached.watermark
    }

    /// As it is told to those behind.
    pub fn progress(&self) -> Progress {
        self.reached
    }

    /// Looks at all inputs. `complete`: there are no more than these. Gives whether the watermark rose.
    pub fn update(&mut self, inputs: impl Iterator<Item = Progress> + Clone, complete: bool) -> bool {
        if !complete {
            return false;
        }
        let active = inputs.clone().filter(|input| !input.idle).map(|input| input.watermark).min();
        self.reached.idle = active.is_none();
        let least = active.or_else(|| inputs.map(|input| input.watermark).max());
        least.is_some_and(|least| self.reached.rise(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(watermark: i64, idle: bool) -> Progress {
        Progress { watermark, idle }
    }

    fn merged(inputs: &[Progress]) -> Progress {
        let mut merged = Merged::default();
        merged.update(inputs.iter().copied(), true);
        merged.progress()
    }

    #[test]
    fn the_slowest_active_input_decides() {
        assert_eq!(merged(&[at(5, false), at(3, false), at(1, true)]), at(3, false));
        assert_eq!(merged(&[at(5, false), at(BEGINNING, false)]).watermark, BEGINNING);
        assert_eq!(merged(&[at(5, false), at(BEGINNING, true)]).watermark, 5);
        assert_eq!(merged(&[at(5, true), at(3, true)]), at(5, true));
        assert_eq!(merged(&[at(END, false), at(7, false)]).watermark, 7);
    }

    #[test]
    fn an_input_that_is_not_known_yet_holds_all_up() {
        let mut watermark = Merged::default();
        assert!(!watermark.update([at(5, false)].into_iter(), false));
        assert_eq!(watermark.watermark(), BEGINNING);
        assert!(watermark.update([at(5, false)].into_iter(), true));
    }

    #[test]
    fn rows_out_of_order_do_not_move_it() {
        let mut progress = Progress::default();
        assert!(progress.see(100, 10));
        assert!(!progress.see(95, 10));
        assert_eq!(progress.watermark, 90);
        progress.idle = true;
        assert!(progress.see(101, 10) && !progress.idle);
    }

    proptest! {
        #[test]
        fn it_never_falls(steps in prop::collection::vec((0usize..3, -5i64..20, any::<bool>()), 1..60)) {
            let mut inputs = [Progress::default(); 3];
            let (mut merged, mut last) = (Merged::default(), BEGINNING);
            for (input, time, idle) in steps {
                inputs[input].see(time, 2);
                inputs[input].idle = idle;
                let rose = merged.update(inputs.iter().copied(), true);
                prop_assert_eq!(rose, merged.watermark() > last);
                prop_assert!(merged.watermark() >= last);
                last = merged.watermark();
            }
        }
    }
}
