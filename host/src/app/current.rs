//! The release that a pipeline goes by, for those who look at what it keeps: it may be of other files than this machine's.
//! Nothing is written but to a directory of this process alone.

use std::sync::Arc;

use tracing::{info, warn};

use super::Run;
use super::control::{Control, Pen, is_there};
use super::scratch::Scratch;
use super::steward::{Loader, pieces};
use crate::config::Config;
use crate::engine::View;
use crate::error::Result;
use crate::release::manifest::Manifest;
use crate::release::{Release, Runtimes};

/// What the pipeline's topic says; none: there is no release yet.
fn control(config: &Config) -> Result<Option<Control>> {
    if !config.releases.enabled || !is_there(config)? {
        return Ok(None);
    }
    let control = Control::open(config)?;
    Ok(control.ledger.current().is_some().then_some(control))
}

/// The current release, of its own files, and how it is configured here.
fn load(
    own: &Config,
    control: &Control,
    runtimes: &Arc<Runtimes>,
) -> Result<Option<(Arc<Release>, Config, u64)>> {
    let Some(Manifest { number, facts, .. }) = control.ledger.current() else { return Ok(None) };
    let scratch = Scratch::new()?;
    let mut aside = own.clone();
    scratch.path().clone_into(&mut aside.state.directory);
    let (mut pen, mut loader) = (Pen::new(&aside), Loader::new(aside, Arc::clone(runtimes))?);
    let (content, generation) = (&facts.content, facts.generation);
    let release = loader.load(content, generation, &pieces(&control.ledger, content), &mut pen);
    let release = release.map_err(|error| error.at(format!("release {number}-{}", facts.content.id)))?;
    let mut config = loader.configured(content, generation)?;
    config.state.directory.clone_from(&own.state.directory);
    Ok(Some((release, config, *number)))
}

impl Run {
    /// As the release that the pipeline goes by, to look at what it keeps; as these files, where there is none or
    /// nobody can be asked.
    pub fn load_current(config: Config, runtimes: &Arc<Runtimes>) -> Result<Self> {
        let pipeline = &config.name;
        match control(&config) {
            Ok(Some(control)) => {
                let loaded = load(&config, &control, runtimes).map_err(|error| error.at(pipeline))?;
                if let Some((release, config, number)) = loaded {
                    return Ok(Self::with(config, release.renumbered(number), runtimes));
                }
            }
            Ok(None) if config.releases.enabled => {
                info!(%pipeline, "it has no release yet: what is kept is read as these files have it");
            }
            Ok(None) => {}
            Err(error) => warn!(
                %pipeline,
                "which release is the current one can't be asked; what is kept is read as these files have it: {} {error}",
                error.code
            ),
        }
        Self::load(config, runtimes)
    }

    /// These files in the generation that runs, also where releases are not to be. An error: there are two.
    pub(super) fn in_generation(self) -> Result<Self> {
        if !is_there(&self.config)? {
            return Ok(self);
        }
        let Control { ledger, .. } = Control::open(&self.config)?;
        if let Some(pair) = ledger.pair() {
            return Err(pair.on_its_way());
        }
        let generation = ledger.generation();
        let run = match generation == self.config.generation() {
            true => self,
            false => Self::load(self.config.in_generation(generation), &self.runtimes)?,
        };
        run.floor.set(View { over: ledger.over(generation), ..View::default() });
        Ok(run)
    }

    /// The current release, if it is another one than these files.
    pub(super) fn current(&self) -> Option<Arc<Release>> {
        let loaded = self.other().and_then(|other| match other {
            Some(control) => load(&self.config, &control, &self.runtimes),
            None => Ok(None),
        });
        let loaded = loaded.inspect_err(|error| {
            let pipeline = &self.config.name;
            warn!(%pipeline, "the current release can't be read; these files alone count: {} {error}", error.code);
        });
        loaded.ok().flatten().map(|(release, ..)| release)
    }

    /// Stamp of the current release, if it is another one than these files. Asks the brokers.
    pub fn runs_other(&self) -> Result<Option<String>> {
        let other = self.other().map_err(|error| error.at(&self.config.name))?;
        Ok(other.and_then(|control| control.ledger.current().map(Manifest::stamp)))
    }

    /// What the topic says, if that is another release than these files.
    fn other(&self) -> Result<Option<Control>> {
        let own = &self.release.pipeline().identity.id;
        let is_other = |control: &Control| {
            control.ledger.current().is_some_and(|current| current.facts.content.id != *own)
        };
        Ok(control(&self.config)?.filter(is_other))
    }
}
