//! One TOML file a pipeline. Unknown keys are refused; durations and sizes are text ("30s", "64MiB").
//!
//! Every value can be overridden from the environment: `TAILWATER__KAFKA__BROKERS=broker:9092` sets
//! `brokers` in `[kafka]`, in all pipelines of the process; in `[[source]]` and `[[features]]` the position
//! comes between: `TAILWATER__SOURCE__0__TOPIC`. Passwords come from there, or from files of their own.

mod artifacts;
mod overrides;
mod releases;
mod results;
mod secret;
mod sections;
mod security;
mod source;
mod start;
mod store;
mod syntax;
mod units;

use std::path::{Path, PathBuf};

pub use artifacts::Role;
pub use releases::Releases;
pub use secret::Secret;
pub use sections::{
    Delivery, Features, Kafka, Key, Limits, Model, Order, Plugin, Preprocess, Protocol, Route, Rules, Score,
    State, Topic,
};
pub use security::{Mechanism, Sasl, Security, Tls};
pub use source::{Format, Source, TimeUnit, Tombstones};
pub use start::Start;
pub use store::{Parquet, Postgres, Store, StoreKind, StoreTls};
pub use units::{Duration, Size};

use serde::Deserialize;

use crate::error::{Code, Error, Result};

/// A pipeline file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Prefixes the consumer group, client ids, transactional ids and internal topics.
    pub name: String,
    #[serde(default)]
    pub delivery: Delivery,
    #[serde(default)]
    pub order: Order,
    /// Stream threads of this process.
    #[serde(default = "sections::one_thread")]
    pub threads: usize,
    #[serde(default)]
    pub kafka: Kafka,
    pub source: Vec<Source>,
    pub preprocess: Option<Preprocess>,
    #[serde(default)]
    pub features: Vec<Features>,
    pub model: Option<Model>,
    pub rules: Option<Rules>,
    /// The ways out, by the names that the rules give them.
    pub routes: std::collections::BTreeMap<String, Route>,
    pub dead_letters: Topic,
    /// Where rows go that came too late; without it they are dead letters.
    pub late: Option<Topic>,
    #[serde(default)]
    pub state: State,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub releases: Releases,
    /// Where outputs are kept beside Kafka.
    #[serde(default)]
    pub store: Vec<Store>,
    /// What bears on results, as it was written; what the environment overrides is in it.
    #[serde(skip)]
    results: toml::Table,
    /// Where the file is: paths in it are relative to it.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The file, if it was read from one.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// Which one: number of the release that was begun from history; 0: none was.
    #[serde(skip)]
    generation: u64,
}

