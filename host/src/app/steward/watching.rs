//! The host's own files, looked at from time to time.

use std::time::{Duration, Instant};

use tracing::{error, warn};

use super::desk::Reply;
use crate::config::Config;
use crate::release::content::files;
use crate::release::manifest::Content;
use crate::release::watch::{Disk, Sight, Watch};

/// How often.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Watching {
    watch: Watch,
    last: Option<Instant>,
    seen: Option<Sight>,
    /// What was said last, which is not said again.
    error: Option<String>,
    outer: Vec<&'static str>,
}

impl Watching {
    pub fn new(own: &Config) -> Self {
        let watch = Watch::new(files(own));
        Self { watch, last: None, seen: None, error: None, outer: Vec::new() }
    }

    pub fn look(&mut self) {
        if self.last.is_none_or(|last| last.elapsed() >= LOOK) {
            self.last = Some(Instant::now());
            self.seen = self.watch.look(&Disk);
        }
    }

    /// What was seen and is to be read.
    pub fn seen(&mut self) -> Option<Sight> {
        self.seen.take()
    }

    /// What came of reading: a content.
    pub fn heard(&mut self, reply: Reply, own: &Config) -> Option<Content> {
        match reply {
            Reply::Follow(files) => self.watch.follow(files),
            Reply::Taken(sight, taken) => {
                // What may go well later comes again.
                if !taken.as_ref().as_ref().is_err_and(|error| error.code.retry()) {
                    self.watch.taken(sight);
                }
                match *taken {
                    Ok((config, content)) => {
                        self.error = None;
                        self.compare(own, &config);
                        return Some(content);
                    }
                    Err(why) => {
                        let said = format!("{} {why}", why.code);
                        if self.error.as_ref() != Some(&said) {
                            error!(pipeline = %own.name, "files have changed, but can't be used; what runs goes on: {said}");
                            self.error = Some(said);
                        }
                    }
                }
            }
            _ => {}
        }
        None
    }

    fn compare(&mut self, own: &Config, config: &Config) {
        let outer = own.settled_at_start(config);
        if outer != self.outer && !outer.is_empty() {
            let names = outer.join(", ");
            warn!(pipeline = %own.name, "the pipeline file has changed in {names}: that waits for a restart");
        }
        self.outer = outer;
    }
}
