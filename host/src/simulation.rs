//! A world to run the engine in: hosts, disks and a Kafka cluster, all simulated and all by one seed.
//!
//! One thread, and a time that moves only when it is told to, or while a port waits. What is true of the
//! cluster is what Apache Kafka promises, and no more: what may be late is late, what may be lost is lost.
//!
//! - [`cluster`]: logs, transactions, the consumer group. What a client can see of a cluster.
//! - [`ports`](crate::engine::ports), over it: [`SimSource`], [`SimSink`], [`SimChangelog`], [`SimClock`],
//!   one set for each stream thread, and [`SimDisk`], one for each host.
//! - [`World`]: hosts that step, crash, pause and come back, and what came out of it all.
//!
//! Whoever calls a port as it must not be called, is told on in the [`Journal`]; so is a law that broke.

mod changelog;
mod client;
mod cluster;
mod disk;
mod journal;
mod process;
mod random;
mod sink;
mod source;
mod world;

pub use changelog::SimChangelog;
pub use client::{Ports, Seat};
pub use cluster::{Cluster, Faults, Stored, Timeouts};
pub use disk::SimDisk;
pub use journal::{Journal, SimClock};
pub use process::{Process, is_crash};
pub use random::Random;
pub use sink::SimSink;
pub use source::SimSource;
pub use world::{Given, Odds, Stepper, World, WorldOptions};

#[cfg(test)]
mod tests;
