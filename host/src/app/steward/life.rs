//! What is done to the groups and topics of a generation around its life: where it begins, and what is left of it.

use crate::app::Run;
use crate::app::control::cluster;
use crate::app::generations::Generation;
use crate::app::topics::{METADATA_WITHIN, changelogs};
use crate::app::vault::left_behind;
use crate::config::{Config, Start};
use crate::disk;
use crate::error::{Code, Result};
use crate::kafka::{Operator, Place, TopicInfo, look_up};
use crate::pipeline::Role;
use crate::record::{PartitionId, SourceId};
use crate::release::ledger::Pair;

/// Partitions of which generations take turns to speak: those of all sources but tables.
pub(super) fn shared(Generation { run, counts }: &Generation) -> Vec<(PartitionId, String)> {
    let pipeline = run.release.pipeline();
    let sources =
        (0..pipeline.sources.len() as SourceId).filter(|source| pipeline.role(*source) != Role::Table);
    let partitions = |source: SourceId| {
        let topic = &pipeline.topics[usize::from(source)];
        let all = 0..counts[usize::from(source)];
        all.map(move |partition| (PartitionId { source, partition }, topic.clone()))
    };
    sources.flat_map(partitions).collect()
}

/// Partitions of a generation's repartition topics.
pub(super) fn internal(Generation { run, counts }: &Generation) -> Vec<(PartitionId, String)> {
    let topics = run.release.pipeline().repartition_topics();
    let partitions = |(source, topic): (SourceId, &str)| {
        let (topic, all) = (topic.to_owned(), 0..counts[usize::from(source)]);
        all.map(move |partition| (PartitionId { source, partition }, topic.clone()))
    };
    topics.flat_map(partitions).collect()
}

pub(super) fn places(shared: &[(PartitionId, String)]) -> Vec<Place<'_>> {
    shared.iter().map(|(id, topic)| (topic.as_str(), id.partition)).collect()
}

/// Puts the group of a new generation where its history begins, if nobody has yet; never behind the older one, which may
/// be that far back. What that has never read is all new.
pub(super) fn begin(generation: &Generation, older: &Config, from: i64) -> Result<()> {
    let (shared, config) = (shared(generation), &generation.run.config);
    let places = places(&shared);
    let own = Operator::connect(cluster(config), config.group())?;
    let before = Operator::connect(cluster(older), older.group())?.committed(&places)?;
    let (committed, found) = (own.committed(&places)?, own.find(&places, Start::At(from))?);
    let all = places.iter().zip(committed).zip(found.into_iter().zip(before));
    let begins = all.filter_map(|((place, committed), (found, before))| match (committed, before) {
        (None, Some(before)) => Some((*place, before.min(found))),
        _ => None,
    });
    match own.commit(&begins.collect::<Vec<_>>()) {
        // Another host was sooner, and its threads are there.
        Err(error) if error.code == Code::Running => Ok(()),
        done => done,
    }
}

/// Gives the floor back for a generation that nobody runs any more. `first`: one that reads the same topics.
pub(super) fn close(first: &Generation, closing: &Config, to: u64) -> Result<()> {
    let shared = shared(first);
    let aside = closing.releases_topic();
    let operator = Operator::connect(cluster(closing), closing.group())?;
    operator.close(&places(&shared), (&aside, 0), format!("{}-", closing.group()), to)
}

/// How many records the newer one has to read until it is where the older one is.
pub(in crate::app) fn left(own: &Config, pair: Pair<'_>) -> Result<u64> {
    let asker = |generation: u64| {
        let config = own.in_generation(generation);
        Operator::connect(cluster(&config), config.group())
    };
    // Their sources are the same, and so are this host's, or the two are none of its own.
    let topics: Vec<&str> =
        own.source.iter().filter(|source| !source.table).map(|source| source.topic.as_str()).collect();
    let found = look_up(&cluster(own), &topics, METADATA_WITHIN)?;
    let count = |found: Option<TopicInfo>| found.map_or(0, |topic| topic.partitions as i32);
    let all = topics.iter().zip(found);
    let places: Vec<Place<'_>> =
        all.flat_map(|(topic, found)| (0..count(found)).map(move |partition| (*topic, partition))).collect();
    let (older, newer) =
        (asker(pair.older)?.committed(&places)?, asker(pair.newer.number)?.committed(&places)?);
    let left = older.into_iter().zip(newer);
    let left = left.map(|(older, newer)| (older.unwrap_or(0) - newer.unwrap_or(0)).max(0) as u64);
    Ok(left.sum())
}

/// Deletes what a generation kept: its internal topics, and what lies on this machine. The group stays, until brokers
/// forget it: its fences are for a host that was away all the time and does not know yet. An error of
/// [`Code::Running`]: somebody runs it still.
pub(super) fn forget(generation: &Generation) -> Result<()> {
    let Run { config, release, lodge, .. } = &*generation.run;
    let operator = Operator::connect(cluster(config), config.group())?;
    operator.commit(&[((&config.releases_topic(), 0), 0)])?;
    let pipeline = release.pipeline();
    let repartition = pipeline.repartition_topics().map(|(_, name)| name);
    let internal: Vec<&str> = repartition.chain(changelogs(pipeline).map(|(name, _)| name)).collect();
    let found = look_up(&cluster(config), &internal, METADATA_WITHIN)?;
    let there: Vec<&str> =
        internal.into_iter().zip(found).filter_map(|(name, found)| found.map(|_| name)).collect();
    operator.delete_topics(&there)?;
    // Its last threads have left their tasks, which lock the directories.
    lodge.empty();
    left_behind(config)?.iter().try_for_each(|directory| disk::delete(directory))
}
