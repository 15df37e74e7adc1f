//! What takes a while, on a thread of its own: reading files, loading and trying releases, writing to topics. One thing
//! at a time, in the order in which it was asked for.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime};

use super::life;
use super::load::{Loader, Pieces};
use super::settle::{Maker, settle};
use crate::app::Run;
use crate::app::control::Pen;
use crate::app::generations::{Generation, Generations};
use crate::app::stores;
use crate::app::vault::Cellar;
use crate::config::Config;
use crate::engine::{Arrival, Relay};
use crate::error::{Code, Error, Result};
use crate::release::content::{files, is_as_seen};
use crate::release::history::Event;
use crate::release::json::Key;
use crate::release::manifest::{Artifact, Content, Digest, Manifest, Refusal, Turn, number_of};
use crate::release::watch::{Disk, Sight};
use crate::release::{Release, Runtimes};

/// What nobody names stays in the depot for so long: somebody may be about to.
const YOUNG: Duration = Duration::from_secs(3600);

/// What is to be done.
#[derive(Debug)]
pub(super) enum Job {
    /// Reads the files that were seen.
    Take(Sight),
    /// Loads and tries a content. `from_history`: it is to begin a generation.
    Stage {
        content: Content,
        pieces: Pieces,
        generation: u64,
        from_history: bool,
    },
    /// Writes a release; these files of it first.
    Number(Box<Manifest>, Vec<Artifact>),
    Refuse(Refusal),
    /// Hands a release over to all threads.
    Go(Box<Manifest>, Pieces),
    /// Hands one over to threads that have rows of it; none: nobody knows it any more.
    Finish(String, Option<(Content, Pieces)>, Vec<Arc<Relay>>),
    Tell(Vec<Event>),
    /// Makes a generation ready to be run; where it is not there yet, beside this one.
    Open(Box<Manifest>, Pieces, Option<u64>),
    /// Says how far a generation is.
    Turn(Turn),
    /// Gives the floor back, to this one, for a generation that nobody runs any more.
    Close(u64, u64),
    /// Deletes all that a generation kept.
    Drop(Box<Generation>),
    /// Takes records away from the topic, and what is not named from the depot.
    Clear(Vec<Key>, BTreeSet<Digest>),
}

impl Job {
    /// What is replied where it did not come to its end.
    fn failure(&self) -> Box<dyn FnOnce(Error) -> Reply> {
        match self {
            Self::Take(sight) => {
                let sight = sight.clone();
                Box::new(|error| Reply::Taken(sight, Box::new(Err(error))))
            }
            Self::Stage { .. } => Box::new(|error| Reply::Staged(Err(error))),
            Self::Number(..) => Box::new(|error| Reply::Numbered(Err(error))),
            Self::Refuse(_) => Box::new(|error| Reply::Refused(Err(error))),
            Self::Go(..) => Box::new(|error| Reply::Gone(Err(error))),
            Self::Finish(..) => Box::new(|error| Reply::Finished(Err(error))),
            Self::Tell(_) => Box::new(|error| Reply::Told(Err(error))),
            Self::Clear(..) => Box::new(|error| Reply::Cleared(Err(error))),
            Self::Open(manifest, ..) => {
                let manifest = manifest.clone();
                Box::new(|error| Reply::Opened(manifest, Err(error)))
            }
            Self::Turn(turn) => {
                let turn = turn.clone();
                Box::new(|error| Reply::Turned(turn, Err(error)))
            }
            Self::Close(..) => Box::new(|error| Reply::Closed(Err(error))),
            Self::Drop(_) => Box::new(|error| Reply::Dropped(Err(error))),
        }
    }
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Reply {
    /// Something was seen that is not settled: it is to be looked at again.
    Unsettled,
    /// These are the files to look at.
    Follow(Vec<PathBuf>),
    Taken(Sight, Box<Result<(Config, Content)>>),
    Staged(Result<()>),
    Numbered(Result<()>),
    Refused(Result<()>),
    Gone(Result<()>),
    Finished(Result<()>),
    Told(Result<()>),
    Cleared(Result<()>),
    Opened(Box<Manifest>, Result<Generation>),
    Turned(Turn, Result<()>),
    Closed(Result<()>),
    Dropped(Result<()>),
}

/// The steward's end.
#[derive(Debug)]
pub(super) struct Desk {
    jobs: Sender<Job>,
    replies: Receiver<Reply>,
    is_busy: bool,
}

impl Desk {
    /// Starts the thread, which ends when this is dropped and its last job is done.
    pub fn open(name: String, clerk: Clerk) -> Result<Self> {
        let (jobs, inbox) = channel();
        let (outbox, replies) = channel();
        let spawned = thread::Builder::new().name(name).spawn(move || clerk.work(&inbox, &outbox));
        spawned.map_err(|error| Error::new(Code::Internal, format!("no thread: {error}")))?;
        Ok(Self { jobs, replies, is_busy: false })
    }

    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    pub fn give(&mut self, job: Job) -> Result<()> {
        self.is_busy = true;
        self.jobs.send(job).map_err(|_| gone())
    }

