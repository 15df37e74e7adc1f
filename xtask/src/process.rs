//! Starts processes, tells well why one failed, and leaves none behind.

mod children;
mod signals;

pub(crate) use children::{Ending, Running, kill_released};
pub(crate) use signals::guard;

use anyhow::{Result, anyhow};
use std::ffi::OsStr;
use std::fmt::Write;
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

/// Lines of a failed program's output that are shown.
const TAIL: usize = 25;

/// A command, and what to do when it fails.
#[derive(Debug)]
pub(crate) struct Job {
    command: Command,
    advice: String,
}

impl Job {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        Self { command, advice: String::new() }
    }

    /// The cargo that runs us.
    pub(crate) fn cargo() -> Self {
        Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    pub(crate) fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<I: IntoIterator<Item: AsRef<OsStr>>>(&mut self, args: I) -> &mut Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(&mut self, key: &str, value: impl AsRef<OsStr>) -> &mut Self {
        self.command.env(key, value);
        self
    }

    pub(crate) fn without(&mut self, variables: &[impl AsRef<OsStr>]) -> &mut Self {
        for variable in variables {
            self.command.env_remove(variable);
        }
        self
    }

    pub(crate) fn within(&mut self, folder: &Path) -> &mut Self {
        self.command.current_dir(folder);
        self
    }

    /// What the user can do when this fails.
    pub(crate) fn advise(&mut self, advice: &str) -> &mut Self {
        self.advice = advice.to_owned();
        self
    }

    /// Both outputs go to this file.
    pub(crate) fn log_to(&mut self, file: std::fs::File) -> Result<&mut Self> {
        self.command.stderr(file.try_clone()?).stdout(file);
        Ok(self)
    }

    /// Runs it and returns what it printed on stdout.
    pub(crate) fn output(&mut self) -> Result<String> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = self.start(Ending::Graceful)?;
        let (stdout, stderr) = running.pipes();
        let (out, err) = thread::scope(|scope| {
            let err = scope.spawn(|| read(stderr));
            (read(stdout), err.join().unwrap_or_default())
        });
        let status = running.wait()?;
        if status.success() { Ok(out) } else { Err(self.failed(status, &format!("{out}{err}"))) }
    }

    /// Runs it silently.
    pub(crate) fn run(&mut self) -> Result<()> {
        self.output().map(drop)
    }

    /// Runs it with the user's terminal for its output.
    pub(crate) fn show(&mut self) -> Result<()> {
        let status = self.status()?;
        if status.success() { Ok(()) } else { Err(self.failed(status, "")) }
    }

    /// As [`Job::show`]; how it ended is the caller's to judge.
    pub(crate) fn status(&mut self) -> Result<ExitStatus> {
        self.start(Ending::Graceful)?.wait()
    }

    pub(crate) fn start(&mut self, ending: Ending) -> Result<Running> {
        children::spawn(&mut self.command, ending).map_err(|error| {
            anyhow!("{}", report(&line(&self.command), &format!("did not start: {error}"), "", &self.advice))
        })
    }

    /// The error of a job that ended badly, `said` being its output.
    pub(crate) fn failed(&self, status: ExitStatus, said: &str) -> anyhow::Error {
        anyhow!("{}", report(&line(&self.command), &status.to_string(), said, &self.advice))
    }
}

fn read(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // Half of what it said is better than nothing.
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .map(|word| if word.contains(char::is_whitespace) { format!("'{word}'") } else { word.into_owned() })
        .collect::<Vec<_>>()
        .join(" ")
}

fn report(tried: &str, ended: &str, said: &str, advice: &str) -> String {
    let mut text = format!("a command failed\n  tried  {tried}\n  ended  {ended}");
    for (index, line) in tail(said).iter().enumerate() {
        let head = if index == 0 { "said " } else { "     " };
        let _ = write!(text, "\n  {head}  {line}");
    }
    if !advice.is_empty() {
        let _ = write!(text, "\n  to do  {advice}");
    }
    text
}

/// The last lines that say something.
pub(crate) fn tail(said: &str) -> Vec<&str> {
    let lines: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL)..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_was_tried_how_it_ended_and_what_to_do() {
        let error = Job::new("sh")
            .args(["-c", "echo out; echo err >&2; exit 3"])
            .advise("Do this.")
            .run()
            .unwrap_err();
        let want = "a command failed\n  tried  sh -c 'echo out; echo err >&2; exit 3'\n  ended  exit status: 3\n  \
                    said   out\n         err\n  to do  Do this.";
        assert_eq!(error.to_string(), want);
    }

    #[test]
    fn a_program_that_is_missing_says_so() {
        let error = Job::new("no-such-program-here").advise("Install it.").output().unwrap_err().to_string();
        assert!(error.contains("did not start") && error.ends_with("to do  Install it."), "{error}");
    }

    #[test]
    fn only_the_end_of_long_output_is_shown() {
        let said: String = (0..100).map(|n| format!("{n}\n\n")).collect();
        assert_eq!((tail(&said).len(), tail(&said)[0]), (TAIL, "75"));
    }

    #[test]
    fn both_pipes_may_be_full() {
        let out = Job::new("sh")
            .args(["-c", "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero"])
            .output()
            .unwrap();
        assert_eq!(out.len(), 300_000);
    }
}
