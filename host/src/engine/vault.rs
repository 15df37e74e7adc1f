//! Where tasks are kept, and how they come back: the local base first, then what the changelog has beyond it.
//!
//! The group's committed offsets and the state were committed together, so they have to meet: a state that does
//! not reach them yet is waited for, since markers of a transaction may lag behind its end. Offsets that are of an
//! earlier commit than the state are passed over: a group's coordinator may lose some when it is killed, and the
//! state has its own. Anything else is an error, and never gone on from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::block::{Parts, What};
use super::durable::{BaseHead, Durable, first_commit, is_same_life};
use super::head::Head;
use super::image;
use super::mistake::{Mistake, planted};
use super::ports::{Changelog, Clock, Committed};
use super::sum::Part;
use super::task::{Task, TaskId};
use crate::error::{Code, Error, Result};
use crate::pipeline::Pipeline;
use crate::record::PartitionId;
use crate::state::{Base, Commit, Disk, Image, Replay, Retention, Store, lock};
use crate::window::{hash, mix};

/// How long the changelog is waited for at a time.
pub(super) const WAIT: Duration = Duration::from_millis(5);
/// The markers of a transaction that is over arrive within this.
const MARKERS_WITHIN: Duration = Duration::from_secs(60);

/// How often a changelog may be trimmed while it is read.
pub(super) const TRIMMED_AT_MOST: usize = 10;

/// How much is kept where.
#[derive(Clone, Copy, Debug)]
pub struct VaultOptions {
    /// Packed changes of a task beyond its checkpoint, about: what a restart has to do again.
    pub tail_bytes: usize,
    /// Of all windows in memory, in all threads.
    pub memory: usize,
}

/// What a thread keeps the state of its tasks in.
pub struct Vault {
    pub disk: Arc<dyn Disk>,
    pub changelog: Box<dyn Changelog>,
    pub options: VaultOptions,
    /// This thread's, among those of all threads.
    pub tasks: Part,
    /// Of this run: no other has it.
    pub run: u64,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("disk", &self.disk).finish_non_exhaustive()
    }
}

/// What was read to bring a task back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// As of which commit the base was.
    pub base: u64,
    /// Blocks and bytes of the changelog.
    pub blocks: u64,
    pub bytes: u64,
}

/// Waits for what must come.
pub(super) struct Patience<'a> {
    now: &'a dyn Fn() -> Duration,
    alive: &'a mut dyn FnMut() -> Result<()>,
    /// When something came last.
    since: Duration,
    /// No longer than this.
    within: Duration,
}

impl<'a> Patience<'a> {
    pub fn new(
        now: &'a dyn Fn() -> Duration,
        alive: &'a mut dyn FnMut() -> Result<()>,
        within: Duration,
    ) -> Self {
        Self { now, alive, since: now(), within }
    }

    pub fn moved(&mut self) -> Result<()> {
        self.since = (self.now)();
        (self.alive)()
    }

    /// `why`: what it means if nothing comes any more.
    pub fn wait(&mut self, why: impl FnOnce() -> Error) -> Result<()> {
        if (self.now)().saturating_sub(self.since) >= self.within {
            return Err(why());
        }
        (self.alive)()
    }
}

/// Where the group stands.
pub(super) type Standing = [(PartitionId, Option<Committed>)];

/// The last commit of the task, if the group knows of one.
pub(super) fn last_commit(standing: &Standing) -> Commit {
    standing.iter().filter_map(|(_, committed)| committed.map(|one| one.commit)).max().unwrap_or(0)
}

/// What of a base is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    Base,
    /// There was one, and it was begun with.
    Used,
    Nothing,
}

/// A task on its way back.
pub(super) struct Restoring<'a> {
    pipeline: &'a Pipeline,
    task: Task,
    replays: Vec<Replay<'a>>,
    parts: Parts,
    restored: Restored,
}

impl Vault {
    /// Brings a task to where the group stands. `alive`: called now and then. A base that is damaged is of no use
    /// and begins anew. None: another thread of this process has yet to let go of the task.
    pub(super) fn restore(
        &mut self,
        pipeline: &Pipeline,
        id: TaskId,
        standing: &Standing,
        clock: &impl Clock,
        mut alive: impl FnMut() -> Result<()>,
    ) -> Result<Option<(Task, Restored)>> {
        let (mut trusts, mut trimmed) = (Trust::Base, 0);
        loop {
            match self.bring_back(pipeline, id, standing, &mut trusts, clock, &mut alive) {
                // What is on this machine is of another life of the changelog, or behind what was trimmed.
                Err(error) if trusts == Trust::Used && is_of_another_life(error.code) => {
                    tracing::warn!(target: "tasks", "{error}; what is on disk is dropped");
                    trusts = Trust::Nothing;
                }
                // Its former owner asked for that, and it was done just now.
                Err(error) if error.code == Code::OffsetLost && trimmed < TRIMMED_AT_MOST => trimmed += 1,
                Err(error) if error.code == Code::StateDamaged => {
                    tracing::warn!(target: "tasks", "{error}; it is made anew from the changelog");
                }
                Err(error) if error.code == Code::StateLocked => return Ok(None),
                restored => return restored.map(Some),
            }
        }
    }

