//! A Kafka of our own, to be killed: one broker on loopback, always the same ports and data. Its controller is a
//! process of its own and lives on, as in clusters that people run.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::log::{Log, Mark};
use super::process::{end, signal, tie};

/// To its start, also after a kill: logs are looked through then.
const STARTED_WITHIN: Duration = Duration::from_secs(120);

/// After which a broker that is not heard of is fenced.
const SESSION: Duration = Duration::from_secs(3);

/// Of a broker's log.
const FORGETS: &str = "these partitions are likely deleted already and hence can be skipped";

pub(crate) const LOGGING: &str = r#"Configuration:
  Appenders:
    Console:
      name: out
      PatternLayout: { pattern: "%d %p %c %m%n" }
  Loggers:
    Root:
      level: info
      AppenderRef: { ref: out }
"#;

/// A broker process, its controller, and their folder. Dropped, they are killed.
#[derive(Debug)]
pub struct Server {
    libraries: PathBuf,
    folder: PathBuf,
    port: u16,
    starts: usize,
    broker: Option<Child>,
    controller: Option<Child>,
}

impl Server {
    /// Starts one, its data in an empty folder. `libraries`: Kafka's jars.
    pub fn launch(libraries: &Path, folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("writable");
        let ports = free_ports();
        fs::write(folder.join("controller.properties"), controller(ports[1], folder)).expect("writable");
        fs::write(folder.join("broker.properties"), broker(ports, folder)).expect("writable");
        fs::write(folder.join("log4j2.yaml"), LOGGING).expect("writable");
        let mut server = Self {
            libraries: libraries.to_owned(),
            folder: folder.to_owned(),
            port: ports[0],
            starts: 0,
            broker: None,
            controller: None,
        };
        for config in ["controller.properties", "broker.properties"] {
            let mut format = server.java(&["-XX:+UseSerialGC"], "kafka.tools.StorageTool");
            format.args(["format", "--cluster-id", "MkU3OEVBNTcwNTJENDM2Qg", "--config", config]);
            let formatted = format.output().expect("Java starts");
            assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        }
        let controller =
            server.run(&["-Xmx256m", "-XX:+UseSerialGC"], "controller.properties", "controller.log");
        server.controller = Some(controller);
        server.start();
        server
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn java(&self, options: &[&str], class: &str) -> Command {
        java(&self.libraries, &self.folder, options, class)
    }

    /// Starts it on the data that is there, and waits until it answers.
    pub fn start(&mut self) {
        self.starts += 1;
        let log = format!("broker-{}.log", self.starts);
        self.broker = Some(self.run(&["-Xms512m", "-Xmx1g", "-XX:+UseG1GC"], "broker.properties", &log));
    }

    fn run(&self, options: &[&str], config: &str, log: &str) -> Child {
        let mut command = self.java(options, "kafka.Kafka");
        command.arg(config).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = tie(&mut command).spawn().expect("Java starts");
        let file = self.folder.join(log);
        let stdout = child.stdout.take().expect("piped");
        let log = Log::follow(stdout, File::create(&file).expect("writable"));
        let ready = log.wait(0, &[Mark::Ready], STARTED_WITHIN);
        assert!(ready.is_some(), "Kafka does not start; its log: {}", file.display());
        child
    }

    /// SIGSTOP, to the broker alone, and SIGCONT after a while: longer than a session, so that it is fenced, and for a
    /// moment no broker is known to anybody.
    pub fn freeze(&self, long: Duration) {
        let Some(broker) = &self.broker else { return };
        signal(broker, libc::SIGSTOP);
        std::thread::sleep(SESSION + long);
        signal(broker, libc::SIGCONT);
    }

    /// What it did wrong itself, if it did. Apache Kafka 4.3.0 to 4.4.0 takes a partition without a leader, as it is for a
    /// moment after a start, for one that was deleted, and forgets the end of a transaction there: rows that were aborted
    /// are read then, or committed ones are not (KAFKA-20734).
    pub fn trouble(&self) -> Option<String> {
        let logs = (1..=self.starts).map(|start| self.folder.join(format!("broker-{start}.log")));
        let texts = logs.filter_map(|log| fs::read(log).ok());
        let forgets = |text: &Vec<u8>| {
            String::from_utf8_lossy(text).lines().filter(|line| line.contains(FORGETS)).count()
        };
        let count: usize = texts.map(|text| forgets(&text)).sum();
        let said = || {
            format!(
                "the broker forgot the ends of {count} transactions (KAFKA-20734; 4.2 does not): whatever else is wrong, \
                 it may be by that"
            )
        };
        (count > 0).then(said)
    }

    /// SIGKILL, to the broker alone.
    pub fn kill(&mut self) {
        self.broker.iter_mut().for_each(end);
        self.broker = None;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.broker.iter_mut().chain(&mut self.controller).for_each(end);
    }
}

/// A program of Kafka's jars, in a folder with a `log4j2.yaml`.
pub(crate) fn java(libraries: &Path, folder: &Path, options: &[&str], class: &str) -> Command {
    let home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let program = home.filter(|java| java.is_file()).unwrap_or_else(|| "java".into());
    let mut command = Command::new(program);
    command.args(options).arg("-Dlog4j2.configurationFile=log4j2.yaml");
    command.arg("-cp").arg(format!("{}/*", libraries.display())).arg(class);
    command.env_remove("JAVA_TOOL_OPTIONS").env_remove("CLASSPATH");
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Ports that nobody listens on.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free"));
    held.each_ref().map(|one| one.local_addr().expect("it has an address").port())
}

/// A broker that is gone is found out about soon.
fn controller(port: u16, folder: &Path) -> String {
    format!(
        "process.roles=controller
node.id=100
controller.quorum.voters=100@127.0.0.1:{port}
controller.listener.names=CONTROLLER
listeners=CONTROLLER://127.0.0.1:{port}
log.dirs={}
broker.session.timeout.ms={}
",
        folder.join("controller-data").display(),
        SESSION.as_millis()
    )
}

/// Members that are gone, and transactions that nobody ends, are found out about soon.
fn broker([port, controller]: [u16; 2], folder: &Path) -> String {
    format!(
        "process.roles=broker
node.id=1
controller.quorum.voters=100@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
log.dirs={}
auto.create.topics.enable=false
broker.session.timeout.ms={}
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
",
        folder.join("data").display(),
        SESSION.as_millis()
    )
}
