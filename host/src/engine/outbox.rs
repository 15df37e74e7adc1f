//! What a batch gave, waiting to be sent: decisions, dead letters and late rows, in the order of their rows.

use std::ops::Range;

use smallvec::SmallVec;

use crate::error::{Refusal, Result};
use crate::pipeline::{Pipeline, Stage};
use crate::record::{HEADER_PREFIX, Header, LATENESS, Message, ORIGIN, Origin, RELEASE, Records, WINDOW};

/// Which record of a batch a row was made of, and which of its rows it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub record: u32,
    pub index: u32,
}

#[derive(Debug)]
enum What {
    /// To a route, with a value of ours.
    Decision { route: usize, value: Range<usize> },
    /// The record as it came.
    DeadLetter { stage: Stage, refusal: Refusal },
    /// The record as it came, and by how many milliseconds it was late.
    Late(i64),
}

/// Messages of one batch. They name the records they answer by position.
#[derive(Debug, Default)]
pub struct Outbox {
    values: Vec<u8>,
    messages: Vec<(Place, What)>,
    texts: Texts,
}

impl Outbox {
    pub fn clear(&mut self) {
        self.values.clear();
        self.messages.clear();
    }

    pub(super) fn refuse(&mut self, place: Place, stage: Stage, refusal: Refusal) {
        self.messages.push((place, What::DeadLetter { stage, refusal }));
    }

    pub(super) fn late(&mut self, place: Place, by: i64) {
        self.messages.push((place, What::Late(by)));
    }

    /// `write` appends the value; says how long it is.
    pub(super) fn decide(&mut self, place: Place, route: usize, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let start = self.values.len();
        write(&mut self.values);
        let value = start..self.values.len();
        let length = value.len();
        self.messages.push((place, What::Decision { route, value }));
        length
    }

    /// Takes the last decision back.
    pub(super) fn retract(&mut self) {
        if let Some((_, What::Decision { value, .. })) = self.messages.pop() {
            self.values.truncate(value.start);
        }
    }

