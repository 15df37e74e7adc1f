//! Spans of decisions.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;
use tailwater_tests::broker::{self, Got};
use tailwater_tests::collector::Collector;
use tailwater_tests::program::PATIENCE;

use super::super::{Job, id};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// A record whose header `traceparent` says this.
fn feed(job: &Job, id: i64, traceparent: &str) {
    let value = format!("{{\"id\":{id},\"t\":{},\"amount\":1.5,\"card\":\"card-1\"}}", id * 1000);
    broker::produce_with(
        &job.topic("in"),
        "card-1",
        value.as_bytes(),
        &[("traceparent", traceparent), ("other", "kept")],
    );
}

/// Attributes of a span, as they are in JSON.
fn attributes(span: &Value) -> BTreeMap<&str, &Value> {
    let all = span["attributes"].as_array().expect("attributes");
    all.iter()
        .filter_map(|one| Some((one["key"].as_str()?, one["value"].as_object()?.values().next()?)))
        .collect()
}

/// Spans that have come, by id, once there are so many.
fn spans(collector: &Collector, count: usize) -> BTreeMap<String, Value> {
    let began = Instant::now();
    loop {
        let messages = collector.messages("traces", 0);
        let all = messages.iter().flat_map(|message| {
            message["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("spans").clone()
        });
        let by_id: BTreeMap<_, _> = all.map(|span| (hex(&span["spanId"]), span)).collect();
        if by_id.len() >= count {
            return by_id;
        }
        assert!(began.elapsed() < PATIENCE, "{by_id:?}");
    }
}

/// Bytes as JSON has them, base64.
fn hex(bytes: &Value) -> String {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(bytes.as_str().unwrap_or_default());
    bytes.expect("base64").iter().map(|byte| format!("{byte:02x}")).collect()
}

fn traceparent(got: &Got) -> Option<&str> {
    got.headers.get("traceparent").map(String::as_str)
}

#[test]
fn a_record_that_is_followed_goes_on_being_followed() {
    let (job, collector) = (Job::with_topics("followed"), Collector::default());
    let mut program = job.start_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url()),
        // As if they were not set.
        ("OTEL_EXPORTER_OTLP_HEADERS", ""),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", ""),
        ("OTEL_METRIC_EXPORT_INTERVAL", ""),
        ("OTEL_TRACES_SAMPLER_ARG", ""),
    ]);
    let malformed = format!("00-{TRACE}-{PARENT}-1");
    let quiet = format!("00-{TRACE}-{PARENT}-00");
    feed(&job, 0, &format!("00-{TRACE}-{PARENT}-01"));
    feed(&job, 1, &quiet);
    feed(&job, 2, &malformed);
    job.feed(3..100);
    let decisions = job.read(0..100);
    let of = |id: i64| traceparent(&decisions[&id][0]);
    assert_eq!((of(1), of(2), of(3)), (Some(&*quiet), Some(&*malformed), None), "passed on as they came");
    assert_eq!(decisions[&0][0].headers["other"], "kept");
    let parts: Vec<&str> = of(0).expect("a header").split('-').collect();
    assert_eq!((parts[0], parts[1], parts[3]), ("00", TRACE, "01"));
    assert!(parts[2] != PARENT && parts[2].len() == 16, "{parts:?}");
    assert!(program.terminate().success());
    let spans = spans(&collector, 1);
    assert_eq!(spans.len(), 1, "{spans:?}");
    let span = &spans[parts[2]];
    assert_eq!((hex(&span["traceId"]), hex(&span["parentSpanId"])), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!(span["kind"], "SPAN_KIND_CONSUMER");
    let nanos = |field: &str| span[field].as_str().and_then(|text| text.parse::<u64>().ok()).expect("a time");
    assert!(nanos("startTimeUnixNano") < nanos("endTimeUnixNano"), "{span}");
    let attributes = attributes(span);
    let (input, output) = (job.topic("in"), job.topic("out"));
    let texts = [
        ("messaging.destination.name", &*input),
        ("tailwater.output", &output),
        ("tailwater.pipeline", &job.name),
        ("tailwater.release", &decisions[&0][0].headers["tailwater-release"]),
        ("tailwater.event_time", "1970-01-01T00:00:00Z"),
    ];
    for (name, text) in texts {
        assert_eq!(attributes[name], text, "{attributes:?}");
    }
    let origin = format!(
        "{input}/{}/{}/{}",
        attributes["messaging.destination.partition.id"].as_str().expect("a text"),
        attributes["messaging.kafka.offset"].as_str().expect("a whole number"),
        attributes["tailwater.index"].as_str().expect("a whole number")
    );
    assert_eq!(decisions[&0][0].headers["tailwater-origin"], origin);
    assert!(attributes["tailwater.batch_seconds.features.folds"].as_f64().is_some_and(|spent| spent > 0.0));
    assert_eq!(id(&decisions[&0][0]), 0);
}

#[test]
fn of_others_as_many_are_followed_as_is_wanted() {
    let (job, collector) = (Job::with_topics("sampled"), Collector::default());
    let url = collector.url();
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*url), ("OTEL_TRACES_SAMPLER_ARG", "0.25")];
    let mut program = job.start_with(&environment);
    // What comes while the collector is busy is not lost.
    collector.answer(503);
    job.feed(0..400);
    let decisions = job.read(0..400);
    program.says("spans can't be pushed");
    collector.answer(200);
    let followed: Vec<&str> = decisions.values().filter_map(|copies| traceparent(&copies[0])).collect();
    assert!((50..150).contains(&followed.len()), "{}", followed.len());
    let spans = spans(&collector, followed.len());
    assert_eq!(spans.len(), followed.len());
    for traceparent in followed {
        let parts: Vec<&str> = traceparent.split('-').collect();
        assert_eq!((hex(&spans[parts[2]]["traceId"]).as_str(), parts[3]), (parts[1], "01"));
        assert_eq!(spans[parts[2]].get("parentSpanId"), None);
    }
    assert!(program.terminate().success());
}
