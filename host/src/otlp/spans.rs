//! Spans of decisions as OTLP has them.

use super::metrics::{nanos, scope};
use super::wire::{KeyValue, Resource, ResourceSpans, ScopeSpans, Span, TracesRequest};
use crate::engine::{self, Activity};
use crate::time;

/// Whoever takes messages in.
const CONSUMER: i32 = 5;

pub fn request(spans: &[engine::Span], resource: &Resource) -> TracesRequest {
    let spans = spans.iter().map(span).collect();
    let scopes = vec![ScopeSpans { scope: Some(scope()), spans }];
    TracesRequest { resources: vec![ResourceSpans { resource: Some(resource.clone()), scopes }] }
}

fn span(one: &engine::Span) -> Span {
    let engine::Span { trace, id, parent, pipeline, origin, event_time, route, start, end, spent } = one;
    let topic = pipeline.topics.get(usize::from(origin.from.source)).map_or("", String::as_str);
    let mut attributes = vec![
        KeyValue::text("messaging.system", "kafka"),
        KeyValue::text("messaging.operation.name", "process"),
        KeyValue::text("messaging.operation.type", "process"),
        KeyValue::text("messaging.destination.name", topic),
        KeyValue::text("messaging.destination.partition.id", origin.from.partition.to_string()),
        KeyValue::whole("messaging.kafka.offset", origin.offset),
        KeyValue::text("tailwater.pipeline", pipeline.name.as_str()),
        KeyValue::text("tailwater.release", pipeline.identity.stamp.as_str()),
        KeyValue::whole("tailwater.index", origin.index.into()),
    ];
    if let Some(route) = pipeline.routes.get(*route) {
        attributes.push(KeyValue::text("tailwater.route", route.name.as_str()));
        attributes.push(KeyValue::text("tailwater.output", route.topic.as_str()));
    }
    attributes.extend(event_time.map(|event| KeyValue::text("tailwater.event_time", time::written(event))));
    let seconds = |(activity, nanos): &(Activity, u64)| {
        let (what, stage) = activity.parts();
        let stage = stage.and_then(|stage| pipeline.features.get(usize::from(stage)));
        let stage = stage.map_or_else(String::new, |stage| format!(".{}", stage.name));
        KeyValue::number(format!("tailwater.batch_seconds.{what}{stage}"), *nanos as f64 / 1e9)
    };
    attributes.extend(spent.iter().map(seconds));
    Span {
        trace: trace.to_be_bytes().to_vec(),
        id: id.to_be_bytes().to_vec(),
        parent: parent.map_or_else(Vec::new, |parent| parent.to_be_bytes().to_vec()),
        name: format!("process {topic}"),
        kind: CONSUMER,
        start: nanos(*start),
        end: nanos(*end),
        attributes,
    }
}
