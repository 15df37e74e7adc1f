//! A real Apache Kafka for tests and the demo: one node, KRaft, on loopback, on ports that were free.
//!
//! Each broker has a folder `target/kafka-*`, holding its settings, data and log. It is removed when the broker ends
//! well, kept when something failed or was interrupted, and swept when a later one starts.

mod jars;
mod server;

pub(crate) use server::Broker;

use crate::home::{Home, remove};
use crate::process::{kill_released, tail};
use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// A broker that lives as long as the value returned.
pub(crate) fn launch(home: &Home) -> Result<Broker> {
    let libraries = jars::libraries(home)?;
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
    let folder = background(home);
    if let Some((_, address)) = released(&folder) {
        return Ok(address);
    }
    let libraries = jars::libraries(home)?;
    let broker = home.steps.quiet("start", "Apache Kafka", || Broker::launch(&libraries, &folder, true))?;
    let address = broker.address();
    // Address first: the process id is what says that all is there.
    fs::write(folder.join("address"), &address)?;
    fs::write(folder.join("pid"), broker.id().to_string())?;
    broker.release();
    Ok(address)
}

/// `kafka stop`: ends it, and its data with it.
pub(crate) fn stop(home: &Home) -> Result<()> {
    let folder = background(home);
    if let Some((pid, address)) = released(&folder) {
        kill_released(pid);
        let asked = Instant::now();
        while is_broker_of(pid, &folder) {
            if asked.elapsed() > Duration::from_secs(10) {
                bail!("Kafka's process {pid} does not end\n  to do  kill -9 {pid}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        eprintln!("{:<8} Apache Kafka at {address}", "stop");
    } else {
        eprintln!("{:<8} no Kafka was running", "stop");
    }
    remove(&folder)
}

fn background(home: &Home) -> PathBuf {
    home.target.join("kafka-background")
}

/// Process and address of the broker in the background, if it runs.
fn released(folder: &Path) -> Option<(u32, String)> {
    let pid = fs::read_to_string(folder.join("pid")).ok()?.parse().ok()?;
    let address = fs::read_to_string(folder.join("address")).ok()?;
    is_broker_of(pid, folder).then_some((pid, address))
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
        fs::write(folder.join("address"), "127.0.0.1:1").unwrap();
        fs::write(folder.join("pid"), std::process::id().to_string()).unwrap();
        assert_eq!(released(&folder), None);
        remove(&folder).unwrap();
    }
}
