//! Metrics as Prometheus reads them: OpenMetrics' text.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::sheet::{Family, Kind, Sheet, Value};
use crate::error::{Code, Error, Result};

pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The page.
pub fn text(sheet: Sheet) -> Result<String> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Page(sheet)));
    let mut text = String::new();
    let written = encode(&mut text, &registry);
    written.map_err(|error| Error::new(Code::Internal, format!("metrics can't be written: {error}")))?;
    Ok(text)
}

#[derive(Debug)]
struct Page(Sheet);

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.families().iter().try_for_each(|family| write(family, &mut encoder))
    }
}

fn write(family: &Family, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let Family { name, help, kind, points } = family;
    let kind = match kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
    };
    // The full stop is set by the library.
    let mut metric = encoder.encode_descriptor(name, help.trim_end_matches('.'), None, kind)?;
    for point in points {
        let mut point_encoder = metric.encode_family(&point.labels)?;
        match (&point.value, kind) {
            (Value::Number(value), MetricType::Counter) => {
                point_encoder.encode_counter::<NoLabelSet, _, f64>(value, None)?;
            }
            (Value::Number(value), _) => point_encoder.encode_gauge(value)?,
            (Value::Spread(spread), _) => {
                // What the library writes as infinite.
                let ranges: Vec<(f64, u64)> =
                    spread.ranges().map(|(end, count)| (end.min(f64::MAX), count)).collect();
                point_encoder.encode_histogram::<NoLabelSet>(spread.sum(), spread.count(), &ranges, None)?;
            }
        }
    }
    Ok(())
}
