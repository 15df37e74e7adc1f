//! Begins a pipeline anew: with empty windows, wherever it is to go on. What is kept is that of the release that ran, which
//! may be of other files than these.
//!
//! First the group is put there, which brokers refuse while it has members; then what was kept is deleted. Should
//! that be cut short, the pipeline does not run (TW606) until it is reset again.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Run;
use super::control;
use super::steward::renumber_after_reset;
use super::topics::{METADATA_WITHIN, changelogs};
use super::vault::left_behind;
use crate::config::{Delivery, Start};
use crate::disk;
use crate::error::{Code, Error, Result};
use crate::kafka::{Operator, Place, look_up, topics};
use crate::pipeline::{Pipeline, Role, SourceNode};
use crate::record::SourceId;
use crate::release::Release;

/// What a reset does.
#[derive(Clone, Debug, Default)]
pub struct Reset {
    pub group: String,
    pub moved: Vec<Moved>,
    /// Partitions of internal topics whose records are deleted: all before an offset.
    pub emptied: Vec<(String, i32, i64)>,
    /// Changelogs with another number of partitions than what they are for: a run makes them anew.
    pub deleted: Vec<String>,
    /// Of this machine.
    pub directories: Vec<PathBuf>,
}

/// A partition of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub topic: String,
    pub partition: i32,
    /// Where the group stands.
    pub from: Option<i64>,
    /// Where it is put; none: nothing is committed, and nothing will be.
    pub to: Option<i64>,
}

impl Run {
    /// What [`Run::reset`] would do. `to`: where to go on; none: where the group stands.
    pub fn plan_reset(&self, to: Option<Start>) -> Result<Reset> {
        let plan = || {
            let run = self.clone().in_generation()?;
            let operator = run.operator()?;
            run.refuse_running(&operator)?;
            run.plan(&operator, to, run.current().as_deref())
        };
        plan().map_err(|error| error.at(&self.config.name))
    }

    /// Does it.
    pub fn reset(&self, to: Option<Start>) -> Result<()> {
        self.clone()
            .in_generation()
            .and_then(|run| run.begin_anew(to))
            .map_err(|error| error.at(&self.config.name))
    }

    fn begin_anew(&self, to: Option<Start>) -> Result<()> {
        let operator = self.operator()?;
        self.refuse_running(&operator)?;
        let current = self.current();
        let plan = self.plan(&operator, to, current.as_deref())?;
        let places: Vec<Place<'_>> = plan.moved.iter().map(Moved::place).collect();
        let owners = operator.owners(&places, format!("{}-", self.config.group()))?;
        operator.commit(&plan.offsets())?;
        // Nobody runs it. When what was open has ended, ends are where they are.
        owners.end_transactions()?;
        let plan = self.plan(&operator, to, current.as_deref())?;
        operator.commit(&plan.offsets())?;
        let emptied: Vec<_> = plan
            .emptied
            .iter()
            .map(|(topic, partition, before)| ((topic.as_str(), *partition), *before))
            .collect();
        operator.delete_before(&emptied)?;
        operator.delete_topics(&plan.deleted.iter().map(String::as_str).collect::<Vec<_>>())?;
        plan.directories.iter().try_for_each(|directory| disk::delete(directory))?;
        // What ran before need not fit empty windows any better than these files.
        if self.config.releases.enabled && control::is_there(&self.config)? {
            renumber_after_reset(&self.config, &self.runtimes)?;
        }
        Ok(())
    }

    fn operator(&self) -> Result<Operator> {
        // What brokers have against this client is told at once.
        look_up(&self.cluster(), &[&self.release.pipeline().sources[0].topic], METADATA_WITHIN)?;
        Operator::connect(self.cluster(), self.config.group())
    }

    fn refuse_running(&self, operator: &Operator) -> Result<()> {
        let members = operator.members()?;
        if members.is_empty() {
            return Ok(());
        }
        let message = format!(
            "group `{}` has {} members: {}\nStop all processes of the pipeline first. One that was killed, or has a \
             kafka.instance, is counted until its session times out: 6 s.",
            self.config.group(),
            members.len(),
            members.join(", ")
        );
        Err(Error::new(Code::Running, message))
    }