    /// What the last job came to, if it is done.
    pub fn reply(&mut self) -> Result<Option<Reply>> {
        use std::sync::mpsc::TryRecvError as E;
        match self.replies.try_recv() {
            Ok(reply) => {
                self.is_busy = false;
                Ok(Some(reply))
            }
            Err(E::Empty) => Ok(None),
            Err(E::Disconnected) => Err(gone()),
        }
    }
}

fn gone() -> Error {
    Error::new(Code::Internal, "the thread that loads releases is gone")
}

/// Who works there.
#[derive(Debug)]
pub(super) struct Clerk {
    /// As the host was started.
    pub own: Config,
    pub loader: Loader,
    pub pen: Pen,
    pub runtimes: Arc<Runtimes>,
    pub generations: Arc<Generations>,
}

impl Clerk {
    fn work(mut self, inbox: &Receiver<Job>, outbox: &Sender<Reply>) {
        while let Ok(job) = inbox.recv() {
            let failure = job.failure();
            let done = catch_unwind(AssertUnwindSafe(|| self.does(job)));
            let text = "the thread that loads releases panicked; the message stands above";
            // Nobody may listen any more.
            let _ = outbox.send(done.unwrap_or_else(|_| failure(Error::new(Code::Internal, text))));
        }
    }

    fn does(&mut self, job: Job) -> Reply {
        match job {
            Job::Take(sight) => self.take(sight),
            Job::Stage { content, pieces, generation, from_history } => {
                Reply::Staged(self.stage(&content, &pieces, generation, from_history))
            }
            Job::Number(manifest, upload) => {
                let written = self.pen.upload(&self.loader.depot, &upload);
                Reply::Numbered(written.and_then(|()| self.pen.release(&manifest)))
            }
            Job::Refuse(refusal) => Reply::Refused(self.pen.refuse(&refusal)),
            Job::Go(manifest, pieces) => Reply::Gone(self.go(&manifest, &pieces)),
            Job::Finish(stamp, content, relays) => Reply::Finished(self.finish(&stamp, content, &relays)),
            Job::Tell(events) => Reply::Told(self.pen.tell(&events)),
            Job::Open(manifest, pieces, beside) => {
                let opened = self.open(&manifest, &pieces, beside);
                Reply::Opened(manifest, opened)
            }
            Job::Turn(turn) => {
                let written = self.pen.turn(&turn);
                Reply::Turned(turn, written)
            }
            Job::Close(generation, to) => Reply::Closed(self.close(generation, to)),
            Job::Drop(generation) => Reply::Dropped(life::forget(&generation)),
            Job::Clear(keys, named) => Reply::Cleared(self.clear(&keys, &named)),
        }
    }

    fn take(&self, sight: Sight) -> Reply {
        let Some(file) = &self.own.file else { return Reply::Unsettled };
        let config = match Config::read(file) {
            Ok(config) => config,
            Err(_) if !sight.stands(&Disk) => return Reply::Unsettled,
            Err(error) => return Reply::Taken(sight, Box::new(Err(error))),
        };
        let files = files(&config);
        if !sight.is_of(&files) {
            return Reply::Follow(files);
        }
        let taken = Content::take(&config, &self.loader.depot);
        let is_whole = taken
            .as_ref()
            .map_or(true, |content| is_as_seen(&config, content, |path, bytes| sight.has(path, bytes)));
        if !is_whole || !sight.stands(&Disk) {
            return Reply::Unsettled;
        }
        Reply::Taken(sight, Box::new(taken.map(|content| (config, content))))
    }

