//! The threads of one pipeline: stream threads, of which there may be more or fewer while it runs, and those that keep
//! its tables, and its outputs beside Kafka.

use std::sync::Arc;
use std::sync::PoisonError;

use tracing::{info, warn};

use super::generations::{Generation, Generations};
use super::tables::Shelf;
use super::vault::Cellar;
use super::watch::Watch;
use super::{Orders, Report, Run, Stop, steward, stores, tables, threads};
use crate::config::Config;
use crate::error::Result;

pub(super) struct Crew {
    generation: Generation,
    /// Ends all of them.
    stop: Stop,
    shelf: Shelf,
    cellar: Option<Cellar>,
    watch: Watch,
    report: Report,
    /// Each ends one stream thread; by its number.
    threads: Vec<Stop>,
    /// Releases come while it runs.
    is_relayed: bool,
}

impl Crew {
    pub fn new(generation: Generation, watch: &Watch, report: Report) -> Result<Self> {
        let Generation { run, counts } = &generation;
        let (tasks, stop): (i32, _) = (counts.iter().sum(), Stop::default());
        Ok(Self {
            shelf: Shelf::new(run),
            cellar: Cellar::open(run, tasks as usize)?,
            watch: watch.of_crew(&stop),
            stop,
            report,
            threads: Vec::new(),
            is_relayed: false,
            generation,
        })
    }

    fn run(&self) -> &Arc<Run> {
        &self.generation.run
    }

    /// Starts what the pipeline has once, whichever generations there are: those that keep its outputs, and whoever looks
    /// after its releases. `alive` counts threads.
    pub fn lead(
        &mut self,
        generations: &Arc<Generations>,
        watch: &Watch,
        orders: &Orders,
        alive: &mut usize,
    ) -> Result<()> {
        let run = Arc::clone(self.run());
        // With an end they come behind it.
        for store in run.config.store.iter().filter(|_| !watch.until_end()) {
            stores::spawn(generations, store, watch, self.report.clone())?;
            *alive += 1;
        }
        let opened = run.steward.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.is_relayed = opened.is_some();
        if let Some(opened) = opened {
            steward::spawn(generations, *opened, orders.clone(), watch, self.report.clone())?;
            *alive += 1;
        }
        Ok(())
    }

    /// Releases come to this one too.
    pub fn relayed(self) -> Self {
        Self { is_relayed: true, ..self }
    }

    /// Starts all threads of its own; `alive` counts them.
    pub fn start(&mut self, alive: &mut usize) -> Result<()> {
        let Generation { run, counts } = self.generation.clone();
        let (pipeline, threads) = (run.release.pipeline(), run.config.threads);
        info!(pipeline = %pipeline.name, release = %pipeline.identity.stamp, threads, "starts");
        for (table, _) in pipeline.tables() {
            tables::spawn(&run, &counts, table, &self.shelf, &self.watch, self.report.clone())?;
            *alive += 1;
        }
        self.resize(threads, alive)
    }

    pub fn is_of(&self, generation: &Generation) -> bool {
        Arc::ptr_eq(self.run(), &generation.run)
    }

    /// All its threads end, and leave what they have to others.
    pub fn close(self) {
        let (pipeline, release) = (&self.run().config.name, &self.run().release.pipeline().identity.stamp);
        info!(%pipeline, %release, "ends");
        self.stop.now();
    }

    /// Has so many stream threads from now on.
    fn resize(&mut self, to: usize, alive: &mut usize) -> Result<()> {
        let Generation { run, counts } = self.generation.clone();
        run.standings.want(to);
        // Each leaves the group in order, and its tasks to those that stay.
        self.threads.drain(to.min(self.threads.len())..).for_each(|stop| stop.now());
        for number in self.threads.len()..to {
            let stop = Stop::default();
            let relay = self.is_relayed.then(|| run.baton.join());
            let standing = run.standings.join();
            let common =
                threads::Common { shelf: &self.shelf, cellar: self.cellar.as_ref(), relay, standing };
            let post = self.watch.of_thread(&stop);
            threads::spawn(&run, &counts, (number, to), common, post, self.report.clone())?;
            self.threads.push(stop);
            *alive += 1;
        }
        Ok(())
    }

    /// Reads the pipeline file again, and takes the number of threads over.
    pub fn read_again(&mut self, alive: &mut usize) -> Result<()> {
        let run = Arc::clone(self.run());
        let (name, before) = (&run.config.name, self.threads.len());
        let Some(file) = &run.config.file else { return Ok(()) };
        let threads = match Config::read(file) {
            Ok(config) => config.threads,
            Err(error) => {
                warn!(pipeline = %name, "nothing is changed: {} {error}", error.code);
                return Ok(());
            }
        };
        let most = run.most_threads;
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
        self.run().lodge.sweep();
    }
}
