//! Reading TOML, and what is wrong with it.

use std::ops::Range;

use serde::de::DeserializeOwned;

use crate::error::{Code, Error, Result};

/// Of a whole pipeline file.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let place = error.span().filter(|place| is_private(text, place));
        let message = match place {
            Some(place) => format!(
                "line {}, which is not shown: {}",
                text.as_bytes()[..place.start].iter().filter(|byte| **byte == b'\n').count() + 1,
                error.message()
            ),
            None => error.to_string().trim_end().to_owned(),
        };
        Error::new(Code::ConfigSyntax, message)
    })
}

/// Whether a line that an error would quote may have a password, though none should be there: it, or its section's
/// heading, is about how clients log in.
fn is_private(text: &str, place: &Range<usize>) -> bool {
    let bytes = text.as_bytes();
    let start = bytes[..place.start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let end =
        bytes[place.end..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| place.end + at);
    let heading = text[..start].lines().rev().find(|line| line.trim_start().starts_with('['));
    [heading.unwrap_or_default(), &text[start..end]].iter().any(|line| {
        let line = line.to_lowercase();
        ["sasl", "tls", "pass", "secret"].iter().any(|word| line.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_password_is_not_quoted() {
        for text in [
            "a = 1\n[kafka.sasl]\npasword = hunter2\n",
            "a = 1\n[kafka]\nsasl = { password = hunter2 }\n",
            "a = 1\n[other]\npassword = \"hunter2\n",
        ] {
            let error = read::<toml::Table>(text).expect_err("no TOML").message;
            assert!(error.contains("line 3") && !error.contains("hunter2"), "{error}");
        }
        let error = read::<toml::Table>("[kafka]\nbrokers = one\n").expect_err("no TOML").message;
        assert!(error.contains("line 2") && error.contains("brokers = one"), "{error}");
    }
}
