//! A PostgreSQL of a test's own, on loopback: made in a folder, stopped and started as the test wants, gone with it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::chaos::process;
use crate::program::PATIENCE;
use crate::secured::Issued;

const USER: &str = "tester";
const PASSWORD: &str = "it's secret";
/// Of nobody: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65_534;

/// Dropped, it is killed and removed.
pub struct Database {
    folder: tempfile::TempDir,
    port: u16,
    server: Option<Child>,
}

impl Database {
    /// Makes and starts one.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        give_away(folder.path());
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).expect("writable");
        fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).expect("ours");
        // Held until the server takes it: nobody else gets it meanwhile.
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = held.local_addr().expect("bound").port();
        let mut database = Self { folder, port, server: None };
        let mut make = database.program("initdb");
        make.args(["--username", USER, "--encoding", "UTF8", "--no-locale", "--no-sync"]);
        make.args(["--auth", "scram-sha-256", "--pwfile"])
            .arg(&password)
            .arg("--pgdata")
            .arg(database.data());
        let made = make.output().expect("initdb starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        drop(held);
        database.go_on();
        database
    }

    /// Starts it again, with all that it had.
    pub fn go_on(&mut self) {
        let mut server = self.program("postgres");
        server.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        server.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "shared_buffers=16MB"]);
        server.arg("-c").arg(format!("unix_socket_directories={}", self.folder.path().display()));
        if self.own("server.crt").exists() {
            server.args([
                "-c",
                "ssl=on",
                "-c",
                "ssl_cert_file=../server.crt",
                "-c",
                "ssl_key_file=../server.key",
            ]);
        }
        let log = fs::File::create(self.log()).expect("writable");
        server.stderr(log).stdout(Stdio::null());
        self.server = Some(process::tie(&mut server).spawn().expect("postgres starts"));
        let began = Instant::now();
        while !self.answers() {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "PostgreSQL does not answer: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts it again with a certificate: it lets those in who ask for TLS.
    pub fn secure(&mut self, issued: &Issued) {
        self.stop();
        for (name, text) in [("server.crt", &issued.certificate), ("server.key", &issued.key)] {
            fs::write(self.own(name), text).expect("writable");
            fs::set_permissions(self.own(name), fs::Permissions::from_mode(0o600)).expect("ours");
            give_away(&self.own(name));
        }
        self.go_on();
    }

    /// Ends it at once, whatever it is doing.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            process::signal(&server, libc::SIGQUIT);
            server.wait().expect("it is our child");
        }
    }

    pub fn url(&self) -> String {
        format!("postgresql://{USER}@127.0.0.1:{}/postgres", self.port)
    }

    /// A file that has the password.
    pub fn password_file(&self) -> PathBuf {
        self.own("password")
    }

    /// Executes statements.
    pub fn execute(&self, sql: &str) {
        let (said, done) = self.psql(sql);
        assert!(done, "{sql}: {said}");
    }

    /// The rows of a query, as objects.
    pub fn query(&self, sql: &str) -> Vec<Value> {
        let (said, done) = self.psql(&format!("SELECT row_to_json(it) FROM ({sql}) it"));
        assert!(done, "{sql}: {said}");
        said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Waits until a query gives this number; a table that is not there gives none.
    pub fn wait_for(&self, sql: &str, number: i64) {
        let (began, mut last) = (Instant::now(), String::new());
        while last.trim() != number.to_string() {
            assert!(began.elapsed() < PATIENCE, "{sql}: {last}, where {number} is wanted");
            std::thread::sleep(Duration::from_millis(20));
            last = self.psql(sql).0;
        }
    }

    fn answers(&self) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() && self.psql("SELECT 1").1
    }

    /// What it says, and whether it went well.
    fn psql(&self, sql: &str) -> (String, bool) {
        let mut psql = self.program("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"]);
        psql.args(["--dbname", &self.url(), "--command", sql]).env("PGPASSWORD", PASSWORD);
        let output = psql.output().expect("psql starts");
        let said = [output.stdout, output.stderr].concat();
        (String::from_utf8_lossy(&said).into_owned(), output.status.success())
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(Path::new(&crate::needed("TAILWATER_POSTGRES")).join(name));
        command.stdin(Stdio::null()).current_dir(self.folder.path());
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.own("data")
    }

    fn log(&self) -> PathBuf {
        self.own("log")
    }

    fn own(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_root() -> bool {
    // SAFETY: a system call without arguments.
    unsafe { libc::geteuid() == 0 }
}

/// The server's user must own what it writes to.
fn give_away(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("root may");
    }
}
