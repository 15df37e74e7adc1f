//! The directory itself: whose it is, who has it, where in it each task is.
//!
//! ```text
//! tailwater-state      says that it is ours, and the instance id
//! lock                 locked by the process that has it; its id
//! tasks/NAME/NUMBER/   a task's tree; the highest number counts
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::unusable;
use crate::error::{Code, Error, Result};

const MARK: &str = "tailwater-state";
const NEW_MARK: &str = "tailwater-state.new";
const LOCK: &str = "lock";
const TASKS: &str = "tasks";
const FIRST_LINE: &str = "tailwater state 1";
/// Of a file's name, with room for what file systems allow: 255.
const LONGEST_NAME: usize = 200;

#[derive(Debug)]
pub(super) struct Directory {
    pub instance_id: String,
    tasks: PathBuf,
    /// The system lets go of it when the process ends, however it does.
    _lock: File,
}

impl Directory {
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |error| unusable(path, error);
        fs::create_dir_all(path).map_err(failed)?;
        if !path.join(MARK).try_exists().map_err(failed)? {
            refuse_others(path)?;
        }
        let lock = lock(path)?;
        let tasks = path.join(TASKS);
        let instance_id = match fs::read(path.join(MARK)) {
            Ok(mark) => match read_mark(&mark) {
                Some(id) => id.to_owned(),
                None => {
                    tracing::warn!(
                        directory = %path.display(),
                        "{MARK} is damaged: all that is kept here is deleted and made anew from the changelog"
                    );
                    remove(&tasks)?;
                    make_mark(path)?
                }
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => make_mark(path)?,
            Err(error) => return Err(failed(error)),
        };
        fs::create_dir_all(&tasks).map_err(failed)?;
        Ok(Self { instance_id, tasks, _lock: lock })
    }

    /// Where the trees of a task are, one beneath the other.
    pub fn task(&self, name: &str) -> PathBuf {
        self.tasks.join(file_name(name))
    }
}

/// Whether a directory is ours; an error if a process has it.
pub fn is_ours(path: &Path) -> Result<bool> {
    let is_ours = path.join(MARK).try_exists().map_err(|error| unusable(path, error))?;
    if is_ours {
        lock(path)?;
    }
    Ok(is_ours)
}

/// Removes a directory that is ours and that no process has.
pub fn delete(path: &Path) -> Result<()> {
    if !is_ours(path)? {
        return Err(unusable(path, "is no state of Tailwater's"));
    }
    let _lock = lock(path)?;
    remove(path)
}

/// Removes what is ours, if it is there.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unusable(path, error)),
        _ => Ok(()),
    }
}

/// A directory without our mark must be empty, but for what a start that was cut short leaves behind, and what
/// file systems put there.
fn refuse_others(path: &Path) -> Result<()> {
    for entry in fs::read_dir(path).map_err(|error| unusable(path, error))? {
        let name = entry.map_err(|error| unusable(path, error))?.file_name();
        if ![LOCK, NEW_MARK, "lost+found"].iter().any(|ours| name == *ours) {
            let name = name.to_string_lossy();
            let message =
                format!("holds {name}, but no state of Tailwater's: name an empty directory for the state");
            return Err(unusable(path, message));
        }
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File> {
    let place = path.join(LOCK);
    let failed = |error| unusable(&place, error);
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&place);
    let mut file = opened.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(failed(error)),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let holder = match (&file).take(32).read_to_string(&mut text) {
                Ok(_) if text.trim().parse::<u32>().is_ok() => format!("process {}", text.trim()),
                _ => "another process".to_owned(),
            };
            let message = format!(
                "{}: {holder} has it: each process needs a state directory of its own",
                path.display()
            );
            return Err(Error::new(Code::StateLocked, message));
        }
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
    Ok(file)
}

fn make_mark(path: &Path) -> Result<String> {
    let id = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
    let write = || {
        let mut file = File::create(path.join(NEW_MARK))?;
        file.write_all(mark(&id).as_bytes())?;
        file.sync_all()?;
        fs::rename(path.join(NEW_MARK), path.join(MARK))?;
        File::open(path)?.sync_all()
    };
    write().map_err(|error| unusable(path, error))?;
    Ok(id)
}

