//! The built program as a child process.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longest wait for anything a program should do at once.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The built `tailwater`, which lies two folders above the test's own program.
fn path() -> PathBuf {
    let own = std::env::current_exe().expect("a test has a path");
    let path = own.ancestors().nth(2).expect("target/PROFILE/deps/test").join("tailwater");
    assert!(path.exists(), "{} is missing: run the tests with `cargo xtask test`", path.display());
    path
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(path());
    command.args(arguments).env("NO_COLOR", "1");
    command
}

/// Runs it to its end.
pub fn output(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the program starts")
}

/// A running `tailwater run`; killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    log: Receiver<String>,
}

impl Program {
    /// Starts `tailwater run PIPELINE` with variables.
    pub fn run(pipeline: &Path, environment: &[(&str, &str)]) -> Self {
        let mut command = command(&["run", pipeline.to_str().expect("UTF-8")]);
        command.envs(environment.iter().copied()).stderr(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("the program starts");
        let (lines, log) = channel();
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                eprintln!("tailwater: {line}");
                // Nobody listens any more when the test is over.
                let _ = lines.send(line);
            }
        });
        Self { child, log }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// SIGTERM, then its end.
    pub fn terminate(&mut self) -> ExitStatus {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill is there");
        assert!(kill.success());
        self.end()
    }

    /// Waits for its end.
    pub fn end(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the program does not end");
            // Until the log ends or says something more.
            let _ = self.log.recv_timeout(Duration::from_millis(20));
        }
    }

    /// All that it said until its end.
    pub fn said(&mut self) -> String {
        self.end();
        self.log.iter().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
