//! When trouble with a collector is told. It has no clock of its own.

use std::time::{Duration, Instant};

/// The same again is told after so long; another one, after a tenth of it.
const TOLD_EVERY: Duration = Duration::from_secs(600);

#[derive(Debug)]
struct Told {
    since: Instant,
    at: Instant,
    what: String,
}

/// Of one kind of data.
#[derive(Debug, Default)]
pub struct Trouble(Option<Told>);

impl Trouble {
    /// Something went wrong. Says whether that is to be told.
    pub fn comes(&mut self, what: &str, now: Instant) -> bool {
        let since = match &self.0 {
            None => now,
            Some(told) => {
                let pause = if told.what == what { TOLD_EVERY } else { TOLD_EVERY / 10 };
                if now.saturating_duration_since(told.at) < pause {
                    return false;
                }
                told.since
            }
        };
        self.0 = Some(Told { since, at: now, what: what.to_owned() });
        true
    }

    /// All went well. After trouble, says how long that lasted.
    pub fn is_over(&mut self, now: Instant) -> Option<Duration> {
        self.0.take().map(|told| now.saturating_duration_since(told.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_and_its_end_too() {
        let (mut trouble, began) = (Trouble::default(), Instant::now());
        assert_eq!(trouble.is_over(began), None);
        let told =
            (0..100).filter(|second| trouble.comes("away", began + Duration::from_secs(*second))).count();
        assert_eq!(told, 1);
        assert!(trouble.comes("refused", began + TOLD_EVERY / 10));
        assert!(!trouble.comes("refused", began + TOLD_EVERY));
        assert!(trouble.comes("refused", began + TOLD_EVERY * 2));
        assert_eq!(trouble.is_over(began + TOLD_EVERY * 3), Some(TOLD_EVERY * 3));
        assert!(trouble.comes("away", began + TOLD_EVERY * 3), "a new one");
    }
}
