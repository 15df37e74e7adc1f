//! Who may ask: bearer tokens, each with a name. Tokens themselves are not kept, logged or shown.

use std::fmt;
use std::path::Path;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::{Code, Error, Result};

/// What a token without a name is called.
const NAMELESS: &str = "token";
const LENGTH: std::ops::RangeInclusive<usize> = 16..=200;
const NAME: usize = 64;

/// All that count; with none, nobody needs one.
#[derive(Clone, Default)]
pub struct Tokens(Vec<(String, [u8; 32])>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Tokens {
    /// Those of a file, a token a line, and of a text that has one. Empty lines and those that begin with `#` are
    /// passed over.
    pub fn read(file: Option<&Path>, text: Option<&str>) -> Result<Self> {
        let mut tokens = Self::default();
        if let Some(file) = file {
            let refuse = |why: String| Error::new(Code::AdminToken, format!("{}: {why}", file.display()));
            let lines = std::fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
            for (number, line) in lines.lines().enumerate() {
                let line = line.trim();
                if !line.is_empty() && !line.starts_with('#') {
                    tokens.take(line).map_err(|why| refuse(format!("line {}: {why}", number + 1)))?;
                }
            }
            if tokens.is_empty() {
                return Err(refuse("it has no token".to_owned()));
            }
        }
        if let Some(text) = text {
            let refuse = |why| Error::new(Code::AdminToken, format!("TAILWATER_ADMIN_TOKEN: {why}"));
            tokens.take(text.trim()).map_err(refuse)?;
        }
        Ok(tokens)
    }

    /// `NAME TOKEN`, or a token alone. What is wrong is said without saying what is there.
    fn take(&mut self, line: &str) -> Result<(), &'static str> {
        let mut words = line.split_whitespace();
        let (name, token) = match (words.next(), words.next(), words.next()) {
            (Some(token), None, _) => (NAMELESS, token),
            (Some(name), Some(token), None) => (name, token),
            _ => return Err("it is neither a token nor a name and a token"),
        };
        let is_of = |text: &str, more: &[u8]| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
        };
        if !is_of(token, b"-._~+/=") {
            return Err("the token has other characters than letters, digits and -._~+/=");
        }
        if !LENGTH.contains(&token.len()) {
            return Err("the token does not have 16 to 200 characters");
        }
        if !is_of(name, b"-._") || name.len() > NAME {
            return Err("the name is not of letters, digits and -._");
        }
        self.0.push((name.to_owned(), hash(token)));
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose token this is. It takes as long whether it is nearly right or not at all, and whose it is.
    pub(super) fn find(&self, token: &str) -> Option<&str> {
        let token = hash(token);
        let mut found = None;
        for (name, own) in &self.0 {
            if bool::from(own.ct_eq(&token)) {
                found = Some(name.as_str());
            }
        }
        found
    }
}

/// Equally long, whatever the token is.
fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_names_and_are_shown_to_nobody() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("tokens");
        std::fs::write(&file, "# Two of them.\nops 0123456789abcdef\n\n0123456789ABCDEF+/=\n")
            .expect("writable");
        let tokens = Tokens::read(Some(&file), Some("ci ffffffffffffffff\n")).expect("three");
        assert_eq!(tokens.find("0123456789abcdef"), Some("ops"));
        assert_eq!(tokens.find("0123456789ABCDEF+/="), Some("token"));
        assert_eq!(tokens.find("ffffffffffffffff"), Some("ci"));
        for wrong in ["", "0123456789abcde", "0123456789abcdef ", "ops 0123456789abcdef"] {
            assert_eq!(tokens.find(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{tokens:?}"), r#"["ops", "token", "ci"]"#);
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_told() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("tokens");
        for wrong in
            ["short", "a name 0123456789abcdef", "ops/x 0123456789abcdef", "ops 0123456789abcdef\"", ""]
        {
            std::fs::write(&file, format!("\n{wrong}\n")).expect("writable");
            let error = Tokens::read(Some(&file), None).expect_err(wrong);
            assert_eq!(error.code, Code::AdminToken);
            assert!(!error.message.contains("0123") && !error.message.contains("short"), "{error}");
            assert!(wrong.is_empty() || error.message.contains("line 2: "), "{error}");
        }
        assert!(Tokens::read(Some(&folder.path().join("none")), None).is_err());
        assert!(Tokens::read(None, Some("")).is_err() && Tokens::read(None, None).expect("none").is_empty());
    }
}
