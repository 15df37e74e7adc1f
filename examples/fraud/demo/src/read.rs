//! Reads back what the pipeline sends.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use tailwater::error::Code;
use tailwater::record::RELEASE;

use crate::broker::{self, Broker};
use crate::feed::{RUN, SENT};
use crate::ledger::Ledger;
use crate::tally::{Decided, Tally};

const WITHIN: Duration = Duration::from_secs(10);
/// So fast is `stop` seen.
const NAP: Duration = Duration::from_millis(50);

/// Topics of what is no decision.
#[derive(Clone, Debug)]
pub(crate) struct Asides {
    pub dead_letters: String,
    pub late: Option<String>,
}

pub(crate) struct Reader {
    consumer: BaseConsumer,
    asides: Asides,
    /// Headers of what is looked at: fed by this run, and answered by its pipeline. Others may work on the same topics.
    ours: [(&'static str, String); 2],
    ledger: Arc<Ledger>,
    tally: Arc<Mutex<Tally>>,
}

impl Reader {
    /// Reads from where the topics end now.
    pub(crate) fn new(
        broker: &Broker,
        topics: &[&str],
        asides: Asides,
        run: &str,
        release: &str,
        ledger: Arc<Ledger>,
    ) -> Result<Self> {
        let mut config = broker.consumer();
        config
            .set("group.id", "fraud-demo-reader")
            .set("enable.auto.commit", "false")
            .set("fetch.queue.backoff.ms", "10");
        let consumer: BaseConsumer = config.create().context("the demo's consumer")?;
        let mut positions = TopicPartitionList::new();
        for topic in topics {
            let metadata = consumer.fetch_metadata(Some(topic), WITHIN)?;
            for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
                let end = broker::end(&consumer, topic, partition.id())?;
                positions.add_partition_offset(topic, partition.id(), Offset::Offset(end))?;
            }
        }
        consumer.assign(&positions)?;
        let ours = [(RUN, run.to_owned()), (RELEASE, release.to_owned())];
        Ok(Self { consumer, asides, ours, ledger, tally: Arc::default() })
    }

    pub(crate) fn tally(&self) -> Arc<Mutex<Tally>> {
        Arc::clone(&self.tally)
    }

    pub(crate) fn read(&self, stop: &AtomicBool) -> Result<()> {
        while !stop.load(Relaxed) {
            if let Some(message) = self.consumer.poll(NAP) {
                self.take(&message.context("the outputs can't be read")?)?;
            }
        }
        Ok(())
    }

    fn take(&self, message: &BorrowedMessage<'_>) -> Result<()> {
        if self.ours.iter().any(|(name, value)| header(message, name) != Some(value)) {
            return Ok(());
        }
        if self.asides.late.as_deref() == Some(message.topic()) {
            self.tally.lock().unwrap_or_else(PoisonError::into_inner).late += 1;
            return Ok(());
        }
        if message.topic() == self.asides.dead_letters {
            let cause = cause(message);
            self.tally.lock().unwrap_or_else(PoisonError::into_inner).dead_letter(&cause);
            return Ok(());
        }
        let decided: Decided = serde_json::from_slice(message.payload().unwrap_or_default())
            .with_context(|| format!("a message in {} is no decision", message.topic()))?;
        let is_fraud = self.ledger.is_fraud(decided.transaction_id);
        let latency = since(header(message, SENT).unwrap_or_default());
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).decision(decided, is_fraud, latency);
        Ok(())
    }
}

fn header<'m>(message: &'m BorrowedMessage<'_>, name: &str) -> Option<&'m str> {
    let headers = message.headers()?;
    let found = headers.iter().find(|header| header.key == name)?;
    std::str::from_utf8(found.value?).ok()
}

/// What the plugin said, or what the host's code means.
fn cause(message: &BorrowedMessage<'_>) -> String {
    let code = Code::parse(header(message, "tailwater-code").unwrap_or_default());
    match code {
        Some(Code::Rejected) | None => header(message, "tailwater-message").unwrap_or("no cause").to_owned(),
        Some(code) => code.title().to_owned(),
    }
}

/// Microseconds from then to now.
fn since(sent: &str) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    i64::try_from(now).unwrap_or(i64::MAX) - sent.parse().unwrap_or(0)
}
