//! A release: the plugins, the model and the configuration that belong together, loaded and checked.
//!
//! What runs is said by a topic, not by files: [`manifest`] has what a release is, [`ledger`] the law by which all hosts
//! come to the same current one.

pub mod content;
pub mod depot;
mod digest;
pub mod history;
pub mod json;
pub mod ledger;
pub mod manifest;
mod migrations;
#[cfg(test)]
mod samples;
pub mod settings;
pub mod signature;
mod stages;
pub mod status;
pub mod watch;
pub mod who;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::codec::{JsonOptions, json_decoder, json_encoder};
use crate::config::{self, Config};
use crate::engine::ports::{Decoder, Features, MatrixColumn as Bound, Preprocessor, Rules};
use crate::engine::{Flow, Loader, Meter, PartitionCounts, Parts, Tables};
use crate::error::Result;
use crate::model::{Prepared, Runtime as ModelRuntime, ScoreSpec, Wanted};
use crate::pipeline::{
    Declared, Front, Identity, MatrixColumn, ModelNode, NamedColumn, Pipeline, SourceNode, Stage,
};
use crate::plugin::{Factory, Runtime as PluginRuntime, RuntimeOptions};
use crate::record::SourceId;

use stages::Stages;

/// What runs plugins and models; one a process. ONNX Runtime is loaded when a model first needs it.
#[derive(Debug)]
pub struct Runtimes {
    plugins: PluginRuntime,
    models: OnceLock<ModelRuntime>,
    library: Option<PathBuf>,
}

/// A plugin that trapped is replaced while its old instance is still there.
const INSTANCES_A_STAGE: usize = 2;
/// A thread may have rows of a release, go on as another, and meanwhile a third one is tried.
const RELEASES: usize = 4;
/// No pipeline may give a plugin more.
const PLUGIN_MEMORY: usize = 1 << 30;

impl Runtimes {
    /// For one or a few threads. `cache`: a directory for compiled plugins, the host's alone. `library`:
    /// ONNX Runtime, where it is not to be looked for.
    pub fn new(cache: Option<PathBuf>, library: Option<PathBuf>) -> Result<Self> {
        Self::for_stages(64, cache, library)
    }

    /// For so many stages with a plugin, in all threads of all pipelines.
    pub fn for_stages(stages: usize, cache: Option<PathBuf>, library: Option<PathBuf>) -> Result<Self> {
        let instances = stages.max(1).saturating_mul(INSTANCES_A_STAGE * RELEASES);
        let max_instances = u32::try_from(instances).unwrap_or(u32::MAX);
        let options = RuntimeOptions { cache, max_instances, memory_limit: PLUGIN_MEMORY };
        Ok(Self { plugins: PluginRuntime::new(&options)?, models: OnceLock::new(), library })
    }

    fn models(&self) -> Result<&ModelRuntime> {
        if let Some(runtime) = self.models.get() {
            return Ok(runtime);
        }
        let runtime = ModelRuntime::load(self.library.as_deref())?;
        Ok(self.models.get_or_init(|| runtime))
    }
}

/// Makes flows, one for each stream thread.
#[derive(Debug)]
pub struct Release {
    pipeline: Arc<Pipeline>,
    preprocessor: Option<Factory<dyn Preprocessor + Send>>,
    features: Vec<Factory<dyn Features + Send>>,
    rules: Option<Factory<dyn Rules + Send>>,
    model: Option<Arc<Prepared>>,
}

impl Release {
    /// Loads and checks all that a configuration names; it has no number.
    pub fn load(config: &Config, runtimes: &Runtimes) -> Result<Self> {
        Self::numbered(0, config, runtimes)
    }

    /// The same, as the release of this number.
    pub fn numbered(number: u64, config: &Config, runtimes: &Runtimes) -> Result<Self> {
        let stages = Stages::open(config, &runtimes.plugins)?;
        let declared = Declared {
            preprocessor: stages.preprocessor.as_ref().map(|stage| &stage.description),
            features: stages.features.iter().map(|stage| &stage.description).collect(),
            rules: stages.rules.as_ref().map(|stage| &stage.description),
        };
        let front = Front::new(config, &declared)?;
        let model = match &config.model {
            Some(section) => Some(open_model(config, section, runtimes.models()?, &front)?),
            None => None,
        };
        let node = model.as_ref().map(|model| model_node(model, &front));
        let mut identity = Identity {
            number,
            id: String::new(),
            stamp: String::new(),
            preprocess: stages.preprocessor.as_ref().map(|stage| stage.digest.clone()),
            features: stages.features.iter().map(|stage| stage.digest.clone()).collect(),
            model: model.as_ref().map(|model| model.digest().to_owned()),
            rules: stages.rules.as_ref().map(|stage| stage.digest.clone()),
        };
        identity.id = digest::of(config, &identity);
        identity.stamp = Identity::stamp_of(number, &identity.id);
        let pipeline = Arc::new(front.complete(config, &declared, node, identity)?);
        for source in &pipeline.sources {
            decoder(source, pipeline.bounds.message_bytes)?;
        }
        json_encoder(&pipeline.decision.output)?;
        Ok(Self {
            pipeline,
            preprocessor: stages.preprocessor.map(|stage| stage.factory),
            features: stages.features.into_iter().map(|stage| stage.factory).collect(),
            rules: stages.rules.map(|stage| stage.factory),
            model: model.map(Arc::new),
        })
    }

