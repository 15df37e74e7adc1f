//! How long what failed is let alone, and how often that is told.

use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use crate::error::Error;

const FIRST: Duration = Duration::from_millis(100);
/// No longer: a rebalance of the group waits meanwhile.
const LONGEST: Duration = Duration::from_secs(10);
/// The same trouble is told this often.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Of one store.
#[derive(Debug)]
pub(super) struct Patience {
    place: String,
    pause: Duration,
    /// Since when nothing goes, and what was told of it last, when.
    trouble: Option<(Instant, String, Instant)>,
}

impl Patience {
    pub fn new(place: impl Into<String>) -> Self {
        Self { place: place.into(), pause: FIRST, trouble: None }
    }

    /// Something failed. Gives how long to wait before it is tried again.
    pub fn failed(&mut self, error: &Error, now: Instant) -> Duration {
        if self.is_news(error, now) {
            let place = &self.place;
            let code = error.code;
            if code.retry() {
                warn!("{place}: {code} {error}; it is tried again, nothing is lost");
            } else {
                error!("{place}: {code} {error}; nothing is kept until that is mended, nothing is lost");
            }
        }
        let longer = (self.pause * 2).min(LONGEST);
        std::mem::replace(&mut self.pause, longer)
    }

    fn is_news(&mut self, error: &Error, now: Instant) -> bool {
        let since = match &self.trouble {
            Some((_, text, told))
                if *text == error.message && now.saturating_duration_since(*told) < TOLD_EVERY =>
            {
                return false;
            }
            Some((since, ..)) => *since,
            None => now,
        };
        self.trouble = Some((since, error.message.clone(), now));
        true
    }

    /// Something was kept.
    pub fn went_well(&mut self, now: Instant) {
        self.pause = FIRST;
        if let Some((since, ..)) = self.trouble.take() {
            let lasted = now.saturating_duration_since(since);
            info!("{}: goes on, after {:.1} s", self.place, lasted.as_secs_f64());
        }
    }
}

/// Says something at most once a minute, and how often it was not said.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    last: Option<Instant>,
    unsaid: u64,
}

impl Seldom {
    /// `Some`: it is to be said now, and so many were not.
    pub fn say(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < TOLD_EVERY) {
            self.unsaid += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn pauses_grow_until_something_goes_well() {
        let (mut patience, now) = (Patience::new("store"), Instant::now());
        let away = Error::new(Code::StoreUnreachable, "away");
        let pauses: Vec<_> = (0..9).map(|_| patience.failed(&away, now).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        patience.went_well(now);
        assert_eq!(patience.failed(&away, now), FIRST);
    }

    #[test]
    fn one_trouble_is_told_once_a_minute() {
        let (mut patience, now) = (Patience::new("store"), Instant::now());
        let [away, other] = ["away", "other"].map(|text| Error::new(Code::StoreUnreachable, text));
        assert!(patience.is_news(&away, now) && !patience.is_news(&away, now + TOLD_EVERY / 2));
        assert!(patience.is_news(&other, now + TOLD_EVERY / 2), "another one at once");
        assert!(patience.is_news(&other, now + TOLD_EVERY * 2));
    }

    #[test]
    fn what_is_said_seldom_says_how_often_it_was_not() {
        let (mut seldom, now) = (Seldom::default(), Instant::now());
        assert_eq!(seldom.say(now), Some(0));
        assert_eq!((seldom.say(now), seldom.say(now)), (None, None));
        assert_eq!(seldom.say(now + TOLD_EVERY), Some(2));
    }
}
