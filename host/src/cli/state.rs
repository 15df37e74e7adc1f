//! `tailwater state`: what a pipeline keeps.

mod page;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::Libraries;
use crate::app::{Run, Wanted};
use crate::config::{Config, Start};
use crate::error::{Code, Error, Result};
use crate::release::Runtimes;

#[derive(Debug, Subcommand)]
pub(super) enum State {
    /// Shows the windows of a key as of the last commit, without disturbing who runs the pipeline.
    Show {
        #[command(flatten)]
        pipeline: Pipeline,
        /// The values of the key's columns, with | between.
        #[arg(long)]
        key: String,
        /// The features stage; not needed if there is one alone.
        #[arg(long, value_name = "NAME")]
        stage: Option<String>,
        /// Looks nowhere else.
        #[arg(long, value_name = "P")]
        partition: Option<i32>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Drops all windows of a pipeline that is stopped, and says where it goes on.
    Reset {
        #[command(flatten)]
        pipeline: Pipeline,
        /// Where sources are read on: the first record of a time, 2026-11-01T00:00:00Z, or later; committed: where the
        /// group stands.
        #[arg(long, default_value = "committed", value_name = "committed|earliest|latest|TIME")]
        to: To,
        /// Does it; else it is only said what would be done.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Pipeline {
    /// Pipeline file.
    #[arg(value_name = "PIPELINE.toml")]
    file: PathBuf,
    #[command(flatten)]
    libraries: Libraries,
}

/// Where to go on.
#[derive(Clone, Copy, Debug)]
pub(super) enum To {
    Committed,
    Start(Start),
}

impl FromStr for To {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "committed" => Ok(Self::Committed),
            text => text.parse().map(Self::Start).map_err(|why| format!("{why}, or \"committed\"")),
        }
    }
}

impl State {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Show { pipeline, key, stage, partition, json } => {
                let wanted = Wanted { key: &key, stage: stage.as_deref(), partition };
                let shown = pipeline.load_current()?.show(wanted)?;
                println!("{}", if json { page::json(&key, &shown) } else { page::shown(&key, &shown) });
                Ok(())
            }
            Self::Reset { pipeline, to, yes } => {
                let run = pipeline.load()?;
                let to = match to {
                    To::Committed => None,
                    To::Start(start) => Some(start),
                };
                println!("{}", page::reset(&run.plan_reset(to)?));
                if yes {
                    run.reset(to)?;
                    println!("Done.");
                } else {
                    println!("Nothing was done yet: --yes does it.");
                }
                Ok(())
            }
        }
    }
}

impl Pipeline {
    fn load(self) -> Result<Run> {
        self.one(Run::load)
    }

    /// As the release that runs.
    fn load_current(self) -> Result<Run> {
        self.one(Run::load_current)
    }

    fn one(self, load: impl Fn(Config, &Arc<Runtimes>) -> Result<Run>) -> Result<Run> {
        let run = self.libraries.each(&[self.file], load)?.pop();
        run.ok_or_else(|| Error::new(Code::Internal, "a file without a pipeline"))
    }
}
