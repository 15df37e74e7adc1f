//! Where a stream thread's time goes: what it spends most on is what holds the others up.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Features stages at most; see the pipeline file.
const STAGES: usize = 16;
const ALL: usize = 8 + 2 * STAGES;

/// What a thread does. It does one thing at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Waits for records.
    Source,
    Decode,
    Preprocess,
    /// Rows meet the windows of a features stage.
    Windows(u8),
    /// The plugin of a features stage.
    Features(u8),
    /// Folds that only another release has, which may come back.
    OtherFolds,
    Score,
    /// Rules, and what they decide as bytes.
    Rules,
    /// Hands messages to the brokers' queue, and waits where that is full.
    Send,
    /// Ends transactions, keeps state, and brings it back.
    Commit,
}

impl Activity {
    fn index(self) -> usize {
        match self {
            Self::Source => 0,
            Self::Decode => 1,
            Self::Preprocess => 2,
            Self::Score => 3,
            Self::Rules => 4,
            Self::Send => 5,
            Self::Commit => 6,
            Self::OtherFolds => 7,
            Self::Windows(stage) => 8 + usize::from(stage) % STAGES,
            Self::Features(stage) => 8 + STAGES + usize::from(stage) % STAGES,
        }
    }

    /// What it is called in a metric, and of which features stage it is.
    pub fn parts(self) -> (&'static str, Option<u8>) {
        match self {
            Self::Source => ("source", None),
            Self::Decode => ("decode", None),
            Self::Preprocess => ("preprocess", None),
            Self::Windows(stage) => ("windows", Some(stage)),
            Self::Features(stage) => ("features", Some(stage)),
            Self::OtherFolds => ("other_folds", None),
            Self::Score => ("score", None),
            Self::Rules => ("rules", None),
            Self::Send => ("send", None),
            Self::Commit => ("commit", None),
        }
    }

    fn of(index: usize) -> Self {
        use Activity as A;
        match index {
            0..7 => [A::Source, A::Decode, A::Preprocess, A::Score, A::Rules, A::Send, A::Commit][index],
            7 => A::OtherFolds,
            _ if index < 8 + STAGES => A::Windows((index - 8) as u8),
            _ => A::Features((index - 8 - STAGES) as u8),
        }
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => write!(f, "waiting for records"),
            Self::Decode => write!(f, "decode"),
            Self::Preprocess => write!(f, "preprocess"),
            Self::Windows(stage) => write!(f, "windows {}", stage + 1),
            Self::Features(stage) => write!(f, "features {}", stage + 1),
            Self::OtherFolds => write!(f, "folds of another release"),
            Self::Score => write!(f, "score"),
            Self::Rules => write!(f, "rules"),
            Self::Send => write!(f, "send"),
            Self::Commit => write!(f, "commit"),
        }
    }
}

/// Nanoseconds by activity, of all threads of a pipeline.
#[derive(Debug)]
pub struct Spent([AtomicU64; ALL]);

impl Default for Spent {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; ALL])
    }
}

impl Spent {
    /// Those that took any time.
    pub fn all(&self) -> impl Iterator<Item = (Activity, u64)> {
        let all = self.0.iter().enumerate().map(|(index, spent)| (Activity::of(index), spent.load(Relaxed)));
        all.filter(|(_, spent)| *spent > 0)
    }
}

/// One thread's watch. Nothing is decided by it.
#[derive(Debug)]
pub(super) struct Lap {
    now: usize,
    since: Instant,
    spent: [u64; ALL],
}

impl Default for Lap {
    fn default() -> Self {
        Self { now: 0, since: Instant::now(), spent: [0; ALL] }
    }
}

impl Lap {
    /// Does something else from now on.
    pub fn turn(&mut self, to: Activity) {
        let now = Instant::now();
        self.spent[self.now] += now.duration_since(self.since).as_nanos() as u64;
        (self.now, self.since) = (to.index(), now);
    }

    /// What the time since records were waited for last went to.
    pub fn of_batch(&self) -> impl Iterator<Item = (Activity, u64)> {
        let all = self.spent.iter().enumerate().map(|(index, spent)| (Activity::of(index), *spent));
        all.filter(|(activity, spent)| *activity != Activity::Source && *spent > 0)
    }

    /// Adds to what all threads spent.
    pub fn tell(&mut self, all: &Spent) {
        for (own, all) in self.spent.iter_mut().zip(&all.0).filter(|(own, _)| **own > 0) {
            all.fetch_add(std::mem::take(own), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_activity_has_a_place_of_its_own() {
        for index in 0..ALL {
            assert_eq!(Activity::of(index).index(), index);
        }
    }

    #[test]
    fn all_time_is_somebodys() {
        let (mut lap, spent, began) = (Lap::default(), Spent::default(), Instant::now());
        for activity in [Activity::Score, Activity::Windows(3), Activity::Score, Activity::Source] {
            lap.turn(activity);
        }
        let of_batch: Vec<Activity> = lap.of_batch().map(|(activity, _)| activity).collect();
        assert_eq!(of_batch, [Activity::Score, Activity::Windows(3)]);
        lap.tell(&spent);
        assert_eq!(lap.of_batch().count(), 0, "another batch");
        let all: Vec<Activity> = spent.all().map(|(activity, _)| activity).collect();
        assert!(all.contains(&Activity::Score) && all.contains(&Activity::Windows(3)), "{all:?}");
        let sum: u64 = spent.all().map(|(_, spent)| spent).sum();
        assert!(u128::from(sum) <= began.elapsed().as_nanos() + 1_000_000);
        lap.tell(&spent);
        assert_eq!(spent.all().map(|(_, spent)| spent).sum::<u64>(), sum, "told once");
    }
}
