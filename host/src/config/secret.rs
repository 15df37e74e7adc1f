//! Words that nobody else may read.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny};

/// A password. It is never shown, and written nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For whom it is meant.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Equal for all, whatever they are: one that was changed is no other setting.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Given {
            Text(String),
            Other(IgnoredAny),
        }
        match Given::deserialize(deserializer)? {
            Given::Text(text) => Ok(Self(text)),
            // What it is would stand in the error.
            Given::Other(_) => Err(D::Error::custom("a password must be a text")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_shown() {
        #[derive(Debug, serde::Deserialize)]
        struct Holder {
            word: Secret,
        }
        let holder: Holder = toml::from_str("word = \"hunter2\"").expect("valid");
        assert_eq!(holder.word.reveal(), "hunter2");
        assert_eq!(format!("{holder:?}"), "Holder { word: <secret> }");
        for wrong in ["271828", "[271828]", "{ a = 271828 }", "true"] {
            let table: toml::Table = toml::from_str(&format!("word = {wrong}")).expect("TOML");
            let error = Holder::deserialize(table).expect_err("no text").to_string();
            assert!(error.contains("must be a text") && !error.contains("271828"), "{error}");
        }
    }
}