    fn stage(
        &mut self,
        content: &Content,
        pieces: &Pieces,
        generation: u64,
        from_history: bool,
    ) -> Result<()> {
        let release = self.loader.load(content, generation, pieces, &mut self.pen)?;
        let tried = settle(&self.own, &release, &self.generations.first(), from_history);
        let tried = tried.map_err(|error| content.in_its_words(&self.loader.depot, error))?;
        tracing::info!(pipeline = %self.own.name, content = %content.id, records = tried, "loaded and tried");
        Ok(())
    }

    fn go(&mut self, manifest: &Manifest, pieces: &Pieces) -> Result<()> {
        let first = self.generations.first();
        let (baton, maker) = (&first.run.baton, Maker::of(&first));
        let release = self.loader.load(&manifest.facts.content, first.number(), pieces, &mut self.pen)?;
        let release = Arc::new(release.renumbered(manifest.number));
        let relays = baton.relays();
        let flows = relays.iter().map(|_| maker.flow(&release)).collect::<Result<Vec<_>>>()?;
        baton.pass(Arc::clone(&release));
        let give = |relay: &Relay, flow| relay.give(Arrival::Current(Box::new(flow)));
        relays.iter().zip(flows).for_each(|(relay, flow)| give(relay, flow));
        // Threads that came meanwhile.
        for relay in baton.relays() {
            if !relays.iter().any(|other| Arc::ptr_eq(&relay, other)) {
                give(&relay, maker.flow(&release)?);
            }
        }
        Ok(())
    }

    fn finish(
        &mut self,
        stamp: &str,
        content: Option<(Content, Pieces)>,
        relays: &[Arc<Relay>],
    ) -> Result<()> {
        let Some((content, pieces)) = content else {
            unknown(stamp, relays);
            return Ok(());
        };
        let first = self.generations.first();
        let release = match self.loader.load(&content, first.number(), &pieces, &mut self.pen) {
            Err(error) if error.code.retry() => return Err(error),
            Err(error) => {
                tracing::warn!(pipeline = %self.own.name, "release {stamp} can't be loaded: {} {error}", error.code);
                unknown(stamp, relays);
                return Ok(());
            }
            Ok(release) => release,
        };
        let number = number_of(stamp).unwrap_or_default();
        let release: Release = release.renumbered(number);
        tracing::info!(pipeline = %self.own.name, release = stamp, "is here again, to finish rows in flight");
        for relay in relays {
            relay.give(Arrival::Asked(Box::new(Maker::of(&first).flow(&release)?)));
        }
        Ok(())
    }

    /// `beside`: the generation that speaks until this one, which has to be begun, does.
    fn open(&mut self, manifest: &Manifest, pieces: &Pieces, beside: Option<u64>) -> Result<Generation> {
        let Manifest { number, facts, .. } = manifest;
        let (content, generation) = (&facts.content, facts.generation);
        let release = self.loader.load(content, generation, pieces, &mut self.pen)?;
        let config = self.loader.configured(content, generation)?;
        stores::check(&config, release.pipeline())?;
        let run = Run::with(config, release.renumbered(*number), &self.runtimes);
        let counts = run.check_topics(true)?;
        // Whoever starts its threads opens it again: what is wrong with the disk is told here.
        drop(Cellar::open(&run, counts.iter().sum::<i32>() as usize)?);
        let generation = Generation { run: Arc::new(run), counts };
        if let (Some(older), Some(from)) = (beside, facts.bootstrap) {
            life::begin(&generation, &self.own.in_generation(older), from)?;
        }
        Ok(generation)
    }

    fn close(&self, generation: u64, to: u64) -> Result<()> {
        let first = self.generations.first();
        life::close(&first, &self.own.in_generation(generation), to)
    }

    fn clear(&mut self, keys: &[Key], named: &BTreeSet<Digest>) -> Result<()> {
        if !keys.is_empty() {
            self.pen.prune(keys)?;
        }
        let since = SystemTime::now().checked_sub(YOUNG).unwrap_or(SystemTime::UNIX_EPOCH);
        self.loader.depot.sweep(named, since)
    }
}

fn unknown(stamp: &str, relays: &[Arc<Relay>]) {
    relays.iter().for_each(|relay| relay.give(Arrival::Unknown(stamp.to_owned())));
}
