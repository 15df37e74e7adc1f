//! Where messages go: one producer.

mod options;
mod tally;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::topic_partition_list::Offset;

use super::cluster::refused;
use super::events::{ProducerEvents, denied};
use super::native::{Failure, Refused, Report, Reports, Topics, flush, look_after};
use super::note::Note;
use super::rights::denial;
use super::transaction::{PAUSE, Refusal, STEP, Verdict, add_offsets, init};
use crate::engine::ports::{Ended, Mark, Sent, Sink, UnderWay};
use crate::engine::{Budget, Part};
use crate::error::{Code, Error, Result};
use crate::record::Message;
use tally::{Label, Tally};

pub use options::{SinkOptions, Transactions};

/// What librdkafka keeps of a message beside its bytes, about.
const MESSAGE_OVERHEAD: usize = 256;

/// What lingers is told to go for so long; the call itself always takes as long.
const NUDGE: Duration = Duration::from_millis(1);

/// Of a transaction that is open, what lingers is told to go this often.
const SENT_EVERY: Duration = Duration::from_millis(50);

/// A broker that coordinates transactions may be away for this long.
const BEGUN_WITHIN: Duration = Duration::from_secs(60);

/// The end of a transaction is tried for this long.
const ENDED_WITHIN: Duration = Duration::from_secs(60);

/// Of it, offsets are added within this time, or not at all.
const ADDED_WITHIN: Duration = Duration::from_secs(10);

/// A sink over one producer.
///
/// At least once: without idempotence, one request at a time to each broker, which keeps the order when one
/// is tried again, and costs less than half of the CPU. Exactly once: idempotent and transactional.
pub struct KafkaSink {
    // Both before the producer: dropped first.
    topics: Topics,
    reports: Reports,
    producer: Arc<BaseProducer<ProducerEvents>>,
    under_way: Tally,
    landed: Vec<(u32, i64)>,
    failure: Option<Error>,
    transactions: Option<Transactions>,
    open: bool,
    /// When what lingers was told to go.
    nudged: Instant,
    /// Why the transaction can't be committed, if it can't.
    doomed: Option<String>,
    budget: Arc<Budget>,
    /// What waits to be delivered.
    waiting: Part,
    message_bytes: usize,
}

impl fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSink").field("topics", &self.topics).finish_non_exhaustive()
    }
}

impl KafkaSink {
    /// Makes the producer. With transactions: ends whatever was left open under its id, or is still going on;
    /// else the broker is not asked for anything yet.
    pub fn connect(options: SinkOptions) -> Result<Self> {
        let config = options.config()?;
        let SinkOptions { cluster, client_id, budget, message_bytes, transactions, asked } = options;
        let events = ProducerEvents::new(&cluster, &client_id);
        let producer: BaseProducer<_> =
            config.create_with_context(events).map_err(|error| refused(&error))?;
        let reports = Reports::new(producer.client())?;
        if let Some(Transactions { id, .. }) = &transactions {
            init(&producer, &reports, id, BEGUN_WITHIN, &asked)?;
        }
        Ok(Self {
            topics: Topics::default(),
            reports,
            producer: Arc::new(producer),
            under_way: Tally::default(),
            landed: Vec::new(),
            failure: None,
            transactions,
            open: false,
            nudged: Instant::now(),
            doomed: None,
            waiting: budget.sending(),
            budget,
            message_bytes,
        })
    }

    /// The first failure since the last call.
    fn check(&mut self) -> Result<()> {
        let refusal = self.producer.context().refusal();
        if self.doomed.is_some() || refusal.is_some() {
            self.fatal()?;
        }
        self.failure.take().or(refusal).map_or(Ok(()), Err)
    }

    /// The error that made a transactional producer useless, if one did.
    fn fatal(&self) -> Result<()> {
        let Some(Transactions { id, .. }) = &self.transactions else { return Ok(()) };
        let Some((code, text)) = self.producer.client().fatal_error() else { return Ok(()) };
        let refusal = Refusal { code, text, fatal: true, abort: false, again: false };
        let code = if denied(code) { Code::Denied } else { Code::Fenced };
        Err(refusal.error(code, id, "the transaction is lost"))
    }

