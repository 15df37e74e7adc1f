//! The validated graph of a pipeline: which column of which stage goes where. Pure: made of the
//! configuration and of what plugins and model declare.

mod columns;
mod decision;
mod features;
mod model;
mod settings;

use crate::columns::Schema;
use crate::config::{Config, Tombstones};
use crate::contract::{FeaturesDescription, PreprocessorDescription, RulesDescription};
use crate::error::{Code, Error, Result};

pub use columns::declared;
pub use decision::{DecisionColumn, DecisionNode};
pub use features::FeaturesNode;
pub use model::{MatrixColumn, ModelNode, NamedColumn};
pub use settings::settings;

/// What a plugin or model is called in errors and dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    Decode,
    Preprocess,
    Features,
    Score,
    Rules,
    Encode,
}

impl Stage {
    pub fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Preprocess => "preprocess",
            Self::Features => "features",
            Self::Score => "score",
            Self::Rules => "rules",
            Self::Encode => "encode",
        }
    }
}

/// Digests (sha256, hex) of what made a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Of all the others and the configuration; the first 16 digits.
    pub release: String,
    pub preprocess: Option<String>,
    pub features: Option<String>,
    pub model: Option<String>,
    pub rules: Option<String>,
}

impl Identity {
    /// Of the plugin or model of a stage.
    pub fn of(&self, stage: Stage) -> Option<&str> {
        match stage {
            Stage::Preprocess => self.preprocess.as_deref(),
            Stage::Features => self.features.as_deref(),
            Stage::Score => self.model.as_deref(),
            Stage::Rules => self.rules.as_deref(),
            Stage::Decode | Stage::Encode => None,
        }
    }
}

/// A way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub name: String,
    pub topic: String,
}

/// Bounds on batches and messages.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub batch_rows: usize,
    pub batch_bytes: usize,
    /// Of a message, its key and headers included.
    pub message_bytes: usize,
}

/// A pipeline, ready to run.
#[derive(Clone, Debug)]
pub struct Pipeline {
    pub name: String,
    /// By source.
    pub topics: Vec<String>,
    pub skip_tombstones: bool,
    /// What is decoded: the preprocessor's input.
    pub decoded: Schema,
    /// The rows that everything after the preprocessor sees.
    pub clean: Schema,
    pub features: Option<FeaturesNode>,
    pub model: Option<ModelNode>,
    pub decision: DecisionNode,
    /// In the order of the rules' routes.
    pub routes: Vec<Route>,
    pub dead_letters: String,
    pub identity: Identity,
    pub bounds: Bounds,
}

/// What plugins and model declare.
#[derive(Debug, Default)]
pub struct Declared<'a> {
    pub preprocessor: Option<&'a PreprocessorDescription>,
    pub features: Option<&'a FeaturesDescription>,
    pub rules: Option<&'a RulesDescription>,
}

/// Everything up to the model, which can be opened only when this is known.
#[derive(Clone, Debug)]
pub struct Front {
    pub decoded: Schema,
    pub clean: Schema,
    pub features: Option<FeaturesNode>,
}

impl Front {
    pub fn new(config: &Config, declared: &Declared<'_>) -> Result<Self> {
        let source = &config.source[0];
        let (decoded, clean): (Schema, Schema) = match declared.preprocessor {
            Some(description) => (description.input.as_slice().into(), description.output.as_slice().into()),
            None => {
                let columns: Schema = declared_columns(source)?.into();
                (columns.clone(), columns)
            }
        };
        let features = match (declared.features, config.features.first()) {
            (Some(description), Some(section)) => {
                Some(FeaturesNode::new(section, source, description, &clean)?)
            }
            _ => None,
        };
        if let Some(name) = &source.event_time {
            features::event_time(name, &clean)?;
        }
        Ok(Self { decoded, clean, features })
    }

    /// The graph, given what the model binds to.
    pub fn complete(
        self,
        config: &Config,
        declared: &Declared<'_>,
        model: Option<ModelNode>,
        identity: Identity,
    ) -> Result<Pipeline> {
        let scores = model.as_ref().map_or(&[][..], |model| &model.scores);
        let names = self.features.as_ref().map_or(&[][..], |features| &features.names);
        let decision = match declared.rules {
            Some(rules) => DecisionNode::of_rules(rules, &self.clean, names, scores)?,
            None => DecisionNode::of_everything(&self.clean, names, scores)?,
        };
        let routes = routes(config, declared.rules)?;
        Ok(Pipeline {
            name: config.name.clone(),
            topics: config.source.iter().map(|source| source.topic.clone()).collect(),
            skip_tombstones: config.source[0].tombstones == Tombstones::Skip,
            decoded: self.decoded,
            clean: self.clean,
            features: self.features,
            model,
            decision,
            routes,
            dead_letters: config.dead_letters.topic.clone(),
            identity,
            bounds: Bounds {
                batch_rows: config.limits.batch_rows,
                batch_bytes: config.limits.batch_bytes.bytes(),
                message_bytes: config.limits.record.bytes(),
            },
        })
    }
}

fn declared_columns(source: &crate::config::Source) -> Result<Vec<crate::columns::Column>> {
    let columns = source.columns.iter().map(|(name, kind)| {
        let refuse = || {
            let message = format!(
                "source.columns.{name}: {kind:?} is no kind; \
                 say one of int, float, boolean, time, text, bytes, floats"
            );
            Error::new(Code::ConfigValue, message)
        };
        columns::parse(name, kind).ok_or_else(refuse)
    });
    columns.collect()
}

/// Gives each route of the rules its topic.
fn routes(config: &Config, rules: Option<&RulesDescription>) -> Result<Vec<Route>> {
    let mismatch = |message: String| Err(Error::new(Code::Mismatch, message));
    let names: Vec<&str> = match rules {
        Some(rules) => rules.routes.iter().map(String::as_str).collect(),
        None => config.routes.keys().take(1).map(String::as_str).collect(),
    };
    if let Some(extra) = config.routes.keys().find(|name| !names.contains(&name.as_str())) {
        let message = format!("routes.{extra}: the rules have no such route; theirs: {}", names.join(", "));
        return mismatch(if rules.is_some() {
            message
        } else {
            "without [rules] there is one route".to_owned()
        });
    }
    let mut routes = Vec::new();
    for name in names {
        let Some(route) = config.routes.get(name) else {
            return mismatch(format!(
                "the rules' route {name:?} has no topic: add [routes.{name}] with topic = \"...\""
            ));
        };
        routes.push(Route { name: name.to_owned(), topic: route.topic.clone() });
    }
    Ok(routes)
}
