//! The command line.

mod admin;
mod explain;
mod log;
mod otlp;
mod release;
mod state;
mod summary;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use crate::admin::Server;
use crate::app::{self, Run, Stop, Until};
use crate::config::{self, Config, Start};
use crate::error::{Code, Result};
use crate::log::Options;
use crate::release::Runtimes;

/// Scores Kafka streams in real time through sandboxed WebAssembly plugins and ONNX models.
#[derive(Debug, Parser)]
#[command(name = "tailwater", version, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    log: log::Log,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs pipelines until SIGTERM or Ctrl-C.
    Run {
        #[command(flatten)]
        pipelines: Pipelines,
        /// Reads each partition to its end, lets all windows close, and ends.
        #[arg(long)]
        until_end: bool,
        /// Where partitions begin of which nothing is committed yet, whatever the file says: the first record of a time,
        /// 2026-11-01T00:00:00Z, or later.
        #[arg(long, value_name = "earliest|latest|TIME")]
        from: Option<Start>,
        #[command(flatten)]
        admin: admin::Admin,
        #[command(flatten)]
        otlp: otlp::Otlp,
    },
    /// Loads and checks pipelines, their plugins and models, without running them.
    Validate {
        #[command(flatten)]
        pipelines: Pipelines,
        /// Also asks the brokers whether all topics are there, and whether another release runs.
        #[arg(long)]
        connect: bool,
    },
    /// Looks at what a pipeline keeps, or drops it.
    #[command(subcommand)]
    State(state::State),
    /// Swaps plugins, model and settings of a pipeline while it runs.
    #[command(subcommand)]
    Release(release::Release),
    /// Explains an error code, such as TW206.
    Explain {
        #[arg(value_parser = |text: &str| Code::parse(text).ok_or("there is no such code; they look like TW206"))]
        code: Code,
    },
}

#[derive(Debug, Args)]
struct Pipelines {
    /// Pipeline files.
    #[arg(required = true, value_name = "PIPELINE.toml")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    libraries: Libraries,
}

#[derive(Debug, Args)]
struct Libraries {
    /// ONNX Runtime's library; without it, where the system keeps it.
    #[arg(long, env = "TAILWATER_ONNXRUNTIME", value_name = "FILE")]
    onnxruntime: Option<PathBuf>,
    /// Where compiled plugins are kept; must be writable by the host's user only.
    #[arg(long, env = "TAILWATER_CACHE", value_name = "DIR")]
    cache: Option<PathBuf>,
}

impl Cli {
    /// What is to be logged, and how.
    pub fn log(&self) -> Options {
        self.log.options()
    }

    /// Does what was asked.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Run { pipelines, until_end, from, admin, otlp } => {
                // Before all that may take long: it is asked meanwhile to end, or whether the process is well.
                let stop = Stop::at_signals()?;
                let (admin, collector) = (admin.open()?, otlp.open()?);
                let until = if until_end { Until::End } else { Until::Stopped };
                let mut runs = pipelines.start(until)?;
                if let Some(from) = from {
                    runs.iter_mut().for_each(|run| run.config.kafka.start = from);
                }
                app::run(&runs, until, &stop, admin.as_ref().map(Server::host), collector)
            }
            Command::Validate { pipelines, connect } => {
                for run in &pipelines.load()? {
                    if connect {
                        run.check_topics(false)?;
                    }
                    println!("{}", summary::Summary(run));
                    let other = if connect { run.runs_other()? } else { None };
                    if let Some(stamp) = other {
                        println!("{}", summary::other(&stamp));
                    }
                }
                Ok(())
            }
            Command::State(state) => state.run(),
            Command::Release(release) => release.run(),
            Command::Explain { code } => {
                println!("{}", explain::page(code));
                Ok(())
            }
        }
    }
}

impl Pipelines {
    fn load(self) -> Result<Vec<Run>> {
        self.libraries.load(&self.files)
    }

    /// To be run.
    fn start(self, until: Until) -> Result<Vec<Run>> {
        self.libraries.each(&self.files, |config, runtimes| Run::start(config, runtimes, until))
    }
}

impl Libraries {
    fn load(self, files: &[PathBuf]) -> Result<Vec<Run>> {
        self.each(files, Run::load)
    }

    fn each(
        self,
        files: &[PathBuf],
        load: impl Fn(Config, &Arc<Runtimes>) -> Result<Run>,
    ) -> Result<Vec<Run>> {
        let configs = files.iter().map(|file| Config::read(file)).collect::<Result<Vec<_>>>()?;
        config::apart(&configs)?;
        let stages = configs.iter().map(|config| app::most_threads(config) * config.plugin_stages()).sum();
        let runtimes = Arc::new(self.runtimes(stages)?);
        configs.into_iter().map(|config| load(config, &runtimes)).collect()
    }

    /// For so many stages with a plugin.
    fn runtimes(self, stages: usize) -> Result<Runtimes> {
        Runtimes::for_stages(stages, self.cache.or_else(default_cache), self.onnxruntime)
    }
}

fn default_cache() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    base.map(|base| base.join("tailwater"))
}
