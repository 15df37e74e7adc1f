//! The sections of a pipeline file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Duration, Sasl, Size, Start, Tls};
use crate::error::{Code, Error, Result};

/// What is promised about outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// Outputs, state and offsets are committed together, or not at all.
    #[default]
    ExactlyOnce,
    /// Nothing is skipped; after a crash some outputs come twice, and windows begin empty.
    AtLeastOnce,
}

/// In which order rows meet windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// As they come: the least latency.
    #[default]
    Arrival,
    /// By event time: rows are held until the watermark has passed them.
    EventTime,
}

pub(super) fn one_thread() -> usize {
    1
}

/// `[kafka]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kafka {
    /// `HOST:PORT`, several with commas.
    pub brokers: String,
    /// Where to begin without a committed offset.
    pub start: Start,
    /// How often offsets are committed, at most.
    pub commit_interval: Duration,
    /// The least between two transactions of a thread. One ends sooner than after `commit_interval` if nothing
    /// more is there to be read.
    pub commit_pause: Duration,
    /// Name of this process, if it keeps its place in the group while it restarts: static membership.
    pub instance: Option<String>,
    /// How the group is kept.
    pub protocol: Protocol,
    /// Replicas of internal topics; none: as the brokers have it.
    pub internal_replication: Option<u16>,
    /// Brokers are spoken to through TLS.
    pub tls: Option<Tls>,
    /// Clients log in.
    pub sasl: Option<Sasl>,
    /// Passed to librdkafka.
    pub properties: BTreeMap<String, String>,
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            brokers: "localhost:9092".to_owned(),
            start: Start::Earliest,
            commit_interval: Duration::from_millis(100),
            commit_pause: Duration::from_millis(10),
            instance: None,
            protocol: Protocol::Classic,
            internal_replication: None,
            tls: None,
            sasl: None,
            properties: BTreeMap::new(),
        }
    }
}

impl Kafka {
    pub(super) fn check(&self) -> Result<()> {
        let interval = self.commit_interval.get();
        if interval.is_zero() || interval.as_secs() > 60 {
            return Err(value(format!("kafka.commit_interval: {interval:?} is not between 1ms and 60s")));
        }
        if self.commit_pause.get() > interval {
            return Err(value("kafka.commit_pause: is longer than kafka.commit_interval".to_owned()));
        }
        if self.instance.as_ref().is_some_and(|name| !super::is_plain(name)) {
            return Err(value("kafka.instance: must be 1 to 100 letters, digits, -, _ or .".to_owned()));
        }
        if self.brokers.trim().is_empty() {
            return Err(value("kafka.brokers: is empty".to_owned()));
        }
        self.check_security()
    }
}

/// Rebalance protocol of the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// `consumer`, where the brokers have it.
    Auto,
    /// KIP-848: partitions move one by one, and the brokers say how long a member may be silent: 45 s by their
    /// default.
    Consumer,
    /// A member that is gone is missed after 6 s.
    #[default]
    Classic,
}

/// What every stage with a plugin has.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// The `.wasm` file, as the pipeline file names it.
    pub plugin: PathBuf,
    /// Where that file really lies; none: where the name says.
    pub located: Option<PathBuf>,
    /// Given to the plugin.
    pub settings: toml::Table,
    /// What the plugin may import.
    pub grants: Vec<String>,
    /// That long may one call take.
    pub time_limit: Duration,
    /// Of the plugin's memory.
    pub memory_limit: Size,
}

impl Plugin {
    pub(super) fn check(&self, stage: &str) -> Result<()> {
        let (time, memory) = (self.time_limit.get().as_millis(), self.memory_limit.bytes());
        if !(10..=10_000).contains(&time) {
            return Err(value(format!("{stage}.time_limit: {time}ms is not between 10ms and 10s")));
        }
        if !(1 << 20..=1 << 30).contains(&memory) {
            return Err(value(format!("{stage}.memory_limit: {memory} bytes are not between 1MiB and 1GiB")));
        }
        Ok(())
    }
}

fn default_grants() -> Vec<String> {
    vec!["log".to_owned()]
}

fn default_time_limit() -> Duration {
    Duration::from_millis(250)
}

fn default_memory_limit() -> Size {
    Size::from_mib(64)
}

macro_rules! plugin_section {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            #[serde(skip_serializing)]
            plugin: PathBuf,
            #[serde(skip)]
            pub(super) located: Option<PathBuf>,
            #[serde(default)]
            settings: toml::Table,
            #[serde(default = "default_grants")]
            grants: Vec<String>,
            #[serde(default = "default_time_limit")]
            time_limit: Duration,
            #[serde(default = "default_memory_limit")]
            memory_limit: Size,
        }

        impl $name {
            /// What it has in common with the other stages.
            pub fn plugin(&self) -> Plugin {
                Plugin {
                    plugin: self.plugin.clone(),
                    located: self.located.clone(),
                    settings: self.settings.clone(),
                    grants: self.grants.clone(),
                    time_limit: self.time_limit,
                    memory_limit: self.memory_limit,
                }
            }
        }
    };
}

plugin_section! {
    /// `[preprocess]`
    Preprocess {}
}

plugin_section! {
    /// `[[features]]`
    Features {
        /// What the stage is called: in the name of its repartition topic, and in errors.
        #[serde(default)]
        name: Option<String>,
        /// The columns whose values make the key of the windows.
        key: Key,
        /// A key that nothing came of for so long is forgotten, with all that it has seen for ever.
        #[serde(default)]
        expire_after: Option<Duration>,
    }
}