    /// Takes what the producer has to report; says whether that was anything.
    fn serve(&mut self, wait: Duration) -> bool {
        look_after(self.producer.client(), &self.producer.context().log);
        let Self { reports, producer, under_way, waiting, landed, failure, doomed, message_bytes, .. } = self;
        let (open, mut any) = (self.open, false);
        reports.serve(producer.client(), wait, |Report { tag, offset, failure: why }| {
            any = true;
            let label = Label::from_raw(tag);
            under_way.remove(label);
            match why {
                None => {
                    let Some(tag) = label.tag() else { return };
                    if open && offset < 0 {
                        let why = "the broker did not say where a message lies";
                        doomed.get_or_insert_with(|| why.to_owned());
                    } else {
                        landed.push((tag, offset));
                    }
                }
                Some(why) => {
                    if open {
                        doomed.get_or_insert_with(|| undelivered(&why, *message_bytes).message);
                    }
                    if !open || is_final(why.why) {
                        failure.get_or_insert_with(|| undelivered(&why, *message_bytes));
                    }
                }
            }
        });
        if any {
            waiting.set(under_way.bytes());
        }
        any
    }

    /// Tells what lingers to go, unless it was told within this time.
    fn nudge(&mut self, pause: Duration) {
        if self.nudged.elapsed() >= pause {
            flush(self.producer.client(), NUDGE);
            self.nudged = Instant::now();
        }
    }

    fn give_up(&self, message: &Message<'_>, why: Refused) -> Error {
        let topic = message.topic;
        match why {
            RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition => {
                Error::new(Code::TopicMissing, format!("topic `{topic}` does not exist"))
            }
            other => Error::new(Code::Delivery, format!("topic `{topic}`: {other}")),
        }
    }

    /// The offsets of a transaction. Whoever reads one of them learns who may have left something open.
    fn offsets(
        &self,
        marks: &[Mark],
        Transactions { id, topics }: &Transactions,
    ) -> Result<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(marks.len());
        for Mark { of, next, commit, last, words } in marks {
            let mut element = list.add_partition(&topics[usize::from(of.source)], of.partition);
            element.set_offset(Offset::Offset(*next)).map_err(|error| {
                Error::new(Code::Internal, format!("{of:?}: {next} is no offset: {error}"))
            })?;
            let owner = (!last).then_some(id.as_str());
            element.set_metadata(Note { commit: *commit, owner, words: *words }.written());
        }
        Ok(list)
    }

    /// One step of the end of a transaction, tried until it is done. `Some`: the transaction has failed.
    fn finish(
        &mut self,
        doing: &str,
        mut step: impl FnMut(&Arc<BaseProducer<ProducerEvents>>) -> KafkaResult<()>,
    ) -> Result<Option<String>> {
        let began = Instant::now();
        let mut told = String::new();
        loop {
            let Err(error) = step(&self.producer) else { return Ok(None) };
            let refusal = Refusal::of(&error);
            let id = self.transactions.as_ref().map_or("", |transactions| &transactions.id);
            let code = match refusal.verdict() {
                Verdict::Abort => return Ok(Some(refusal.text)),
                Verdict::Over(code) => return Err(refusal.error(code, id, doing)),
                Verdict::Again if began.elapsed() < ENDED_WITHIN => None,
                Verdict::Again => Some(Code::Commit),
            };
            if let Some(code) = code {
                return Err(refusal.error(code, id, doing));
            }
            // What is still under way holds an abort up, and is no trouble.
            if told != refusal.text && self.under_way.under_way().all == 0 {
                tracing::warn!(target: "kafka", transactional_id = id, "{doing}: {}; it is tried again", refusal.text);
                told = refusal.text;
            }
            self.serve(PAUSE);
        }
    }

    fn ended(&mut self) {
        self.open = false;
        self.doomed = None;
    }

    fn transactions(&self) -> Result<&Transactions> {
        let transactions = self.transactions.as_ref().filter(|_| self.open);
        transactions.ok_or_else(|| Error::new(Code::Internal, "no transaction is open"))
    }
}

/// Whether a second try would fail as well.
fn is_final(why: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as E;
    matches!(why, E::MessageSizeTooLarge | E::UnknownTopic | E::UnknownTopicOrPartition) || denied(why)
}

fn undelivered(Failure { topic, partition, why }: &Failure<'_>, message_bytes: usize) -> Error {
    let place = format!("topic `{topic}`, partition {partition}: {why}");
    match why {
        RDKafkaErrorCode::MessageSizeTooLarge => {
            let message = format!(
                "{place}\nThe topic allows less than `limits.record`, {message_bytes} bytes: \
                 raise its `max.message.bytes`, or lower the limit. Nothing was committed; the record comes again."
            );
            Error::new(Code::TopicLimit, message)
        }
        RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition => {
            Error::new(Code::TopicMissing, place)
        }
        why if denied(*why) => denial(*why, &place),
        _ => Error::new(Code::Delivery, place),
    }
}

impl Sink for KafkaSink {
    type Member = ConsumerGroupMetadata;

