//! The topics of a pipeline: those that must be there, and internal ones, which are made.

use std::thread;
use std::time::{Duration, Instant};

use tracing::info;

use super::{Run, rights};
use crate::config::Delivery;
use crate::engine::{BLOCK_BYTES, PartitionCounts};
use crate::error::{Code, Error, Result};
use crate::kafka::{Cluster, create_changelog, create_internal, look_up, topics};
use crate::pipeline::Pipeline;
use crate::record::SourceId;

/// How long the brokers may take to name their topics.
pub(super) const METADATA_WITHIN: Duration = Duration::from_secs(10);

const LOOK: Duration = Duration::from_millis(20);

/// What an internal topic is for.
#[derive(Clone, Copy)]
enum Internal {
    Repartition,
    Changelog,
}

impl Run {
    /// Makes sure that the brokers answer, that all topics are there, and that those have as many partitions
    /// that must. `create`: makes internal topics that are missing. Gives how many partitions the topics have
    /// that are read; 0 for an internal one that is not there yet.
    pub fn check_topics(&self, create: bool) -> Result<PartitionCounts> {
        self.look_at_topics(create).map_err(|error| error.at(&self.config.name))
    }

    fn look_at_topics(&self, create: bool) -> Result<PartitionCounts> {
        let (pipeline, cluster) = (self.release.pipeline(), self.cluster());
        rights::check(&self.config, Some(pipeline))?;
        let found = topics(&cluster, &outer_topics(pipeline), METADATA_WITHIN)?;
        let count =
            |name: &str| found.iter().find(|topic| topic.name == name).map_or(0, |topic| topic.partitions);
        let mut counts: Vec<i32> =
            pipeline.sources.iter().map(|source| count(&source.topic) as i32).collect();
        for side in &pipeline.groups[0].sides {
            let (rows, other) = (&pipeline.sources[0], &pipeline.sources[usize::from(side.source)]);
            let (own, others) = (count(&rows.topic), count(&other.topic));
            if own != others {
                let message = format!(
                    "topics `{}` and `{}` feed the same windows by the same key, but have {own} and {others} partitions. \
                     Give them as many, or leave source.partitioned_by out for {}: then its rows go through \
                     a repartition topic",
                    rows.topic, other.topic, other.name
                );
                return Err(Error::new(Code::Partitions, message));
            }
        }
        for (_, name) in pipeline.repartition_topics() {
            counts.push(self.internal(&cluster, name, counts[0], create, Internal::Repartition)?);
        }
        if self.config.delivery == Delivery::ExactlyOnce {
            self.look_at_changelogs(&cluster, &counts, create)?;
        }
        Ok(counts.into())
    }

    /// A changelog has as many partitions as the topic that its task reads: state is kept by partition.
    fn look_at_changelogs(&self, cluster: &Cluster, counts: &[i32], create: bool) -> Result<()> {
        let pipeline = self.release.pipeline();
        for (name, source) in changelogs(pipeline) {
            let (topic, partitions) = (&pipeline.topics[usize::from(source)], counts[usize::from(source)]);
            let found = self.internal(cluster, name, partitions, create, Internal::Changelog)?;
            if found != partitions && found > 0 && partitions > 0 {
                let message = format!(
                    "topic `{topic}` has {partitions} partitions, but its changelog `{name}` has {found}: \
                     the windows were kept by another number of partitions"
                );
                return Err(Error::new(Code::Repartitioned, message));
            }
        }
        Ok(())
    }

    /// How many partitions an internal topic has.
    fn internal(
        &self,
        cluster: &Cluster,
        name: &str,
        partitions: i32,
        create: bool,
        what: Internal,
    ) -> Result<i32> {
        let found = look_up(cluster, &[name], METADATA_WITHIN)?.pop().flatten();
        match found {
            Some(topic) => Ok(topic.partitions as i32),
            None if create => {
                let replication = self.config.kafka.internal_replication;
                let count = partitions as usize;
                match what {
                    Internal::Repartition => {
                        create_internal(cluster, name, count, replication, METADATA_WITHIN)
                    }
                    Internal::Changelog => {
                        create_changelog(cluster, name, count, replication, BLOCK_BYTES, METADATA_WITHIN)
                    }
                }?;
                info!(topic = name, partitions, "made an internal topic");
                wait_for(cluster, name)?;
                rights::check_topic(&self.config, name)?;
                Ok(partitions)
            }
            None => Ok(0),
        }
    }
}

/// Brokers answer before they all know a topic that was made.
fn wait_for(cluster: &Cluster, name: &str) -> Result<()> {
    let began = Instant::now();
    while look_up(cluster, &[name], METADATA_WITHIN)?.iter().all(Option::is_none) {
        if began.elapsed() > METADATA_WITHIN {
            let text = format!("topic `{name}` was made, and is not there after {METADATA_WITHIN:?}");
            return Err(Error::new(Code::TopicRefused, text));
        }
        thread::sleep(LOOK);
    }
    Ok(())
}

/// Changelogs, each with the source that its task reads.
pub(super) fn changelogs(pipeline: &Pipeline) -> impl Iterator<Item = (&str, SourceId)> {
    pipeline.changelogs.iter().enumerate().filter_map(|(group, name)| {
        let source = match pipeline.groups.get(group) {
            Some(group) => group.input,
            None => (group - pipeline.groups.len()) as SourceId,
        };
        Some((name.as_deref()?, source))
    })
}

/// Those that a pipeline reads and writes, but for internal ones.
fn outer_topics(pipeline: &Pipeline) -> Vec<&str> {
    let mut names: Vec<&str> = pipeline.sources.iter().map(|source| source.topic.as_str()).collect();
    names.extend(pipeline.routes.iter().map(|route| route.topic.as_str()));
    names.extend(pipeline.late.as_deref());
    names.push(&pipeline.dead_letters);
    names.sort_unstable();
    names.dedup();
    names
}
