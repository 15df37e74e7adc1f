//! Plugins and models on this machine, by their sha256: what releases are run from.
//!
//! - A file is there whole or not at all: it is written beside, and renamed when its bytes are the right ones.
//! - Processes share the directory without asking each other: two that write the same file write the same bytes.
//! - What is read may have been damaged: it is checked before it is used, and fetched anew.
//! - All of it may be lost: the control topic has it.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use super::json::{CHUNK, Key};
use super::manifest::{Artifact, Digest};
use crate::config::Config;
use crate::error::{Code, Error, Result};

const BUFFER: usize = 256 << 10;
/// What files that are being written are called.
const NEW: &str = "new-";

/// A directory of files that are named by their content.
#[derive(Clone, Debug)]
pub struct Depot {
    directory: PathBuf,
}

impl Depot {
    /// That of a pipeline.
    pub fn of(config: &Config) -> Result<Self> {
        Self::open(config.path(&config.state.directory).join(&config.name).join("artifacts"))
    }

    pub fn open(directory: PathBuf) -> Result<Self> {
        fs::create_dir_all(&directory).map_err(|error| unusable(&directory, &error))?;
        Ok(Self { directory })
    }

    /// Where a file is, if it is there.
    pub fn path(&self, digest: Digest) -> PathBuf {
        self.directory.join(digest.to_string())
    }

    /// The file, if it is there with the right bytes. What is there with others is removed.
    pub fn find(&self, digest: Digest) -> Result<Option<PathBuf>> {
        let path = self.path(digest);
        let found = match File::open(&path) {
            Ok(file) => hash(file, &mut io::sink()).map_err(|error| unusable(&path, &error))?.0,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(&path, &error)),
        };
        if found == digest {
            return Ok(Some(path));
        }
        tracing::warn!(file = %path.display(), "a file of a release is damaged on this machine: it is fetched anew");
        remove(&path)?;
        Ok(None)
    }

    /// Copies a file here; gives what it is called here, and its size. An outer error is of the depot, an inner one of
    /// the file.
    pub fn take(&self, from: &Path) -> Result<io::Result<(Digest, u64)>> {
        match File::open(from) {
            Ok(file) => self.receive(file),
            Err(error) => Ok(Err(error)),
        }
    }

    /// The same with what is read.
    pub fn receive(&self, from: impl Read) -> Result<io::Result<(Digest, u64)>> {
        let (mut new, path) = self.begin()?;
        let (digest, bytes) = match hash(from, &mut new) {
            Ok(read) => read,
            Err(error) => {
                remove(&path)?;
                return Ok(Err(error));
            }
        };
        self.finish(&new, &path, digest)?;
        Ok(Ok((digest, bytes)))
    }

    /// Puts a file together.
    pub fn put(
        &self,
        artifact: &Artifact,
        mut chunks: impl Iterator<Item = Result<Vec<u8>>>,
    ) -> Result<PathBuf> {
        let (mut new, path) = self.begin()?;
        let mut hasher = Sha256::new();
        let written = chunks.try_for_each(|chunk| {
            let chunk = chunk?;
            hasher.update(&chunk);
            new.write_all(&chunk).map_err(|error| unusable(&path, &error))
        });
        let found = Digest(hasher.finalize().into());
        if written.is_err() || found != artifact.digest {
            remove(&path)?;
            written?;
            let text =
                format!("{}: its bytes have the sha256 {found}, not {}", artifact.file, artifact.digest);
            return Err(Error::new(Code::ArtifactMissing, text));
        }
        self.finish(&new, &path, artifact.digest)?;
        Ok(self.path(artifact.digest))
    }

    /// The file in pieces, each with its key in the control topic.
    pub fn chunks(
        &self,
        artifact: &Artifact,
    ) -> Result<impl Iterator<Item = Result<(Key, Vec<u8>)>> + use<>> {
        let (digest, file) = (artifact.digest, artifact.file.clone());
        let path = self.find(digest)?.ok_or_else(|| {
            Error::new(
                Code::ArtifactMissing,
                format!("{file}: its bytes are not in {}", self.directory.display()),
            )
        })?;
        let mut from = File::open(&path).map_err(|error| unusable(&path, &error))?;
        let mut index = 0;
        Ok(std::iter::from_fn(move || {
            let mut chunk = Vec::new();
            let read = Read::by_ref(&mut from).take(CHUNK as u64).read_to_end(&mut chunk);
            if let Err(error) = read {
                return Some(Err(unusable(&path, &error)));
            }
            let key = Key::Chunk { digest, index };
            index += 1;
            (!chunk.is_empty()).then_some(Ok((key, chunk)))
        }))
    }

    /// Removes a file that is of no use.
    pub fn discard(&self, digest: Digest) -> Result<()> {
        remove(&self.path(digest))
    }

    /// Drops what is not named. What was written since that time stays: another process may be about to name it.
    pub fn sweep(&self, named: &BTreeSet<Digest>, since: SystemTime) -> Result<()> {
        let failed = |error: io::Error| unusable(&self.directory, &error);
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_unnamed = name.parse().is_ok_and(|digest| !named.contains(&digest));
            if !is_unnamed && !name.starts_with(NEW) {
                continue;
            }
            // Another process may have been faster.
            let Ok(written) = entry.metadata().and_then(|metadata| metadata.modified()) else { continue };
            if written < since {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    fn begin(&self) -> Result<(File, PathBuf)> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        loop {
            let count = COUNT.fetch_add(1, Relaxed);
            let path = self.directory.join(format!("{NEW}{}-{count}", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((file, path)),
                // Left behind by one that had this process's number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(unusable(&path, &error)),
            }
        }
    }

    fn finish(&self, new: &File, path: &Path, digest: Digest) -> Result<()> {
        let finish = || {
            new.sync_all()?;
            fs::rename(path, self.path(digest))?;
            File::open(&self.directory)?.sync_all()
        };
        finish().map_err(|error| unusable(path, &error))
    }
}

/// Sha256 and size of what is read, which is copied.
pub(super) fn hash(mut from: impl Read, into: &mut impl Write) -> io::Result<(Digest, u64)> {
    let (mut buffer, mut hasher, mut bytes) = (vec![0; BUFFER], Sha256::new(), 0);
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok((Digest(hasher.finalize().into()), bytes)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..read]);
        into.write_all(&buffer[..read])?;
        bytes += read as u64;
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(path, &error)),
        _ => Ok(()),
    }
}