    /// The same under another number.
    pub fn renumbered(&self, number: u64) -> Self {
        let Self { pipeline, preprocessor, features, rules, model } = self;
        let mut pipeline = Pipeline::clone(pipeline);
        pipeline.identity.number = number;
        pipeline.identity.stamp = Identity::stamp_of(number, &pipeline.identity.id);
        Self {
            pipeline: Arc::new(pipeline),
            preprocessor: preprocessor.clone(),
            features: features.clone(),
            rules: rules.clone(),
            model: model.clone(),
        }
    }

    pub fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
    }

    /// What plugins have counted so far: stage, name and count.
    pub fn counters(&self) -> impl Iterator<Item = (Stage, String, u64)> {
        let preprocess = self.preprocessor.iter().map(|one| (Stage::Preprocess, one.counters()));
        let features = self.features.iter().enumerate();
        let features = features.map(|(index, one)| (Stage::Features(index as u8), one.counters()));
        let rules = self.rules.iter().map(|one| (Stage::Rules, one.counters()));
        let all = preprocess.chain(features).chain(rules);
        all.flat_map(|(stage, counters)| {
            counters.read().into_iter().map(move |(name, count)| (stage, name, count))
        })
    }

    /// Bytes that instances of plugins have now, by stage.
    pub fn plugin_memory(&self) -> impl Iterator<Item = (Stage, usize)> {
        let preprocess = self.preprocessor.iter().map(|one| (Stage::Preprocess, one.memory()));
        let features = self.features.iter().enumerate();
        let features = features.map(|(index, one)| (Stage::Features(index as u8), one.memory()));
        let rules = self.rules.iter().map(|one| (Stage::Rules, one.memory()));
        preprocess.chain(features).chain(rules)
    }

    /// Instances of everything, for one thread.
    pub fn parts(&self) -> Result<Parts> {
        let most = self.pipeline.bounds.message_bytes;
        let decoders = self.pipeline.sources.iter().map(|source| decoder(source, most));
        Ok(Parts {
            decoders: decoders.collect::<Result<_>>()?,
            preprocessor: self.preprocessor.as_ref().map(Factory::instance).transpose()?,
            features: self.features.iter().map(Factory::instance).collect::<Result<_>>()?,
            model: self.model.as_ref().map(|model| model.session()).transpose()?,
            rules: self.rules.as_ref().map(Factory::instance).transpose()?,
            encoder: json_encoder(&self.pipeline.decision.output)?,
        })
    }

    /// The stages of one thread.
    pub fn flow(
        &self,
        meter: &Arc<Meter>,
        partitions: &PartitionCounts,
        tables: &Arc<Tables>,
    ) -> Result<Flow> {
        let (pipeline, meter) = (Arc::clone(&self.pipeline), Arc::clone(meter));
        Ok(Flow::new(pipeline, self.parts()?, meter, Arc::clone(partitions), Arc::clone(tables)))
    }
}

/// What takes records into a table.
pub fn loader(pipeline: &Pipeline, table: SourceId) -> Result<Loader> {
    let source = &pipeline.sources[usize::from(table)];
    Ok(Loader::new(source.topic.clone(), decoder(source, pipeline.bounds.message_bytes)?))
}

fn decoder(source: &SourceNode, max_bytes: usize) -> Result<Box<dyn Decoder + Send>> {
    let decoder = json_decoder(&source.decoded, JsonOptions { time_unit: source.time_unit, max_bytes });
    decoder.map_err(|error| error.at(format!("source {}", source.name)))
}

fn open_model(
    config: &Config,
    section: &config::Model,
    runtime: &ModelRuntime,
    front: &Front,
) -> Result<Prepared> {
    let scores = section.scores.iter().map(|(name, score)| ScoreSpec {
        name: name.clone(),
        output: Some(score.output.clone()),
        column: score.column,
    });
    let scores = scores.collect::<Vec<_>>();
    let columns: Vec<_> = front.ids.iter().chain(&*front.rows).cloned().collect();
    let wanted = Wanted {
        scores: &scores,
        feature_names: section.features.as_deref(),
        features: &front.names,
        columns: &columns,
    };
    runtime.open(&config.model_path().unwrap_or_default(), &wanted)
}

fn model_node(model: &Prepared, front: &Front) -> ModelNode {
    let ids = front.ids.len();
    let named = |column: usize| match column.checked_sub(ids) {
        None => NamedColumn::Id(column),
        Some(column) => NamedColumn::Record(column),
    };
    let bound = |column: &Bound| match *column {
        Bound::Feature(index) => MatrixColumn::Feature(index),
        Bound::Column(column) => MatrixColumn::Column(named(column)),
    };
    ModelNode {
        matrix: model.matrix().iter().map(bound).collect(),
        named: model.columns().iter().map(|column| named(*column)).collect(),
        schema: model.schema().clone(),
        scores: model.scores().to_vec(),
    }
}
