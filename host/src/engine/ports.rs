//! All that the engine sees of the world.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::floor::{Fence, Words};
use crate::columns::{Batch, Builder, Schema};
use crate::contract::{Computed, Decided, Folded, Processed, Tape};
use crate::error::{Code, Error, Refusal, Result};
use crate::record::{Message, PartitionId, Record, Records};

/// Why a call of a plugin failed as a whole. The next call meets a fresh instance.
#[derive(Debug, Clone)]
pub struct PluginFault {
    /// [`Code::PluginTrap`], [`Code::PluginTime`], [`Code::PluginMemory`] or [`Code::PluginOutput`]; or
    /// [`Code::Internal`], which ends the run.
    pub code: Code,
    /// With the functions it was in and, at the end behind [`WORDS`], the plugin's own words, where it had any.
    pub message: String,
}

/// Stands before a plugin's own words in a message. They may be words of a record.
pub const WORDS: &str = "; it said: ";

/// What of a message may be logged: all but a plugin's own words.
pub fn without_words(message: &str) -> &str {
    message.split(WORDS).next().unwrap_or_default()
}

/// The first stage. Rows in, rows out; the batch has the described input columns.
pub trait Preprocessor {
    fn process(&mut self, rows: &Batch) -> Result<Processed, PluginFault>;
}

/// Feature vectors of rows and window values.
pub trait Features {
    /// `rows`: the first input's columns, then one column an aggregate, then those of lookups.
    fn compute(&mut self, rows: &Batch) -> Result<Computed, PluginFault>;

    /// Executes a tape of a custom fold. `registers` lie one behind the other.
    fn fold(
        &mut self,
        custom: u32,
        entries: &Batch,
        tape: &Tape,
        registers: &[u8],
    ) -> Result<Folded, PluginFault>;

    /// Makes registers of a custom fold of so many that an older version of it left, one behind the other.
    fn migrate(
        &mut self,
        custom: u32,
        version: u32,
        count: u32,
        registers: &[u8],
    ) -> Result<Vec<u8>, PluginFault>;
}

/// The last stage.
pub trait Rules {
    fn decide(&mut self, rows: &Batch) -> Result<Decided, PluginFault>;
}

/// What a column of a model's matrix is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatrixColumn {
    /// A number of the feature vector: an index into the plugin's features.
    Feature(usize),
    /// A boolean, int, float or single: an index into the columns that the model was offered. Null
    /// becomes NaN.
    Column(usize),
}

/// What a model is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub rows: usize,
    /// rows x features, in the order that was agreed on at load; empty where the model takes none.
    pub matrix: &'a [f32],
    /// The columns that the model takes by name, in the order that was agreed on at load.
    pub columns: &'a Batch,
}

/// A model, its contract checked at load.
pub trait Model {
    /// Appends rows x scores to `scores`, row after row, in the order of the pipeline's scores. The
    /// values are not checked yet. An error means the whole question failed.
    fn score(&mut self, question: Question<'_>, scores: &mut Vec<f32>) -> Result<(), String>;
}

/// Turns records into columns. One per source; its columns were agreed on at load.
pub trait Decoder {
    /// The columns that come out.
    fn schema(&self) -> &Schema;

    /// Appends one row, or leaves `into` as it was and says why.
    fn decode(&mut self, topic: &str, record: &Record<'_>, into: &mut Builder) -> Result<(), Refusal>;
}

/// Turns rows into values. One per route.
pub trait Encoder {
    /// Appends the value of a row.
    fn encode(&mut self, rows: &Batch, row: usize, into: &mut Vec<u8>);
}

/// What a poll brought.
#[derive(Debug)]
pub enum Polled {
    /// So many records, to be had from [`Source::records`]; none if nothing came in time.
    Records(usize),
    /// Partitions that are this thread's from now on. [`Source::start`] must follow.
    Assigned(Vec<PartitionId>),
    /// Partitions that are to be given up. Their outputs should be drained and their offsets
    /// committed, then [`Source::release`] must follow. With `lost`, they belong to somebody else
    /// already and nothing may be committed for them.
    Revoked { partitions: Vec<PartitionId>, lost: bool },
}

/// How much a poll may bring. The first record is always admitted.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub rows: usize,
    pub bytes: usize,
}

/// Whether a thread has been asked to end: then it waits for nothing that another can do.
#[derive(Clone)]
pub struct Asked(Arc<dyn Fn() -> bool + Send + Sync>);

impl Asked {
    pub fn when(asked: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(asked))
    }

    /// An error, if it has been.
    pub fn check(&self) -> Result<()> {
        let text = "it was asked to end meanwhile";
        if self.now() { Err(Error::new(Code::Stuck, text)) } else { Ok(()) }
    }

    pub fn now(&self) -> bool {
        self.0()
    }
}

/// Never.
impl Default for Asked {
    fn default() -> Self {
        Self::when(|| false)
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asked({})", self.now())
    }
}

/// Where a group stands in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to be read.
    pub next: i64,
    /// What the [`Mark`] said; 0: nothing, or it was no transaction.
    pub commit: u64,
    /// As the [`Mark`] said.
    pub fence: Option<Fence>,
}

/// Where records come from. Owned by one thread.
///
/// Partitions come and go one by one: what a poll assigns or revokes is what changes, all others go on.
pub trait Source {
    /// What proves to a transaction that this thread is a member of its group.
    type Member;

    /// Takes what is there; if that is nothing, waits.
    fn poll(&mut self, wait: Duration, limit: Limit) -> Result<Polled>;

    /// What the last poll brought.
    fn records(&self) -> Records<'_>;

