//! Metrics, whoever they are written for.

use crate::engine::Spread;

/// What a metric counts or measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Number(f64),
    Spread(Spread),
}

/// One line of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub labels: Vec<(&'static str, String)>,
    pub value: Value,
}

/// A metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// With its unit; that of a counter without `_total`.
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    pub points: Vec<Point>,
}

/// All of them, each with the lines of all pipelines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sheet(Vec<Family>);

impl Sheet {
    pub fn families(&self) -> &[Family] {
        &self.0
    }

    pub(super) fn add(&mut self, name: &'static str, help: &'static str, kind: Kind) -> &mut Family {
        let known = self.0.iter().position(|family| family.name == name);
        let at = known.unwrap_or_else(|| {
            self.0.push(Family { name, help, kind, points: Vec::new() });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) -> &mut Family {
        self.add(name, help, Kind::Counter)
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) -> &mut Family {
        self.add(name, help, Kind::Gauge)
    }

    pub(super) fn histogram(&mut self, name: &'static str, help: &'static str) -> &mut Family {
        self.add(name, help, Kind::Histogram)
    }
}

impl Family {
    pub(super) fn number(&mut self, labels: &[(&'static str, &str)], value: f64) {
        self.put(labels, Value::Number(value));
    }

    pub(super) fn spread(&mut self, labels: &[(&'static str, &str)], value: &Spread) {
        self.put(labels, Value::Spread(value.clone()));
    }

    fn put(&mut self, labels: &[(&'static str, &str)], value: Value) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.points.push(Point { labels, value });
    }
}
