//! What of two contents' configurations differs that pipelines don't tell: settings of stages.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::json::damaged;
use super::manifest::Content;
use crate::config::Role;
use crate::error::Result;

/// What pipelines, or digests, tell.
const TOLD: [&str; 5] = ["plugin", "file", "name", "key", "expire_after"];
/// Characters that are shown of a value.
const SHOWN: usize = 80;

/// One that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// As changes of pipelines call it: `preprocess`, `features card`, `model`, `rules`.
    pub stage: String,
    /// `settings.limit`, `time_limit`.
    pub key: String,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// In the order of stages, then of keys.
pub fn compare(old: &Content, new: &Content) -> Result<Vec<Setting>> {
    let (before, after) = (stages(old)?, stages(new)?);
    let (none, mut settings) = (Stage::default(), Vec::new());
    let all: std::collections::BTreeSet<&Role> = before.keys().chain(after.keys()).collect();
    for role in all {
        let (from, to) = (before.get(role).unwrap_or(&none), after.get(role).unwrap_or(&none));
        let stage = if from.name.is_empty() { &to.name } else { &from.name };
        let keys: std::collections::BTreeSet<&String> = from.keys.keys().chain(to.keys.keys()).collect();
        for key in keys {
            let (from, to) = (from.keys.get(key), to.keys.get(key));
            if from != to {
                let (stage, key) = (stage.clone(), key.clone());
                settings.push(Setting { stage, key, from: from.cloned(), to: to.cloned() });
            }
        }
    }
    Ok(settings)
}

#[derive(Default)]
struct Stage {
    name: String,
    keys: BTreeMap<String, String>,
}

fn stages(content: &Content) -> Result<BTreeMap<Role, Stage>> {
    let configuration: Table = toml::from_str(&content.configuration).map_err(damaged)?;
    let mut stages = BTreeMap::new();
    for (key, role) in [("preprocess", Role::Preprocess), ("model", Role::Model), ("rules", Role::Rules)] {
        if let Some(Value::Table(section)) = configuration.get(key) {
            stages.insert(role, Stage::new(key.to_owned(), section));
        }
    }
    let features = configuration.get("features").and_then(Value::as_array);
    for (index, section) in features.into_iter().flatten().enumerate() {
        if let Value::Table(section) = section {
            stages
                .insert(Role::Features(index), Stage::new(format!("features {}", called(section)), section));
        }
    }
    Ok(stages)
}

/// What a features stage is called: as it says, or after its plugin's file.
fn called(section: &Table) -> &str {
    let text = |key: &str| section.get(key).and_then(Value::as_str);
    let stem = || text("plugin").map(|file| file.rsplit_once('.').map_or(file, |(stem, _)| stem));
    text("name").or_else(stem).unwrap_or_default()
}

impl Stage {
    fn new(name: String, section: &Table) -> Self {
        let mut keys = BTreeMap::new();
        flatten("", section, &mut keys);
        keys.retain(|key, _| !TOLD.contains(&key.as_str()));
        Self { name, keys }
    }
}

fn flatten(before: &str, table: &Table, into: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        match value {
            Value::Table(inner) => flatten(&format!("{before}{key}."), inner, into),
            value => drop(into.insert(format!("{before}{key}"), shown(value))),
        }
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::facts;
    use super::*;

    fn content(configuration: &str) -> Content {
        Content { configuration: configuration.to_owned(), ..facts(1).content }
    }

    #[test]
    fn settings_that_differ() {
        let old = content(
            "name = 'p'\n[[features]]\nplugin = 'card.wasm'\nkey = 'card'\ntime_limit = '1s'\n\
             settings = { most = 5, night = { from = 22 } }\n[rules]\nplugin = 'r.wasm'\nsettings.limit = 0.5\n",
        );
        let new = content(
            "name = 'p'\n[[features]]\nplugin = 'card-2.wasm'\nname = 'card'\nkey = 'shop'\n\
             settings = { most = 5, night = { from = 23 } }\n[model]\nfile = 'm.onnx'\nfeatures = ['a']\n\
             [rules]\nplugin = 'r.wasm'\nsettings.limit = 0.5\n",
        );
        let lines = |old: &Content, new: &Content| -> Vec<String> {
            let text = |side: Option<String>| side.unwrap_or_else(|| "-".to_owned());
            let settings = compare(old, new).expect("TOML").into_iter();
            settings
                .map(|one| format!("{} {} {} {}", one.stage, one.key, text(one.from), text(one.to)))
                .collect()
        };
        let expected = [
            "features card settings.night.from 22 23",
            "features card time_limit \"1s\" -",
            "model features - [\"a\"]",
        ];
        assert_eq!(lines(&old, &new), expected);
        assert!(lines(&old, &old).is_empty());
        let long = content(&format!("rules.settings.text = '{}'", "é".repeat(200)));
        let shown = compare(&content(""), &long).expect("TOML")[0].to.clone().expect("it is new");
        assert_eq!(shown.chars().count(), SHOWN + 1);
        assert!(compare(&old, &content("= 1")).is_err());
    }
}
