//! The threads of one pipeline: stream threads, of which there may be more or fewer while it runs, and those that keep
//! its tables, and its outputs beside Kafka.

use std::sync::PoisonError;

use tracing::{info, warn};

use super::tables::Shelf;
use super::vault::Cellar;
use super::watch::Watch;
use super::{Report, Run, Stop, steward, stores, tables, threads};
use crate::config::Config;
use crate::engine::PartitionCounts;
use crate::error::Result;

pub(super) struct Crew<'a> {
    run: &'a Run,
    counts: &'a PartitionCounts,
    shelf: Shelf,
    cellar: Option<Cellar>,
    watch: Watch,
    report: Report,
    /// Each ends one stream thread; by its number.
    threads: Vec<Stop>,
    /// Releases come while it runs.
    is_relayed: bool,
}

impl<'a> Crew<'a> {
    pub fn new(run: &'a Run, counts: &'a PartitionCounts, watch: &Watch, report: Report) -> Result<Self> {
        let tasks: i32 = counts.iter().sum();
        Ok(Self {
            run,
            counts,
            shelf: Shelf::new(run),
            cellar: Cellar::open(run, tasks as usize)?,
            watch: watch.clone(),
            report,
            threads: Vec::new(),
            is_relayed: false,
        })
    }

    /// Starts all threads; `alive` counts them.
    pub fn start(&mut self, alive: &mut usize) -> Result<()> {
        let (pipeline, threads) = (self.run.release.pipeline(), self.run.config.threads);
        info!(pipeline = %pipeline.name, release = %pipeline.identity.stamp, threads, "starts");
        for (table, _) in pipeline.tables() {
            tables::spawn(self.run, self.counts, table, &self.shelf, &self.watch, self.report.clone())?;
            *alive += 1;
        }
        // With an end they come behind it.
        for store in self.run.config.store.iter().filter(|_| !self.watch.until_end()) {
            stores::spawn(self.run, store, &self.watch, self.report.clone())?;
            *alive += 1;
        }
        let opened = self.run.steward.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.is_relayed = opened.is_some();
        if let Some(opened) = opened {
            steward::spawn(self.run, *opened, self.counts, &self.shelf, &self.watch, self.report.clone())?;
            *alive += 1;
        }
        self.resize(threads, alive)
    }

    /// Has so many stream threads from now on.
    fn resize(&mut self, to: usize, alive: &mut usize) -> Result<()> {
        self.run.standings.want(to);
        // Each leaves the group in order, and its tasks to those that stay.
        self.threads.drain(to.min(self.threads.len())..).for_each(|stop| stop.now());
        for number in self.threads.len()..to {
            let (run, stop) = (self.run, Stop::default());
            let relay = self.is_relayed.then(|| run.baton.join());
            let standing = run.standings.join();
            let common =
                threads::Common { shelf: &self.shelf, cellar: self.cellar.as_ref(), relay, standing };
            let post = self.watch.of_thread(&stop);
            threads::spawn(run, self.counts, (number, to), common, post, self.report.clone())?;
            self.threads.push(stop);
            *alive += 1;
        }
        Ok(())
    }

    /// Reads the pipeline file again, and takes the number of threads over.
    pub fn read_again(&mut self, alive: &mut usize) -> Result<()> {
        let (name, before) = (&self.run.config.name, self.threads.len());
        let Some(file) = &self.run.config.file else { return Ok(()) };
        let threads = match Config::read(file) {
            Ok(config) => config.threads,
            Err(error) => {
                warn!(pipeline = %name, "nothing is changed: {} {error}", error.code);
                return Ok(());
            }
        };
        let most = self.run.most_threads;
        if threads > most {
            warn!(
                pipeline = %name,
                "{before} threads go on: this process has room for {most}, and not for {threads}; start it again for more"
            );
            return Ok(());
        }
        info!(pipeline = %name, before, threads, "the pipeline file was read again, of which `threads` is taken over");
        self.resize(threads, alive)
    }

    /// Drops what threads have left and nobody took over.
    pub fn sweep(&self) {
        self.run.lodge.sweep();
    }
}
