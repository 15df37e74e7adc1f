//! `tailwater release`: what a pipeline runs as, and how it is changed while it runs.

mod page;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use clap::{Args, Subcommand};

use super::Libraries;
use crate::app::Releases;
use crate::config::{Config, Start};
use crate::error::Result;

/// Events that are shown.
const LAST: usize = 20;

#[derive(Debug, Subcommand)]
pub(super) enum Release {
    /// Says what the files would change of what runs. Loads and checks all of them.
    Plan {
        #[command(flatten)]
        pipeline: Pipeline,
        #[command(flatten)]
        history: History,
    },
    /// Proposes the files as a release to the hosts of the pipeline: they try it, and all go over to it.
    Apply {
        #[command(flatten)]
        pipeline: Pipeline,
        #[command(flatten)]
        history: History,
        /// For the history.
        #[arg(long, default_value = "", value_name = "TEXT")]
        why: String,
    },
    /// Shows what runs, what waits, and what was refused.
    Status {
        #[command(flatten)]
        pipeline: Pipeline,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Goes back to a former release, which comes under a new number.
    Rollback {
        #[command(flatten)]
        pipeline: Pipeline,
        /// Its number; without it, the last one that was another.
        #[arg(long, value_name = "NUMBER")]
        to: Option<u64>,
        /// For the history.
        #[arg(long, default_value = "", value_name = "TEXT")]
        why: String,
    },
    /// Lists what happened: who, when, what, and why.
    History {
        #[command(flatten)]
        pipeline: Pipeline,
        /// So many events.
        #[arg(long, default_value_t = LAST, value_name = "COUNT")]
        last: usize,
        /// As JSON, one event a line.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct History {
    /// Makes the windows anew, of what the sources have since then: "earliest", or a time such as
    /// 2026-11-01T00:00:00Z. The release reads it beside the one that runs, which speaks until it has caught up. So
    /// almost all may change: keys, windows, stages, how long keys are kept.
    #[arg(long, value_name = "FROM", value_parser = since)]
    bootstrap: Option<i64>,
}

fn since(text: &str) -> Result<i64, String> {
    let from: Start = text.parse()?;
    let from = from.history().ok_or("from \"latest\" on there is no history")?;
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
    if i128::from(from) > now as i128 { Err("it is yet to come".to_owned()) } else { Ok(from) }
}

#[derive(Debug, Args)]
pub(super) struct Pipeline {
    /// Pipeline file.
    #[arg(value_name = "PIPELINE.toml")]
    file: PathBuf,
    #[command(flatten)]
    libraries: Libraries,
}

impl Release {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Plan { pipeline, history } => {
                let plan = pipeline.open()?.plan(history.bootstrap)?;
                println!("{}", page::plan(&plan));
                plan.verdict()
            }
            Self::Apply { pipeline, history, why } => {
                let mut releases = pipeline.open()?;
                let plan = releases.plan(history.bootstrap)?;
                println!("{}", page::plan(&plan));
                plan.verdict()?;
                let release = releases.apply(plan.content, plan.bootstrap, &why)?;
                println!("{}", page::released(&plan.pipeline, &release));
                Ok(())
            }
            Self::Status { pipeline, json } => {
                let status = pipeline.open()?.status()?;
                println!("{}", if json { page::status_json(&status) } else { page::status(&status) });
                Ok(())
            }
            Self::Rollback { pipeline, to, why } => {
                let mut releases = pipeline.open()?;
                let release = releases.roll_back(to, &why)?;
                println!("{}", page::released(releases.pipeline(), &release));
                Ok(())
            }
            Self::History { pipeline, last, json } => {
                let events = pipeline.open()?.history(last)?;
                println!("{}", if json { page::history_json(&events) } else { page::history(&events) });
                Ok(())
            }
        }
    }
}

impl Pipeline {
    fn open(self) -> Result<Releases> {
        let config = Config::read(&self.file)?;
        // Two releases at a time, and each stage of them once.
        let runtimes = Arc::new(self.libraries.runtimes(2 * config.plugin_stages())?);
        Releases::open(config, &runtimes)
    }
}
