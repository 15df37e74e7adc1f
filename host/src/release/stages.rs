//! Opens the plugins of a pipeline.

use crate::config::{self, Config};
use crate::contract::{FeaturesDescription, PreprocessorDescription, RulesDescription};
use crate::engine::ports::{Features, Preprocessor, Rules};
use crate::engine::{ANSWER_BYTES, SPLIT_LIMIT};
use crate::error::{Code, Error, Result};
use crate::pipeline;
use crate::plugin::{Factory, Grants, Limits, Plugin, Runtime, Stage};

/// A plugin in its stage.
pub(super) struct Opened<D, P: ?Sized> {
    pub digest: String,
    pub description: D,
    pub factory: Factory<P>,
}

pub(super) struct Stages {
    pub preprocessor: Option<Opened<PreprocessorDescription, dyn Preprocessor + Send>>,
    /// In order.
    pub features: Vec<Opened<FeaturesDescription, dyn Features + Send>>,
    pub rules: Option<Opened<RulesDescription, dyn Rules + Send>>,
}

impl Stages {
    pub fn open(config: &Config, runtime: &Runtime) -> Result<Self> {
        let opener = Opener { config, runtime };
        let preprocess = config.preprocess.as_ref().map(config::Preprocess::plugin);
        let rules = config.rules.as_ref().map(config::Rules::plugin);
        let mut features = Vec::new();
        for (index, section) in config.features.iter().enumerate() {
            let name = format!("features {}", config.stage_name(index));
            features.push(opener.open(&name, Some(section.plugin()), Plugin::features)?);
        }
        Ok(Self {
            preprocessor: opener.open("preprocess", preprocess, Plugin::preprocessor)?,
            features: features.into_iter().flatten().collect(),
            rules: opener.open("rules", rules, Plugin::rules)?,
        })
    }
}

struct Opener<'a> {
    config: &'a Config,
    runtime: &'a Runtime,
}

impl Opener<'_> {
    fn open<D, P: ?Sized>(
        &self,
        name: &str,
        section: Option<config::Plugin>,
        open: impl FnOnce(&Plugin, &Stage) -> Result<(D, Factory<P>)>,
    ) -> Result<Option<Opened<D, P>>> {
        let Some(section) = section else { return Ok(None) };
        let stage = Stage {
            name: name.to_owned(),
            settings: pipeline::settings(&section.settings).map_err(|error| error.at(name))?,
            grants: grants(&section.grants).map_err(|error| error.at(name))?,
            limits: Limits {
                time: section.time_limit.get(),
                memory: section.memory_limit.bytes(),
                output_bytes: ANSWER_BYTES,
                rows: self.config.limits.batch_rows * SPLIT_LIMIT,
            },
        };
        let plugin = self.runtime.load(self.config.plugin_path(&section));
        let plugin = plugin.map_err(|error| error.at(format!("stage {name}")))?;
        let (description, factory) = open(&plugin, &stage)?;
        Ok(Some(Opened { digest: plugin.digest().to_owned(), description, factory }))
    }
}

fn grants(names: &[String]) -> Result<Grants> {
    let mut grants = Grants::default();
    for name in names {
        match name.as_str() {
            "log" => grants.log = true,
            "counters" => grants.counters = true,
            name => {
                let message = format!("grants: there is no {name:?}; there are \"log\" and \"counters\"");
                return Err(Error::new(Code::ConfigValue, message));
            }
        }
    }
    Ok(grants)
}
