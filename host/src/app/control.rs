//! The topics of a pipeline's releases, as this process sees and writes them.

use std::time::{Duration, SystemTime};

use tracing::{info, warn};

use super::rights;
use super::topics::METADATA_WITHIN;
use crate::config::Config;
use crate::engine::ports::Asked;
use crate::error::{Code, Error, Result};
use crate::kafka::{
    Cluster, ControlFetcher, ControlOptions, ControlReader, ControlWriter, create_history, create_releases,
    look_up,
};
use crate::release::depot::Depot;
use crate::release::history::Event;
use crate::release::json::Key;
use crate::release::ledger::Ledger;
use crate::release::manifest::{Artifact, Manifest, Proposal, Refusal, Ticket, Turn};

/// Brokers may be away for this long while the topic is read for the first time.
const LOADED_WITHIN: Duration = Duration::from_secs(60);

/// Milliseconds since the epoch.
pub fn now() -> i64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// Makes both topics, if they are not there.
pub fn make_topics(config: &Config) -> Result<()> {
    let (cluster, replication) = (cluster(config), config.kafka.internal_replication);
    rights::check(config, None)?;
    let names = [config.releases_topic(), config.release_history_topic()];
    let makers = [create_releases, create_history];
    let found = look_up(&cluster, &[&names[0], &names[1]], METADATA_WITHIN)?;
    for ((name, make), found) in names.iter().zip(makers).zip(found) {
        match found {
            Some(topic) if topic.partitions != 1 => {
                let partitions = topic.partitions;
                let text = format!("topic `{name}` has {partitions} partitions; that of releases has one");
                return Err(Error::new(Code::Partitions, text));
            }
            Some(_) => {}
            None => {
                let made = make(&cluster, name, replication, METADATA_WITHIN);
                made.map_err(|Error { code, message }| {
                    let instead = "Without it a pipeline runs with releases.enabled = false.";
                    Error::new(code, format!("{message}\n{instead}"))
                })?;
                info!(topic = name, "made an internal topic");
            }
        }
    }
    Ok(())
}

/// Whether the topic that says what runs is there.
pub fn is_there(config: &Config) -> Result<bool> {
    let found = look_up(&cluster(config), &[&config.releases_topic()], METADATA_WITHIN)?;
    Ok(found.iter().any(Option::is_some))
}

/// The brokers of a pipeline, for all clients of this process.
pub fn cluster(config: &Config) -> Cluster {
    let (brokers, properties) = (config.kafka.brokers.clone(), config.kafka.properties.clone());
    Cluster { brokers, properties, security: config.security() }
}

fn options(config: &Config, topic: String) -> ControlOptions {
    let client_id = format!("{}-releases", config.name);
    ControlOptions { cluster: cluster(config), group: config.group(), client_id, topic }
}

/// What the topic says.
#[derive(Debug)]
pub struct Control {
    pipeline: String,
    reader: ControlReader,
    pub ledger: Ledger,
}

impl Control {
    /// Reads all that is there.
    pub fn open(config: &Config) -> Result<Self> {
        Self::open_until(config, &Asked::default())
    }

    /// The same, unless it is asked to end meanwhile.
    pub fn open_until(config: &Config, asked: &Asked) -> Result<Self> {
        let reader = ControlReader::connect(&options(config, config.releases_topic()))?;
        let mut control = Self { pipeline: config.name.clone(), reader, ledger: Ledger::default() };
        let Self { pipeline, reader, ledger } = &mut control;
        reader.load(LOADED_WITHIN, asked, |record| {
            take(pipeline, ledger, record.offset, record.key, record.value);
        })?;
        Ok(control)
    }

    /// Reads what has come; if that is nothing, waits. Says whether anything came.
    pub fn read(&mut self, wait: Duration) -> Result<bool> {
        let Self { pipeline, reader, ledger } = self;
        let read = reader.poll(wait, |record| {
            take(pipeline, ledger, record.offset, record.key, record.value);
        })?;
        Ok(read > 0)
    }
}

fn take(pipeline: &str, ledger: &mut Ledger, offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) {
    if let Err(error) = ledger.take(offset, key, value) {
        warn!(pipeline, "a record of the releases' topic is passed over: {} {error}", error.code);
    }
}

