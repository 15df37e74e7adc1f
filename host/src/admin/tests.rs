//! The whole API over real connections, with a pipeline that is made up.

mod changes;
mod limits;
mod told;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::ports::{Change, NewFile, Outcome, Pipeline, Thread};
use super::{Options, Place, Server, Tokens};
use crate::config::Role;
use crate::engine::Meter;
use crate::error::{Code, Error, Result};
use crate::pipeline::Identity;
use crate::release::history::Event;
use crate::release::ledger::Ledger;
use crate::release::manifest::{Content, Facts, How, Manifest, Refusal, Ticket};
use crate::release::status::Status;
use crate::telemetry::Sheet;

const TICKET: Ticket = Ticket(7);

/// Notes what it is asked to do, and does nothing.
#[derive(Debug, Default)]
struct Made {
    meter: Arc<Meter>,
    threads: Mutex<Vec<Thread>>,
    /// What was proposed.
    done: Mutex<Vec<String>>,
    /// What becomes of it.
    outcome: Mutex<Option<Outcome>>,
}

impl Made {
    fn done(&self) -> Vec<String> {
        std::mem::take(&mut self.done.lock().expect("no panic"))
    }

    fn ends(&self, outcome: Outcome) {
        *self.outcome.lock().expect("no panic") = Some(outcome);
    }

    fn stand(&self, threads: &[(Place, u64)]) {
        let thread = |&(place, silent)| Thread { place, partitions: 2, silent: Duration::from_secs(silent) };
        *self.threads.lock().expect("no panic") = threads.iter().map(thread).collect();
    }

    fn does(&self, what: String) -> Result<Ticket> {
        self.done.lock().expect("no panic").push(what);
        Ok(TICKET)
    }
}

impl Pipeline for Made {
    fn name(&self) -> &str {
        "p"
    }

    fn identity(&self) -> Identity {
        let (id, stamp) = ("0123456789abcdef".to_owned(), "7-0123456789abcdef".to_owned());
        Identity { number: 7, id, stamp, ..Identity::default() }
    }

    fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    fn tell(&self, _: &mut Sheet) {}

    fn threads(&self) -> (usize, Vec<Thread>) {
        (1, self.threads.lock().expect("no panic").clone())
    }

    fn role(&self, stage: &str) -> Option<Role> {
        let known = [("rules", Role::Rules), ("model", Role::Model), ("features/cards", Role::Features(0))];
        known.into_iter().find(|(name, _)| *name == stage).map(|(_, role)| role)
    }

    fn outcome(&self, ticket: Ticket) -> Option<Outcome> {
        self.outcome.lock().expect("no panic").clone().filter(|_| ticket == TICKET)
    }

    fn status(&self) -> Result<Status> {
        Ok(Status::of("p", &Ledger::default(), Vec::new()))
    }

    fn history(&self, last: usize) -> Result<Vec<Event>> {
        Ok(vec![Event::runs(&manifest(), "host", last as i64)])
    }

    fn put(&self, file: NewFile, bytes: &mut dyn Read, change: &Change) -> Result<Ticket> {
        let mut text = Vec::new();
        bytes.read_to_end(&mut text).map_err(|error| Error::new(Code::RequestBody, error.to_string()))?;
        let (NewFile { role, signature, .. }, Change { by, why }) = (file, change);
        if text == b"bad" {
            return Err(Error::new(Code::PluginInvalid, "rules.wasm: it is no WebAssembly"));
        }
        let signed = if signature.is_some() { " signed" } else { "" };
        self.does(format!("{role} {} bytes{signed} by {by}: {why}", text.len()))
    }

    fn roll_back(&self, to: Option<u64>, change: &Change) -> Result<Ticket> {
        if to == Some(99) {
            return Err(Error::new(Code::NoRelease, "there is no release 99"));
        }
        self.does(format!("back to {to:?} by {}: {}", change.by, change.why))
    }
}

fn manifest() -> Manifest {
    let content =
        Content { id: "fedcba9876543210".to_owned(), configuration: String::new(), artifacts: Vec::new() };
    let (by, why) = ("ann@laptop".to_owned(), String::new());
    Manifest {
        number: 8,
        ticket: TICKET,
        facts: Facts {
            content,
            by,
            how: How::Apply,
            at: 5,
            why,
            returns_to: None,
            bootstrap: None,
            generation: 0,
        },
    }
}

fn refusal() -> Outcome {
    let (by, message) = ("root@one".to_owned(), "it imports `clock`".to_owned());
    Outcome::Refused(Refusal { ticket: TICKET, by, at: 5, code: "TW204".to_owned(), message })
}

/// A server on loopback whose pipeline runs.
fn serve(token: Option<&str>) -> (Server, Arc<Made>) {
    let tokens = Tokens::read(None, token).expect("a token or none");
    let listen = "127.0.0.1:0".parse().expect("an address");
    let server = Server::open(Options { listen, tokens }).expect("a free port");
    let made = Arc::<Made>::default();
    made.stand(&[(Place::Running, 0)]);
    server.host().open(vec![Arc::clone(&made) as Arc<dyn Pipeline>]);
    (server, made)
}

/// What came back.
#[derive(Debug)]
struct Got {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    fn has(&self, line: &str) -> bool {
        self.head.to_ascii_lowercase().lines().any(|own| own == line.to_ascii_lowercase())
    }

    /// Status and code of a problem.
    fn problem(&self) -> (u16, String) {
        assert!(self.has("content-type: application/problem+json"), "{self:?}");
        let page = self.json();
        assert_eq!(page["status"], self.status);
        assert!(!page["detail"].as_str().expect("a text").is_empty());
        (self.status, page["code"].as_str().expect("a code").to_owned())
    }
}

/// Sends bytes as they are, and reads all that comes.
fn exchange(address: SocketAddr, bytes: &[u8]) -> Got {
    answer(sent(address, bytes))
}

/// The same; nothing more is sent.
fn exchange_cut(address: SocketAddr, bytes: &[u8]) -> Got {
    let stream = sent(address, bytes);
    // It may have closed before.
    let _ = stream.shutdown(Shutdown::Write);
    answer(stream)
}

fn sent(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time");
    // It may have answered and closed before all is there.
    let _ = stream.write_all(bytes);
    stream
}

fn answer(mut stream: TcpStream) -> Got {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    let end = all.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(all.len());
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Got { status, head, body: all.get(end + 4..).unwrap_or_default().to_vec() }
}

fn ask(server: &Server, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Got {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
    headers.iter().for_each(|header| text.push_str(&format!("{header}\r\n")));
    if !body.is_empty() {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    exchange(server.address(), &[text.as_bytes(), b"\r\n", body].concat())
}

fn get(server: &Server, path: &str) -> Got {
    ask(server, "GET", path, &[], b"")
}