    /// Of the release that runs, as far as it is another one, and of these files, which run next.
    fn plan(&self, operator: &Operator, to: Option<Start>, current: Option<&Release>) -> Result<Reset> {
        let own = self.release.pipeline();
        let mut reset = Reset { group: self.config.group(), ..Reset::default() };
        let names: Vec<&str> = own.sources.iter().map(|source| source.topic.as_str()).collect();
        topics(&self.cluster(), &names, METADATA_WITHIN)?;
        let mut known = BTreeSet::new();
        for pipeline in [own].into_iter().chain(current.map(Release::pipeline)) {
            self.add(pipeline, (operator, to), &mut known, &mut reset)?;
        }
        if self.config.delivery == Delivery::ExactlyOnce {
            reset.directories = left_behind(&self.config)?;
        }
        reset.emptied.retain(|(_, _, end)| *end > 0);
        Ok(reset)
    }

    /// What is to be done to topics of a pipeline that are not `known` yet.
    fn add(
        &self,
        pipeline: &Pipeline,
        (operator, to): (&Operator, Option<Start>),
        known: &mut BTreeSet<String>,
        reset: &mut Reset,
    ) -> Result<()> {
        let count = |name: &str| -> Result<i32> {
            let found = look_up(&self.cluster(), &[name], METADATA_WITHIN)?.pop().flatten();
            Ok(found.map_or(0, |topic| topic.partitions as i32))
        };
        let mut counts = Vec::new();
        for (source, SourceNode { topic, .. }) in pipeline.sources.iter().enumerate() {
            let partitions = count(topic)?;
            if pipeline.role(source as SourceId) != Role::Table && known.insert(topic.clone()) {
                reset.moved.extend(moved(operator, topic, partitions, to)?);
            }
            counts.push(partitions);
        }
        for (_, name) in pipeline.repartition_topics() {
            let partitions = count(name)?;
            counts.push(partitions);
            if known.insert(name.to_owned()) {
                let moved = moved(operator, name, partitions, Some(Start::Latest))?;
                reset
                    .emptied
                    .extend(moved.iter().filter_map(|one| Some((one.topic.clone(), one.partition, one.to?))));
                reset.moved.extend(moved);
            }
        }
        if self.config.delivery == Delivery::AtLeastOnce {
            return Ok(());
        }
        for (name, source) in changelogs(pipeline) {
            if !known.insert(name.to_owned()) {
                continue;
            }
            let (partitions, source) = (count(name)?, counts[usize::from(source)]);
            if partitions > 0 && source > 0 && partitions != source {
                reset.deleted.push(name.to_owned());
                continue;
            }
            let places: Vec<Place<'_>> = (0..partitions).map(|partition| (name, partition)).collect();
            let ends = places.iter().zip(operator.find(&places, Start::Latest)?);
            reset.emptied.extend(ends.map(|((name, partition), end)| ((*name).to_owned(), *partition, end)));
        }
        Ok(())
    }
}

impl Reset {
    /// What is committed.
    fn offsets(&self) -> Vec<(Place<'_>, i64)> {
        self.moved.iter().filter_map(|one| Some((one.place(), one.to?))).collect()
    }
}

impl Moved {
    fn place(&self) -> Place<'_> {
        (&self.topic, self.partition)
    }
}

fn moved(operator: &Operator, topic: &str, count: i32, to: Option<Start>) -> Result<Vec<Moved>> {
    let places: Vec<Place<'_>> = (0..count).map(|partition| (topic, partition)).collect();
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let from = operator.committed(&places)?;
    let to = match to {
        Some(start) => operator.find(&places, start)?.into_iter().map(Some).collect(),
        None => from.clone(),
    };
    let moved = places.iter().zip(from.into_iter().zip(to));
    Ok(moved
        .map(|(place, (from, to))| Moved { topic: topic.to_owned(), partition: place.1, from, to })
        .collect())
}
