//! Keeps outputs where people look, beside Kafka: in a table of PostgreSQL, or in Parquet files. The only room that knows either.
//!
//! The law:
//!
//! - A store reads what was committed to the routes' topics, as a consumer group of its own. It takes part in no
//!   transaction of the pipeline and holds none of its threads up: what is slow or away waits in Kafka.
//! - A row is kept before its offset is committed. So it may be kept twice, which changes nothing: its identity, that of
//!   the record or window that it was made of, is the key.
//! - Nothing is passed over without a word. A row of which a part can't be held is kept without that part, and says so
//!   itself; a record without an identity, which is no output, is left out, and the log names it.
//! - An error of the store or of the brokers ends nothing. What is not kept is read again after a pause, which grows; the
//!   pipeline goes on.
//! - Memory: what its consumer has fetched ahead, one poll, and what the kind of store says of itself.

mod identity;
mod keeper;
mod parquet;
mod patience;
mod ports;
mod postgres;
mod rows;
mod session;

use std::path::Path;
use std::time::{Duration, Instant};

use tracing::info;

use crate::config::StoreKind;
use crate::error::{Code, Error, Result};
use keeper::Keeper;
use patience::{Patience, Seldom};
use rows::{Layout, Reader};
use session::{Around, End, Session};

pub use ports::{Feed, Outputs, Tally};

/// How often it is looked whether the store is to end.
const LOOK: Duration = Duration::from_millis(100);

/// Refuses what could never be kept, before anything runs.
pub fn check(kind: StoreKind<'_>, outputs: &Outputs) -> Result<()> {
    let layout = Layout::new(outputs)?;
    match kind {
        StoreKind::Postgres(section) => postgres::check(section, &layout),
        StoreKind::Parquet(_) => parquet::check(&layout),
    }
}

/// A store of a pipeline.
#[derive(Debug)]
pub struct Options<'a> {
    /// What it is called in the log.
    pub place: &'a str,
    pub kind: StoreKind<'a>,
    /// Paths of the configuration are relative to it.
    pub folder: &'a Path,
    /// What a database is told of who asks.
    pub client_id: &'a str,
}

/// Keeps outputs until it is asked to end, whatever happens to the store or the brokers.
pub fn run<F: Feed>(feed: &F, options: &Options<'_>, tally: &Tally) -> Result<()> {
    let place = options.place;
    let (mut patience, mut left_out, mut flawed) =
        (Patience::new(place), Seldom::default(), Seldom::default());
    let mut outputs = feed.outputs();
    loop {
        outputs = outputs.followed_by(feed.outputs());
        let around =
            Around { place, tally, patience: &mut patience, left_out: &mut left_out, flawed: &mut flawed };
        match session(feed, options, &outputs, around) {
            Ok(End::Asked) => return Ok(()),
            Ok(End::Changed) => info!("{place}: goes over to the outputs of another release"),
            Err(_) if feed.asked() => return Ok(()),
            Err(error) if error.code == Code::Internal => return Err(error),
            Err(error) => {
                tally.failed();
                let (pause, began) = (patience.failed(&error, Instant::now()), Instant::now());
                while began.elapsed() < pause && !feed.asked() {
                    std::thread::sleep(LOOK);
                }
            }
        }
    }
}

fn session<F: Feed>(feed: &F, options: &Options<'_>, outputs: &Outputs, around: Around<'_>) -> Result<End> {
    if outputs.topics.is_empty() {
        return Err(Error::new(Code::Mismatch, "the release that runs has none of its routes"));
    }
    let layout = Layout::new(outputs)?;
    let reader = Reader::new(&layout, feed.decoder(Reader::columns(&layout))?);
    let mut keeper: Box<dyn Keeper> = match options.kind {
        StoreKind::Postgres(section) => Box::new(postgres::Table::new(section, &layout, options)?),
        StoreKind::Parquet(section) => Box::new(parquet::Files::new(section, &layout, outputs, options)?),
    };
    Session::open(feed, outputs, &mut *keeper, reader, around)?.go()
}
