//! The container image that `cargo xtask test` builds, and containers of it that may do as little as can be.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::broker;
use crate::http::Api;
use crate::program::PATIENCE;

/// What a container gets to end in: some more than a process allows itself.
pub const GRACE: Duration = Duration::from_secs(40);
/// Bytes.
pub const MEMORY: u64 = 1 << 30;
pub const PROCESSES: u64 = 200;

/// The image's name.
pub fn image() -> String {
    if let Ok(why) = std::env::var("TAILWATER_NO_IMAGE") {
        panic!("{why}");
    }
    crate::needed("TAILWATER_IMAGE")
}

/// Runs podman or Docker.
pub fn engine(arguments: &[&str]) -> Output {
    Command::new(crate::needed("TAILWATER_CONTAINERS")).args(arguments).output().expect("the engine starts")
}

/// The same where it must go well; gives what it said.
pub fn done(arguments: &[&str]) -> String {
    let output = engine(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// What the engine knows of an image or a container.
pub fn inspect(kind: &str, name: &str) -> Value {
    let all: Value = serde_json::from_str(&done(&["inspect", "--type", kind, name])).expect("JSON");
    all[0].clone()
}

/// A container; removed when dropped, with its volume.
#[derive(Debug)]
pub struct Container {
    name: String,
}

impl Container {
    /// Runs a pipeline. It sees these folders, each at a place of its own, and the machine's network.
    pub fn run(pipeline: &str, folders: &[(PathBuf, &str)], environment: &[(&str, &str)]) -> Self {
        let image = image();
        let name = broker::unique("tailwater");
        let memory = MEMORY.to_string();
        let processes = PROCESSES.to_string();
        let state = format!("{name}:/var/lib/tailwater");
        // By which the next run finds what one leaves that is killed.
        let owner = format!("tailwater-tests={}", std::process::id());
        let mut arguments: Vec<String> = [
            &["run", "--detach", "--name", &name, "--label", &owner, "--network", "host"] as &[_],
            &["--volume", &state],
            &["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
            // Where files carry labels, those of a repository are not for containers.
            &["--security-opt", "label=disable", "--memory", &memory, "--pids-limit", &processes],
            &["--env", "NO_COLOR=1", "--env", "TAILWATER_ADMIN=127.0.0.1:0"],
        ]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect();
        for (folder, place) in folders {
            arguments.extend(["--volume".to_owned(), format!("{}:{place}:ro", folder.display())]);
        }
        for (variable, value) in environment {
            arguments.extend(["--env".to_owned(), format!("{variable}={value}")]);
        }
        arguments.extend([image, "run".to_owned(), pipeline.to_owned()]);
        let container = Self { name };
        done(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        container
    }

    /// SIGTERM, as `podman stop` and `docker stop` send it, then SIGKILL once the grace is over. Gives the exit code.
    pub fn stop(&self) -> i64 {
        let grace = GRACE.as_secs().to_string();
        done(&["stop", "-t", &grace, &self.name]);
        self.inspect()["State"]["ExitCode"].as_i64().expect("a number")
    }

    /// SIGKILL.
    pub fn kill(&self) {
        done(&["kill", "--signal", "KILL", &self.name]);
        done(&["wait", &self.name]);
    }

    /// Runs it again, with the state that it left.
    pub fn start(&self) {
        done(&["start", &self.name]);
    }

    pub fn inspect(&self) -> Value {
        inspect("container", &self.name)
    }

    /// Its process, as this machine sees it.
    pub fn process(&self) -> PathBuf {
        let process = self.inspect()["State"]["Pid"].as_i64().expect("a number");
        assert_ne!(process, 0, "it has ended: {}", self.log());
        Path::new("/proc").join(process.to_string())
    }

    /// What it logged, of all its runs.
    pub fn log(&self) -> String {
        let output = engine(&["logs", &self.name]);
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
    }

    /// The admin API of what runs.
    pub fn api(&self) -> Api {
        let began = Instant::now();
        loop {
            let log = self.log();
            let address = log.rsplit_once("the admin API listens address=").map(|(_, rest)| rest);
            if let Some(address) = address.and_then(|rest| rest.split([' ', '\n']).next()) {
                return Api::at(address);
            }
            assert!(began.elapsed() < PATIENCE, "it does not listen: {log}");
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}:\n{}", self.name, self.log());
        }
        engine(&["rm", "--force", &self.name]);
        engine(&["volume", "rm", &self.name]);
    }
}
