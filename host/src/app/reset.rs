//! Begins a pipeline anew: with empty windows, wherever it is to go on.
//!
//! First the group is put there, which brokers refuse while it has members; then what was kept is deleted. Should
//! that be cut short, the pipeline does not run (TW606) until it is reset again.

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
use crate::pipeline::Role;
use crate::record::SourceId;

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
            let operator = Operator::connect(self.cluster(), self.config.group())?;
            self.refuse_running(&operator)?;
            self.plan(&operator, to)
        };
        plan().map_err(|error| error.at(&self.config.name))
    }

    /// Does it.
    pub fn reset(&self, to: Option<Start>) -> Result<()> {
        self.begin_anew(to).map_err(|error| error.at(&self.config.name))
    }

    fn begin_anew(&self, to: Option<Start>) -> Result<()> {
        let operator = Operator::connect(self.cluster(), self.config.group())?;
        self.refuse_running(&operator)?;
        let plan = self.plan(&operator, to)?;
        let places: Vec<Place<'_>> = plan.moved.iter().map(Moved::place).collect();
        let owners = operator.owners(&places, format!("{}-", self.config.group()))?;
        operator.commit(&plan.offsets())?;
        // Nobody runs it. When what was open has ended, ends are where they are.
        owners.end_transactions()?;
        let plan = self.plan(&operator, to)?;
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

    fn plan(&self, operator: &Operator, to: Option<Start>) -> Result<Reset> {
        let (pipeline, cluster) = (self.release.pipeline(), self.cluster());
        let mut reset = Reset { group: self.config.group(), ..Reset::default() };
        let names: Vec<&str> = pipeline.sources.iter().map(|source| source.topic.as_str()).collect();
        let mut counts: Vec<i32> =
            topics(&cluster, &names, METADATA_WITHIN)?.iter().map(|topic| topic.partitions as i32).collect();
        for (source, name) in names.iter().enumerate() {
            if pipeline.role(source as SourceId) != Role::Table {
                reset.moved.extend(moved(operator, name, counts[source], to)?);
            }
        }
        let internal = |name: &str| -> Result<i32> {
            let found = look_up(&cluster, &[name], METADATA_WITHIN)?.pop().flatten();
            Ok(found.map_or(0, |topic| topic.partitions as i32))
        };
        for (_, name) in pipeline.repartition_topics() {
            let count = internal(name)?;
            let moved = moved(operator, name, count, Some(Start::Latest))?;
            reset
                .emptied
                .extend(moved.iter().filter_map(|one| Some((one.topic.clone(), one.partition, one.to?))));
            reset.moved.extend(moved);
            counts.push(count);
        }
        if self.config.delivery == Delivery::ExactlyOnce {
            for (name, source) in changelogs(pipeline) {
                let count = internal(name)?;
                if count > 0 && counts[usize::from(source)] > 0 && count != counts[usize::from(source)] {
                    reset.deleted.push(name.to_owned());
                    continue;
                }
                let places: Vec<Place<'_>> = (0..count).map(|partition| (name, partition)).collect();
                let ends = operator.find(&places, Start::Latest)?;
                let ends = places.iter().zip(ends);
                reset
                    .emptied
                    .extend(ends.map(|((name, partition), end)| ((*name).to_owned(), *partition, end)));
            }
            reset.directories = left_behind(&self.config)?;
        }
        reset.emptied.retain(|(_, _, end)| *end > 0);
        Ok(reset)
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
