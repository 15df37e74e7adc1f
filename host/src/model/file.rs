//! A model's file: read once, so that what was checked is what runs.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::{Code, Error, Result};

/// Bytes of the largest model that is read, weights included. Protobuf knows no longer message.
pub const FILE_LIMIT: u64 = (2 << 30) - 1;

/// The bytes of a regular file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let unreadable = |error: std::io::Error| Error::new(Code::ModelUnreadable, error.to_string());
    // Asked by name first: opening a pipe would wait for its writer.
    let facts = std::fs::metadata(path).map_err(unreadable)?;
    if !facts.is_file() {
        return Err(Error::new(Code::ModelUnreadable, "not a file"));
    }
    if facts.len() > FILE_LIMIT {
        let message = format!("{} bytes, where a model has at most {FILE_LIMIT}", facts.len());
        return Err(Error::new(Code::ModelUnreadable, message));
    }
    let mut bytes = Vec::with_capacity(facts.len() as usize);
    let file = File::open(path).map_err(unreadable)?;
    file.take(facts.len()).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.is_empty() {
        return Err(Error::new(Code::ModelUnreadable, "the file is empty"));
    }
    Ok(bytes)
}

/// SHA-256, in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}