    fn bring_back(
        &mut self,
        pipeline: &Pipeline,
        id: TaskId,
        standing: &Standing,
        trust: &mut Trust,
        clock: &impl Clock,
        mut alive: impl FnMut() -> Result<()>,
    ) -> Result<(Task, Restored)> {
        let Some(topic) = pipeline.changelogs.get(usize::from(id.group)).and_then(Option::as_deref) else {
            return Err(Error::new(Code::Internal, "a task without a changelog is to be restored"));
        };
        let place = |error: Error| error.at(format!("changelog {topic}/{}", id.partition));
        let name = format!("{topic}-{}", id.partition);
        let mut base = self.disk.open(&name)?;
        let first = self.changelog.first(topic, id.partition).map_err(place)?;
        let is_of_use = |(commit, head): (Commit, &[u8])| {
            let head = BaseHead::read(head).filter(|head| head.fingerprint == fingerprint(pipeline, id));
            commit <= last_commit(standing) && head.is_some_and(|head| head.log_next >= first)
        };
        match *trust != Trust::Nothing && base.position().is_some_and(is_of_use) {
            true => *trust = Trust::Used,
            false => base.clear()?,
        }
        let seed = self.run ^ hash(name.as_bytes());
        let mut restoring =
            Restoring::new(pipeline, id, base, standing, first_commit(seed), clock.monotonic())?;
        let now = || clock.monotonic();
        let mut patience = Patience::new(&now, &mut alive, MARKERS_WITHIN);
        let (log, at) = (&mut *self.changelog, (topic, id.partition));
        restoring.read(log, at, first, Some(standing), &|_| true, &mut patience).map_err(place)?;
        Ok(restoring.finish(standing))
    }
}

/// Errors that mean that state and changelog do not belong together.
fn is_of_another_life(code: Code) -> bool {
    matches!(code, Code::OffsetLost | Code::ChangelogDamaged | Code::StateBehind)
}

/// Of all windows that those of a task may become.
fn fingerprint(pipeline: &Pipeline, id: TaskId) -> u64 {
    let stages = pipeline.groups.get(usize::from(id.group)).map_or(0..0, |group| group.stages.clone());
    let prints = pipeline.features[stages].iter().map(|stage| stage.plan.family());
    prints.fold(hash(b"tailwater"), |all, one| mix(all ^ one))
}

impl<'a> Restoring<'a> {
    pub fn new(
        pipeline: &'a Pipeline,
        id: TaskId,
        base: Box<dyn Base>,
        standing: &Standing,
        first: Commit,
        now: Duration,
    ) -> Result<Self> {
        let own = pipeline.groups.get(usize::from(id.group));
        let (stages, lateness) = own.map_or((0..0, 0), |group| (group.stages.clone(), group.lateness));
        let nodes = &pipeline.features[stages];
        let retentions: Vec<Retention<'a>> = nodes.iter().map(|stage| stage.retention(lateness)).collect();
        let durable = Durable::new(base, fingerprint(pipeline, id), first);
        let store = |index| Store::over(index as u8, Arc::clone(&durable.base));
        let mut task = Task { stores: (0..nodes.len()).map(store).collect(), ..Task::new(0) };
        let mut ids: Vec<PartitionId> = standing.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        task.set_inputs(&ids, now);
        task.durable = Some(durable);
        Ok(Self {
            pipeline,
            task,
            replays: retentions.into_iter().map(Replay::new).collect(),
            parts: Parts::default(),
            restored: Restored::default(),
        })
    }

    /// Reads what the changelog has, or has beyond the base: to where the group stands; or, if that is not asked for, to
    /// its end. Of images only keys are taken that are to be kept.
    pub fn read(
        &mut self,
        log: &mut dyn Changelog,
        at: (&str, i32),
        first: i64,
        standing: Option<&Standing>,
        keep: &dyn Fn(&Image) -> bool,
        patience: &mut Patience<'_>,
    ) -> Result<()> {
        let mut from = self.begin()?.unwrap_or(first);
        let is_empty = standing.is_some_and(|standing| last_commit(standing) == 0);
        if self.restored.base == 0
            && let Some(found) = image::find(log, at, first, is_empty, patience)?
        {
            let base = Arc::clone(&self.durable().base);
            image::load(log, at, found, &mut **lock(&base), keep, patience)?;
            from = self.begin()?.unwrap_or(first);
        }
        log.open(at.0, at.1, from)?;
        loop {
            match log.next(WAIT)? {
                Some((offset, block)) => {
                    self.take(offset, block)?;
                    patience.moved()?;
                }
                None if planted(Mistake::RestoresHalf) => return Ok(()),
                None => {
                    let Some(standing) = standing else { return Ok(()) };
                    if self.reaches(standing)? {
                        return Ok(());
                    }
                    patience.wait(|| self.behind(standing))?;
                }
            }
        }
    }

