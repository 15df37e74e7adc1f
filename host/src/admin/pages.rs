//! What is told, as JSON.

use std::sync::atomic::Ordering::Relaxed;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::health::state;
use super::ports::{Outcome, Pipeline};
use crate::engine::Meter;
use crate::pipeline::Identity;
use crate::release::manifest::{Manifest, Refusal, Ticket};

/// A document.
pub(super) fn page(status: StatusCode, page: &Value) -> Response {
    let mut response = Response::new(Body::from(page.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// How a pipeline does in this process.
pub(super) fn pipeline(pipeline: &dyn Pipeline, is_ending: bool) -> Value {
    let (wanted, threads) = pipeline.threads();
    let Identity { number, id, stamp, .. } = pipeline.identity();
    let partitions: usize = threads.iter().map(|thread| thread.partitions).sum();
    let all = threads.iter().map(|thread| {
        let silent = u64::try_from(thread.silent.as_millis()).unwrap_or(u64::MAX);
        json!({ "state": thread.place.name(), "partitions": thread.partitions, "silent_ms": silent })
    });
    json!({
        "name": pipeline.name(),
        "state": state(is_ending, wanted, &threads),
        "release": { "number": number, "content": id, "release": stamp },
        "partitions": partitions,
        "threads": all.collect::<Vec<_>>(),
        "counts": counts(&pipeline.meter()),
    })
}

/// Since the start of the process.
fn counts(meter: &Meter) -> Value {
    let dead_letters = meter.dead_letters();
    let dead_letters = dead_letters
        .iter()
        .map(|((stage, code), count)| json!({ "stage": stage, "code": code.to_string(), "count": count }));
    let late = meter.late_by_source();
    let late = late.iter().map(|(source, count)| json!({ "source": source, "count": count }));
    json!({
        "batches": meter.batches.load(Relaxed),
        "records": meter.records.load(Relaxed),
        "decisions": meter.decisions.load(Relaxed),
        "dropped": meter.dropped.load(Relaxed),
        "tombstones": meter.tombstones.load(Relaxed),
        "paused_partitions": meter.paused.get(),
        "dead_letters": dead_letters.collect::<Vec<_>>(),
        "late": late.collect::<Vec<_>>(),
    })
}

/// What became of a proposal.
pub(super) fn proposal(ticket: Ticket, outcome: &Outcome) -> Value {
    let release = |release: &Manifest| {
        json!({
            "number": release.number, "content": release.facts.content.id, "release": release.stamp(),
        })
    };
    let (state, release, refusal) = match outcome {
        Outcome::Waits => ("waits", Value::Null, Value::Null),
        Outcome::Released(manifest) => ("released", release(manifest), Value::Null),
        Outcome::Runs(manifest) => ("runs", release(manifest), Value::Null),
        Outcome::Refused(Refusal { by, at, code, message, .. }) => {
            let refusal = json!({ "by": by, "at": at, "code": code, "message": message });
            ("refused", Value::Null, refusal)
        }
    };
    json!({ "ticket": ticket.to_string(), "state": state, "release": release, "refusal": refusal })
}
