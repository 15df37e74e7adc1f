//! The processes of the host: one consumer group, each with a folder for its state.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::log::{Log, Mark};
use super::process::{end, signal, tie};
use super::random::Random;
use crate::program::{PATIENCE, command};

/// What lines of the log are asked for: those of [`Mark`].
const LOGGED: &str = "info,transactions=trace,tasks=debug";

/// For a host to load what it needs.
const UP_WITHIN: Duration = Duration::from_secs(20);
/// For its first assignment, if it gets one.
const SPEAKS_WITHIN: Duration = Duration::from_secs(1);
/// How long ago a busy host's last transaction may be.
const LATELY: Duration = Duration::from_secs(3);

#[derive(Debug)]
struct Host {
    child: Child,
    log: Log,
    file: PathBuf,
}

impl Drop for Host {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Seats for hosts, some of them taken. Dropped, all are killed.
#[derive(Debug)]
pub struct Hosts {
    pipeline: PathBuf,
    folder: PathBuf,
    keeps_state: bool,
    seats: Vec<Option<Host>>,
    starts: usize,
    /// Of hosts that ended without being asked to, what they said at last.
    troubles: Vec<String>,
}

impl Hosts {
    /// None runs yet. `keeps_state`: the pipeline has a `[state]`.
    pub fn new(pipeline: &Path, folder: &Path, seats: usize, keeps_state: bool) -> Self {
        let seats = (0..seats).map(|_| None).collect();
        let (pipeline, folder) = (pipeline.to_owned(), folder.to_owned());
        Self { pipeline, folder, keeps_state, seats, starts: 0, troubles: Vec::new() }
    }

    pub fn running(&self) -> Vec<usize> {
        (0..self.seats.len()).filter(|seat| self.seats[*seat].is_some()).collect()
    }

    pub fn free(&self) -> Vec<usize> {
        (0..self.seats.len()).filter(|seat| self.seats[*seat].is_none()).collect()
    }

    pub fn start(&mut self, seat: usize) {
        self.starts += 1;
        let mut command = command(&["run", self.pipeline.to_str().expect("UTF-8")]);
        command.env("TAILWATER_LOG", LOGGED).stdout(Stdio::null()).stderr(Stdio::piped());
        if self.keeps_state {
            command.env("TAILWATER__STATE__DIRECTORY", self.state(seat));
        }
        let mut child = tie(&mut command).spawn().expect("the program starts");
        let file = self.folder.join(format!("host-{seat}-{}.log", self.starts));
        let stderr = child.stderr.take().expect("piped");
        let log = Log::follow(stderr, File::create(&file).expect("writable"));
        self.seats[seat] = Some(Host { child, log, file });
    }

    /// Where a host keeps its state.
    pub fn state(&self, seat: usize) -> PathBuf {
        self.folder.join(format!("state-{seat}"))
    }

    fn host(&self, seat: usize) -> &Host {
        self.seats[seat].as_ref().expect("the seat is taken")
    }

    /// Number of its process.
    pub fn process(&self, seat: usize) -> u32 {
        self.host(seat).child.id()
    }

    pub fn log(&self, seat: usize) -> &Log {
        &self.host(seat).log
    }

    /// SIGKILL; gives its whole log.
    pub fn kill(&mut self, seat: usize) -> Log {
        let mut host = self.seats[seat].take().expect("the seat is taken");
        let before = host.child.try_wait().expect("it is our child");
        end(&mut host.child);
        host.log.wait_closed();
        self.troubles.extend(before.map(|status| told(seat, &host, &status.to_string())));
        host.log.clone()
    }

    /// Waits until a host is at work, as far as its log tells: one without partitions may have nothing to say.
    pub fn wait_until_up(&self, seat: usize) {
        let log = self.log(seat);
        if let Some(from) = log.wait(0, &[Mark::Starts], UP_WITHIN) {
            log.wait(from, &[Mark::Assigned, Mark::Flush], SPEAKS_WITHIN);
        }
    }

    /// Those that ended transactions lately; else all that run.
    pub fn busy(&self) -> Vec<usize> {
        let (running, now) = (self.running(), Instant::now());
        let lately = now.checked_sub(LATELY).unwrap_or(now);
        let is_busy = |seat: &&usize| self.log(**seat).has_after(lately, Mark::Flush);
        let busy: Vec<usize> = running.iter().filter(is_busy).copied().collect();
        if busy.is_empty() { running } else { busy }
    }

    /// SIGTERM, without waiting.
    pub fn ask_to_end(&self, seat: usize) {
        signal(&self.host(seat).child, libc::SIGTERM);
    }

    /// Waits for the end that was asked for. Says what was wrong with it, if something was.
    pub fn await_end(&mut self, seat: usize) -> Result<(), String> {
        let mut host = self.seats[seat].take().expect("the seat is taken");
        // Its log ends with it.
        if !host.log.ends_within(PATIENCE) {
            return Err(format!("host {seat} does not end; its log: {}", host.file.display()));
        }
        let status = host.child.wait().expect("it is our child");
        if status.success() { Ok(()) } else { Err(told(seat, &host, &status.to_string())) }
    }

    pub fn freeze(&self, seat: usize) {
        signal(&self.host(seat).child, libc::SIGSTOP);
    }

    pub fn thaw(&self, seat: usize) {
        signal(&self.host(seat).child, libc::SIGCONT);
    }

    /// Takes those away that ended without being asked to; gives what they and those before said at last.
    pub fn troubles(&mut self) -> Vec<String> {
        for (seat, place) in self.seats.iter_mut().enumerate() {
            let Some(host) = place else { continue };
            let Some(status) = host.child.try_wait().expect("it is our child") else { continue };
            host.log.wait_closed();
            self.troubles.push(told(seat, host, &status.to_string()));
            *place = None;
        }
        std::mem::take(&mut self.troubles)
    }

    /// When the first of them, but for some, logged this after a moment.
    pub fn first_after(&self, moment: Instant, but: &[usize], mark: Mark) -> Option<Instant> {
        let others = self.running().into_iter().filter(|seat| !but.contains(seat));
        others.filter_map(|seat| self.log(seat).first_after(moment, mark)).min()
    }

    /// Removes what a dead host kept on disk.
    pub fn delete_state(&self, seat: usize) {
        // There is none if it was killed very early.
        let _ = fs::remove_dir_all(self.state(seat));
    }

    /// Damages a file of a dead host: a byte is another one, the end is missing, or something follows it. Gives its
    /// name, if there was one.
    pub fn damage_state(&self, seat: usize, random: &mut Random) -> Option<String> {
        let files = files(&self.state(seat));
        let path = files.get(random.below(files.len().max(1) as u64) as usize)?;
        let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
        let length = file.metadata().ok()?.len();
        let at = random.below(length);
        let mut byte = [0];
        match random.below(3) {
            0 => {
                file.read_exact_at(&mut byte, at).ok()?;
                file.write_all_at(&[byte[0] ^ 1 << random.below(8)], at).ok()?;
            }
            1 => file.set_len(at).ok()?,
            _ => file.write_all_at(b"and then some", length).ok()?,
        }
        Some(path.strip_prefix(&self.folder).unwrap_or(path).display().to_string())
    }
}

fn told(seat: usize, host: &Host, how: &str) -> String {
    let said = host.log.tail().join("\n    ");
    format!("host {seat} ended: {how}; its log: {}\n    {said}", host.file.display())
}

/// All that have something in them, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => found.extend(files(&path)),
            Ok(metadata) if metadata.is_file() && metadata.len() > 0 => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found
}
