//! The validated graph of a pipeline: which column of which stage goes where. Pure: made of the
//! configuration and of what plugins and model declare.

mod columns;
mod decision;
mod features;
mod groups;
mod lookups;
mod model;
mod settings;
mod sources;
mod succession;

use crate::columns::{Column, Schema};
use crate::config::Config;
pub use crate::config::Order;
use crate::contract::{FeaturesDescription, PreprocessorDescription, RulesDescription};
use crate::error::{Code, Error, Result};
use crate::record::SourceId;

pub use columns::declared;
pub use decision::{DecisionColumn, DecisionNode};
pub use features::{ClosedNode, FeaturesNode, InputNode, RowColumn};
pub use groups::{Group, Side};
pub use lookups::LookupNode;
pub use model::{MatrixColumn, ModelNode, NamedColumn};
pub use settings::settings;
pub use sources::{SourceNode, Times};
pub use succession::{
    Aggregate, Changes, Fate, StageWindows, Windows, succession, succession_beside, succession_from_history,
};

/// What a plugin or model is called in errors and dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    Decode,
    Preprocess,
    /// Index of the stage.
    Features(u8),
    Score,
    Rules,
    Encode,
}

impl Stage {
    pub fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Preprocess => "preprocess",
            Self::Features(_) => "features",
            Self::Score => "score",
            Self::Rules => "rules",
            Self::Encode => "encode",
        }
    }
}

/// What made a row: a release, and the digests (sha256, hex) of its plugins and its model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Of the release; 0: it has none.
    pub number: u64,
    /// Of all digests and the configuration, the first 16 digits: releases of equal content have the same.
    pub id: String,
    /// [`stamp`](Self::stamp_of) of both: what outputs and rows in flight carry.
    pub stamp: String,
    pub preprocess: Option<String>,
    /// By stage.
    pub features: Vec<String>,
    pub model: Option<String>,
    pub rules: Option<String>,
}

impl Identity {
    /// `NUMBER-ID`.
    pub fn stamp_of(number: u64, id: &str) -> String {
        format!("{number}-{id}")
    }

    /// The number in a stamp.
    pub fn number_of(stamp: &str) -> Option<u64> {
        stamp.split_once('-')?.0.parse().ok()
    }

    /// Of the plugin or model of a stage.
    pub fn of(&self, stage: Stage) -> Option<&str> {
        match stage {
            Stage::Preprocess => self.preprocess.as_deref(),
            Stage::Features(index) => self.features.get(usize::from(index)).map(String::as_str),
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
    /// Rows on their way, of all threads of a process: read ahead, waiting for their watermark, waiting to be sent.
    pub memory_bytes: usize,
    /// Of the windows of a key, in each features stage.
    pub key_bytes: usize,
    pub errors: ErrorBudget,
}

/// How often a plugin or the model may fail, of about a thousand rows. More, and the partitions wait.
#[derive(Clone, Copy, Debug)]
pub struct ErrorBudget {
    /// Of the rows.
    pub share: f64,
    /// With fewer failures nothing is held against it.
    pub at_least: u64,
}

/// A pipeline, ready to run.
#[derive(Clone, Debug)]
pub struct Pipeline {
    pub name: String,
    pub order: Order,
    pub sources: Vec<SourceNode>,
    /// All that are read, by [`SourceId`]: those of the sources, then the repartition topics.
    pub topics: Vec<String>,
    /// Changelog topics: of the groups, then of the sources that are only passed on. None where nothing has to be
    /// remembered.
    pub changelogs: Vec<Option<String>>,
    pub features: Vec<FeaturesNode>,
    pub groups: Vec<Group>,
    /// The rows that model and rules see: clean ones, or closed windows.
    pub rows: Schema,
    /// Ids of all features stages.
    pub ids: Schema,
    pub model: Option<ModelNode>,
    pub decision: DecisionNode,
    /// In the order of the rules' routes.
    pub routes: Vec<Route>,
    pub dead_letters: String,
    pub late: Option<String>,
    pub identity: Identity,
    pub bounds: Bounds,
}

/// Where the records of a topic go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Into a group, as its rows.
    Rows { group: usize },
    /// Into the first group, as updates; and on to others.
    Side { side: usize },
    /// Only on to other groups.
    Passed,
    /// Rows and updates of a group, in parcels.
    Repartition { group: usize },
    /// Looked up: read by each process beside the group.
    Table,
}

impl Pipeline {
    /// What becomes of the records of a topic.
    pub fn role(&self, source: SourceId) -> Role {
        if let Some(group) = usize::from(source).checked_sub(self.sources.len()) {
            return Role::Repartition { group: group + 1 };
        }
        match self.groups[0].side(source) {
            _ if source == 0 => Role::Rows { group: 0 },
            _ if self.sources[usize::from(source)].table => Role::Table,
            Some(side) => Role::Side { side },
            None => Role::Passed,
        }
    }

    /// Groups behind the first that a source's rows are passed on to.
    pub fn passed_to(&self, source: SourceId) -> impl Iterator<Item = (usize, &Side)> {
        let groups = self.groups.iter().enumerate().skip(1);
        groups.flat_map(move |(index, group)| group.side(source).map(|side| (index, &group.sides[side])))
    }

