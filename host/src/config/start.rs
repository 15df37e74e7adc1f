//! Where a partition is begun.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::columns::TIMES;
use crate::time;

/// Where a partition is read from of which nothing is committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    #[default]
    Earliest,
    Latest,
    /// The first record whose timestamp is this or later, in milliseconds; the end, if there is none.
    At(i64),
}

const WANTED: &str =
    "\"earliest\", \"latest\", or a time: \"2026-11-01T00:00:00Z\", or milliseconds since 1970";

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let at = || text.parse().ok().or_else(|| time::parse(text.as_bytes()));
        match text {
            "earliest" => Some(Self::Earliest),
            "latest" => Some(Self::Latest),
            _ => at().and_then(Self::at),
        }
        .ok_or_else(|| format!("{text:?} is not {WANTED}"))
    }
}

impl Start {
    /// Where a history begins, in milliseconds since the epoch; none: it has no records.
    pub fn history(self) -> Option<i64> {
        match self {
            Self::Earliest => Some(0),
            Self::At(millis) => Some(millis),
            Self::Latest => None,
        }
    }

    fn at(millis: i64) -> Option<Self> {
        (millis >= 0 && TIMES.contains(&millis)).then_some(Self::At(millis))
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
            Self::At(millis) => f.write_str(&time::written(*millis)),
        }
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Start;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WANTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Start, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, millis: i64) -> Result<Start, E> {
        Start::at(millis).ok_or_else(|| E::custom(format!("{millis} is not {WANTED}")))
    }
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_are_known() {
        assert_eq!("earliest".parse(), Ok(Start::Earliest));
        assert_eq!("latest".parse(), Ok(Start::Latest));
        let at = Start::At(1_793_491_200_000);
        for text in ["2026-11-01T00:00:00Z", "2026-11-01", "2026-11-01T01:00+01:00", "1793491200000"] {
            assert_eq!(text.parse(), Ok(at), "{text}");
        }
        assert_eq!(at.to_string().parse(), Ok(at));
        for wrong in ["", "Latest", "yesterday", "-1", "1969-12-31", "99999999999999999"] {
            assert!(wrong.parse::<Start>().unwrap_err().contains("earliest"), "{wrong}");
        }
    }
}
