//! What the brokers must allow to this process, before it begins.

use std::collections::{BTreeMap, BTreeSet};

use super::control::cluster;
use super::topics::{METADATA_WITHIN, changelogs};
use crate::config::{Config, Delivery};
use crate::error::Result;
use crate::kafka::{Needs, Right, check_rights};
use crate::pipeline::Pipeline;

/// An error names all that is missing. Without the pipeline that its files make, the topics are those that the pipeline
/// file names.
pub(super) fn check(config: &Config, pipeline: Option<&Pipeline>) -> Result<()> {
    check_rights(&cluster(config), &needs(config, pipeline), METADATA_WITHIN)
}

/// The same of an internal topic that was not there before.
pub(super) fn check_topic(config: &Config, name: &str) -> Result<()> {
    let topics = [(name.to_owned(), [Right::Read, Right::Write].into())].into();
    check_rights(&cluster(config), &Needs { group: config.group(), topics }, METADATA_WITHIN)
}

fn needs(config: &Config, pipeline: Option<&Pipeline>) -> Needs {
    let mut topics: BTreeMap<String, BTreeSet<Right>> = BTreeMap::new();
    let mut add = |name: &str, rights: &[Right]| topics.entry(name.to_owned()).or_default().extend(rights);
    config.source.iter().for_each(|source| add(&source.topic, &[Right::Read]));
    let outputs = config.routes.values().map(|route| &route.topic);
    let letters = [&config.dead_letters].into_iter().chain(&config.late).map(|to| &to.topic);
    outputs.chain(letters).for_each(|name| add(name, &[Right::Write]));
    let both = [Right::Read, Right::Write];
    if config.releases.enabled {
        [config.releases_topic(), config.release_history_topic()].iter().for_each(|name| add(name, &both));
    }
    if let Some(pipeline) = pipeline {
        pipeline.repartition_topics().for_each(|(_, name)| add(name, &both));
        if config.delivery == Delivery::ExactlyOnce {
            changelogs(pipeline).for_each(|(name, _)| add(name, &both));
        }
    }
    Needs { group: config.group(), topics }
}
