//! A directory of this process alone, which goes with it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};

#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// One that nobody else can look into.
    pub fn new() -> Result<Self> {
        for attempt in 0_u32.. {
            let name = format!("tailwater-{}-{attempt}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(Error::new(Code::StateDisk, format!("{}: {error}", path.display())));
                }
            }
        }
        Err(Error::new(Code::Internal, "no name is left for a temporary directory"))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left there is in nobody's way.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_and_nothing_is_left() {
        let (one, other) = (Scratch::new().expect("writable"), Scratch::new().expect("writable"));
        assert_ne!(one.path(), other.path());
        fs::write(one.path().join("file"), "x").expect("writable");
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists() && other.path().exists());
    }
}