    /// Hands out all messages, in order, each with the row that it is of and, if it is a decision, the route.
    pub fn each(
        &mut self,
        pipeline: &Pipeline,
        records: &Records<'_>,
        mut send: impl FnMut(Place, Option<usize>, Message<'_>) -> Result<()>,
    ) -> Result<()> {
        let text = &mut self.texts;
        for (place, what) in &self.messages {
            let record = &records.rows[place.record as usize];
            if record.is_muted {
                continue;
            }
            let mut headers = Headers::new();
            let passed = records.headers_of(record).iter();
            headers.extend(passed.copied().filter(|header| !header.name.starts_with(HEADER_PREFIX)));
            let origin = Origin { from: record.from, offset: record.offset, index: place.index };
            let topic = pipeline.topics[usize::from(record.from.source)].as_str();
            text.origin(topic, origin);
            match what {
                What::DeadLetter { refusal, .. } => text.explain(origin, refusal, record.value),
                What::Late(by) => text.lateness(*by, record.value),
                What::Decision { .. } => {}
            }
            match records.windows.get(place.record as usize) {
                None => headers.push(Header { name: ORIGIN, value: Some(text.origin.as_bytes()) }),
                Some(window) => {
                    text.origin.clear();
                    window.write(&mut text.origin);
                    headers.push(Header { name: WINDOW, value: Some(text.origin.as_bytes()) });
                }
            }
            headers.push(Header { name: RELEASE, value: Some(pipeline.identity.stamp.as_bytes()) });
            let mut message = Message {
                topic: &pipeline.dead_letters,
                partition: None,
                key: record.key,
                value: record.value,
                timestamp: record.timestamp,
                headers: &[],
                tag: None,
            };
            match what {
                What::Decision { route, value } => {
                    message.topic = &pipeline.routes[*route].topic;
                    message.value = Some(&self.values[value.clone()]);
                }
                What::Late(_) => {
                    message.topic = pipeline.late.as_deref().unwrap_or(&pipeline.dead_letters);
                    headers.push(Header { name: LATENESS, value: Some(text.lateness.as_bytes()) });
                }
                What::DeadLetter { stage, refusal } => {
                    text.push(&mut headers, pipeline, topic, *stage, refusal, records.windows.is_empty());
                }
            }
            let most = pipeline.bounds.message_bytes;
            let fits = |message: &Message<'_>, headers: &Headers<'_>| {
                Message { headers, ..*message }.size() + OMITTED_AT_MOST <= most
            };
            if !matches!(what, What::Decision { .. }) && !fits(&message, &headers) {
                message.value = None;
                let mut omitted = "value";
                if !fits(&message, &headers) {
                    message.key = None;
                    headers.retain(|header| header.name.starts_with(HEADER_PREFIX));
                    omitted = "value, key, headers";
                }
                headers.push(Header { name: OMITTED, value: Some(omitted.as_bytes()) });
                headers.push(Header { name: OMITTED_BYTES, value: Some(text.size.as_bytes()) });
            }
            let route = if let What::Decision { route, .. } = what { Some(*route) } else { None };
            send(*place, route, Message { headers: &headers, ..message })?;
        }
        Ok(())
    }
}

/// What of a record was too large for its dead letter.
const OMITTED: &str = "tailwater-omitted";
/// Size of its value.
const OMITTED_BYTES: &str = "tailwater-omitted-bytes";
/// Of the two headers.
const OMITTED_AT_MOST: usize = 128;

/// What a message has around its value, at most.
pub(super) fn around(pipeline: &Pipeline, records: &Records<'_>, place: Place) -> usize {
    const NUMBERS: usize = "/-2147483648/-9223372036854775808/4294967295".len();
    let record = &records.rows[place.record as usize];
    let topic = &pipeline.topics[usize::from(record.from.source)];
    let passed: usize = records.headers_of(record).iter().map(Header::size).sum();
    let origin = ORIGIN.len() + topic.len() + NUMBERS;
    let release = RELEASE.len() + pipeline.identity.stamp.len();
    record.key.map_or(0, <[u8]>::len) + passed + origin + release
}

/// Ours, and a few of the record.
type Headers<'a> = SmallVec<[Header<'a>; 16]>;

/// Numbers as text, in buffers that are used again.
#[derive(Debug, Default)]
struct Texts {
    origin: String,
    partition: String,
    offset: String,
    code: String,
    plugin_code: String,
    size: String,
    lateness: String,
}

impl Texts {
    fn origin(&mut self, topic: &str, origin: Origin) {
        self.origin.clear();
        origin.write(topic, &mut self.origin);
    }

    fn explain(&mut self, origin: Origin, refusal: &Refusal, value: Option<&[u8]>) {
        self.partition = origin.from.partition.to_string();
        self.offset = origin.offset.to_string();
        self.code = refusal.code.to_string();
        self.plugin_code = refusal.plugin_code.map(|code| code.to_string()).unwrap_or_default();
        self.size = value.map_or(0, <[u8]>::len).to_string();
    }

    fn lateness(&mut self, by: i64, value: Option<&[u8]>) {
        self.lateness = by.to_string();
        self.size = value.map_or(0, <[u8]>::len).to_string();
    }

    fn push<'a>(
        &'a self,
        headers: &mut Headers<'a>,
        pipeline: &'a Pipeline,
        topic: &'a str,
        stage: Stage,
        refusal: &'a Refusal,
        is_record: bool,
    ) {
        let mut push = |name, value: &'a str| headers.push(Header { name, value: Some(value.as_bytes()) });
        push("tailwater-stage", stage.name());
        push("tailwater-code", &self.code);
        push("tailwater-message", &refusal.message);
        if refusal.plugin_code.is_some() {
            push("tailwater-plugin-code", &self.plugin_code);
        }
        if let Some(digest) = pipeline.identity.of(stage) {
            push("tailwater-plugin", digest);
        }
        push("tailwater-topic", topic);
        push("tailwater-partition", &self.partition);
        if is_record {
            push("tailwater-offset", &self.offset);
        }
    }
}