fn unusable(path: &Path, error: &io::Error) -> Error {
    Error::new(Code::StateDisk, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::samples::facts;
    use super::*;

    fn depot() -> (tempfile::TempDir, Depot) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let depot = Depot::open(folder.path().join("p/artifacts")).expect("writable");
        (folder, depot)
    }

    fn artifact(bytes: &[u8]) -> Artifact {
        let artifact = facts(2).content.artifacts[0].clone();
        Artifact { digest: Digest(Sha256::digest(bytes).into()), bytes: bytes.len() as u64, ..artifact }
    }

    fn files(depot: &Depot) -> usize {
        fs::read_dir(&depot.directory).expect("readable").count()
    }

    #[test]
    fn files_come_from_beside_and_in_pieces() {
        let (folder, depot) = depot();
        let (own, there) = (folder.path().join("own.wasm"), artifact(b"abc"));
        fs::write(&own, b"abc").expect("writable");
        assert_eq!(depot.find(there.digest).expect("usable"), None);
        assert_eq!(depot.take(&own).expect("usable").expect("readable"), (there.digest, 3));
        assert_eq!(depot.find(there.digest).expect("usable"), Some(depot.path(there.digest)));
        let more = artifact(b"defgh");
        let path = depot.put(&more, [b"def".to_vec(), b"gh".to_vec()].into_iter().map(Ok)).expect("whole");
        assert_eq!(fs::read(path).expect("there"), b"defgh");
        let large = vec![7; CHUNK + 2];
        fs::write(&own, &large).expect("writable");
        let (digest, bytes) = depot.take(&own).expect("usable").expect("readable");
        let large = Artifact { digest, bytes, ..there.clone() };
        let chunks: Vec<_> = depot.chunks(&large).expect("there").collect::<Result<_>>().expect("readable");
        let sizes = chunks.iter().map(|(key, chunk)| (*key, chunk.len())).collect::<Vec<_>>();
        assert_eq!(sizes, [(0, CHUNK), (1, 2)].map(|(index, size)| (Key::Chunk { digest, index }, size)));
        assert_eq!(
            depot.chunks(&artifact(b"none")).err().map(|error| error.code),
            Some(Code::ArtifactMissing)
        );
        let error = depot.take(&folder.path().join("none")).expect("usable").expect_err("not there");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(files(&depot), 3);
    }

    #[test]
    fn what_is_damaged_is_found_and_what_is_not_whole_is_never_there() {
        let (_folder, depot) = depot();
        let there = artifact(b"abc");
        let put = |bytes: &[u8]| depot.put(&there, [Ok(bytes.to_vec())].into_iter());
        assert_eq!(put(b"abd").expect_err("others").code, Code::ArtifactMissing);
        let cut = [Ok(b"ab".to_vec()), Err(Error::new(Code::Consuming, "gone"))];
        assert_eq!(depot.put(&there, cut.into_iter()).expect_err("cut off").code, Code::Consuming);
        assert_eq!(files(&depot), 0);
        let path = put(b"abc").expect("whole");
        fs::write(&path, b"abd").expect("writable");
        assert_eq!(depot.find(there.digest).expect("usable"), None);
        assert!(!path.exists());
        put(b"abc").expect("whole");
        assert!(depot.find(there.digest).expect("usable").is_some());
    }

    #[test]
    fn what_nobody_names_goes_unless_it_is_new() {
        let (_folder, depot) = depot();
        let (kept, old) = (artifact(b"kept"), artifact(b"old"));
        for (artifact, bytes) in [(&kept, b"kept".to_vec()), (&old, b"old".to_vec())] {
            depot.put(artifact, [Ok(bytes)].into_iter()).expect("whole");
        }
        fs::write(depot.directory.join("new-1-1"), b"cut off").expect("writable");
        fs::write(depot.directory.join("of-somebody-else"), b"").expect("writable");
        let named = BTreeSet::from([kept.digest]);
        let written = fs::metadata(depot.path(old.digest)).and_then(|file| file.modified()).expect("there");
        depot.sweep(&named, written).expect("usable");
        assert_eq!(files(&depot), 4);
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        depot.sweep(&named, later).expect("usable");
        assert_eq!(files(&depot), 2);
        assert!(depot.find(kept.digest).expect("usable").is_some());
    }

    #[test]
    fn two_that_write_and_drop_the_same_disturb_nobody() {
        let (folder, depot) = depot();
        let bytes = vec![7; 300_000];
        let (own, there) = (folder.path().join("own"), artifact(&bytes));
        fs::write(&own, &bytes).expect("writable");
        let others = Depot::open(depot.directory.clone()).expect("usable");
        std::thread::scope(|scope| {
            for depot in [&depot, &others] {
                let (own, there, bytes) = (&own, &there, &bytes);
                scope.spawn(move || {
                    for round in 0..30 {
                        if round % 2 == 0 {
                            depot.take(own).expect("usable").expect("readable");
                        } else {
                            depot
                                .put(there, bytes.chunks(99_999).map(|chunk| Ok(chunk.to_vec())))
                                .expect("whole");
                        }
                        // The other may have dropped it; half of it is never there.
                        depot.find(there.digest).expect("usable");
                        depot.sweep(&BTreeSet::new(), SystemTime::UNIX_EPOCH).expect("usable");
                        if round % 5 == 0 {
                            remove(&depot.path(there.digest)).expect("removable");
                        }
                    }
                });
            }
        });
        depot.take(&own).expect("usable").expect("readable");
        assert!(others.find(there.digest).expect("usable").is_some());
        assert_eq!(files(&depot), 1);
    }
}
