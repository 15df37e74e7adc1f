//! A collector of telemetry, as small as can be: it takes what is posted, and shows it as OpenTelemetry's own library
//! reads it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;

use crate::program::PATIENCE;
use crate::python;

/// Reads messages of a kind from files, and prints each as JSON.
const SHOW: &str = "
import json, sys
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
kind = {'metrics': ExportMetricsServiceRequest, 'traces': ExportTraceServiceRequest}[sys.argv[1]]
for file in sys.argv[2:]:
    print(json.dumps(MessageToDict(kind.FromString(open(file, 'rb').read()))))
";

/// What was posted.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The first line, and headers.
    pub head: String,
    pub body: Vec<u8>,
}

/// It listens as long as the process lives.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Default for Collector {
    fn default() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let (status, posted) = (Arc::new(AtomicU16::new(200)), Arc::<Mutex<Vec<Posted>>>::default());
        let (own_status, own_posted) = (Arc::clone(&status), Arc::clone(&posted));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // One that is cut off in the middle has posted nothing.
                let Some(posted) = take(&stream) else { continue };
                let status = own_status.load(Relaxed);
                if status == 200 {
                    own_posted.lock().expect("nobody panicked").push(posted);
                }
                let answer = format!("HTTP/1.1 {status} So\r\ncontent-length: 4\r\n\r\nbusy");
                let answer =
                    if status == 200 { answer.replace("4\r\n\r\nbusy", "0\r\n\r\n") } else { answer };
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
        Self { address, status, posted }
    }
}

impl Collector {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers so from now on. What is answered with another status than 200 is not kept.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Relaxed);
    }

    /// What was posted to a path so far.
    pub fn posted(&self, path: &str) -> Vec<Posted> {
        let all = self.posted.lock().expect("nobody panicked").clone();
        all.into_iter()
            .filter(|posted| posted.head.starts_with(&format!("POST {path} HTTP/1.1\r\n")))
            .collect()
    }

    /// All messages of a kind, `metrics`, once there is more than `before` of them.
    pub fn messages(&self, kind: &str, before: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let posted = self.posted(&format!("/v1/{kind}"));
            if posted.len() > before {
                return show(kind, &posted);
            }
            assert!(began.elapsed() < PATIENCE, "nothing comes");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

fn take(stream: &TcpStream) -> Option<Posted> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Posted { head, body })
}

fn show(kind: &str, posted: &[Posted]) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files: Vec<_> = (0..posted.len()).map(|at| folder.path().join(at.to_string())).collect();
    for (file, posted) in files.iter().zip(posted) {
        std::fs::write(file, &posted.body).expect("writable");
    }
    let output = python().args(["-c", SHOW, kind]).args(&files).output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}