    /// The next offset of each of these partitions as the group committed it. `None`: none yet, and the
    /// partition is to be read from its beginning. What a former owner left half done is ended before.
    fn committed(&mut self, partitions: &[PartitionId]) -> Result<Vec<Option<Committed>>>;

    /// Reads these assigned partitions from these offsets, also where they are read already: what was fetched
    /// of them and not given is dropped. Those that were assigned last are started all at once.
    fn start(&mut self, partitions: &[(PartitionId, Option<i64>)]) -> Result<()>;

    /// These assigned partitions are not wanted for now, all others are. What was fetched of them before may
    /// still come.
    fn hold(&mut self, partitions: &[PartitionId]) -> Result<()>;

    /// Partitions whose end was reached since the last call: all was given that there was.
    fn ended(&mut self) -> Vec<PartitionId>;

    /// The offset behind the last record of a partition that is read, as far as is known without asking.
    fn end(&self, _partition: PartitionId) -> Option<i64> {
        None
    }

    /// Gives the revoked partitions up.
    fn release(&mut self, partitions: &[PartitionId]) -> Result<()>;

    /// Commits next offsets, outside of any transaction. `wait`: returns when the broker has them, and all
    /// that were given before; else they are tried until it has.
    fn commit(&mut self, offsets: &[(PartitionId, i64)], wait: bool) -> Result<()>;

    /// Commits these at once, outside of any transaction, with the numbers of their marks beside. False: the group
    /// went on without this thread, and has none of it.
    fn commit_marks(&mut self, _marks: &[Mark]) -> Result<bool> {
        Err(Error::new(Code::Internal, "this source commits nothing beside offsets"))
    }

    /// For [`Sink::commit`], right before it.
    fn member(&self) -> Result<Self::Member>;

    /// Keeps the place in the group while nothing is polled. What comes up is told by the next poll.
    fn keep_alive(&self) -> Result<()>;

    /// Leaves the group, so that nobody waits for a time-out. Everything is committed.
    fn leave(&mut self) -> Result<()>;
}

/// Whether a message was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    Taken,
    /// The bounded queue is full: wait, and send it again.
    Full,
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All of it is there, for good.
    Committed,
    /// It has to be [aborted](Sink::abort); nothing of it will ever be there. Why.
    Failed(String),
}

/// Offsets of one partition, as a transaction commits them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub of: PartitionId,
    /// The next offset to be read.
    pub next: i64,
    /// Number of the task's commit, to be kept beside the offset.
    pub commit: u64,
    /// The partition is given up with it: nothing of this thread's is left that the next owner has to wait for.
    pub last: bool,
    /// For another generation: to be kept beside the offset.
    pub words: Words,
}

/// Where messages go. Owned by one thread.
///
/// With transactions: all that is sent between [`Sink::begin`] and its end is there as a whole or not at all.
/// An error of [`Code::Fenced`](crate::error::Code::Fenced) means that the transaction is lost and this sink of
/// no use any more; how the transaction ended is not known.
pub trait Sink {
    /// The source's.
    type Member;

    /// Copies the message into the bounded queue.
    fn send(&mut self, message: Message<'_>) -> Result<Sent>;

    /// Works for up to that long on what is queued; says what is still under way. An error: a message
    /// will never arrive; in a transaction only if no second try would help.
    fn work(&mut self, wait: Duration) -> Result<UnderWay>;

    /// Like [`Sink::work`], but nothing waits for company any more: called until nothing is under way.
    fn flush(&mut self, wait: Duration) -> Result<UnderWay> {
        self.work(wait)
    }

    /// Counts what was sent so far apart from what follows. Not before [`UnderWay::marked`] is zero.
    fn mark(&mut self);

    /// Begins a transaction. The one before has ended.
    fn begin(&mut self) -> Result<()> {
        Err(without_transactions())
    }

    /// Ends the transaction, with the offsets of what was read for it. Nothing is under way.
    fn commit(&mut self, _marks: &[Mark], _member: Self::Member) -> Result<Ended> {
        Err(without_transactions())
    }

    /// Ends the transaction, and drops what is under way.
    fn abort(&mut self) -> Result<()> {
        Err(without_transactions())
    }

    /// Tags of messages that have arrived since the last call, and the offset of each.
    fn landed(&mut self) -> Vec<(u32, i64)> {
        Vec::new()
    }
}

fn without_transactions() -> Error {
    Error::new(Code::Internal, "this sink has no transactions")
}

/// Messages that were sent and have not arrived yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnderWay {
    pub all: usize,
    /// Those from before the last [`Sink::mark`].
    pub marked: usize,
}

/// The changelog topics, to be read back. Owned by one thread; used while a task is restored.
pub trait Changelog {
    /// Offset of the first block of a partition that is still there.
    fn first(&mut self, topic: &str, partition: i32) -> Result<i64>;

    /// Reads a partition from an offset on, and no other until the next call. An offset that is not there any
    /// more, or was never, is an error of [`Code::OffsetLost`](crate::error::Code::OffsetLost).
    fn open(&mut self, topic: &str, partition: i32, from: i64) -> Result<()>;

    /// The next block and its offset. `None`: nothing more is there that is committed, as far as is known; after
    /// a while there may be.
    fn next(&mut self, wait: Duration) -> Result<Option<(i64, &[u8])>>;

    /// Nothing before an offset is needed any more. Tried once, later, without a word.
    fn trim(&mut self, topic: &str, partition: i32, before: i64) -> Result<()>;
}

/// Monotonic time, for intervals.
pub trait Clock {
    /// Since some moment of the past.
    fn monotonic(&self) -> Duration;
}
