//! A real Apache Kafka for tests and the demo: one node, KRaft, on loopback, on ports that were free.
//!
//! Each broker has a folder `target/kafka-*`, holding its settings, data and log. It is removed when the broker ends
//! well, kept when something failed or was interrupted, and swept when a later one starts. There is one at most in
//! the background, `target/kafka-background`.

mod jars;
mod java;
mod server;
mod topics;

pub(crate) use jars::libraries;
pub(crate) use server::Broker;
pub(crate) use topics::{NewTopics, create};

use crate::home::{Home, remove};
use crate::process::{kill_released, tail};
use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The folder of the broker in the background, and the lock of who starts or stops it.
const BACKGROUND: &str = "kafka-background";
/// Written when it answers.
const ADDRESS: &str = "address";

/// A broker that lives as long as the value returned.
pub(crate) fn launch(home: &Home) -> Result<Broker> {
    let libraries = libraries(home)?;
    sweep(&home.target)?;
    let folder = home.target.join(format!("kafka-{}", std::process::id()));
    home.steps.quiet("start", "Apache Kafka", || Broker::launch(&libraries, &folder, false))
}

/// `kafka run`: in the foreground until Ctrl-C.
pub(crate) fn run(home: &Home) -> Result<()> {
    let broker = launch(home)?;
    println!("{}", broker.address());
    eprintln!("Ctrl-C ends it. Log: {}", broker.log().display());
    let log = broker.log();
    let status = broker.wait()?;
    bail!("Kafka ended by itself: {status}\n{}", tail(&fs::read_to_string(log)?).join("\n"))
}

/// `kafka start`: one in the background; returns its address. One that runs already is as good.
pub(crate) fn start(home: &Home) -> Result<String> {
    let libraries = libraries(home)?;
    let (folder, _lock) = (background(home), home.lock(BACKGROUND)?);
    if let Some(address) = answering(&folder) {
        return Ok(address);
    }
    // Started by an xtask that was killed before the broker answered.
    if let Some(pid) = running(&folder) {
        end(pid, &folder)?;
    }
    let broker = home.steps.quiet("start", "Apache Kafka", || Broker::launch(&libraries, &folder, true))?;
    let address = broker.address();
    fs::write(folder.join(ADDRESS), &address)?;
    broker.release();
    Ok(address)
}

/// `kafka stop`: ends it, and its data with it.
pub(crate) fn stop(home: &Home) -> Result<()> {
    let (folder, _lock) = (background(home), home.lock(BACKGROUND)?);
    if let Some(pid) = running(&folder) {
        let address = answering(&folder);
        end(pid, &folder)?;
        eprintln!("{:<8} Apache Kafka at {}", "stop", address.as_deref().unwrap_or("its beginning"));
    } else {
        eprintln!("{:<8} no Kafka was running", "stop");
    }
    remove(&folder)
}

/// Kills the broker of a folder, and waits until it is gone.
fn end(pid: u32, folder: &Path) -> Result<()> {
    kill_released(pid);
    let asked = Instant::now();
    while is_broker_of(pid, folder) {
        if asked.elapsed() > Duration::from_secs(10) {
            bail!("Kafka's process {pid} does not end\n  to do  kill -9 {pid}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn background(home: &Home) -> PathBuf {
    home.target.join(BACKGROUND)
}

/// The process of a folder's broker, while it runs.
fn running(folder: &Path) -> Option<u32> {
    let pid = fs::read_to_string(folder.join(server::PID)).ok()?.parse().ok()?;
    is_broker_of(pid, folder).then_some(pid)
}

/// The address of a folder's broker that runs and has answered.
fn answering(folder: &Path) -> Option<String> {
    running(folder).and_then(|_| fs::read_to_string(folder.join(ADDRESS)).ok())
}

/// Whether that process is the broker of that folder, and not another one that got its number.
fn is_broker_of(pid: u32, folder: &Path) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).contains(&*folder.to_string_lossy())
}

/// Removes the folders of brokers whose xtask is gone.
fn sweep(target: &Path) -> Result<()> {
    for entry in fs::read_dir(target)? {
        let path = entry?.path();
        let owner =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("kafka-"));
        if let Some(pid) = owner.and_then(|owner| owner.parse::<u32>().ok())
            && !Path::new(&format!("/proc/{pid}")).exists()
        {
            remove(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Ending, Job};

    #[test]
    fn only_folders_of_the_dead_are_swept() {
        let target = std::env::temp_dir().join(format!("xtask-kafka-{}", std::process::id()));
        let alive = format!("kafka-{}", std::process::id());
        for name in ["kafka-4194305", "kafka-background", &alive] {
            fs::create_dir_all(target.join(name)).unwrap();
        }
        sweep(&target).unwrap();
        let exists = |name: &str| target.join(name).exists();
        assert!(!exists("kafka-4194305") && exists("kafka-background") && exists(&alive));
        remove(&target).unwrap();
    }

    #[test]
    fn a_process_that_got_a_brokers_number_is_not_taken_for_it() {
        let folder = std::env::temp_dir().join(format!("xtask-pid-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(ADDRESS), "127.0.0.1:1").unwrap();
        fs::write(folder.join(server::PID), std::process::id().to_string()).unwrap();
        assert_eq!((running(&folder), answering(&folder)), (None, None));
        remove(&folder).unwrap();
    }

    #[test]
    fn a_broker_that_never_answered_is_found_and_ended() {
        let folder = std::env::temp_dir().join(format!("xtask-half-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        // The folder stands in its command line, as in a broker's.
        let mut shell = Job::new("sh");
        let child = shell.args(["-c", "sleep 1000; :"]).arg(&folder).start(Ending::Detachable).unwrap();
        fs::write(folder.join(server::PID), child.id().to_string()).unwrap();
        assert_eq!((running(&folder), answering(&folder)), (Some(child.id()), None));
        end(child.id(), &folder).unwrap();
        assert_eq!(running(&folder), None);
        remove(&folder).unwrap();
    }
}