fn mark(id: &str) -> String {
    format!("{FIRST_LINE}\n{id}\n{:016x}\n", xxh3_64(id.as_bytes()))
}

fn read_mark(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let id = text.lines().nth(1)?;
    (id.len() == 16 && mark(id) == text).then_some(id)
}

/// Another name for each name, whatever the file system thinks of capital letters.
fn file_name(task: &str) -> String {
    let mut name = String::new();
    for byte in task.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            _ => name += &format!("%{byte:02x}"),
        }
    }
    if name.is_empty() || name.len() > LONGEST_NAME {
        name.truncate(LONGEST_NAME - 33);
        name += &format!("~{:032x}", xxh3_128(task.as_bytes()));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_distinct() {
        let long = "payments".repeat(40);
        let other = format!("{long}-1");
        let tasks = [
            "payments-0-12",
            "payments.0.12",
            "Payments-0-12",
            "payments%2e0",
            "",
            "../x",
            "~",
            &long,
            &other,
        ];
        let mut names = tasks.map(file_name).to_vec();
        assert_eq!(names[0], "payments-0-12");
        assert!(names.iter().all(|name| name.len() <= LONGEST_NAME && !name.contains(['/', '.'])));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), tasks.len());
    }

    #[test]
    fn what_is_not_ours_is_refused_and_left_alone() {
        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join("letters"), "dear").unwrap();
        let error = Directory::open(other.path()).unwrap_err();
        assert_eq!(error.code, Code::StateDisk);
        assert!(error.message.contains("letters"), "{error}");
        let left: Vec<_> =
            fs::read_dir(other.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["letters"]);
    }

    #[test]
    fn one_process_has_it_and_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let first = Directory::open(directory.path()).unwrap();
        let error = Directory::open(directory.path()).unwrap_err();
        assert_eq!(error.code, Code::StateLocked);
        assert!(error.message.contains(&format!("process {}", std::process::id())), "{error}");
        assert!(error.message.contains(&directory.path().display().to_string()));
        drop(first);
        Directory::open(directory.path()).unwrap();
    }

    #[test]
    fn the_instance_id_stays_and_is_made_anew_if_it_is_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let first = Directory::open(directory.path()).unwrap().instance_id;
        assert!(first.len() == 16 && first.bytes().all(|digit| digit.is_ascii_hexdigit()));
        assert_eq!(Directory::open(directory.path()).unwrap().instance_id, first);
        let place = directory.path().join(MARK);
        let good = fs::read(&place).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(read_mark(&bad), None, "{at}");
        }
        fs::create_dir_all(directory.path().join("tasks/a/1")).unwrap();
        fs::write(&place, &good[..good.len() - 1]).unwrap();
        let second = Directory::open(directory.path()).unwrap();
        assert_ne!(second.instance_id, first);
        assert!(!second.task("a").exists());
    }

    #[test]
    fn only_what_is_ours_and_idle_is_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let (own, other) = (directory.path().join("0"), directory.path().join("other"));
        fs::create_dir(&other).unwrap();
        assert!(!is_ours(&own).unwrap() && !is_ours(&other).unwrap());
        assert_eq!(delete(&other).unwrap_err().code, Code::StateDisk);
        let held = Directory::open(&own).unwrap();
        assert_eq!(is_ours(&own).unwrap_err().code, Code::StateLocked);
        assert_eq!(delete(&own).unwrap_err().code, Code::StateLocked);
        drop(held);
        assert!(is_ours(&own).unwrap());
        delete(&own).unwrap();
        assert!(other.exists() && !own.exists());
    }

    #[test]
    fn a_start_that_was_cut_short_is_no_obstacle() {
        let directory = tempfile::tempdir().unwrap();
        for left in [LOCK, NEW_MARK] {
            fs::write(directory.path().join(left), "").unwrap();
        }
        Directory::open(directory.path()).unwrap();
    }
}
