//! Which levels are said, by room.

use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// Rooms of the host.
const ROOMS: &str = "admin app bytes cli codec columns config contract disk driver engine error kafka log model otlp \
                     pipeline plugin record release simulation state store telemetry time watermark window";
/// What rooms speak of under other names than their own.
const TOPICS: &str = "kafka onnxruntime plugin tasks transactions";
/// The program as a whole, and libraries that have something to say.
const CRATES: &str = "tailwater cranelift hyper librdkafka lsm_tree mio rdkafka tokio_postgres wasmtime";

/// Levels by room: `debug`, `info,kafka=debug`. What is not named has the level that stands alone, or else info.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    others: LevelFilter,
    /// By target.
    named: Vec<(String, LevelFilter)>,
}

impl Default for Filter {
    fn default() -> Self {
        // It tells of each of its steps.
        Self { others: LevelFilter::INFO, named: vec![("lsm_tree".to_owned(), LevelFilter::WARN)] }
    }
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                None => filter.others = level(part)?,
                Some((room, of_room)) => {
                    let of_room = level(of_room.trim())?;
                    filter.named.extend(targets(room.trim())?.into_iter().map(|target| (target, of_room)));
                }
            }
        }
        Ok(filter)
    }
}

impl Filter {
    pub(super) fn targets(&self) -> Targets {
        let targets = Targets::new().with_default(self.others);
        // What stands last counts.
        targets.with_targets(self.named.iter().cloned())
    }
}

fn level(text: &str) -> Result<LevelFilter, String> {
    let known = ["off", "error", "warn", "info", "debug", "trace"];
    let level = known.contains(&text.to_ascii_lowercase().as_str()).then(|| text.parse().ok()).flatten();
    level.ok_or_else(|| format!("{text:?} is no level; there are {}", known.join(", ")))
}

/// What a room says comes under its path in the program; and some under a name of its own.
fn targets(room: &str) -> Result<Vec<String>, String> {
    let has = |list: &str, name: &str| list.split(' ').any(|known| known == name);
    let path = has(ROOMS, room).then(|| format!("tailwater::{room}"));
    let first = room.split("::").next().unwrap_or_default();
    let as_it_is = (has(TOPICS, room) || has(CRATES, first)).then(|| room.to_owned());
    let found: Vec<String> = path.into_iter().chain(as_it_is).collect();
    if found.is_empty() {
        return Err(format!("there is no room {room:?}; there are: {ROOMS}; {TOPICS}; {CRATES}"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tracing::Level;

    use super::*;

    fn says(filter: &str, target: &str) -> Option<Level> {
        let targets = filter.parse::<Filter>().expect("a filter").targets();
        let all = [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR];
        all.into_iter().find(|level| targets.would_enable(target, level))
    }

    #[test]
    fn a_room_is_its_path_and_its_name() {
        assert_eq!(says("", "tailwater::app::crew"), Some(Level::INFO));
        assert_eq!(says("", "lsm_tree"), Some(Level::WARN));
        assert_eq!(says("debug", "tailwater::app::crew"), Some(Level::DEBUG));
        assert_eq!(says("debug", "lsm_tree"), Some(Level::WARN), "it is named by default");
        for target in ["kafka", "tailwater::kafka::source"] {
            assert_eq!(says("warn, kafka=trace", target), Some(Level::TRACE), "{target}");
            assert_eq!(says("kafka=off", target), None, "{target}");
        }
        assert_eq!(says("warn,kafka=trace", "tailwater::engine"), Some(Level::WARN));
        assert_eq!(says("kafka=trace", "tailwater::engine"), Some(Level::INFO));
        assert_eq!(
            says("tailwater::engine::worker=debug", "tailwater::engine::worker::exact"),
            Some(Level::DEBUG)
        );
        assert_eq!(says("app=debug,app=warn", "tailwater::app"), Some(Level::WARN), "the last one counts");
    }

    #[test]
    fn what_there_is_not_is_refused() {
        for (wrong, says) in [
            ("debgu", "\"debgu\" is no level"),
            ("3", "is no level"),
            ("kafka=loud", "\"loud\" is no level"),
            ("kafak=debug", "no room \"kafak\""),
            ("=debug", "no room \"\""),
            ("kafka=debug=info", "is no level"),
        ] {
            let error = wrong.parse::<Filter>().expect_err(wrong);
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }

    #[test]
    fn all_rooms_can_be_named() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
        let files = std::fs::read_dir(folder).expect("the host's rooms").flatten();
        let names =
            files.filter_map(|file| file.file_name().to_str()?.strip_suffix(".rs").map(str::to_owned));
        let rooms: BTreeSet<String> =
            names.filter(|name| !["lib", "main"].contains(&name.as_str())).collect();
        assert_eq!(rooms, ROOMS.split(' ').map(str::to_owned).collect());
    }
}
