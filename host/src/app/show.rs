//! Shows what is kept of a key, beside whoever runs the pipeline.

use super::Run;
use super::topics::METADATA_WITHIN;
use crate::columns::Kind;
use crate::config::Delivery;
use crate::engine::{Seen, inspect};
use crate::error::{Code, Error, Result};
use crate::kafka::{ChangelogOptions, KafkaChangelog, look_up};
use crate::state::parse_key;

/// Which key.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Its columns as texts, `|` between.
    pub key: &'a str,
    /// None: the only one.
    pub stage: Option<&'a str>,
    /// None: all.
    pub partition: Option<i32>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Of the release by which it is read.
    pub release: String,
    pub stage: String,
    /// Names of the key's columns.
    pub columns: Vec<String>,
    pub changelog: String,
    /// Where it was looked for.
    pub partitions: Vec<i32>,
    pub found: Vec<Found>,
}

/// A key in one partition.
#[derive(Clone, Debug)]
pub struct Found {
    pub partition: i32,
    pub seen: Seen,
    /// Topics that were read for it, and the next offset of each.
    pub read: Vec<(String, i64)>,
}

impl Run {
    /// Shows a key.
    pub fn show(&self, wanted: Wanted<'_>) -> Result<Shown> {
        self.look(wanted).map_err(|error| error.at(&self.config.name))
    }

    fn look(&self, wanted: Wanted<'_>) -> Result<Shown> {
        let refuse = |message: String| Error::new(Code::ConfigValue, message);
        if self.config.delivery == Delivery::AtLeastOnce {
            return Err(refuse("delivery is at-least-once: windows are in memory alone".to_owned()));
        }
        let pipeline = self.release.pipeline();
        let stage = self.stage(wanted.stage)?;
        let node = &pipeline.features[stage];
        let rows = &pipeline.sources[usize::from(node.inputs[0].source)].rows;
        let kinds: Vec<Kind> = node.inputs[0].key.columns().iter().map(|column| rows[*column].kind).collect();
        let columns = node.inputs[0].key_names.clone();
        let key = parse_key(&kinds, wanted.key).map_err(|why| {
            refuse(format!("the key ({}) can't be {:?}: {why}", columns.join("|"), wanted.key))
        })?;
        let group = pipeline.groups.iter().position(|group| group.stages.contains(&stage));
        let changelog = group.and_then(|group| pipeline.changelogs[group].clone());
        let changelog = changelog.ok_or_else(|| Error::new(Code::Internal, "a stage without a changelog"))?;
        let topic = look_up(&self.cluster(), &[&changelog], METADATA_WITHIN)?.pop().flatten();
        let Some(topic) = topic else {
            let message = format!("changelog `{changelog}` does not exist: the pipeline has not run yet");
            return Err(Error::new(Code::TopicMissing, message));
        };
        let all = 0..topic.partitions as i32;
        let partitions: Vec<i32> = match wanted.partition {
            Some(partition) if !all.contains(&partition) => {
                let message =
                    format!("partition {partition}: `{changelog}` has {} of them", topic.partitions);
                return Err(refuse(message));
            }
            Some(partition) => vec![partition],
            None => all.collect(),
        };
        let mut log = KafkaChangelog::connect(ChangelogOptions {
            cluster: self.cluster(),
            group: self.config.group(),
            client_id: "tailwater-show".to_owned(),
            fetch_bytes: self.config.limits.fetch(self.config.threads),
        })?;
        let mut found = Vec::new();
        for partition in partitions.iter().copied() {
            if let Some(mut seen) = inspect(pipeline, stage, partition, &key, &mut log)? {
                let read = seen.inputs.iter().filter_map(|(id, next)| {
                    Some((format!("{}/{}", pipeline.topics[usize::from(id.source)], id.partition), (*next)?))
                });
                let read = read.collect();
                for (name, _) in &mut seen.windows {
                    *name = self.named(stage, name);
                }
                found.push(Found { partition, seen, read });
            }
        }
        let (release, stage) = (pipeline.identity.stamp.clone(), node.name.clone());
        Ok(Shown { release, stage, columns, changelog, partitions, found })
    }

    fn stage(&self, name: Option<&str>) -> Result<usize> {
        let pipeline = self.release.pipeline();
        let names =
            || pipeline.features.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>().join(", ");
        let refuse = |message: String| Err(Error::new(Code::ConfigValue, message));
        match (name, pipeline.features.len()) {
            (_, 0) => refuse("the pipeline has no features stage, and so no windows".to_owned()),
            (None, 1) => Ok(0),
            (None, _) => refuse(format!("name the stage with --stage: {}", names())),
            (Some(name), _) => match pipeline.features.iter().position(|stage| stage.name == name) {
                Some(stage) => Ok(stage),
                None => refuse(format!("there is no features stage {name:?}; there are: {}", names())),
            },
        }
    }

    /// Inputs by the names of their sources, where there are several.
    fn named(&self, stage: usize, name: &str) -> String {
        let pipeline = self.release.pipeline();
        let inputs = &pipeline.features[stage].inputs;
        inputs.iter().enumerate().fold(name.to_owned(), |name, (index, input)| {
            let source = &pipeline.sources[usize::from(input.source)].name;
            let source = if inputs.len() == 1 { String::new() } else { format!("{source}, ") };
            name.replace(&format!("input {index}, "), &source)
        })
    }
}
