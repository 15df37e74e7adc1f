//! Where a pipeline's state is kept by this process.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Run;
use crate::config::{Config, Delivery};
use crate::disk::{self, LocalDisk, Options};
use crate::engine::{Sum, VaultOptions};
use crate::error::{Code, Error, Result};

/// So many processes of a pipeline may share a directory.
const PLACES: usize = 1_000;

/// What all threads of a pipeline keep their state in, exactly once.
#[derive(Clone, Debug)]
pub(super) struct Cellar {
    pub disk: Arc<LocalDisk>,
    pub options: VaultOptions,
    /// Those of all threads.
    pub live: Sum,
}

impl Cellar {
    /// None: at least once, nothing is kept. `tasks`: so many there may be.
    pub fn open(run: &Run, tasks: usize) -> Result<Option<Self>> {
        let config = &run.config;
        if config.delivery == Delivery::AtLeastOnce {
            return Ok(None);
        }
        let state = &config.state;
        let options = Options {
            cache: state.cache.bytes(),
            buffer: state.tail.bytes(),
            flush_after: Duration::from_secs(10),
            ..Options::default()
        };
        let disk = (0..PLACES).find_map(|place| match LocalDisk::open(&folder(config, place), options) {
            // Another process of this pipeline has it.
            Err(error) if error.code == Code::StateLocked => None,
            opened => Some(opened),
        });
        let full = || Err(Error::new(Code::StateLocked, format!("{PLACES} processes share the directory")));
        let disk = disk.unwrap_or_else(full).map_err(|error| error.at(&config.name))?;
        let options = VaultOptions {
            tail_bytes: (state.tail.bytes() / tasks.max(1)).max(64 << 10),
            memory: state.memory.bytes(),
        };
        Ok(Some(Self { disk: Arc::new(disk), options, live: Sum::default() }))
    }

    /// No other process has this name; but the one that comes after this one has.
    pub fn name(&self) -> &str {
        self.disk.instance_id()
    }
}

fn folder(config: &Config, place: usize) -> PathBuf {
    config.path(&config.state.directory).join(config.kept_as()).join(place.to_string())
}

/// Directories that processes of this pipeline have left on this machine. An error: one has its own still.
pub(super) fn left_behind(config: &Config) -> Result<Vec<PathBuf>> {
    let mut left = Vec::new();
    for place in 0..PLACES {
        let folder = folder(config, place);
        if folder.exists() && disk::is_ours(&folder)? {
            left.push(folder);
        }
    }
    Ok(left)
}
