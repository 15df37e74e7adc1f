//! `[[source]]`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Duration;
use crate::error::{Code, Error, Result};

/// A topic that is read.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What plugins call it; without it, as the topic.
    name: Option<String>,
    pub topic: String,
    /// Reference data: the newest record of each key is kept, to be looked up.
    #[serde(default)]
    pub table: bool,
    #[serde(default)]
    pub format: Format,
    /// Of numbers that are times.
    #[serde(default)]
    pub time_unit: TimeUnit,
    #[serde(default)]
    pub tombstones: Tombstones,
    /// The columns that the producer partitions by, as the preprocessor gives them.
    #[serde(default)]
    pub partitioned_by: Vec<String>,
    /// Records are not partitioned by their keys, but by `partitioned_by` all the same: keys are not checked.
    #[serde(default)]
    pub custom_partitioner: bool,
    /// The column of the event time, as the preprocessor gives it. Features need it.
    pub event_time: Option<String>,
    /// How much older than the newest one so far a record may be without being late.
    #[serde(default = "default_out_of_orderness")]
    pub out_of_orderness: Duration,
    /// How late a record may be and still be scored.
    #[serde(default = "no_time")]
    pub allowed_lateness: Duration,
    /// A partition that has been read to its end and gets nothing for so long holds nobody up.
    #[serde(default = "default_idleness")]
    pub idleness: Duration,
    /// How far an event time may be ahead of the record's own timestamp.
    #[serde(default = "default_max_ahead")]
    pub max_ahead: Duration,
    /// Without a preprocessor: what to decode, `name = "kind"`, a `?` behind the kind for what may be missing.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
}

impl Source {
    pub(super) fn check(&self, preprocessed: bool) -> Result<()> {
        if preprocessed != self.columns.is_empty() {
            let message = if preprocessed {
                "source.columns: the preprocessor says what to decode; remove one of them"
            } else {
                "source.columns: without [preprocess] say here what to decode"
            };
            return Err(value(message.to_owned()));
        }
        if self.topic.is_empty() {
            return Err(value("source.topic: is empty".to_owned()));
        }
        let longest = std::time::Duration::from_millis(LONGEST_MS);
        for (name, duration) in [
            ("out_of_orderness", self.out_of_orderness),
            ("allowed_lateness", self.allowed_lateness),
            ("max_ahead", self.max_ahead),
        ] {
            if duration.get() > longest {
                return Err(value(format!("source.{name}: {duration:?} is more than 1000 years")));
            }
        }
        Ok(())
    }

    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.topic)
    }
}

/// Of spans of event time: far below what times can hold.
const LONGEST_MS: u64 = 1000 * 366 * 86_400_000;

fn default_out_of_orderness() -> Duration {
    Duration::from_millis(10_000)
}

fn no_time() -> Duration {
    Duration::from_millis(0)
}

fn default_idleness() -> Duration {
    Duration::from_millis(30_000)
}

fn default_max_ahead() -> Duration {
    Duration::from_millis(86_400_000)
}

fn value(message: String) -> Error {
    Error::new(Code::ConfigValue, message)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    #[default]
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum TimeUnit {
    #[serde(rename = "s")]
    Seconds,
    #[default]
    #[serde(rename = "ms")]
    Milliseconds,
    #[serde(rename = "us")]
    Microseconds,
    #[serde(rename = "ns")]
    Nanoseconds,
}

impl TimeUnit {
    /// As in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Nanoseconds => "ns",
        }
    }
}

/// What becomes of records without a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tombstones {
    /// They are passed over, and counted.
    #[default]
    Skip,
    DeadLetter,
}
