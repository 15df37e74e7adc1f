//! From a content to a release that is loaded and checked.

use std::sync::Arc;

use crate::app::control::Pen;
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::release::depot::Depot;
use crate::release::ledger::Ledger;
use crate::release::manifest::Content;
use crate::release::signature::Keys;
use crate::release::{Release, Runtimes};

/// Releases that stay loaded: one that runs, one that is to, and one before.
const LOADED: usize = 3;

/// Where the bytes of a content's files lie in the control topic, in their order; none: not all are there.
pub(in crate::app) type Pieces = Vec<Option<Vec<i64>>>;

pub(in crate::app) fn pieces(ledger: &Ledger, content: &Content) -> Pieces {
    content.artifacts.iter().map(|artifact| ledger.chunks(artifact)).collect()
}

#[derive(Debug)]
pub(in crate::app) struct Loader {
    /// As the host was started.
    own: Config,
    pub depot: Depot,
    keys: Keys,
    runtimes: Arc<Runtimes>,
    /// What was used last is last. A content is known by all of it: its id is only what its writer says, and
    /// its signatures count.
    loaded: Vec<(Content, u64, Arc<Release>)>,
}

impl Loader {
    pub fn new(own: Config, runtimes: Arc<Runtimes>) -> Result<Self> {
        let (depot, keys) = (Depot::of(&own)?, Keys::of(&own)?);
        Ok(Self { own, depot, keys, runtimes, loaded: Vec::new() })
    }

    /// All files are fetched that are not here; then all is checked that can be by itself. `generation`: whose state and
    /// internal topics it is to have.
    pub fn load(
        &mut self,
        content: &Content,
        generation: u64,
        pieces: &Pieces,
        pen: &mut Pen,
    ) -> Result<Arc<Release>> {
        if let Some(release) = self.keep(content, generation) {
            return Ok(release);
        }
        self.fetch(content, pieces, pen)?;
        content.check_signatures(&self.keys, &self.depot)?;
        let config = self.configured(content, generation)?;
        let release = Release::load(&config, &self.runtimes);
        let release = Arc::new(release.map_err(|error| content.in_its_words(&self.depot, error))?);
        self.loaded.push((content.clone(), generation, Arc::clone(&release)));
        if self.loaded.len() > LOADED {
            self.loaded.remove(0);
        }
        Ok(release)
    }

    /// This host's settings with a content, in a generation.
    pub fn configured(&self, content: &Content, generation: u64) -> Result<Config> {
        Ok(content.configured(&self.own, &self.depot)?.in_generation(generation))
    }

    /// This one is used last, if it is loaded.
    fn keep(&mut self, content: &Content, generation: u64) -> Option<Arc<Release>> {
        let place = self.loaded.iter().position(|(own, of, _)| (own, *of) == (content, generation))?;
        let found = self.loaded.remove(place);
        let release = Arc::clone(&found.2);
        self.loaded.push(found);
        Some(release)
    }

    fn fetch(&self, content: &Content, pieces: &Pieces, pen: &mut Pen) -> Result<()> {
        for (artifact, offsets) in content.artifacts.iter().zip(pieces) {
            if self.depot.find(artifact.digest)?.is_some() {
                continue;
            }
            let offsets = offsets.as_ref().ok_or_else(|| {
                let file = &artifact.file;
                let text =
                    format!("{file}: not all of its bytes are in topic `{}`", self.own.releases_topic());
                Error::new(Code::ArtifactMissing, text)
            })?;
            let put = self.depot.put(artifact, offsets.iter().map(|offset| pen.fetch(*offset)));
            pen.fetched();
            put?;
        }
        Ok(())
    }
}
