//! Ending what a former owner of partitions left open, before they are read.
//!
//! Whoever commits offsets in a transaction leaves its transactional id in their metadata, until it gives the
//! partitions up. Another id than one's own, there, is that of a process which ended without a word, or is being
//! replaced: its open transaction would hold up all who read what it wrote, and the group's offsets themselves,
//! until the broker's time-out. A producer of that id ends it at once, and the process, should it live, writes
//! nothing any more.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::BaseConsumer;
use rdkafka::producer::{BaseProducer, Producer};

use crate::engine::ports::Asked;
use crate::error::{Code, Error, Result};
use crate::kafka::Cluster;
use crate::kafka::cluster::refused;
use crate::kafka::consumer::committed;
use crate::kafka::events::{ConsumerEvents, ProducerEvents};
use crate::kafka::native::{Reports, metadata};
use crate::kafka::note::Note;
use crate::kafka::transaction::{PAUSE, Refusal, Verdict, try_init};

/// All of them together; a broker that coordinates transactions may be away for a while.
const CLAIMED_WITHIN: Duration = Duration::from_secs(60);

/// How a source that takes part in transactions knows whose it is to end.
#[derive(Clone, Debug)]
pub struct Claims {
    /// How the transactional ids of the pipeline begin. Others are nobody's business.
    pub prefix: String,
    /// How those of this process begin.
    pub own: String,
    /// What was committed last is known of all partitions from elsewhere: from a changelog.
    pub kept: bool,
}

impl Claims {
    /// Of whom has no transactional id: all others are foreign.
    pub(in crate::kafka) fn of_nobody(prefix: String) -> Self {
        // No id begins so.
        Self { prefix, own: "\n".to_owned(), kept: false }
    }

    /// Those of a dead, or of a replaced, process.
    fn foreign(&self, ids: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        let foreign = |id: &String| id.starts_with(&self.prefix) && !id.starts_with(&self.own);
        ids.into_iter().filter(foreign).collect()
    }
}

/// Who asks what the group committed last, whatever is pending.
pub(in crate::kafka) struct Claimant {
    claims: Claims,
    cluster: Cluster,
    client_id: String,
    group: String,
    consumer: Option<BaseConsumer<ConsumerEvents>>,
}

impl Claimant {
    pub(in crate::kafka) fn new(claims: Claims, cluster: Cluster, client_id: String, group: String) -> Self {
        Self { claims, cluster, client_id, group, consumer: None }
    }

    /// Ends what former owners of these partitions left open.
    pub(super) fn settle(&mut self, partitions: &TopicPartitionList, asked: &Asked) -> Result<()> {
        let foreign = self.owners(partitions, || asked.check())?;
        if foreign.is_empty() { Ok(()) } else { self.claim(&foreign, asked) }
    }

    /// Whether offsets may be asked for while others are pending.
    pub(super) fn may_ask(&self) -> bool {
        self.claims.kept
    }

    /// Offsets as they are, also if others are pending.
    pub(super) fn pending(
        &mut self,
        partitions: &TopicPartitionList,
        alive: impl FnMut() -> Result<()>,
    ) -> Result<TopicPartitionList> {
        committed(self.consumer()?, partitions, CLAIMED_WITHIN, alive)
    }

    /// Transactional ids of former owners of these partitions.
    pub(in crate::kafka) fn owners(
        &mut self,
        partitions: &TopicPartitionList,
        alive: impl FnMut() -> Result<()>,
    ) -> Result<BTreeSet<String>> {
        let consumer = self.consumer()?;
        let answer = committed(consumer, partitions, CLAIMED_WITHIN, alive)?;
        // Errors and log lines, which nobody else takes.
        while consumer.poll(Duration::ZERO).is_some() {}
        let notes = metadata(&answer);
        let owners = notes.iter().filter_map(|note| Note::read(note).owner.map(str::to_owned));
        Ok(self.claims.foreign(owners))
    }

