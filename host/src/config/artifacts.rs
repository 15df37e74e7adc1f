//! The files that a pipeline file names: plugins and the model.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{Config, Plugin};

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Preprocess,
    /// Index of the stage.
    Features(usize),
    Model,
    Rules,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preprocess => f.write_str("preprocess"),
            Self::Features(index) => write!(f, "features/{index}"),
            Self::Model => f.write_str("model"),
            Self::Rules => f.write_str("rules"),
        }
    }
}

/// As [`Role`] is displayed.
impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let role = match text {
            "preprocess" => Some(Self::Preprocess),
            "model" => Some(Self::Model),
            "rules" => Some(Self::Rules),
            other => {
                let index = other.strip_prefix("features/").and_then(|index| index.parse().ok());
                index.map(Self::Features)
            }
        };
        role.ok_or_else(|| format!("{text:?} is no stage with a file"))
    }
}

impl Config {
    /// All files, seen from the process.
    pub fn artifacts(&self) -> Vec<(Role, PathBuf)> {
        let stages = self.roles().into_iter().map(|(role, plugin)| (role, self.plugin_path(&plugin)));
        let model = self.model_path().map(|path| (Role::Model, path));
        stages.chain(model).collect()
    }

    /// The name of a file, as the pipeline file has it.
    pub fn artifact_name(&self, role: Role) -> Option<PathBuf> {
        if role == Role::Model {
            return self.model.as_ref().map(|model| model.file.clone());
        }
        self.roles().into_iter().find_map(|(own, plugin)| (own == role).then_some(plugin.plugin))
    }

    /// Where a plugin's file lies.
    pub fn plugin_path(&self, plugin: &Plugin) -> PathBuf {
        plugin.located.clone().unwrap_or_else(|| self.path(&plugin.plugin))
    }

    /// Where the model's file lies.
    pub fn model_path(&self) -> Option<PathBuf> {
        let model = self.model.as_ref()?;
        Some(model.located.clone().unwrap_or_else(|| self.path(&model.file)))
    }

    /// Says where a file lies, whatever it is called. False: there is no such stage.
    pub fn locate(&mut self, role: Role, path: PathBuf) -> bool {
        let located = match role {
            Role::Preprocess => self.preprocess.as_mut().map(|section| &mut section.located),
            Role::Features(index) => self.features.get_mut(index).map(|section| &mut section.located),
            Role::Model => self.model.as_mut().map(|section| &mut section.located),
            Role::Rules => self.rules.as_mut().map(|section| &mut section.located),
        };
        located.is_some_and(|located| {
            *located = Some(path);
            true
        })
    }

    fn roles(&self) -> Vec<(Role, Plugin)> {
        let preprocess = self.preprocess.iter().map(|section| (Role::Preprocess, section.plugin()));
        let features = self.features.iter().enumerate();
        let features = features.map(|(index, section)| (Role::Features(index), section.plugin()));
        let rules = self.rules.iter().map(|section| (Role::Rules, section.plugin()));
        preprocess.chain(features).chain(rules).collect()
    }
}
