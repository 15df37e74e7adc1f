//! Stage groups: runs of features stages between which rows go through a repartition topic.
//!
//! A stage can follow where its rows are if they are partitioned by columns of its key, and so are all
//! other inputs. Else its group begins with a repartition topic, through which all its inputs come. A
//! source that feeds a later group is read where all sources are, and passed on.

use std::ops::Range;

use super::features::FeaturesNode;
use super::sources::SourceNode;
use super::{Pipeline, Role};
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::record::SourceId;
use crate::state::KeyColumns;

/// A stage group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Through which its rows come: the first source, or the group's repartition topic.
    pub input: SourceId,
    /// Of the pipeline's features stages.
    pub stages: Range<usize>,
    /// Other sources that feed it.
    pub sides: Vec<Side>,
    /// By which its repartition topic is partitioned; none for the first group.
    pub key: Option<KeyColumns>,
    /// How many features the rows have when they come.
    pub features: usize,
    /// Columns of ids likewise.
    pub ids: usize,
    /// The greatest of its sources, in milliseconds.
    pub lateness: i64,
}

/// A source that feeds windows and gives no rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    pub source: SourceId,
    /// Of its rows: by which it is passed on to the group's repartition topic.
    pub key: KeyColumns,
}

impl Group {
    /// Index of a side.
    pub fn side(&self, source: SourceId) -> Option<usize> {
        self.sides.iter().position(|side| side.source == source)
    }
}

/// The groups, and the names of the repartition topics, whose ids come behind those of the sources.
pub(super) fn groups(
    config: &Config,
    sources: &[SourceNode],
    features: &[FeaturesNode],
) -> Result<(Vec<Group>, Vec<String>)> {
    let first = Group {
        input: 0,
        stages: 0..0,
        sides: Vec::new(),
        key: None,
        features: 0,
        ids: 0,
        lateness: sources[0].times.map_or(0, |times| times.lateness),
    };
    let (mut groups, mut topics) = (vec![first], Vec::new());
    let (mut partitioned, mut numbers, mut ids) = (sources[0].partitioned_by.clone(), 0, 0);
    for (index, stage) in features.iter().enumerate() {
        if let Some(before) = index.checked_sub(1).map(|before| &features[before])
            && before.closed.is_some()
        {
            let message = format!(
                "features {}: it comes behind {}, which fires when windows close; such a stage must be the last",
                stage.name, before.name
            );
            return Err(Error::new(Code::Mismatch, message));
        }
        let key = &stage.inputs[0].key_names;
        let is_first = groups.len() == 1;
        let direct = |source: SourceId| is_first && fits(&sources[usize::from(source)].partitioned_by, key);
        if !fits(&partitioned, key) || !stage.sides().all(direct) {
            let input = (sources.len() + topics.len()) as SourceId;
            topics.push(config.repartition_topic(index));
            let last = &groups[groups.len() - 1];
            groups.push(Group {
                input,
                stages: index..index,
                sides: Vec::new(),
                key: Some(stage.inputs[0].key.clone()),
                features: numbers,
                ids,
                lateness: last.lateness,
            });
            partitioned = key.clone();
        }
        let last = groups.len() - 1;
        let group = &mut groups[last];
        group.stages.end = index + 1;
        for input in &stage.inputs[1..] {
            let lateness = sources[usize::from(input.source)].times.map_or(0, |times| times.lateness);
            group.lateness = group.lateness.max(lateness);
            if group.side(input.source).is_none() {
                // Behind a repartition topic, sides are those of the group's first stage.
                group.sides.push(Side { source: input.source, key: input.key.clone() });
            }
        }
        numbers += stage.names.len();
        ids += stage.ids.len();
    }
    Ok((groups, topics))
}

/// Names of the changelog topics. Without windows and event times there is nothing to be remembered.
pub(super) fn changelogs(kept_as: &str, pipeline: &Pipeline) -> Vec<Option<String>> {
    let remembers =
        !pipeline.features.is_empty() || pipeline.sources.iter().any(|source| source.times.is_some());
    let of_source = |source: usize| format!("{kept_as}.source-{}.changelog", pipeline.sources[source].name);
    let groups = pipeline.groups.iter().map(|group| match pipeline.features.get(group.stages.start) {
        Some(stage) if !group.stages.is_empty() => Some(format!("{kept_as}.{}.changelog", stage.name)),
        _ => Some(of_source(0)),
    });
    let sources = (0..pipeline.sources.len()).map(|source| {
        let is_passed = pipeline.role(source as SourceId) == Role::Passed;
        is_passed.then(|| of_source(source))
    });
    groups.chain(sources).map(|topic| topic.filter(|_| remembers)).collect()
}

/// A key may be finer than the partitions, but not coarser.
fn fits(partitioned: &[String], key: &[String]) -> bool {
    !partitioned.is_empty() && partitioned.iter().all(|column| key.contains(column))
}
