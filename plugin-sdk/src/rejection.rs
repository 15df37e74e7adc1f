//! Rows that a plugin refuses.

use std::borrow::Cow;

/// Why a row is refused. The host sends the row to the dead letters and goes on with the rest.
///
/// A text makes a rejection with code 0, so `Err("no amount")?` and `.ok_or("no amount")?` will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Your own number for the reason.
    pub code: u16,
    /// For a person. The host keeps at most 1,024 bytes of it.
    pub message: Cow<'static, str>,
}

impl Rejection {
    /// With a number of your own and a message for a person.
    pub fn new(code: u16, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<&'static str> for Rejection {
    fn from(message: &'static str) -> Self {
        Self::new(0, message)
    }
}

impl From<String> for Rejection {
    fn from(message: String) -> Self {
        Self::new(0, message)
    }
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (code {})", self.message, self.code)
    }
}

/// A rejection and the row that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Index in the batch that the plugin was given.
    pub row: u32,
    /// Why.
    pub why: Rejection,
}
