//! Looks at the releases of a pipeline and proposes others, beside the processes that run it.
//!
//! Nothing is decided here: hosts try what is proposed, and one of them numbers it. Files of releases are fetched to
//! a directory of this process alone.

mod ask;
mod scratch;

use std::sync::Arc;

use super::control::{Control, Pen, cluster, is_there};
use super::steward::{Loader, pieces};
use super::topics::METADATA_WITHIN;
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::kafka::topics;
use crate::pipeline::{Changes, succession};
use crate::release::history::{Event, What};
use crate::release::manifest::{Content, Manifest, Proposal, Refusal};
use crate::release::{Release, Runtimes, settings};
use scratch::Scratch;

/// The releases of one pipeline.
#[derive(Debug)]
pub struct Releases {
    /// As the file has it, with another directory for state.
    own: Config,
    control: Control,
    pen: Pen,
    loader: Loader,
    /// Removed last.
    _scratch: Scratch,
}

/// What files would change.
#[derive(Debug)]
pub struct Plan {
    pub pipeline: String,
    pub current: Option<Manifest>,
    pub content: Content,
    /// None: there is nothing to follow, or this very content runs. An error: it can't follow.
    pub changes: Option<Result<Changes>>,
    /// Whether topics are there that were not written to before.
    pub topics: Result<()>,
}

impl Plan {
    /// An error if the files can't follow what runs.
    pub fn verdict(&self) -> Result<()> {
        let verdict = match &self.changes {
            None => Ok(()),
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(_)) => self.topics.clone(),
        };
        verdict.map_err(|error| error.at(&self.pipeline))
    }
}

/// How things are.
#[derive(Debug)]
pub struct Status {
    pub pipeline: String,
    pub current: Option<Manifest>,
    /// Numbers of those that are kept, the oldest first.
    pub kept: Vec<u64>,
    pub waiting: Vec<Proposal>,
    /// The last ones, the newest first.
    pub refusals: Vec<Refusal>,
    /// Hosts that said that they run the current one, or that they can't; the newest first.
    pub hosts: Vec<Event>,
}

/// Refusals that are shown.
const REFUSALS: usize = 3;

impl Releases {
    /// Of a pipeline that has run once.
    pub fn open(config: Config, runtimes: &Arc<Runtimes>) -> Result<Self> {
        let name = config.name.clone();
        Self::connect(config, runtimes).map_err(|error| error.at(name))
    }

    fn connect(mut own: Config, runtimes: &Arc<Runtimes>) -> Result<Self> {
        if !own.releases.enabled {
            let text = "releases.enabled is false: what runs changes with a restart alone";
            return Err(Error::new(Code::ConfigValue, text));
        }
        if !is_there(&own)? {
            let text = format!(
                "topic `{}` does not exist: the pipeline has not run yet. Its first start makes its files release 1",
                own.releases_topic()
            );
            return Err(Error::new(Code::TopicMissing, text));
        }
        let scratch = Scratch::new()?;
        own.state.directory = scratch.path().to_owned();
        let (control, pen) = (Control::open(&own)?, Pen::new(&own));
        let loader = Loader::new(own.clone(), Arc::clone(runtimes))?;
        Ok(Self { own, control, pen, loader, _scratch: scratch })
    }

    /// The pipeline's name.
    pub fn pipeline(&self) -> &str {
        &self.own.name
    }

    /// What the pipeline file and all that it names would change. Loads and checks all of it.
    pub fn plan(&mut self) -> Result<Plan> {
        self.compare().map_err(|error| error.at(&self.own.name))
    }

    fn compare(&mut self) -> Result<Plan> {
        let content = Content::take(&self.own, &self.loader.depot)?;
        let current = self.control.ledger.current().cloned();
        let is_same = current.as_ref().is_some_and(|current| current.facts.content.id == content.id);
        let new = self.load(&content)?;
        let changes = match &current {
            Some(current) if !is_same => {
                let old = self.load(&current.facts.content);
                let old = old.map_err(|error| error.at(format!("release {}", current.stamp())))?;
                let changes = succession(old.pipeline(), new.pipeline());
                let changes =
                    changes.and_then(|changes| new.try_migrations(old.pipeline()).map(|()| changes));
                Some(changes.and_then(|changes| with_settings(changes, &current.facts.content, &content)))
            }
            _ => None,
        };
        let topics = match &changes {
            Some(Ok(changes)) => self.look_for(&changes.topics),
            _ => Ok(()),
        };
        Ok(Plan { pipeline: self.own.name.clone(), current, content, changes, topics })
    }

    fn look_for(&self, names: &[String]) -> Result<()> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        if names.is_empty() {
            return Ok(());
        }
        topics(&cluster(&self.own), &names, METADATA_WITHIN).map(drop)
    }

    fn load(&mut self, content: &Content) -> Result<Arc<Release>> {
        let pieces = pieces(&self.control.ledger, content);
        self.loader.load(content, &pieces, &mut self.pen)
    }

    /// What runs, what waits, and what was refused.
    pub fn status(&self) -> Result<Status> {
        let ledger = &self.control.ledger;
        let current = ledger.current().cloned();
        let mut hosts: Vec<Event> = Vec::new();
        for event in self.events()?.into_iter().rev() {
            let is_told = matches!(event.what, What::Runs | What::Failed);
            let is_current = current.as_ref().is_some_and(|current| event.number == Some(current.number));
            if is_told && is_current && hosts.iter().all(|other| other.by != event.by) {
                hosts.push(event);
            }
        }
        Ok(Status {
            pipeline: self.own.name.clone(),
            kept: ledger.releases().map(|release| release.number).collect(),
            waiting: ledger.waiting().into_iter().cloned().collect(),
            refusals: ledger.refusals().into_iter().rev().take(REFUSALS).cloned().collect(),
            current,
            hosts,
        })
    }

    /// What happened last, the oldest first.
    pub fn history(&self, last: usize) -> Result<Vec<Event>> {
        let mut events = self.events()?;
        events.drain(..events.len().saturating_sub(last));
        Ok(events)
    }

    fn events(&self) -> Result<Vec<Event>> {
        super::control::history(&self.own).map_err(|error| error.at(&self.own.name))
    }
}

/// Settings too, which pipelines don't tell.
fn with_settings(mut changes: Changes, old: &Content, new: &Content) -> Result<Changes> {
    for settings::Setting { stage, key, from, to } in settings::compare(old, new)? {
        let text = |side: Option<String>| side.unwrap_or_else(|| "unset".to_owned());
        changes.note(stage, format!("{key} {} -> {}", text(from), text(to)));
    }
    Ok(changes)
}