    fn consumer(&mut self) -> Result<&BaseConsumer<ConsumerEvents>> {
        if self.consumer.is_none() {
            let Self { cluster, client_id, group, .. } = self;
            let fixed = [
                ("client.id", client_id.as_str()),
                ("group.id", group),
                ("enable.auto.commit", "false"),
                // Offsets that a transaction may still replace are told as they are.
                ("isolation.level", "read_uncommitted"),
            ];
            let events = ConsumerEvents::new(cluster, client_id);
            let consumer = cluster.client(&[], &fixed)?.create_with_context(events);
            self.consumer = Some(consumer.map_err(|error| refused(&error))?);
        }
        self.consumer.as_ref().ok_or_else(|| Error::new(Code::Internal, "made above"))
    }

    /// Ends what they left open.
    pub(in crate::kafka) fn claim(&self, ids: &BTreeSet<String>, asked: &Asked) -> Result<()> {
        let began = Instant::now();
        let claims = ids.iter().map(|id| Claim::new(&self.cluster, &self.client_id, id));
        let mut claims = claims.collect::<Result<Vec<_>>>()?;
        // All at the same time: each is a matter of answers that are waited for.
        while !claims.is_empty() {
            asked.check()?;
            let mut left = Vec::new();
            for claim in claims {
                if !claim.step()? {
                    left.push(claim);
                }
            }
            claims = left;
            if let Some(claim) = claims.first()
                && began.elapsed() >= CLAIMED_WITHIN
            {
                return Err(claim.late());
            }
        }
        let took = began.elapsed();
        tracing::info!(target: "kafka", client = self.client_id, ?ids, ?took, "took over from other processes");
        Ok(())
    }
}

/// A producer that does nothing but begin under another's id.
struct Claim<'a> {
    id: &'a str,
    // Before the producer: dropped first.
    reports: Reports,
    producer: BaseProducer<ProducerEvents>,
}

impl<'a> Claim<'a> {
    fn new(cluster: &Cluster, client_id: &str, id: &'a str) -> Result<Self> {
        let fixed = [("client.id", client_id), ("enable.idempotence", "true"), ("transactional.id", id)];
        let config = cluster.client(&[], &fixed)?;
        let producer = config.create_with_context(ProducerEvents::new(cluster, client_id));
        let producer: BaseProducer<_> = producer.map_err(|error| refused(&error))?;
        Ok(Self { id, reports: Reports::new(producer.client())?, producer })
    }

    /// Whether it is done.
    fn step(&self) -> Result<bool> {
        let tried = try_init(&self.producer, PAUSE);
        self.reports.serve(self.producer.client(), Duration::ZERO, |_| {});
        match tried {
            None => Ok(false),
            Some(Ok(())) => Ok(true),
            Some(Err(refusal)) => self.refused(&refusal).map_or(Ok(true), Err),
        }
    }

    fn refused(&self, refusal: &Refusal) -> Option<Error> {
        match refusal.verdict() {
            // Somebody else was faster, or it lives and began anew: the open transaction is ended either way.
            Verdict::Over(Code::Fenced) => None,
            Verdict::Over(code) => {
                Some(refusal.error(code, self.id, "a former owner's transaction was not ended"))
            }
            Verdict::Again | Verdict::Abort => {
                Some(refusal.error(Code::Internal, self.id, "a former owner's transaction was not ended"))
            }
        }
    }

    fn late(&self) -> Error {
        let Self { id, producer, .. } = self;
        let reason = producer.context().log.last().map_or(String::new(), |reason| format!(": {reason}"));
        let text = format!("what `{id}` left open was not ended within {CLAIMED_WITHIN:?}{reason}");
        Error::new(Code::Consuming, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_other_processes_of_the_pipeline_are_claimed() {
        let claims = Claims {
            prefix: "tailwater-fraud-".to_owned(),
            own: "tailwater-fraud-host7-".to_owned(),
            kept: false,
        };
        let found = [
            "",
            "tailwater-fraud-host7-0",
            "tailwater-fraud-host70-0",
            "tailwater-fraud-host8-1",
            "tailwater-fraud-host8-1",
            "a tool's own words",
            "tailwater-other-host8-0",
        ];
        let foreign = claims.foreign(found.map(str::to_owned));
        assert_eq!(
            foreign.into_iter().collect::<Vec<_>>(),
            ["tailwater-fraud-host70-0", "tailwater-fraud-host8-1"]
        );
    }
}
