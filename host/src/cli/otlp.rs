//! A collector of telemetry.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;

use crate::error::{Code, Error, Result};
use crate::otlp::{Collector, Options, pairs};

/// In variables alone: a command line is seen by all who look at the processes of a machine, and who tells is the same
/// for all programs of a container.
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const RESOURCE: &str = "OTEL_RESOURCE_ATTRIBUTES";
const SERVICE: &str = "OTEL_SERVICE_NAME";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const TRACES: &str = "OTEL_TRACES_EXPORTER";

/// Instead of a variable that is empty: OpenTelemetry has that mean that it is not set.
const EVERY: &str = "60s";
const RATIO: &str = "0";

#[derive(Debug, Args)]
pub(super) struct Otlp {
    /// Pushes metrics and spans to a collector that takes OTLP over HTTP there, such as http://127.0.0.1:4318. Headers are
    /// taken from OTEL_EXPORTER_OTLP_HEADERS; OTEL_TRACES_EXPORTER=none leaves spans out.
    #[arg(long = "otlp-endpoint", env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    endpoint: Option<String>,
    /// How often metrics are: 15s, 1m; a number alone is milliseconds.
    #[arg(
        long = "otlp-interval",
        env = "OTEL_METRIC_EXPORT_INTERVAL",
        value_name = "TIME",
        default_value = EVERY,
        value_parser = interval
    )]
    interval: Duration,
    /// Of records without a header `traceparent`, so many are followed by spans, from 0 to 1. Of those with one it says
    /// itself.
    #[arg(
        long = "otlp-ratio",
        env = "OTEL_TRACES_SAMPLER_ARG",
        value_name = "RATIO",
        default_value = RATIO,
        value_parser = ratio
    )]
    ratio: f64,
    /// Has the authorities that a collector with https must be known to; without it, the system's are trusted.
    #[arg(long = "otlp-ca", env = "OTEL_EXPORTER_OTLP_CERTIFICATE", value_name = "FILE")]
    ca: Option<OsString>,
}

impl Otlp {
    /// None: it is not wanted.
    pub(super) fn open(self) -> Result<Option<Collector>> {
        let Some(endpoint) = self.endpoint.filter(|endpoint| !endpoint.trim().is_empty()) else {
            return Ok(None);
        };
        let refuse = |name: &str, why: String| Error::new(Code::Collector, format!("{name}: {why}"));
        let endpoint = endpoint.parse().map_err(|why| refuse("--otlp-endpoint", why))?;
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        if !["", "http/protobuf"].contains(&variable(PROTOCOL).as_str()) {
            return Err(refuse(PROTOCOL, "only http/protobuf is spoken".to_owned()));
        }
        let list = |name: &str| pairs(&variable(name)).map_err(|why| refuse(name, why));
        let (headers, mut resource) = (list(HEADERS)?, list(RESOURCE)?);
        let service = variable(SERVICE);
        if !service.is_empty() {
            resource.retain(|(name, _)| name != "service.name");
            resource.push(("service.name".to_owned(), service));
        }
        let ca = self.ca.filter(|file| !file.is_empty()).map(Into::into);
        let (interval, ratio) = (self.interval, (variable(TRACES) != "none").then_some(self.ratio));
        Collector::new(Options { endpoint, headers, ca, interval, ratio, resource }).map(Some)
    }
}

fn ratio(text: &str) -> Result<f64, String> {
    let text = if text.is_empty() { RATIO } else { text };
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| "it must be a number from 0 to 1".to_owned())
}

fn interval(text: &str) -> Result<Duration, String> {
    let text = if text.is_empty() { EVERY } else { text };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = [("", 1), ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let factor = factor.into_iter().find(|(name, _)| *name == unit).map(|(_, factor)| factor);
    let millis =
        number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    let millis = millis.filter(|millis| (1..=86_400_000).contains(millis));
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| "it must be such as 500, 500ms, 15s or 1m, up to a day".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios() {
        assert_eq!((ratio(""), ratio("0.25"), ratio("1")), (Ok(0.0), Ok(0.25), Ok(1.0)));
        for wrong in ["-0.1", "1.1", "NaN", "inf", "1%"] {
            assert!(ratio(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn intervals() {
        assert_eq!((interval("60000"), interval("")), (interval("1m"), interval("60s")));
        assert_eq!(interval("15s"), Ok(Duration::from_secs(15)));
        for wrong in ["0", "s", "1 s", "-1s", "1d", "25h", "99999999999999999999", "1.5s"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
