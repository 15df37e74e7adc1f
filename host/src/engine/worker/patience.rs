//! Waits for the brokers. The group hears from the thread meanwhile, and people do when it takes long.

use std::time::Duration;

use crate::engine::ports::{Clock, Source};
use crate::error::Result;

/// How often the group hears from a thread whose sink is stuck.
const KEEP_ALIVE: Duration = Duration::from_millis(500);
/// A wait is told of when it has taken so long, and then as often.
const TELL: Duration = Duration::from_secs(10);

/// A wait that has begun.
#[derive(Debug)]
pub(super) struct Wait {
    began: Duration,
    heard: Duration,
    told: Duration,
}

impl Wait {
    pub fn new(clock: &impl Clock) -> Self {
        let now = clock.monotonic();
        Self { began: now, heard: now, told: now }
    }

    /// Says how long it has taken. `what`: for what is waited.
    pub fn go_on(&mut self, source: &impl Source, clock: &impl Clock, what: &str) -> Result<Duration> {
        let now = clock.monotonic();
        let took = now.saturating_sub(self.began);
        if now.saturating_sub(self.told) >= TELL {
            self.told = now;
            tracing::warn!("{what} for {} s; nothing is read meanwhile", took.as_secs());
        }
        if now.saturating_sub(self.heard) >= KEEP_ALIVE {
            self.heard = now;
            source.keep_alive()?;
        }
        Ok(took)
    }
}
