//! An Apache Kafka that lets nobody in but those it knows: with TLS, passwords, certificates of clients, and access
//! control. Tests that run at the same time share one, which ends with the last of them.

mod certificates;
mod rights;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::chaos::log::{Log, Mark};
use crate::chaos::process::{end, tie};
use crate::chaos::server::{LOGGING, free_ports, java};

pub use certificates::{Authority, Issued, Life};
pub use rights::{Operation, Resource, Right};

/// To its start.
const STARTED_WITHIN: Duration = Duration::from_secs(120);

/// Users that log in by PLAIN.
pub const USERS: usize = 16;
/// The user that logs in by SCRAM too.
pub const SCORER: &str = "scorer";
/// After so long brokers want clients that use [`Secured::impatient`] to log in again.
pub const LOGGED_IN_FOR: Duration = Duration::from_secs(2);

/// A broker on loopback, and the files of who may ask it.
#[derive(Debug)]
pub struct Secured {
    folder: tempfile::TempDir,
    ports: [u16; 6],
    /// The broker lives as long as both: what started it, and is told to end it.
    keeper: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Drop for Secured {
    fn drop(&mut self) {
        if let Some((stop, keeper)) = self.keeper.take() {
            drop(stop);
            // It has failed already, if it has.
            let _ = keeper.join();
        }
    }
}

impl Secured {
    /// The one that tests share. None: a Kafka of the user's was named, and there are no jars to start another.
    pub fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Secured>> = Mutex::new(Weak::new());
        let libraries = PathBuf::from(std::env::var_os("TAILWATER_KAFKA_LIBRARIES")?);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let secured = shared.upgrade().unwrap_or_else(|| Arc::new(Self::launch(libraries)));
        *shared = Arc::downgrade(&secured);
        Some(secured)
    }