    /// Tables, with the id that each has.
    pub fn tables(&self) -> impl Iterator<Item = (SourceId, &SourceNode)> {
        let sources = self.sources.iter().enumerate();
        sources.filter(|(_, source)| source.table).map(|(index, source)| (index as SourceId, source))
    }

    /// Repartition topics, with the id that each has.
    pub fn repartition_topics(&self) -> impl Iterator<Item = (SourceId, &str)> {
        let first = self.sources.len();
        self.topics[first..]
            .iter()
            .enumerate()
            .map(move |(n, topic)| ((first + n) as SourceId, topic.as_str()))
    }
}

/// What plugins and model declare.
#[derive(Debug, Default)]
pub struct Declared<'a> {
    pub preprocessor: Option<&'a PreprocessorDescription>,
    pub features: Vec<&'a FeaturesDescription>,
    pub rules: Option<&'a RulesDescription>,
}

/// Everything up to the model, which can be opened only when this is known.
#[derive(Clone, Debug)]
pub struct Front {
    pub sources: Vec<SourceNode>,
    pub features: Vec<FeaturesNode>,
    groups: Vec<Group>,
    repartition_topics: Vec<String>,
    /// Of all stages.
    pub names: Vec<String>,
    pub ids: Schema,
    /// What model and rules see.
    pub rows: Schema,
}

impl Front {
    pub fn new(config: &Config, declared: &Declared<'_>) -> Result<Self> {
        let mut sources = vec![SourceNode::of_rows(config, declared.preprocessor)?];
        for source in &config.source[1..] {
            sources.push(SourceNode::of_side(source)?);
        }
        let (mut features, mut names, mut ids): (Vec<FeaturesNode>, Vec<String>, Vec<Column>) =
            Default::default();
        for (index, (section, description)) in config.features.iter().zip(&declared.features).enumerate() {
            let before = features::Before { sources: &sources, features: &names };
            let node = FeaturesNode::new(config.stage_name(index), section, description, &before)?;
            if node.closed.is_some() {
                // A closed window has none of the features of its rows.
                names.clear();
                ids.clear();
            }
            names.extend(node.names.iter().cloned());
            ids.extend(node.ids.iter().cloned());
            features.push(node);
        }
        unique(names.iter().chain(ids.iter().map(|id| &id.name)))?;
        unused(&sources, &features)?;
        let (groups, repartition_topics) = groups::groups(config, &sources, &features)?;
        let closed = features.last().and_then(|last| last.closed.as_ref());
        let rows = closed.map_or(&sources[0].rows, |closed| &closed.rows).clone();
        Ok(Self { groups, repartition_topics, features, names, ids: ids.into(), rows, sources })
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
        let decision = match declared.rules {
            Some(rules) => DecisionNode::of_rules(rules, &self.rows, &self.names, scores)?,
            None => DecisionNode::of_everything(&self.rows, &self.names, scores)?,
        };
        let routes = routes(config, declared.rules)?;
        self.features.iter().try_for_each(|stage| room(config, stage))?;
        let topics = self.sources.iter().map(|source| source.topic.clone()).chain(self.repartition_topics);
        let mut pipeline = Pipeline {
            name: config.name.clone(),
            order: config.order,
            topics: topics.collect(),
            changelogs: Vec::new(),
            sources: self.sources,
            features: self.features,
            groups: self.groups,
            rows: self.rows,
            ids: self.ids,
            model,
            decision,
            routes,
            dead_letters: config.dead_letters.topic.clone(),
            late: config.late.as_ref().map(|late| late.topic.clone()),
            identity,
            bounds: Bounds {
                batch_rows: config.limits.batch_rows,
                batch_bytes: config.limits.batch_bytes.bytes(),
                message_bytes: config.limits.record.bytes(),
                memory_bytes: config.limits.memory(config.threads),
                key_bytes: config.limits.state_per_key.bytes(),
                errors: ErrorBudget { share: config.limits.failures, at_least: 16 },
            },
        };
        pipeline.changelogs = groups::changelogs(&config.kept_as(), &pipeline);
        Ok(pipeline)
    }
}

/// What the registers of a key take is no more than half of what its windows may hold.
fn room(config: &Config, stage: &FeaturesNode) -> Result<()> {
    let registers: usize = stage.plan.customs.iter().map(|custom| custom.register_bytes).sum();
    let most = config.limits.state_per_key.bytes();
    if registers <= most / 2 {
        return Ok(());
    }
    let text = format!(
        "limits.state_per_key: {most} bytes are too few for features {}: registers alone are {registers} bytes a key",
        stage.name
    );
    Err(Error::new(Code::ConfigValue, text))
}

/// Features and ids of several stages meet in one vector.
fn unique<'a>(names: impl Iterator<Item = &'a String>) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if !seen.insert(name) {
            let message = format!("two features stages give {name}; names must differ");
            return Err(Error::new(Code::Mismatch, message));
        }
    }
    Ok(())
}

/// A source that nobody takes is a mistake.
fn unused(sources: &[SourceNode], features: &[FeaturesNode]) -> Result<()> {
    for (index, source) in sources.iter().enumerate().skip(1) {
        let used = features.iter().any(|stage| stage.takes(index as SourceId));
        if !used {
            let what = if source.table { "looks rows up in it" } else { "takes rows from it" };
            let message = format!("source {}: no features stage {what}", source.name);
            return Err(Error::new(Code::Mismatch, message));
        }
    }
    Ok(())
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