impl Config {
    /// Reads a pipeline file, and what the environment overrides in it.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::new(Code::ConfigUnreadable, format!("{}: {error}", path.display())))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let config = Self::parse(&text, &folder, overrides::environment()?);
        let config = config.map_err(|error| error.at(path.display()))?;
        Ok(Self { file: Some(path.to_owned()), ..config })
    }

    /// From text; `environment`: pairs of name and value, those that do not concern us included.
    pub fn parse(
        text: &str,
        folder: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self> {
        // Typed first: only this way errors know their line.
        let mut config: Self = syntax::read(text)?;
        config.kafka.refuse_secrets()?;
        let mut table = syntax::read(text)?;
        let overrides = overrides::of(environment);
        if !overrides.is_empty() {
            table = overrides::apply(table, &overrides)?;
            config = Self::deserialize(table.clone()).map_err(|error| {
                let names: Vec<_> = overrides.iter().map(|o| o.variable.as_str()).collect();
                Error::new(Code::ConfigSyntax, format!("with {} set: {error}", names.join(", ")))
            })?;
        }
        config.folder = folder.to_owned();
        config.results = results::of(table);
        config.check()?;
        config.check_stores()?;
        Ok(config)
    }

    /// A path of the file, seen from the process.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The same for a generation of the pipeline, which has a group, internal topics and directories of its own.
    pub fn in_generation(&self, generation: u64) -> Self {
        Self { generation, ..self.clone() }
    }

    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Prefixes all that is a generation's own: `NAME`, or `NAME.gGENERATION`.
    pub fn kept_as(&self) -> String {
        match self.generation {
            0 => self.name.clone(),
            generation => format!("{}.g{generation}", self.name),
        }
    }

    /// Consumer group.
    pub fn group(&self) -> String {
        self.kept_as()
    }

    pub fn client_id(&self, thread: usize) -> String {
        format!("{}-{thread}", self.kept_as())
    }

    /// How its clients and the brokers know each other.
    pub fn security(&self) -> Security {
        self.kafka.security(&self.folder)
    }

    fn check(&self) -> Result<()> {
        let refuse = |message: String| Err(Error::new(Code::ConfigValue, message));
        if !is_plain(&self.name) {
            return refuse(format!("name: {:?} must be 1 to 100 letters, digits, -, _ or .", self.name));
        }
        if !(1..=1024).contains(&self.threads) {
            return refuse(format!("threads: {} is not between 1 and 1024", self.threads));
        }
        self.limits.check(self.threads)?;
        self.kafka.check()?;
        self.state.check()?;
        self.releases.check()?;
        self.check_sources()?;
        self.check_features()?;
        if self.routes.is_empty() {
            return refuse("a pipeline needs a route: [routes.NAME] with a topic".to_owned());
        }
        self.plugins().try_for_each(|(stage, plugin)| plugin.check(stage))?;
        self.check_topics()
    }

    /// How many stages have a plugin.
    pub fn plugin_stages(&self) -> usize {
        self.plugins().count()
    }

    /// The sections that have a plugin, by name.
    fn plugins(&self) -> impl Iterator<Item = (&'static str, Plugin)> {
        let preprocess = self.preprocess.iter().map(|section| ("preprocess", section.plugin()));
        let features = self.features.iter().map(|section| ("features", section.plugin()));
        preprocess.chain(features).chain(self.rules.iter().map(|section| ("rules", section.plugin())))
    }

    /// The first source has the rows of the pipeline; others feed windows, or are tables.
    fn check_sources(&self) -> Result<()> {
        let refuse = |message: String| Err(Error::new(Code::ConfigValue, message));
        let Some(rows) = self.source.first() else {
            return refuse("a pipeline needs a [[source]]".to_owned());
        };
        if self.source.len() > SOURCES {
            return refuse(format!("{} [[source]] sections; {SOURCES} is the limit", self.source.len()));
        }
        for (index, source) in self.source.iter().enumerate() {
            source.check(index == 0 && self.preprocess.is_some())?;
            if self.source[..index].iter().any(|other| other.name() == source.name()) {
                return refuse(format!("source.name: two sources are called {:?}", source.name()));
            }
            if self.source[..index].iter().any(|other| other.topic == source.topic) {
                return refuse(format!("source.topic: {:?} is the topic of two sources", source.topic));
            }
        }
        if rows.table {
            return refuse(
                "source.table: the first source has the pipeline's rows and can't be a table".to_owned(),
            );
        }
        Ok(())
    }

    fn check_features(&self) -> Result<()> {
        let refuse = |message: String| Err(Error::new(Code::ConfigValue, message));
        if self.features.len() > STAGES {
            return refuse(format!("{} [[features]] sections; {STAGES} is the limit", self.features.len()));
        }
        for (index, stage) in self.features.iter().enumerate() {
            let name = self.stage_name(index);
            if !is_plain(&name) {
                return refuse(format!(
                    "features.name: {name:?} must be 1 to 100 letters, digits, -, _ or ."
                ));
            }
            if (0..index).any(|other| self.stage_name(other) == name) {
                return refuse(format!("features.name: two stages are called {name:?}; give them names"));
            }
            if stage.expire_after.is_some_and(|after| after.get().is_zero()) {
                return refuse("features.expire_after: is zero".to_owned());
            }
        }
        Ok(())
    }

    /// What a features stage is called: as it says, or after its plugin's file.
    pub fn stage_name(&self, index: usize) -> String {
        let stage = &self.features[index];
        let file = stage.plugin().plugin;
        let stem = || file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        stage.name.clone().or_else(stem).unwrap_or_default()
    }

    /// The internal topic through which rows come to a features stage of another key.
    pub fn repartition_topic(&self, stage: usize) -> String {
        format!("{}.{}.repartition", self.kept_as(), self.stage_name(stage))
    }

    /// The internal topic that says which release runs.
    pub fn releases_topic(&self) -> String {
        format!("{}.releases", self.name)
    }

    /// The internal topic that tells what became of releases, and who did it.
    pub fn release_history_topic(&self) -> String {
        format!("{}.release-history", self.name)
    }

    /// What goes out must not come in again.
    fn check_topics(&self) -> Result<()> {
        let refuse = |message: String| Err(Error::new(Code::ConfigValue, message));
        let routes = self.routes.iter().map(|(name, route)| (format!("routes.{name}"), &route.topic));
        let letters = [("dead_letters".to_owned(), &self.dead_letters.topic)];
        let late = self.late.iter().map(|late| ("late".to_owned(), &late.topic));
        for (place, topic) in routes.chain(letters).chain(late) {
            if topic.is_empty() {
                return refuse(format!("{place}.topic: is empty"));
            }
            if self.source.iter().any(|source| source.topic == *topic) {
                return refuse(format!(
                    "{place}.topic: {topic:?} is the topic of a source too: an endless loop"
                ));
            }
        }
        Ok(())
    }
}

/// Sources that a pipeline may have.
const SOURCES: usize = 64;
/// Features stages that a pipeline may have.
const STAGES: usize = 16;

/// Whether it may be part of the name of a topic.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=100).contains(&name.len()) && name.chars().all(plain)
}

/// Pipelines of one process must not be one consumer group: each would see a part of the records.
pub fn apart(configs: &[Config]) -> Result<()> {
    for (index, config) in configs.iter().enumerate() {
        if configs[..index].iter().any(|other| other.name == config.name) {
            let message = format!("name: two pipelines are called {:?}; names must differ", config.name);
            return Err(Error::new(Code::ConfigValue, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
