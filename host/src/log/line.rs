//! A line: what an event says, as text and as JSON.

use std::fmt::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::ser::{Serialize, SerializeMap, Serializer};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use crate::time;

/// A field's value.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Bool(bool),
    Whole(i128),
    Number(f64),
    /// A text, which stands in quotes.
    Quoted(String),
    /// As whoever said it wrote it.
    Plain(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    time: SystemTime,
    level: Level,
    target: String,
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Line {
    pub fn new(event: &Event<'_>, time: SystemTime) -> Self {
        let metadata = event.metadata();
        let (level, target) = (*metadata.level(), metadata.target().to_owned());
        let mut line = Self { time, level, target, message: String::new(), fields: Vec::new() };
        event.record(&mut line);
        line
    }

    /// That so many such lines were left out until now.
    pub fn left_out(mut self, count: u64, time: SystemTime) -> Self {
        self.time = time;
        self.message = format!("left out {count} more of this kind, such as: {}", self.message);
        self.fields.push(("left_out", Value::Whole(count.into())));
        self
    }

    /// The room of the host, or whoever else speaks.
    fn room(&self) -> &str {
        let path = self.target.strip_prefix("tailwater::").unwrap_or(&self.target);
        path.split("::").next().unwrap_or(path)
    }

    /// Microseconds are enough to see what came first.
    fn stamp(&self) -> String {
        let since = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = time::written(i64::try_from(since.as_secs() * 1_000).unwrap_or(i64::MAX));
        format!("{}.{:06}Z", seconds.trim_end_matches('Z'), since.subsec_micros())
    }

    /// With its end.
    pub fn text(&self, colors: bool) -> String {
        let paint = |code: &'static str| if colors { code } else { "" };
        let (dim, end) = (paint("\x1b[2m"), paint("\x1b[0m"));
        let color = paint(match self.level {
            Level::ERROR => "\x1b[31m",
            Level::WARN => "\x1b[33m",
            Level::INFO => "\x1b[32m",
            Level::DEBUG => "\x1b[34m",
            Level::TRACE => "\x1b[35m",
        });
        let Self { level, target, .. } = self;
        let stamp = self.stamp();
        let mut text = format!("{dim}{stamp}{end} {color}{level:>5}{end} {dim}{target}:{end} ");
        escape(&self.message, &mut text);
        for (name, value) in &self.fields {
            let mut written = String::new();
            // Writing to a string does not fail.
            let _ = match value {
                Value::Bool(value) => write!(written, "{value}"),
                Value::Whole(value) => write!(written, "{value}"),
                Value::Number(value) => write!(written, "{value:?}"),
                Value::Quoted(value) => write!(written, "{value:?}"),
                Value::Plain(value) => write!(written, "{value}"),
            };
            text.push_str(if text.ends_with(' ') { "" } else { " " });
            let _ = write!(text, "{dim}{name}={end}");
            escape(&written, &mut text);
        }
        text.push('\n');
        text
    }

    /// With its end.
    pub fn json(&self) -> String {
        // A map with texts as keys can be written.
        let mut json = serde_json::to_string(self).unwrap_or_default();
        json.push('\n');
        json
    }

    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::Quoted(text) | Value::Plain(text)) => self.message = text,
            // How lines of the crate `log` come.
            ("log.target", Value::Quoted(target)) => self.target = target,
            (name, _) if name.starts_with("log.") => {}
            (name, value) => self.fields.push((name, value)),
        }
    }
}

/// Others' words must not steer a terminal. A line may have several, and tabs.
fn escape(text: &str, into: &mut String) {
    for c in text.chars() {
        if c.is_control() && c != '\n' && c != '\t' {
            into.extend(c.escape_unicode());
        } else {
            into.push(c);
        }
    }
}

impl Visit for Line {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::Whole(value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::Whole(value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::Number(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::Quoted(value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::Plain(format!("{value:?}")));
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &self.stamp())?;
        map.serialize_entry("level", self.level.as_str())?;
        map.serialize_entry("room", self.room())?;
        map.serialize_entry("target", &self.target)?;
        map.serialize_entry("message", &self.message)?;
        for (name, value) in &self.fields {
            match value {
                Value::Bool(value) => map.serialize_entry(name, value)?,
                Value::Whole(value) => map.serialize_entry(name, value)?,
                Value::Number(value) => map.serialize_entry(name, value)?,
                Value::Quoted(value) | Value::Plain(value) => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn line() -> Line {
        let time = UNIX_EPOCH + Duration::from_micros(1_767_225_600_000_250);
        let fields = vec![
            ("pipeline", Value::Plain("clicks".to_owned())),
            ("stage", Value::Quoted("a \"b\"".to_owned())),
            ("records", Value::Whole(7)),
            ("rate", Value::Number(0.5)),
            ("lost", Value::Bool(true)),
        ];
        let target = "tailwater::kafka::source".to_owned();
        Line { time, level: Level::WARN, target, message: "it \x1b[31mwaits\nand waits".to_owned(), fields }
    }

    #[test]
    fn as_text() {
        assert_eq!(
            line().text(false),
            "2026-01-01T00:00:00.000250Z  WARN tailwater::kafka::source: it \\u{1b}[31mwaits\nand waits \
             pipeline=clicks stage=\"a \\\"b\\\"\" records=7 rate=0.5 lost=true\n"
        );
        let colored = line().text(true);
        assert!(
            colored.contains("\x1b[33m WARN\x1b[0m") && colored.contains("\\u{1b}[31mwaits"),
            "{colored:?}"
        );
    }

    #[test]
    fn as_json_of_one_line() {
        assert_eq!(
            line().left_out(12, UNIX_EPOCH).json(),
            "{\"time\":\"1970-01-01T00:00:00.000000Z\",\"level\":\"WARN\",\"room\":\"kafka\",\
             \"target\":\"tailwater::kafka::source\",\
             \"message\":\"left out 12 more of this kind, such as: it \\u001b[31mwaits\\nand waits\",\
             \"pipeline\":\"clicks\",\"stage\":\"a \\\"b\\\"\",\"records\":7,\"rate\":0.5,\"lost\":true,\"left_out\":12}\n"
        );
    }
}