/// All that happened, the oldest first. Lines that can't be read are passed over.
pub fn history(config: &Config) -> Result<Vec<Event>> {
    let topic = config.release_history_topic();
    let found = look_up(&cluster(config), &[&topic], METADATA_WITHIN)?;
    let mut events = Vec::new();
    if found.iter().any(Option::is_some) {
        let mut reader = ControlReader::connect(&options(config, topic.clone()))?;
        let asked = Asked::default();
        reader.load(LOADED_WITHIN, &asked, |record| match Event::read(record.value.unwrap_or_default()) {
            Ok(event) => events.push(event),
            Err(error) => warn!("{topic}/0/{} is passed over: {} {error}", record.offset, error.code),
        })?;
    }
    Ok(events)
}

/// Writes to both topics, and fetches from the first.
#[derive(Debug)]
pub struct Pen {
    releases: ControlOptions,
    history: ControlOptions,
    writers: [Option<ControlWriter>; 2],
    fetcher: Option<ControlFetcher>,
}

impl Pen {
    /// The brokers are not asked for anything yet.
    pub fn new(config: &Config) -> Self {
        Self {
            releases: options(config, config.releases_topic()),
            history: options(config, config.release_history_topic()),
            writers: [None, None],
            fetcher: None,
        }
    }

    /// Writes files of the depot, all of their pieces.
    pub fn upload<'a>(
        &mut self,
        depot: &Depot,
        artifacts: impl IntoIterator<Item = &'a Artifact>,
    ) -> Result<()> {
        artifacts.into_iter().try_for_each(|artifact| {
            let chunks = depot.chunks(artifact)?;
            self.write(chunks.map(|chunk| chunk.map(|(key, bytes)| (Some(key.to_string()), Some(bytes)))))
        })
    }

    pub fn propose(&mut self, proposal: &Proposal) -> Result<()> {
        let (key, value) = proposal.record()?;
        self.write([Ok((Some(key), Some(value)))])
    }

    pub fn release(&mut self, manifest: &Manifest) -> Result<()> {
        let (key, value) = manifest.record(Ticket::random())?;
        self.write([Ok((Some(key), Some(value)))])
    }

    pub fn refuse(&mut self, refusal: &Refusal) -> Result<()> {
        let (key, value) = refusal.record(Ticket::random());
        self.write([Ok((Some(key), Some(value)))])
    }

    pub fn turn(&mut self, turn: &Turn) -> Result<()> {
        let (key, value) = turn.record(Ticket::random());
        self.write([Ok((Some(key), Some(value)))])
    }

    /// Takes records away, one behind the other.
    pub fn prune(&mut self, keys: &[Key]) -> Result<()> {
        self.write(keys.iter().map(|key| Ok((Some(key.to_string()), None))))
    }

    /// Adds lines to the history.
    pub fn tell(&mut self, events: &[Event]) -> Result<()> {
        let lines: Vec<_> = events.iter().map(|event| Ok((None, Some(event.line())))).collect();
        let written = writer(&mut self.writers[1], &self.history)?.write(lines);
        written.inspect_err(|_| self.writers[1] = None)
    }

    /// What lies at an offset.
    pub fn fetch(&mut self, offset: i64) -> Result<Vec<u8>> {
        let mut fetcher = match self.fetcher.take() {
            Some(fetcher) => fetcher,
            None => ControlFetcher::connect(&self.releases)?,
        };
        let value = fetcher.get(offset)?;
        self.fetcher = Some(fetcher);
        Ok(value)
    }

    /// Lets go of what fetching needed.
    pub fn fetched(&mut self) {
        self.fetcher = None;
    }

    fn write(
        &mut self,
        records: impl IntoIterator<Item = Result<(Option<String>, Option<Vec<u8>>)>>,
    ) -> Result<()> {
        let written = writer(&mut self.writers[0], &self.releases)?.write(records);
        // After an error a writer is of no use any more.
        written.inspect_err(|_| self.writers[0] = None)
    }
}

fn writer<'a>(
    writer: &'a mut Option<ControlWriter>,
    options: &ControlOptions,
) -> Result<&'a mut ControlWriter> {
    if writer.is_none() {
        *writer = Some(ControlWriter::connect(options)?);
    }
    Ok(writer.as_mut().expect("it was made just now"))
}
