//! A sheet of metrics as OTLP has them, under the names and with the units of `host/metrics.md`.

use std::time::{SystemTime, UNIX_EPOCH};

use super::wire::{
    CUMULATIVE, Data, Gauge, Histogram, KeyValue, Metric, MetricsRequest, Number, Resource, ResourceMetrics,
    Scope, ScopeMetrics, Spread, Sum,
};
use crate::telemetry::{Family, Kind, Point, Sheet, Value};

/// From when on, and until when, values count.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub start: SystemTime,
    pub now: SystemTime,
}

pub fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

pub fn scope() -> Scope {
    Scope { name: "tailwater".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

pub fn request(sheet: &Sheet, resource: &Resource, times: Times) -> MetricsRequest {
    let told = sheet.families().iter().filter(|family| !family.points.is_empty());
    let metrics = told.map(|family| metric(family, times)).collect();
    let scopes = vec![ScopeMetrics { scope: Some(scope()), metrics }];
    MetricsRequest { resources: vec![ResourceMetrics { resource: Some(resource.clone()), scopes }] }
}

fn metric(family: &Family, times: Times) -> Metric {
    let Family { name, help, kind, points } = family;
    let numbers = || points.iter().filter_map(|point| number(point, times)).collect();
    let data = match kind {
        Kind::Gauge => Data::Gauge(Gauge { points: numbers() }),
        Kind::Counter => Data::Sum(Sum { points: numbers(), temporality: CUMULATIVE, is_monotonic: true }),
        Kind::Histogram => {
            let points = points.iter().filter_map(|point| spread(point, times)).collect();
            Data::Histogram(Histogram { points, temporality: CUMULATIVE })
        }
    };
    let suffix = if *kind == Kind::Counter { "_total" } else { "" };
    let (name, unit) = (format!("{name}{suffix}"), unit(name).to_owned());
    Metric { name, description: (*help).to_owned(), unit, data: Some(data) }
}

/// Of a metric whose name ends in it, by UCUM. What is counted has none.
fn unit(name: &str) -> &'static str {
    match name.rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        _ => "",
    }
}

fn number(point: &Point, Times { start, now }: Times) -> Option<Number> {
    let Value::Number(value) = point.value else { return None };
    let (start, time, attributes) = (nanos(start), nanos(now), attributes(point));
    Some(Number { start, time, value: Some(value), attributes })
}

fn spread(point: &Point, Times { start, now }: Times) -> Option<Spread> {
    let Value::Spread(spread) = &point.value else { return None };
    let (mut ends, counts): (Vec<f64>, Vec<u64>) = spread.ranges().unzip();
    // That of the last range is infinite, and goes without saying.
    ends.pop();
    let (start, time, attributes) = (nanos(start), nanos(now), attributes(point));
    Some(Spread { start, time, count: spread.count(), sum: Some(spread.sum()), counts, ends, attributes })
}

fn attributes(point: &Point) -> Vec<KeyValue> {
    point.labels.iter().map(|(name, value)| KeyValue::text(*name, value.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry;

    #[test]
    fn units_are_those_of_names() {
        let units =
            ["tailwater_thread_seconds", "process_resident_memory_bytes", "tailwater_batch_rows"].map(unit);
        assert_eq!(units, ["s", "By", ""]);
    }

    #[test]
    fn a_process_tells_of_itself() {
        let (start, now) = (UNIX_EPOCH + Duration::from_secs(5), UNIX_EPOCH + Duration::from_secs(7));
        let resource = Resource { attributes: vec![KeyValue::text("service.name", "tailwater")] };
        let request = request(&telemetry::of_process(), &resource, Times { start, now });
        let [ResourceMetrics { resource: Some(told), scopes }] = &request.resources[..] else { panic!() };
        assert_eq!(*told, resource);
        let named = |name: &str| scopes[0].metrics.iter().find(|metric| metric.name == name).expect(name);
        let cpu = named("process_cpu_seconds_total");
        let Some(Data::Sum(Sum { points, temporality: CUMULATIVE, is_monotonic: true })) = &cpu.data else {
            panic!("{cpu:?}")
        };
        assert_eq!((cpu.unit.as_str(), points[0].start, points[0].time), ("s", 5_000_000_000, 7_000_000_000));
        let build = named("tailwater_build_info");
        let Some(Data::Gauge(Gauge { points })) = &build.data else { panic!("{build:?}") };
        assert_eq!(points[0].attributes, [KeyValue::text("version", env!("CARGO_PKG_VERSION"))]);
        assert_eq!(points[0].value, Some(1.0));
    }

    #[test]
    fn a_histogram_has_one_range_more_than_ends() {
        let mut seen = crate::engine::Spread::new(&[1.0, 4.0]);
        [0.5, 2.0, 3.0, 9.0].into_iter().for_each(|value| seen.see(value));
        let point = Point { labels: vec![("stage", "rules".to_owned())], value: Value::Spread(seen) };
        let name = "tailwater_batch_rows";
        let family = Family { name, help: "Rows.", kind: Kind::Histogram, points: vec![point] };
        let times = Times { start: UNIX_EPOCH, now: UNIX_EPOCH };
        let metric = metric(&family, times);
        let Some(Data::Histogram(Histogram { points, .. })) = &metric.data else { panic!("{metric:?}") };
        let Spread { count, sum, counts, ends, attributes, .. } = &points[0];
        assert_eq!((metric.name.as_str(), *count, *sum), (name, 4, Some(14.5)));
        assert_eq!((&counts[..], &ends[..]), (&[1, 2, 1][..], &[1.0, 4.0][..]));
        assert_eq!(attributes, &[KeyValue::text("stage", "rules")]);
    }
}
