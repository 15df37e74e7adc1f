//! What a host tells a collector of telemetry, as OpenTelemetry's own library reads it.

mod spans;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;
use tailwater_tests::collector::Collector;
use tailwater_tests::http::Api;
use tailwater_tests::program::PATIENCE;

use super::Job;

/// Metrics of a message, by name.
fn metrics(message: &Value) -> BTreeMap<String, Value> {
    let all = message["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().expect("metrics");
    all.iter().map(|metric| (metric["name"].as_str().expect("a name").to_owned(), metric.clone())).collect()
}

/// Names on the page for Prometheus, of metrics that have a line.
fn on_page(page: &str) -> BTreeSet<String> {
    let (mut names, mut last) = (BTreeSet::new(), String::new());
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            last = format!("{name}{}", if kind == "counter" { "_total" } else { "" });
        } else if !line.starts_with('#') {
            names.insert(last.clone());
        }
    }
    names
}

/// Attributes of a point or a resource.
fn attributes(of: &Value) -> BTreeMap<&str, &str> {
    let all = of["attributes"].as_array().expect("attributes");
    let pairs = all.iter().map(|one| Some((one["key"].as_str()?, one["value"]["stringValue"].as_str()?)));
    pairs.map(|pair| pair.expect("a text")).collect()
}

#[test]
fn all_that_prometheus_is_told_is_pushed() {
    let (job, collector) = (Job::with_topics("pushed"), Collector::default());
    let mut program = job.start_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hush"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team=risk"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "300"),
        ("TAILWATER_ADMIN", "127.0.0.1:0"),
    ]);
    let api = Api::of(&program);
    job.feed(0..400);
    job.read(0..400);
    let began = Instant::now();
    let told = loop {
        let page = on_page(&api.page("/metrics"));
        let before = collector.posted("/v1/metrics").len();
        let message = collector.messages("metrics", before).pop().expect("one at least");
        let pushed: BTreeSet<String> = metrics(&message).into_keys().collect();
        if pushed == page {
            break message;
        }
        let apart: Vec<_> = pushed.symmetric_difference(&page).collect();
        assert!(began.elapsed() < PATIENCE, "they differ: {apart:?}");
    };
    let resource = &told["resourceMetrics"][0]["resource"];
    let resource = attributes(resource);
    assert_eq!((resource["service.name"], resource["team"]), ("tailwater", "risk"));
    assert!(resource["service.instance.id"].contains('/'), "{resource:?}");
    // While the collector is busy the run goes on, and one line tells of it.
    collector.answer(503);
    program.says("metrics can't be pushed");
    job.feed(400..800);
    job.read(400..800);
    std::thread::sleep(Duration::from_secs(1));
    collector.answer(200);
    let said = program.says("metrics are pushed again");
    let warnings = said.iter().filter(|line| line.contains("can't be pushed")).count();
    assert_eq!(warnings, 0, "{said:?}");
    assert!(program.terminate().success());
    // What happened last is told at the end.
    let last = collector.messages("metrics", 0).pop().expect("one at least");
    let metrics = metrics(&last);
    let records = &metrics["tailwater_records_total"]["sum"];
    assert_eq!(
        (&records["isMonotonic"], &records["aggregationTemporality"]),
        (&true.into(), &"AGGREGATION_TEMPORALITY_CUMULATIVE".into())
    );
    let (mut all, name) = (0.0, job.topic("in"));
    for point in records["dataPoints"].as_array().expect("points") {
        let attributes = attributes(point);
        assert_eq!((attributes["pipeline"], attributes["topic"]), (job.name.as_str(), name.as_str()));
        assert!(point["startTimeUnixNano"].as_str() < point["timeUnixNano"].as_str(), "{point}");
        all += point["asDouble"].as_f64().expect("a number");
    }
    assert_eq!(all, 800.0);
    let latency = &metrics["tailwater_latency_seconds"];
    let point = &latency["histogram"]["dataPoints"][0];
    assert_eq!((&latency["unit"], &point["count"]), (&"s".into(), &"800".into()));
    let [counts, ends] =
        ["bucketCounts", "explicitBounds"].map(|list| point[list].as_array().expect("a list"));
    let sum: u64 = counts.iter().filter_map(|count| count.as_str()?.parse::<u64>().ok()).sum();
    assert_eq!((sum, counts.len()), (800, ends.len() + 1));
    assert_eq!(metrics["process_resident_memory_bytes"]["unit"], "By");
    let head = &collector.posted("/v1/metrics")[0].head;
    for header in ["content-type: application/x-protobuf\r\n", "authorization: Bearer hush\r\n"] {
        assert!(head.contains(header), "{head}");
    }
}

#[test]
fn a_collector_that_is_away_is_told_of_once() {
    let job = Job::with_topics("unpushed");
    let nobody =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
    let mut program = job.start_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{nobody}")),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50ms"),
    ]);
    job.feed(0..400);
    job.read(0..400);
    std::thread::sleep(Duration::from_secs(1));
    let (ended, said) = program.terminate_saying();
    let warnings: Vec<_> = said.iter().filter(|line| line.contains("WARN")).collect();
    assert!(ended.success() && warnings.len() == 1, "{said:?}");
    assert!(
        warnings[0].contains("metrics can't be pushed") && warnings[0].contains(&nobody.to_string()),
        "{warnings:?}"
    );
}
