//! `[releases]`: how what runs is swapped while it runs.

use std::path::PathBuf;

use serde::Deserialize;

use super::Duration;
use crate::error::{Code, Error, Result};

/// `[releases]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Releases {
    /// Whether plugins, model and what bears on results may change while the pipeline runs.
    pub enabled: bool,
    /// Whether files that change become a release.
    pub watch: bool,
    /// Files of public keys. With one at least, each artifact must be signed by one of them.
    pub keys: Vec<PathBuf>,
    /// How long a release is compared with the one before, which comes back should it be worse.
    pub probation: Duration,
    /// A record may take so many times as long as it did.
    pub slowdown: f64,
    /// Releases that can be gone back to.
    pub keep: usize,
    /// Those that ran within this time are kept too.
    pub keep_for: Duration,
}

impl Default for Releases {
    fn default() -> Self {
        Self {
            enabled: true,
            watch: true,
            keys: Vec::new(),
            probation: Duration::from_millis(300_000),
            slowdown: 5.0,
            keep: 20,
            keep_for: Duration::from_millis(3_600_000),
        }
    }
}

impl Releases {
    pub(super) fn check(&self) -> Result<()> {
        let value = |message: String| Err(Error::new(Code::ConfigValue, message));
        if !(1.5..=1000.0).contains(&self.slowdown) {
            return value(format!("releases.slowdown: {} is not between 1.5 and 1000", self.slowdown));
        }
        if self.probation.get().as_secs() > 86_400 {
            return value(format!("releases.probation: {:?} is more than 1d", self.probation));
        }
        if !(2..=1000).contains(&self.keep) {
            return value(format!("releases.keep: {} is not between 2 and 1000", self.keep));
        }
        Ok(())
    }
}
