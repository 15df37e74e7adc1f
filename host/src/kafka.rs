//! Kafka through librdkafka: the adapter behind the ports `Source`, `Sink` and `Changelog`, the only room
//! that knows rdkafka.
//!
//! The law, for both guarantees:
//!
//! - One consumer and one producer a stream thread; neither is shared.
//! - A rebalance is never answered inside a callback. It is recorded, comes out of
//!   [`Source::poll`](crate::engine::ports::Source::poll), and is answered by `start` or `release`,
//!   when the engine has drained and committed.
//! - Offsets are committed by the engine alone, after their outputs were delivered. An offset that
//!   the broker has no longer stops the run: nothing is skipped silently.
//! - The order of one partition is kept on the way in and, also when a request is tried again, on
//!   the way out.
//! - Memory: the source holds at most `fetch_bytes` of values plus a fetch for each broker and one
//!   batch. Keys and headers come on top, as librdkafka does not count them; where they are large, it
//!   is the 10,000 records of a partition that bound it. The sink holds what its budget
//!   has room for, all that is kept of a message included.
//! - Partitions come and go one by one where the brokers have the protocol for it, else all at once. What an
//!   event does not name goes on exactly where it was.
//! - A table's topic is read beside the group: whole, by each process, from its beginning. So are changelogs, one
//!   partition at a time, by whom they are restored.
//! - No topic is created but internal ones, on purpose.
//!
//! Exactly once, beside it:
//!
//! - All that is sent between two commits, the offsets of what was read for it included, is one transaction of
//!   the thread's own transactional id. All that is read is committed.
//! - A transaction that fails is aborted, and its records are read again. Who is fenced writes nothing more.
//! - An offset's metadata names the transactional id that committed it, until the partition is given up. Who
//!   gets a partition first ends what another process's id left open, and fences that process, dead or alive.
//!   A committed offset never comes out while a transaction may still replace it.

mod changelog;
mod cluster;
mod consumer;
mod control;
mod embedded;
mod events;
mod log;
mod native;
mod note;
mod operate;
mod places;
mod reach;
mod rights;
mod rows;
mod security;
mod sink;
mod source;
mod table;
mod topics;
mod transaction;

pub use changelog::{ChangelogOptions, KafkaChangelog};
pub use cluster::Cluster;
pub use control::{
    CONTROL_RECORD, ControlFetcher, ControlOptions, ControlReader, ControlRecord, ControlWriter,
};
pub use embedded::EmbeddedBroker;
pub use operate::{Operator, Owners, Place};
pub use rights::{Needs, Right, check_rights};
pub use sink::{KafkaSink, SinkOptions, Transactions};
pub use source::{Claims, KafkaSource, SourceOptions};
pub use table::{KafkaTable, TableOptions};
pub use topics::{
    TopicInfo, create_changelog, create_history, create_internal, create_releases, look_up, topics,
};

#[cfg(test)]
mod tests;