    fn launch(libraries: PathBuf) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut secured = Self { folder, ports: free_ports(), keeper: None };
        secured.write_certificates();
        let folder = secured.folder().to_owned();
        fs::write(folder.join("server.properties"), secured.properties()).expect("writable");
        fs::write(folder.join("log4j2.yaml"), LOGGING).expect("writable");
        let mut format = java(&libraries, &folder, &["-XX:+UseSerialGC"], "kafka.tools.StorageTool");
        format.args(["format", "--cluster-id", "MkU3OEVBNTcwNTJENDM2Qg", "--config", "server.properties"]);
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let word = password(SCORER);
            format.args(["--add-scram", &format!("{mechanism}=[name={SCORER},password={word}]")]);
        }
        let formatted = format.output().expect("Java starts");
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        let ((ready, is_ready), (stop, is_over)) = (mpsc::channel(), mpsc::channel::<()>());
        let keeper = std::thread::spawn(move || {
            let options = ["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
            let mut command = java(&libraries, &folder, &options, "kafka.Kafka");
            command.arg("server.properties").stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = tie(&mut command).spawn().expect("Java starts");
            let stdout = child.stdout.take().expect("piped");
            let log = Log::follow(stdout, File::create(folder.join("server.log")).expect("writable"));
            let started = log.wait(0, &[Mark::Ready], STARTED_WITHIN);
            ready.send(started.map(drop).ok_or_else(|| log.tail())).expect("somebody waits");
            // An error: nobody needs it any more.
            let _ = is_over.recv();
            end(&mut child);
        });
        secured.keeper = Some((stop, keeper));
        if let Err(said) = is_ready.recv().expect("it starts, or says why not") {
            panic!("Kafka does not start: {}", said.join("\n"));
        }
        secured
    }

    /// Where the files are that clients need: `ca.pem`, `other-ca.pem`, `client.pem` and `client.key`, those of another
    /// authority `stranger.pem` and `stranger.key`, and `expired.pem` with `expired.key`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn at(&self, port: usize) -> String {
        format!("127.0.0.1:{}", self.ports[port])
    }

    /// In plain text, and for everything: tests themselves come this way.
    pub fn admin(&self) -> String {
        self.at(0)
    }

    /// TLS, and users log in: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512.
    pub fn login(&self) -> String {
        self.at(1)
    }

    /// The same by a name for which its certificate is not.
    pub fn login_by_another_name(&self) -> String {
        format!("localhost:{}", self.ports[1])
    }

    /// The same as [`Self::login`], and users have to log in again and again.
    pub fn impatient(&self) -> String {
        self.at(2)
    }

    /// With a certificate that has expired.
    pub fn expired(&self) -> String {
        self.at(3)
    }

    /// TLS, and clients have a certificate too.
    pub fn mutual(&self) -> String {
        self.at(4)
    }

    fn write_certificates(&self) {
        let write = |name: &str, text: &str| fs::write(self.folder().join(name), text).expect("writable");
        let (ours, others) = (Authority::new("ours"), Authority::new("others"));
        write("ca.pem", &ours.certificate());
        write("other-ca.pem", &others.certificate());
        for (name, life) in [("broker", Life::Now), ("expired-broker", Life::Before)] {
            let issued = ours.issue("broker", Some("127.0.0.1"), life);
            write(&format!("{name}.pem"), &(issued.key + &issued.certificate));
        }
        for (name, authority, life) in
            [("client", &ours, Life::Now), ("stranger", &others, Life::Now), ("expired", &ours, Life::Before)]
        {
            let issued = authority.issue(name, None, life);
            write(&format!("{name}.pem"), &issued.certificate);
            write(&format!("{name}.key"), &issued.key);
            write(&format!("{name}.encrypted.key"), &issued.encrypted(&password(name)));
        }
    }

    fn properties(&self) -> String {
        const NAMES: [&str; 6] = ["ADMIN", "LOGIN", "IMPATIENT", "EXPIRED", "MUTUAL", "CONTROLLER"];
        let listeners: Vec<String> =
            NAMES.iter().zip(self.ports).map(|(name, port)| format!("{name}://127.0.0.1:{port}")).collect();
        let (folder, controller) = (self.folder().display(), self.at(5));
        let mut text = format!(
            "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=ADMIN
listeners={}
advertised.listeners={}
listener.security.protocol.map=\
             ADMIN:PLAINTEXT,LOGIN:SASL_SSL,IMPATIENT:SASL_SSL,EXPIRED:SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+)$/$1/,DEFAULT
log.dirs={folder}/data
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=2
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
",
            listeners.join(","),
            listeners[..5].join(",")
        );
        for (name, file) in [
            ("login", "broker"),
            ("impatient", "broker"),
            ("mutual", "broker"),
            ("expired", "expired-broker"),
        ] {
            text += &format!(
                "listener.name.{name}.ssl.keystore.type=PEM\nlistener.name.{name}.ssl.keystore.location={folder}/{file}.pem\n"
            );
        }
        let users: String = (0..USERS)
            .map(user)
            .chain([SCORER.to_owned()])
            .map(|name| format!(" user_{name}=\"{}\"", password(&name)))
            .collect();
        for name in ["login", "impatient"] {
            let prefix = format!("listener.name.{name}");
            let module = "org.apache.kafka.common.security";
            text += &format!(
                "{prefix}.ssl.client.auth=none
{prefix}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
{prefix}.plain.sasl.jaas.config={module}.plain.PlainLoginModule required{users};
{prefix}.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;
{prefix}.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;
"
            );
        }
        for mechanism in ["plain", "scram-sha-256", "scram-sha-512"] {
            let millis = LOGGED_IN_FOR.as_millis();
            text += &format!("listener.name.impatient.{mechanism}.connections.max.reauth.ms={millis}\n");
        }
        text
    }
}

/// One of the users that log in by PLAIN.
pub fn user(number: usize) -> String {
    format!("user{number}")
}

/// That of a user, until it is changed; or of a client's key.
pub fn password(name: &str) -> String {
    format!("Geheim-{name}-7c1e")
}
