//! The built program as a child process. It sees none of the user's settings, and keeps compiled plugins beside
//! itself.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longest wait for anything a program should do at once.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The built `tailwater`: it lies beside our own program, or, of a test, which is in `deps`, one folder above.
fn path() -> PathBuf {
    let own = std::env::current_exe().expect("a program has a path");
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join("tailwater"));
    let found = beside.clone().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{beside:?}: none is there; run the tests with `cargo xtask test`"))
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let path = path();
    let mut command = Command::new(&path);
    for (name, _) in std::env::vars_os() {
        let ours = ["TAILWATER__", "TAILWATER_ADMIN", "TAILWATER_LOG", "OTEL_"];
        if name.to_str().is_some_and(|name| ours.iter().any(|own| name.starts_with(own))) {
            command.env_remove(name);
        }
    }
    command.args(arguments).env("NO_COLOR", "1").env("TAILWATER_CACHE", path.with_file_name("test-cache"));
    command
}

/// Runs it to its end.
pub fn output(arguments: &[&str]) -> Output {
    output_with(arguments, &[])
}

/// The same with variables.
pub fn output_with(arguments: &[&str], environment: &[(&str, &Path)]) -> Output {
    command(arguments).envs(environment.iter().copied()).output().expect("the program starts")
}

/// The same with variables; all that it said, and whether it ended well.
pub fn said_with(arguments: &[&str], environment: &[(&str, &str)]) -> (bool, String) {
    let output = command(arguments).envs(environment.iter().copied()).output().expect("the program starts");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said)
}

/// A running `tailwater run`; killed when dropped. What it logs goes to the test's stderr.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// Lines; closed when the log ends, which it does with the program.
    log: Receiver<String>,
}

impl Program {
    /// Starts `tailwater run PIPELINE` with variables.
    pub fn run(pipeline: &Path, environment: &[(&str, &str)]) -> Self {
        Self::start(&["run", pipeline.to_str().expect("UTF-8")], environment)
    }

    /// The same with several pipelines.
    pub fn run_all(pipelines: &[&Path], environment: &[(&str, &str)]) -> Self {
        let pipelines = pipelines.iter().map(|pipeline| pipeline.to_str().expect("UTF-8"));
        Self::start(&["run"].into_iter().chain(pipelines).collect::<Vec<_>>(), environment)
    }

    /// Starts `tailwater run --until-end PIPELINE`.
    pub fn run_until_end(pipeline: &Path) -> Self {
        Self::start(&["run", "--until-end", pipeline.to_str().expect("UTF-8")], &[])
    }

    /// Starts `tailwater run --from PLACE PIPELINE`.
    pub fn run_from(pipeline: &Path, from: &str) -> Self {
        Self::start(&["run", "--from", from, pipeline.to_str().expect("UTF-8")], &[])
    }

    fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = command(arguments);
        command.envs(environment.iter().copied()).stderr(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("the program starts");
        let (open, log) = channel();
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                eprintln!("tailwater: {line}");
                // Nobody may be there any more.
                let _ = open.send(line);
            }
        });
        Self { child, log }
    }

    /// Bytes in memory, when they have not risen for a while. It is the system's clock and another process's
    /// memory: they can only be looked at again and again.
    pub fn settled_memory(&self) -> u64 {
        let (mut most, mut last) = (0, Instant::now());
        let began = Instant::now();
        while last.elapsed() < Duration::from_secs(2) {
            assert!(began.elapsed() < PATIENCE, "memory does not settle");
            let pages = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).expect("it runs");
            let pages =
                pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number");
            if pages * 4096 > most + (1 << 18) {
                (most, last) = (pages * 4096, Instant::now());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        most
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// SIGTERM, then its end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(libc::SIGTERM);
        self.end()
    }

    /// SIGHUP.
    pub fn hang_up(&self) {
        self.signal(libc::SIGHUP);
    }

    fn signal(&self, signal: libc::c_int) {
        let id = libc::pid_t::try_from(self.child.id()).expect("a process's number");
        // SAFETY: a system call on numbers; the child is not reaped yet, so the number is its own.
        assert_eq!(unsafe { libc::kill(id, signal) }, 0);
    }

    /// Waits until it says this. Gives what it said until then, that line included.
    pub fn says(&self, text: &str) -> Vec<String> {
        let (end, mut said) = (Instant::now() + PATIENCE, Vec::new());
        let left = || end.saturating_duration_since(Instant::now());
        while said.last().is_none_or(|line: &String| !line.contains(text)) {
            said.push(self.log.recv_timeout(left()).unwrap_or_else(|_| panic!("it never says {text:?}")));
        }
        said
    }

    /// Waits for its end.
    pub fn end(&mut self) -> ExitStatus {
        self.end_saying().0
    }

    /// SIGTERM, then its end, and what it said that nobody has heard yet.
    pub fn terminate_saying(&mut self) -> (ExitStatus, Vec<String>) {
        self.signal(libc::SIGTERM);
        self.end_saying()
    }

    fn end_saying(&mut self) -> (ExitStatus, Vec<String>) {
        let (end, mut said) = (Instant::now() + PATIENCE, Vec::new());
        let ended = loop {
            match self.log.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => said.push(line),
                Err(ended) => break ended,
            }
        };
        assert_eq!(ended, RecvTimeoutError::Disconnected, "the program does not end");
        (self.child.wait().expect("it is our child"), said)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
