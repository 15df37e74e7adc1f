//! A table of PostgreSQL.
//!
//! What a poll brought is one transaction: copied into a temporary table, and from there inserted or, where a row of this
//! identity is there already, made equal to it. Offsets are committed to the group afterwards: rows that come again
//! because that failed change nothing, so there need be no table of offsets, and the group's lag is there to be watched
//! by all tools.
//!
//! A connection is made when rows come, and dropped after any error. Memory: a poll's rows once more, as they are copied.

mod copy;
mod credentials;
mod link;
mod table;

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::Options;
use super::keeper::{Group, Keeper, Place, Taken};
use super::rows::{Layout, Rows};
use crate::config::Postgres;
use crate::error::{Code, Error, Result};
use crate::record::PartitionId;
use copy::Copy;
use credentials::Credentials;
use link::Link;
use table::Shape;

/// How often the group hears from the store while the database works.
const ALIVE_EVERY: Duration = Duration::from_millis(250);

/// Refuses what no database could keep.
pub(super) fn check(section: &Postgres, layout: &Layout) -> Result<()> {
    Shape::new(section, layout).and_then(|_| link::address(section)).map(drop)
}

pub(super) struct Table {
    shape: Shape,
    address: tokio_postgres::Config,
    credentials: Credentials,
    runtime: Runtime,
    link: Option<Link>,
    copy: Copy,
}

impl Table {
    pub fn new(section: &Postgres, layout: &Layout, options: &Options<'_>) -> Result<Self> {
        let shape = Shape::new(section, layout)?;
        let mut address = link::address(section)?;
        address.application_name(options.client_id);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::new(Code::Internal, format!("no runtime: {error}")))?;
        let credentials = Credentials::of(section, options.folder);
        Ok(Self { copy: Copy::new(layout), shape, address, credentials, runtime, link: None })
    }

    fn keep(&mut self, group: &dyn Group) -> Result<()> {
        let Self { shape, address, credentials, runtime, link, copy } = self;
        let work = async {
            let link = match link {
                Some(link) => link,
                None => link.insert(Link::open(address, credentials, shape).await?),
            };
            link.write(copy.bytes()).await
        };
        drive(runtime, work, group).inspect_err(|_| self.link = None)
    }
}

impl Keeper for Table {
    fn begin(&mut self, _partitions: &[(PartitionId, Place)]) {}

    fn take(&mut self, rows: &Rows, group: &mut dyn Group) -> Result<Taken> {
        let taken = self.copy.fill(rows);
        if !self.copy.is_empty() {
            self.keep(group)?;
        }
        let next: Vec<_> = rows.next.iter().map(|(id, next)| (*id, *next)).collect();
        group.kept(&next);
        Ok(taken)
    }

    fn look(&mut self, _now: Instant, _group: &mut dyn Group) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self, _partitions: &[PartitionId], _group: &mut dyn Group) -> Result<()> {
        Ok(())
    }

    fn forget(&mut self, _partitions: &[PartitionId]) {}
}

impl Drop for Table {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            self.runtime.block_on(link.close());
        }
    }
}

/// Does the work, while the group hears from us. Ended early, the connection is of no use any more.
fn drive<T>(runtime: &Runtime, work: impl Future<Output = Result<T>>, group: &dyn Group) -> Result<T> {
    runtime.block_on(async {
        let mut work = pin!(work);
        let mut tick = tokio::time::interval(ALIVE_EVERY);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = tick.tick() => group.alive()?,
            }
        }
    })
}
