//! Which release a host begins with: the current one of the topic, or, where there is none yet, its own files.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::load::{Loader, pieces};
use crate::app::control::{Control, Pen, make_topics, now};
use crate::app::{Run, Until, stores};
use crate::config::Config;
use crate::engine::View;
use crate::error::{Code, Error, Result};
use crate::release::Runtimes;
use crate::release::history::Event;
use crate::release::ledger::Ledger;
use crate::release::manifest::{Content, Facts, How, Manifest, Ticket};
use crate::release::who::user_at_host;

/// What was written is read within this.
const READ_WITHIN: Duration = Duration::from_secs(30);

/// What the steward goes on with.
#[derive(Debug)]
pub(in crate::app) struct Opened {
    /// As the host was started.
    pub own: Config,
    pub control: Control,
    pub loader: Loader,
}

impl Run {
    /// For [`run`](crate::app::run): as the release that the pipeline's topic names. Without releases, and in a run that
    /// ends by itself, the same as [`Run::load`].
    pub fn start(config: Config, runtimes: &Arc<Runtimes>, until: Until) -> Result<Self> {
        let place = config.name.clone();
        if until == Until::End || !config.releases.enabled {
            let run = Self::load(config, runtimes)?;
            return run.in_generation().map_err(|error| error.at(place));
        }
        Self::open(config, runtimes).map_err(|error| error.at(place))
    }

    fn open(own: Config, runtimes: &Arc<Runtimes>) -> Result<Self> {
        make_topics(&own)?;
        let mut control = Control::open(&own)?;
        let mut loader = Loader::new(own.clone(), Arc::clone(runtimes))?;
        let mut pen = Pen::new(&own);
        if control.ledger.current().is_none() {
            begin(&own, runtimes, &mut control, &mut loader, &mut pen)?;
        }
        // Of two generations the older one is opened first.
        let current = control.ledger.pair().map(|pair| pair.before).or(control.ledger.current()).cloned();
        let current = current.ok_or_else(|| Error::new(Code::Internal, "no release is the current one"))?;
        let Facts { content, generation, .. } = &current.facts;
        let release = loader.load(content, *generation, &pieces(&control.ledger, content), &mut pen);
        let release = release.map_err(|error| error.at(format!("release {}", current.stamp())))?;
        let config = loader.configured(content, *generation)?;
        stores::check(&config, release.pipeline())?;
        let run = Self::with(config, release.renumbered(current.number), runtimes);
        run.floor.set(View { over: control.ledger.over(*generation), ..View::default() });
        if let Some(before) = may_come_back(&own, &current, &control.ledger) {
            let content = &before.facts.content;
            let generation = before.facts.generation;
            match loader.load(content, generation, &pieces(&control.ledger, content), &mut pen) {
                Ok(release) => run.baton.keep_beside(Arc::new(release.renumbered(before.number))),
                Err(error) => {
                    let (stamp, code) = (before.stamp(), error.code);
                    warn!(
                        "release {stamp}, which may come back, can't be loaded, and nothing is kept for it: {code} {error}"
                    );
                }
            }
        }
        Ok(Self { steward: Arc::new(Mutex::new(Some(Box::new(Opened { own, control, loader })))), ..run })
    }
}

/// What ran before, if the current release is on probation: as long as since it was made a host may find it bad.
fn may_come_back<'a>(own: &Config, current: &Manifest, ledger: &'a Ledger) -> Option<&'a Manifest> {
    let Facts { how, at, content, generation, .. } = &current.facts;
    let length = i64::try_from(own.releases.probation.get().as_millis()).unwrap_or(i64::MAX);
    if !matches!(how, How::Apply | How::File) || now() >= at.saturating_add(length) {
        return None;
    }
    let is_other = |one: &&Manifest| {
        let is_of_it = one.facts.generation == *generation;
        one.number < current.number && is_of_it && one.facts.content.id != content.id
    };
    ledger.releases().rev().find(is_other)
}

/// Nothing has run yet: the host's own files become the first release.
fn begin(
    own: &Config,
    runtimes: &Arc<Runtimes>,
    control: &mut Control,
    loader: &mut Loader,
    pen: &mut Pen,
) -> Result<()> {
    let content = Content::take(own, &loader.depot)?;
    let release = loader.load(&content, 0, &pieces(&control.ledger, &content), pen)?;
    // Topics that are missing are told before anything is written.
    Run::with(loader.configured(&content, 0)?, release.renumbered(0), runtimes).check_topics(false)?;
    write(content, How::Start, "", control, loader, pen)
}

/// After a reset what comes need not fit what was: this host's files become the next release, if they are others than
/// the current one's. No process of the pipeline runs.
pub(in crate::app) fn renumber_after_reset(own: &Config, runtimes: &Arc<Runtimes>) -> Result<()> {
    let mut control = Control::open(own)?;
    let mut loader = Loader::new(own.clone(), Arc::clone(runtimes))?;
    let content = Content::take(own, &loader.depot)?;
    if control.ledger.current().is_none_or(|current| current.facts.content.id == content.id) {
        return Ok(());
    }
    write(content, How::Apply, "the state was reset", &mut control, &mut loader, &mut Pen::new(own))
}

/// Writes the next release, and waits until a release of this number is there, whosever it is.
fn write(
    content: Content,
    how: How,
    why: &str,
    control: &mut Control,
    loader: &mut Loader,
    pen: &mut Pen,
) -> Result<()> {
    let facts = Facts {
        content,
        by: user_at_host(),
        how,
        at: now(),
        why: why.to_owned(),
        returns_to: None,
        bootstrap: None,
        generation: control.ledger.generation(),
    };
    let manifest = Manifest { number: control.ledger.next_number(), ticket: Ticket::random(), facts };
    let artifacts = &manifest.facts.content.artifacts;
    pen.upload(&loader.depot, artifacts.iter().filter(|one| control.ledger.chunks(one).is_none()))?;
    pen.release(&manifest)?;
    let began = Instant::now();
    while control.ledger.current().is_none_or(|current| current.number < manifest.number) {
        if began.elapsed() > READ_WITHIN {
            let text =
                format!("what was written to the topic of releases did not come back within {READ_WITHIN:?}");
            return Err(Error::new(Code::BrokerUnreachable, text));
        }
        control.read(Duration::from_millis(20))?;
    }
    if control.ledger.current().is_some_and(|current| current.ticket == manifest.ticket) {
        info!(release = %manifest.stamp(), how = how.name(), "these files are the current release");
        if let Err(error) = pen.tell(&[Event::released(&manifest)]) {
            warn!("the history of releases lacks a line: {} {error}", error.code);
        }
    }
    Ok(())
}