    fn durable(&mut self) -> &mut Durable {
        self.task.durable.as_mut().expect("it was given one")
    }

    /// Takes over what the base has; gives where the changelog goes on.
    fn begin(&mut self) -> Result<Option<i64>> {
        let base = Arc::clone(&self.durable().base);
        let Some((commit, head)) = lock(&base).position().map(|(commit, head)| (commit, head.to_vec()))
        else {
            return Ok(None);
        };
        let BaseHead { log_next, head, held, .. } = BaseHead::read(&head).ok_or_else(damaged)?;
        let durable = self.durable();
        (durable.commit, durable.log_next) = (commit, log_next);
        durable.head = head.to_vec();
        self.task.read_held(held)?;
        self.task.stores.iter_mut().try_for_each(Store::begin)?;
        self.restored.base = commit;
        Ok(Some(log_next))
    }

    fn take(&mut self, offset: i64, block: &[u8]) -> Result<()> {
        self.restored.blocks += 1;
        self.restored.bytes += block.len() as u64;
        let Some((label, packed)) = self.parts.take(block)? else { return Ok(()) };
        let known = self.durable().fingerprint;
        if label.fingerprint != known {
            let text =
                format!("it was written for windows {:016x}; these are {known:016x}", label.fingerprint);
            return Err(Error::new(Code::StateOther, text));
        }
        let commit = self.durable().commit;
        if label.what != What::Changes || label.commit <= commit {
            return Ok(());
        }
        if !self.durable().is_next(label.commit) {
            let text = format!("commit {} follows {commit}; those between are gone", label.commit);
            return Err(Error::new(Code::ChangelogDamaged, text));
        }
        let journal = self.durable().push(label.commit, packed, offset + 1)?;
        self.task.redo(&journal, &mut self.replays)
    }

    /// Whether the state is that of where the group stands. A group that was put somewhere before anything was
    /// committed begins there, with nothing.
    fn reaches(&mut self, standing: &Standing) -> Result<bool> {
        if self.durable().commit == 0 && last_commit(standing) == 0 {
            return Ok(true);
        }
        let head = Head::read(&self.durable().head).ok_or_else(damaged)?;
        let next =
            |id: PartitionId| head.inputs.iter().find(|(of, ..)| *of == id).and_then(|(_, next, _)| *next);
        let (commit, last) = (self.durable().commit, last_commit(standing));
        if last > 0 && commit > last && is_same_life(commit, last) {
            // Changes and offsets were committed together; a coordinator that came back forgot some offsets.
            tracing::warn!(
                target: "tasks",
                "the group's offsets are as of commit {last}, behind the windows, which are as of {commit}; \
                 it goes on from the windows"
            );
            return Ok(true);
        }
        // A commit may change a task and move no offset.
        Ok(commit == last
            && standing.iter().all(|(id, committed)| next(*id) == committed.map(|one| one.next)))
    }

    fn behind(&mut self, standing: &Standing) -> Error {
        let head = Head::read(&self.durable().head).unwrap_or_default();
        let say =
            |offset: Option<i64>| offset.map_or("its beginning".to_owned(), |offset| offset.to_string());
        let mut text = String::from("the windows are as of another moment than the group's offsets:");
        if last_commit(standing) != self.durable().commit {
            text += &format!(
                "\nthe group's last commit has number {}, that of the windows {}",
                last_commit(standing),
                self.durable().commit
            );
        }
        for (id, committed) in standing {
            let offset = committed.map(|one| one.next);
            let next = head.inputs.iter().find(|(of, ..)| of == id).and_then(|(_, next, _)| *next);
            let topic = &self.pipeline.topics[usize::from(id.source)];
            text += &format!(
                "\n{topic}/{}: the group is at {}, the windows are at {}",
                id.partition,
                say(offset),
                say(next)
            );
        }
        Error::new(Code::StateBehind, text)
    }

    /// Of journals only this key of this stage of the group is met.
    pub fn only(&mut self, stage: usize, key: &[u8]) {
        for (index, replay) in self.replays.iter_mut().enumerate() {
            replay.only((index == stage).then_some(key));
        }
    }

    pub fn finish(mut self, standing: &Standing) -> (Task, Restored) {
        self.task.stores.iter_mut().for_each(Store::commit);
        let head = Head::read(&self.durable().head).unwrap_or_default();
        head.put(&mut self.task);
        for input in self.task.inputs.iter_mut().filter(|input| input.next.is_none()) {
            let known = standing.iter().find(|(id, _)| *id == input.id);
            input.next = known.and_then(|(_, committed)| committed.map(|one| one.next));
            input.marked = input.next;
        }
        (self.task, self.restored)
    }
}

pub(super) fn damaged() -> Error {
    Error::new(Code::StateDamaged, "the head of a checkpoint can't be read")
}
