//! What of a pipeline file bears on results, and so belongs to a release. The rest is the host's own: brokers, threads,
//! directories, memory.

use serde::Deserialize;
use toml::{Table, Value};

use super::{Config, Limits, Role};
use crate::error::{Code, Error, Result};

const KEYS: [&str; 10] =
    ["name", "order", "source", "preprocess", "features", "model", "rules", "routes", "dead_letters", "late"];

/// Of `limits`: which rows are refused.
const LIMITS: [&str; 2] = ["record", "state_per_key"];

/// That part of a pipeline file.
pub(super) fn of(mut file: Table) -> Table {
    let limits = file.remove("limits");
    file.retain(|key, _| KEYS.contains(&key));
    if let Some(Value::Table(mut limits)) = limits {
        limits.retain(|key, _| LIMITS.contains(&key));
        if !limits.is_empty() {
            file.insert("limits".to_owned(), Value::Table(limits));
        }
    }
    file
}

impl Limits {
    /// With what bears on results as others have it.
    fn with_results(&self, other: &Self) -> Self {
        Self { record: other.record, state_per_key: other.state_per_key, ..self.clone() }
    }
}

impl Config {
    /// What bears on results. Of the names of files nothing is left but the last part, which may name a stage.
    pub fn results(&self) -> Table {
        let mut results = self.results.clone();
        for (role, _) in self.artifacts() {
            let (section, key) = match role {
                Role::Preprocess => (results.get_mut("preprocess"), "plugin"),
                Role::Features(index) => {
                    (results.get_mut("features").and_then(|list| list.get_mut(index)), "plugin")
                }
                Role::Model => (results.get_mut("model"), "file"),
                Role::Rules => (results.get_mut("rules"), "plugin"),
            };
            let name = self.artifact_name(role);
            let name = name.as_ref().and_then(|path| path.file_name()).unwrap_or_default();
            if let Some(Value::Table(section)) = section {
                section.insert(key.to_owned(), Value::String(name.to_string_lossy().into_owned()));
            }
        }
        results
    }

    /// This host's own settings with other results.
    pub fn with_results(&self, results: Table) -> Result<Self> {
        if let Some(key) = results.keys().find(|key| *key != "limits" && !KEYS.contains(&key.as_str())) {
            return Err(Error::new(Code::ConfigValue, format!("{key}: bears on no results")));
        }
        let results = of(results);
        let new = Self::deserialize(results.clone());
        let new = new.map_err(|error| Error::new(Code::ConfigSyntax, error.to_string().trim_end()))?;
        if new.name != self.name {
            let message = format!("name: it is of pipeline {:?}, not of {:?}", new.name, self.name);
            return Err(Error::new(Code::ConfigValue, message));
        }
        let config = Self {
            delivery: self.delivery,
            threads: self.threads,
            kafka: self.kafka.clone(),
            state: self.state.clone(),
            limits: self.limits.with_results(&new.limits),
            releases: self.releases.clone(),
            store: self.store.clone(),
            folder: self.folder.clone(),
            file: self.file.clone(),
            generation: self.generation,
            results,
            ..new
        };
        config.check()?;
        Ok(config)
    }

    /// Names of this host's own settings that another reading of its file has differently: they change with a restart.
    pub fn settled_at_start(&self, other: &Self) -> Vec<&'static str> {
        let same = |a: &dyn std::fmt::Debug, b: &dyn std::fmt::Debug| format!("{a:?}") == format!("{b:?}");
        let limits = |config: &Self| config.limits.with_results(&self.limits);
        [
            ("name", self.name == other.name),
            ("delivery", self.delivery == other.delivery),
            ("kafka", same(&self.kafka, &other.kafka)),
            ("state", same(&self.state, &other.state)),
            ("limits", same(&limits(self), &limits(other))),
            ("releases", same(&self.releases, &other.releases)),
            ("store", same(&self.store, &other.store)),
        ]
        .into_iter()
        .filter_map(|(name, same)| (!same).then_some(name))
        .collect()
    }
}
