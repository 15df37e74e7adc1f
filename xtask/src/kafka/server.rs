//! One broker process: its settings, its start, its end.

use super::java::Java;
use crate::home::remove;
use crate::process::{Ending, Running, tail};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(90);
/// What the log says once the broker takes part in its cluster: its port answers before topics can be made.
const STARTED: &str = "Kafka Server started";
/// Tries at ports that somebody else took between our look and Kafka's bind.
const TRIES: usize = 3;
/// Tells Java to speak on stdout, which is the log file.
const LOGGING: &str = r#"Configuration:
  Appenders:
    Console:
      name: out
      PatternLayout: { pattern: "%d %p %c %m%n" }
  Loggers:
    Root:
      level: info
      AppenderRef: { ref: out }
"#;

const LOG: &str = "server.log";
/// Holds the process's number, from its first moment on.
pub(super) const PID: &str = "pid";

/// A broker that answers. Dropped, it ends at once and leaves its folder for the curious.
#[derive(Debug)]
pub(crate) struct Broker {
    running: Running,
    port: u16,
    folder: PathBuf,
}

impl Broker {
    /// Starts one in `folder`, emptied first. `detachable`: it can be [released](Broker::release).
    pub(super) fn launch(libraries: &Path, folder: &Path, detachable: bool) -> Result<Self> {
        let java = Java::find(libraries)?;
        for tried in 1.. {
            remove(folder)?;
            fs::create_dir_all(folder)?;
            let broker = Self::try_launch(&java, folder, detachable);
            let log = fs::read_to_string(folder.join(LOG)).unwrap_or_default();
            if broker.is_ok() || tried == TRIES || !log.contains("Address already in use") {
                return broker;
            }
        }
        unreachable!("the last try returns")
    }

    fn try_launch(java: &Java, folder: &Path, detachable: bool) -> Result<Self> {
        let [port, controller] = free_ports()?;
        let (settings, logging) = (folder.join("server.properties"), folder.join("log4j2.yaml"));
        fs::write(&settings, properties(port, controller, &folder.join("data")))?;
        fs::write(&logging, LOGGING)?;
        let logging = format!("-Dlog4j2.configurationFile={}", logging.display());
        java.tool(&[&logging], "kafka.tools.StorageTool")
            .args(["format", "--cluster-id", &cluster_id()?, "--config"])
            .arg(&settings)
            .run()
            .context("Kafka can't format its storage")?;
        let ending = if detachable { Ending::Detachable } else { Ending::Abrupt };
        let running = java
            .job(&["-Xms512m", "-Xmx1g", "-XX:+UseG1GC", &logging], "kafka.Kafka")
            .arg(&settings)
            .within(folder)
            .log_to(File::create(folder.join(LOG))?)?
            .start(ending)?;
        fs::write(folder.join(PID), running.id().to_string())?;
        let broker = Self { running, port, folder: folder.to_owned() };
        broker.wait_until_ready()?;
        Ok(broker)
    }

    fn wait_until_ready(&self) -> Result<()> {
        let start = Instant::now();
        loop {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            if log.contains(STARTED) && TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return Ok(());
            }
            let what = match (self.running.has_ended(), start.elapsed() > PATIENCE) {
                (true, _) => "ended by itself".to_owned(),
                (_, true) => format!("did not answer within {} s", PATIENCE.as_secs()),
                _ => {
                    thread::sleep(Duration::from_millis(50));
                    continue;
                }
            };
            bail!("Kafka {what}\n  log    {}\n  {}", self.log().display(), tail(&log).join("\n  "));
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// Waits until it ends by itself.
    pub(super) fn wait(self) -> Result<ExitStatus> {
        self.running.wait()
    }

    /// Lets it live on without us.
    pub(super) fn release(self) {
        self.running.release();
    }

    /// Ends it and removes its folder: all went well, nobody will look.
    pub(crate) fn close(self) -> Result<()> {
        drop(self.running);
        remove(&self.folder)
    }
}

/// Two ports that nobody listens on. All are held until all are found, so they differ.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port of loopback is free")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// A random cluster id: 16 bytes, as Kafka writes them.
fn cluster_id() -> Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    // The first bits set: an id must not begin with a dash.
    bytes[0] &= 0x7f;
    Ok(base64(&bytes))
}

/// Base 64 for URLs, without padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = |chunk: &[u8]| {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        (0..=chunk.len())
            .map(move |at| char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]))
            .collect::<String>()
    };
    bytes.chunks(3).map(digits).collect()
}

fn properties(port: u16, controller: u16, data: &Path) -> String {
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
log.dirs={}
auto.create.topics.enable=false
message.max.bytes=8388608
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
",
        data.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ_and_can_be_bound() {
        let ports: [u16; 8] = free_ports().unwrap();
        let held: Vec<_> =
            ports.iter().map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).unwrap()).collect();
        assert_eq!(held.len(), 8);
    }

    #[test]
    fn base64_is_as_kafka_reads_it() {
        assert_eq!(base64(&[0xff; 16]), "_____________________w");
        assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw");
        assert!(!cluster_id().unwrap().starts_with(['-', '_']));
    }

    #[test]
    fn the_broker_listens_on_loopback_only() {
        let text = properties(1, 2, Path::new("/d"));
        let listeners = text.lines().find(|line| line.starts_with("listeners=")).unwrap();
        assert_eq!(listeners, "listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2");
        assert!(text.contains("log.dirs=/d\n"));
    }
}