    fn send(&mut self, message: Message<'_>) -> Result<Sent> {
        self.check()?;
        let size = message.size();
        if size > self.message_bytes {
            let (topic, most) = (message.topic, self.message_bytes);
            let text = format!("topic `{topic}`: a message of {size} bytes, where {most} are allowed");
            return Err(Error::new(Code::TooLarge, text));
        }
        if self.doomed.is_some() {
            // Nothing of the transaction will ever be there.
            return Ok(Sent::Taken);
        }
        let size = size + MESSAGE_OVERHEAD;
        if !self.budget.has_room(&self.waiting, size) {
            return Ok(Sent::Full);
        }
        let label = self.under_way.label(size, message.tag);
        match self.topics.produce(self.producer.client(), &message, label.raw())? {
            Ok(()) => {
                self.under_way.add(label);
                self.waiting.set(self.under_way.bytes());
                Ok(Sent::Taken)
            }
            Err(RDKafkaErrorCode::QueueFull) => Ok(Sent::Full),
            Err(RDKafkaErrorCode::State | RDKafkaErrorCode::Fatal) if self.open => {
                self.fatal()?;
                self.doomed = Some("it had failed before all was sent".to_owned());
                Ok(Sent::Taken)
            }
            Err(why) => Err(self.give_up(&message, why)),
        }
    }

    fn work(&mut self, wait: Duration) -> Result<UnderWay> {
        self.serve(wait);
        self.check()?;
        if self.open && self.under_way.bytes() > 0 {
            self.nudge(SENT_EVERY);
        }
        Ok(self.under_way.under_way())
    }

    fn flush(&mut self, wait: Duration) -> Result<UnderWay> {
        let began = Instant::now();
        while self.under_way.under_way().all > 0 {
            self.nudge(NUDGE);
            let left = wait.saturating_sub(began.elapsed());
            if self.serve(left.min(2 * NUDGE)) || left.is_zero() {
                break;
            }
        }
        self.work(Duration::ZERO)
    }

    fn mark(&mut self) {
        self.under_way.mark();
    }

    fn begin(&mut self) -> Result<()> {
        let Some(Transactions { id, .. }) = &self.transactions else {
            return Err(Error::new(Code::Internal, "this sink has no transactions"));
        };
        self.producer.begin_transaction().map_err(|error| {
            let refusal = Refusal::of(&error);
            let code = if let Verdict::Over(code) = refusal.verdict() { code } else { Code::Internal };
            refusal.error(code, id, "no transaction can begin")
        })?;
        self.open = true;
        Ok(())
    }

    fn commit(&mut self, marks: &[Mark], member: ConsumerGroupMetadata) -> Result<Ended> {
        let offsets = self.offsets(marks, self.transactions()?)?;
        if self.under_way.under_way().all > 0 {
            return Err(Error::new(Code::Internal, "messages of the transaction are under way"));
        }
        if let Some(why) = &self.doomed {
            self.fatal()?;
            return Ok(Ended::Failed(why.clone()));
        }
        let sent = if marks.is_empty() {
            None
        } else {
            let (member, mut is_lost) = (Arc::new(member), false);
            let send = |producer: &Arc<BaseProducer<_>>| {
                add_offsets(producer, &offsets, &member, ADDED_WITHIN).unwrap_or_else(|| {
                    is_lost = true;
                    Ok(())
                })
            };
            let sent = self.finish("offsets were not added to the transaction", send)?;
            if is_lost {
                let text = "the transaction is lost: adding offsets to it never ended";
                return Err(Error::new(Code::Fenced, text));
            }
            sent
        };
        let failed = match sent {
            None => self
                .finish("the transaction was not committed", |producer| producer.commit_transaction(STEP))?,
            failed => failed,
        };
        Ok(match failed {
            None => {
                self.ended();
                Ended::Committed
            }
            Some(why) => {
                self.doomed = Some(why.clone());
                Ended::Failed(why)
            }
        })
    }

    fn abort(&mut self) -> Result<()> {
        self.transactions()?;
        loop {
            // It waits for the reports of what is under way, which come by nobody but us.
            let wait = if self.under_way.under_way().all > 0 { PAUSE } else { STEP };
            let failed =
                self.finish("the transaction was not aborted", |producer| producer.abort_transaction(wait))?;
            match failed {
                None => break,
                Some(why) => tracing::warn!(target: "kafka", "an abort is tried again: {why}"),
            }
            self.serve(PAUSE);
        }
        self.landed.clear();
        self.ended();
        Ok(())
    }

    fn landed(&mut self) -> Vec<(u32, i64)> {
        std::mem::take(&mut self.landed)
    }
}