plugin_section! {
    /// `[rules]`
    Rules {}
}

/// One column or several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged, expecting = "the name of a column, or a list of names")]
pub enum Key {
    One(String),
    Several(Vec<String>),
}

impl Key {
    pub fn columns(&self) -> &[String] {
        match self {
            Self::One(column) => std::slice::from_ref(column),
            Self::Several(columns) => columns,
        }
    }
}

/// `[model]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The `.onnx` file.
    #[serde(skip_serializing)]
    pub file: PathBuf,
    /// Where that file really lies; none: where the name says.
    #[serde(skip)]
    pub(super) located: Option<PathBuf>,
    /// Names of the input matrix's columns, for a model that does not carry them.
    pub features: Option<Vec<String>>,
    /// What the model's outputs are called; without it the one score is called `score`.
    #[serde(default)]
    pub scores: BTreeMap<String, Score>,
}

/// One column of a model's output.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    pub output: String,
    /// 0-based; needed where the output has several.
    pub column: Option<usize>,
}

/// `[routes.NAME]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    pub topic: String,
}

/// `[dead_letters]`, `[late]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    pub topic: String,
}

/// `[state]`: where windows are kept, exactly once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// Each process of the pipeline takes a place of its own in it. It may be lost: then windows come back from the
    /// changelog topics, which takes longer.
    pub directory: PathBuf,
    /// Of windows in memory, a process; others are on disk alone.
    pub memory: Size,
    /// Of blocks of the store on disk, a process.
    pub cache: Size,
    /// Changes since the last checkpoint, packed, a process: what a restart has to do again.
    pub tail: Size,
}

impl Default for State {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("tailwater-state"),
            memory: Size::from_mib(1024),
            cache: Size::from_mib(32),
            tail: Size::from_mib(64),
        }
    }
}

impl State {
    pub(super) fn check(&self) -> Result<()> {
        if self.directory.as_os_str().is_empty() {
            return Err(value("state.directory: is empty".to_owned()));
        }
        for (name, size) in [("memory", self.memory), ("cache", self.cache), ("tail", self.tail)] {
            if !(1 << 20..=1 << 40).contains(&size.bytes()) {
                return Err(value(format!("state.{name}: {size:?} is not between 1MiB and 1TiB")));
            }
        }
        Ok(())
    }
}

/// `[limits]`: memory and batches.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Records that a batch may have.
    pub batch_rows: usize,
    /// Bytes of records that a batch may have; a single larger record is a batch of its own.
    pub batch_bytes: Size,
    /// Rows on their way, a process: read ahead, held until their watermark, waiting to be sent. None: by the number
    /// of threads.
    pub memory: Option<Size>,
    /// Key, value and headers of a record that is sent; also the largest that is decoded.
    pub record: Size,
    /// What the windows of a key may hold, in each features stage.
    pub state_per_key: Size,
    /// Share of the rows at which a plugin or the model may fail, of the last thousand or so that a thread has had.
    pub failures: f64,
}

const MEMORY: usize = 128 << 20;
const MEMORY_OF_A_THREAD: usize = 32 << 20;
/// The least and the most that a thread reads ahead.
const FETCH: Range<usize> = 2 << 20..16 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            batch_rows: 1024,
            batch_bytes: Size::from_mib(4),
            memory: None,
            // With what is around it, just below what a topic allows by default.
            record: Size::from_kib(1000),
            // More than aggregates over all time take by themselves.
            state_per_key: Size::from_mib(8),
            failures: 0.1,
        }
    }
}

impl Limits {
    /// Bytes of rows on their way, in this process.
    pub fn memory(&self, threads: usize) -> usize {
        self.memory.map_or_else(|| MEMORY.max(threads * MEMORY_OF_A_THREAD), |size| size.bytes())
    }

    /// Of them what a thread reads ahead, if there are so many.
    pub fn fetch(&self, threads: usize) -> usize {
        (self.memory(threads) / 8 / threads.max(1)).clamp(FETCH.start, FETCH.end)
    }

    /// Of them what is set aside for a thread.
    pub fn aside(&self, threads: usize) -> usize {
        self.fetch(threads) + self.batch_bytes.bytes()
    }

    pub(super) fn check(&self, threads: usize) -> Result<()> {
        if !(1..=65_536).contains(&self.batch_rows) {
            return Err(value(format!("limits.batch_rows: {} is not between 1 and 65536", self.batch_rows)));
        }
        if !(0.0..=1.0).contains(&self.failures) {
            return Err(value(format!("limits.failures: {} is not between 0 and 1", self.failures)));
        }
        for (name, size) in [("batch_bytes", self.batch_bytes), ("record", self.record)] {
            // The headers of a dead letter alone can take some KiB.
            if !(16 << 10..=256 << 20).contains(&size.bytes()) {
                return Err(value(format!("limits.{name}: {size:?} is not between 16KiB and 256MiB")));
            }
        }
        if !(64 << 10..=1 << 30).contains(&self.state_per_key.bytes()) {
            let size = self.state_per_key;
            return Err(value(format!("limits.state_per_key: {size:?} is not between 64KiB and 1GiB")));
        }
        let (memory, least) = (self.memory(threads), 2 * threads * self.aside(threads));
        if memory < least {
            let text = format!(
                "limits.memory: {memory} bytes are too few for {threads} threads with batches of {:?}: {least} at least",
                self.batch_bytes
            );
            return Err(value(text));
        }
        Ok(())
    }
}

fn value(message: String) -> Error {
    Error::new(Code::ConfigValue, message)
}
