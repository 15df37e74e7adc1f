//! Decisions on their way out: those of records that are followed get a span, and name it to who reads them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use smallvec::SmallVec;

use super::Post;
use crate::engine::lap::Lap;
use crate::engine::outbox::Place;
use crate::engine::traces::{Context, Laps, Span, TRACEPARENT, Traces};
use crate::error::Result;
use crate::pipeline::Pipeline;
use crate::record::{Header, Message, Origin, Record, Records};

/// Where rows came from, and their event time; in the order in which they were decided.
pub(super) type Times = Vec<(Place, i64)>;

/// For the messages of one outbox.
pub(super) struct Tracer<'a> {
    traces: &'a Traces,
    pipeline: &'a Arc<Pipeline>,
    records: &'a Records<'a>,
    times: std::slice::Iter<'a, (Place, i64)>,
    lap: &'a Lap,
    /// When the batch began, and what its time went to; looked up when the first of its rows is followed.
    batch: Option<(SystemTime, Laps)>,
}

impl<'a> Tracer<'a> {
    pub fn new(
        traces: &'a Traces,
        pipeline: &'a Arc<Pipeline>,
        records: &'a Records<'a>,
        times: &'a Times,
        lap: &'a Lap,
    ) -> Self {
        Self { traces, pipeline, records, times: times.iter(), lap, batch: None }
    }

    /// Sends a message; `route`: that of a decision.
    pub fn send(
        &mut self,
        place: Place,
        route: Option<usize>,
        message: Message<'_>,
        send: &mut Post<'_>,
    ) -> Result<()> {
        let Some(route) = route.filter(|_| self.records.windows.is_empty()) else { return send(message) };
        let record = &self.records.rows[place.record as usize];
        let event_time = self.times.find(|(of, _)| *of == place).map(|(_, time)| *time);
        let origin = Origin { from: record.from, offset: record.offset, index: place.index };
        let Some(context) = self.context(record, origin) else { return send(message) };
        let id = self.traces.id();
        let text = context.write(id);
        let others = message.headers.iter().copied().filter(|header| header.name != TRACEPARENT);
        let mut headers: SmallVec<[Header<'_>; 16]> = others.collect();
        headers.push(Header { name: TRACEPARENT, value: Some(text.as_bytes()) });
        let followed = Message { headers: &headers, ..message };
        // One that had none may be as large as messages can be.
        send(if followed.size() <= self.pipeline.bounds.message_bytes { followed } else { message })?;
        let (start, spent) = self.batch.get_or_insert_with(|| began(self.lap)).clone();
        let Context { trace, parent, .. } = context;
        let (pipeline, end) = (Arc::clone(self.pipeline), SystemTime::now());
        self.traces.put(Span { trace, id, parent, pipeline, origin, event_time, route, start, end, spent });
        Ok(())
    }

    /// Of a record that is followed. Where it has several, the last one counts, as for most readers.
    fn context(&self, record: &Record<'_>, origin: Origin) -> Option<Context> {
        let headers = self.records.headers_of(record).iter();
        match headers.rev().find(|header| header.name == TRACEPARENT) {
            Some(header) => header.value.and_then(Context::read).filter(|context| context.is_sampled()),
            None => self.traces.sample(&self.pipeline.topics[usize::from(record.from.source)], origin),
        }
    }
}

fn began(lap: &Lap) -> (SystemTime, Laps) {
    let spent: Laps = lap.of_batch().collect();
    let nanos = spent.iter().map(|(_, nanos)| nanos).sum();
    let now = SystemTime::now();
    (now.checked_sub(Duration::from_nanos(nanos)).unwrap_or(now), spent)
}
