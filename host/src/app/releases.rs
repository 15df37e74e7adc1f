//! Looks at the releases of a pipeline and proposes others, beside the processes that run it.
//!
//! Nothing is decided here: hosts try what is proposed, and one of them numbers it. Files of releases are fetched to
//! a directory of this process alone.

mod ask;
mod topic;

use std::sync::Arc;

use super::control::{Control, Pen, cluster, is_there};
use super::scratch::Scratch;
use super::steward::{Board, Loader, can_read_history, life, pieces};
use super::topics::METADATA_WITHIN;
use crate::config::{Config, Role};
use crate::error::{Code, Error, Result};
use crate::kafka::topics;
use crate::pipeline::{Changes, Pipeline, succession, succession_from_history};
use crate::release::history::Event;
use crate::release::manifest::{Artifact, Content, Digest, Manifest};
use crate::release::status::{Phase, Status};
use crate::release::{Release, Runtimes, settings};
use topic::Topic;

/// The releases of one pipeline.
#[derive(Debug)]
pub struct Releases {
    /// As the file has it; where it was read for this, with another directory for state.
    own: Config,
    topic: Topic,
    pen: Pen,
    loader: Loader,
    /// Of a pipeline of this process: what runs need not be loaded.
    running: Option<Arc<Release>>,
    /// Removed last.
    _scratch: Option<Scratch>,
}

/// What files would change.
#[derive(Debug)]
pub struct Plan {
    pub pipeline: String,
    pub current: Option<Manifest>,
    pub content: Content,
    /// The sources are to be read again from this time on, in milliseconds since the epoch.
    pub bootstrap: Option<i64>,
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
        let (topic, pen) = (Topic::Read(Box::new(Control::open(&own)?)), Pen::new(&own));
        let loader = Loader::new(own.clone(), Arc::clone(runtimes))?;
        Ok(Self { own, topic, pen, loader, running: None, _scratch: Some(scratch) })
    }

    /// Of a pipeline that runs in this process, with its files.
    pub(super) fn beside(
        own: Config,
        runtimes: &Arc<Runtimes>,
        board: &Arc<Board>,
        running: Arc<Release>,
        pen: Pen,
    ) -> Result<Self> {
        let topic = Topic::told(board).map_err(|error| error.at(&own.name))?;
        let loader = Loader::new(own.clone(), Arc::clone(runtimes))?;
        Ok(Self { own, topic, pen, loader, running: Some(running), _scratch: None })
    }

    /// An error: a pipeline of this process takes none while it runs.
    pub(super) fn are_taken(board: &Arc<Board>) -> Result<()> {
        Topic::told(board).map(drop)
    }

    /// To be used again.
    pub(super) fn into_pen(self) -> Pen {
        self.pen
    }

    /// The pipeline's name.
    pub fn pipeline(&self) -> &str {
        &self.own.name
    }

    /// What the pipeline file and all that it names would change. Loads and checks all of it. `bootstrap`: windows are to
    /// be made anew, of what the sources have since then.
    pub fn plan(&mut self, bootstrap: Option<i64>) -> Result<Plan> {
        let content = Content::take(&self.own, &self.loader.depot);
        let plan = content.and_then(|content| self.compare(content, bootstrap));
        plan.map_err(|error| error.at(&self.own.name))
    }

    /// What another file of a stage would change, which is in the depot.
    pub(super) fn plan_with(
        &mut self,
        role: Role,
        digest: Digest,
        bytes: u64,
        signature: Option<[u8; 64]>,
        bootstrap: Option<i64>,
    ) -> Result<Plan> {
        let content = self.with(role, digest, bytes, signature);
        let plan = content.and_then(|content| self.compare(content, bootstrap));
        plan.map_err(|error| error.at(&self.own.name))
    }

    fn with(&self, role: Role, digest: Digest, bytes: u64, signature: Option<[u8; 64]>) -> Result<Content> {
        let none = || Error::new(Code::NoRelease, format!("there is no release yet with a file for {role}"));
        let ledger = self.topic.ledger();
        // What it is to become would be undone.
        if let Some(other) = ledger.waiting().first() {
            let text = format!("proposal {} of {} waits for its answer", other.ticket, other.facts.by);
            return Err(Error::new(Code::Unanswered, text));
        }
        let current = &ledger.current().ok_or_else(none)?.facts.content;
        let before = current.artifacts.iter().find(|one| one.role == role).ok_or_else(none)?;
        let artifact = Artifact { digest, bytes, signature, ..before.clone() };
        current.with(artifact, &self.own, &self.loader.depot)?.ok_or_else(none)
    }

    fn compare(&mut self, content: Content, bootstrap: Option<i64>) -> Result<Plan> {
        let ledger = self.topic.ledger();
        let current = ledger.current().cloned();
        let is_same = current.as_ref().is_some_and(|current| current.facts.content.id == content.id);
        let generation = if bootstrap.is_some() { ledger.next_number() } else { ledger.generation() };
        let new = self.load(&content, generation)?;
        let changes = match &current {
            Some(current) if !is_same || bootstrap.is_some() => {
                let old = self.load_current(current)?;
                let changes = self.succession(old.pipeline(), &new, bootstrap);
                Some(changes.and_then(|changes| with_settings(changes, &current.facts.content, &content)))
            }
            _ => None,
        };
        let topics = match &changes {
            Some(Ok(changes)) => self.look_for(&changes.topics),
            _ => Ok(()),
        };
        Ok(Plan { pipeline: self.own.name.clone(), current, content, bootstrap, changes, topics })
    }

    fn succession(&self, old: &Pipeline, new: &Release, bootstrap: Option<i64>) -> Result<Changes> {
        if let Some(pair) = self.topic.ledger().pair() {
            return Err(pair.on_its_way());
        }
        if bootstrap.is_none() {
            let changes = succession(old, new.pipeline())?;
            return new.try_migrations(old).map(|()| changes);
        }
        can_read_history(&self.own)?;
        succession_from_history(old, new.pipeline())
    }

    fn look_for(&self, names: &[String]) -> Result<()> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        if names.is_empty() {
            return Ok(());
        }
        topics(&cluster(&self.own), &names, METADATA_WITHIN).map(drop)
    }

    fn load_current(&mut self, current: &Manifest) -> Result<Arc<Release>> {
        let id = &current.facts.content.id;
        let running = self.running.as_ref().filter(|running| running.pipeline().identity.id == *id);
        if let Some(running) = running {
            return Ok(Arc::clone(running));
        }
        self.load(&current.facts.content, current.facts.generation)
            .map_err(|error| error.at(format!("release {}", current.stamp())))
    }

    fn load(&mut self, content: &Content, generation: u64) -> Result<Arc<Release>> {
        let pieces = pieces(self.topic.ledger(), content);
        self.loader.load(content, generation, &pieces, &mut self.pen)
    }

    /// What runs, what waits, and what was refused.
    pub fn status(&self) -> Result<Status> {
        let mut status = Status::of(&self.own.name, self.topic.ledger(), self.events()?);
        if let (Some(handover), Some(pair)) = (&mut status.handover, self.topic.ledger().pair())
            && handover.phase == Phase::ReadsHistory
        {
            handover.records = Some(life::left(&self.own, pair).map_err(|error| error.at(&self.own.name))?);
        }
        Ok(status)
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
